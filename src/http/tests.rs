//! Requests against servers and proxies that live in the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;
use std::time::{Duration, Instant};

use fakeld::{Action, Fake};

use super::*;

/// How long a test waits for something that is to happen; what hangs, hangs for longer.
const LONG: Duration = Duration::from_secs(30);
/// What ends at once, or after a short time, may take this long on a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn options() -> HttpOptions {
    HttpOptions::new("sdk-key-1", "f6b3a1f0-7b1c-4f0e-9a70-0d1f6d1f2a11")
}

fn requester(options: &HttpOptions) -> Requester {
    Requester::new(options, Patience { silence: LONG, whole: None }).unwrap()
}

/// Fetches a URL and tells the status.
fn fetch(options: &HttpOptions, url: &str) -> Result<u16, RequestError> {
    requester(options).get(url, &[]).map(|response| response.status())
}

/// A proxy that opens tunnels. Tells the head of each request it gets.
fn tunnel_proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut input = BufReader::new(client.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && input.read_line(&mut head).unwrap() > 0 {}
            let target = head.split(' ').nth(1).unwrap().replace("not.valid.local", "127.0.0.1");
            sender.send(head).unwrap();
            let server = TcpStream::connect(target).unwrap();
            (&client).write_all(b"HTTP/1.1 200 Fine\r\n\r\n").unwrap();
            let (mut up, mut down) = (server.try_clone().unwrap(), client);
            spawn(move || std::io::copy(&mut input, &mut up));
            spawn(move || std::io::copy(&mut &server, &mut down));
        }
    });
    (format!("127.0.0.1:{}", address.port()), receiver)
}

#[test]
fn a_plain_request_is_handed_to_the_proxy_as_a_whole() {
    // The server plays the proxy: it takes the path of a whole URL.
    let proxy = Fake::start().unwrap();
    let mut options = options();
    options.proxy = Some(proxy.url().replace("http://", "http://us%40er:geheim@"));
    let status = fetch(&options, "http://not.valid.local:81/sdk/latest-all?filter=f").unwrap();
    assert_eq!(status, 200);
    let request = proxy.requests().remove(0);
    assert_eq!(request.target, "http://not.valid.local:81/sdk/latest-all?filter=f");
    assert_eq!(request.header("host"), Some("not.valid.local:81"));
    assert_eq!(request.header("authorization"), Some("sdk-key-1"));
    // us@er:geheim
    assert_eq!(request.header("proxy-authorization"), Some("Basic dXNAZXI6Z2VoZWlt"));
}

#[test]
fn several_plain_requests_go_through_a_proxy() {
    let proxy = Fake::start().unwrap();
    let options = HttpOptions { proxy: Some(proxy.url()), ..options() };
    let requester = requester(&options);
    for host in ["one.local", "two.local", "one.local"] {
        let response = requester.get(&format!("http://{host}/sdk/latest-all"), &[]).unwrap();
        assert_eq!(response.read_all(1000).unwrap(), br#"{"flags":{},"segments":{}}"#);
    }
    let targets: Vec<String> = proxy.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets[1], "http://two.local/sdk/latest-all");
    assert_eq!(targets.len(), 3);
    assert_eq!(proxy.requests()[0].header("proxy-authorization"), None);
}

#[test]
fn a_secure_request_goes_through_a_tunnel() {
    let server = Fake::start_tls().unwrap();
    let (proxy, heads) = tunnel_proxy();
    let mut options = options();
    options.proxy = Some(format!("http://user:geheim@{proxy}"));
    options.ca_file = Some(fakeld::CA_FILE.into());
    assert_eq!(fetch(&options, &format!("{}/sdk/latest-all", server.url())).unwrap(), 200);
    let head = heads.recv_timeout(LONG).unwrap();
    assert!(head.starts_with(&format!("CONNECT localhost:{}", server.port())), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic dXNlcjpnZWhlaW0="), "{head}");
    assert!(!head.contains("sdk-key-1"), "the proxy of a tunnel learns no key");
}

#[test]
fn a_socks_proxy_is_told_the_name_of_the_host() {
    let server = Fake::start().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let port = server.port();
    let asked = spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).unwrap();
        client.read_exact(&mut vec![0; usize::from(greeting[1])]).unwrap();
        client.write_all(&[5, 0]).unwrap();
        let mut request = [0; 5];
        client.read_exact(&mut request).unwrap();
        let mut host = vec![0; usize::from(request[4]) + 2];
        client.read_exact(&mut host).unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let upstream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut up, mut from) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
        spawn(move || std::io::copy(&mut from, &mut up));
        spawn(move || std::io::copy(&mut &upstream, &mut client));
        host.truncate(host.len() - 2);
        String::from_utf8(host).unwrap()
    });
    let options = HttpOptions { proxy: Some(format!("socks5h://{proxy}")), ..options() };
    assert_eq!(fetch(&options, "http://not.valid.local/sdk/latest-all").unwrap(), 200);
    assert_eq!(asked.join().unwrap(), "not.valid.local");
    assert_eq!(server.requests()[0].target, "/sdk/latest-all");
}

#[test]
fn waiting_for_a_proxy_that_hangs_can_be_interrupted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = HttpOptions { proxy: Some(format!("http://{}", listener.local_addr().unwrap())), ..options() };
    for url in ["https://example.org/", "http://example.org/"] {
        let requester = requester(&options);
        let interrupter = requester.interrupter();
        let waiting = spawn(move || requester.get(url, &[]).map(|response| response.status()));
        let (mut client, _) = listener.accept().unwrap();
        client.read_exact(&mut [0; 8]).unwrap();
        let begin = Instant::now();
        interrupter.interrupt();
        assert!(matches!(waiting.join().unwrap(), Err(RequestError::Interrupted)));
        assert!(begin.elapsed() < SOON);
    }
}

#[test]
fn a_proxy_that_hangs_is_given_up_after_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options();
    options.proxy = Some(format!("http://user:geheim@{}", listener.local_addr().unwrap()));
    options.connect_timeout = Duration::from_millis(200);
    options.read_timeout = Duration::from_millis(200);
    for url in ["https://example.org/", "http://example.org/"] {
        let begin = Instant::now();
        let error = fetch(&options, url).unwrap_err();
        assert!(matches!(error, RequestError::Timeout(_)), "{error}");
        assert!(begin.elapsed() < SOON);
    }
}

#[test]
fn a_redirect_through_a_proxy_is_followed_there_too() {
    let proxy = Fake::start().unwrap();
    proxy.script(Action::Redirect(302, "http://two.local/sdk/latest-all".to_owned()));
    let options = HttpOptions { proxy: Some(proxy.url()), ..options() };
    assert_eq!(fetch(&options, "http://one.local/x").unwrap(), 200);
    let requests = proxy.requests();
    assert_eq!(requests[1].target, "http://two.local/sdk/latest-all");
    assert_eq!(requests[1].header("authorization"), None);
}

#[test]
fn the_environment_names_proxies_by_scheme_and_takes_hosts_out() {
    use proxy::{Route, route};
    let environment = |list: &[(&'static str, &str)]| {
        let value = |name: &str| {
            let found = list.iter().find(|(own, _)| *own == name);
            found.map(|(name, value)| ProxyVariable { name, value: (*value).to_owned() })
        };
        ProxyEnvironment { http: value("http"), https: value("https"), all: value("all"), none: value("none") }
    };
    let proxied = |list: &[(&'static str, &str)], url: &str| {
        let options = HttpOptions { environment: environment(list), ..options() };
        match route(&options, &url.parse().unwrap()) {
            Ok(Route::Direct) => String::new(),
            Ok(Route::Tunnel(proxy)) => format!("tunnel {}", proxy.host()),
            Ok(Route::Forward(proxy)) => format!("forward {}", proxy.host()),
            Err(error) => error.to_string(),
        }
    };
    let both = [("http", "http://a:1"), ("https", "http://b:1")];
    assert_eq!(proxied(&both, "http://x/"), "forward a");
    assert_eq!(proxied(&both, "https://x/"), "tunnel b");
    assert_eq!(proxied(&[("all", "http://c:1")], "https://x/"), "tunnel c");
    assert_eq!(proxied(&[("all", "socks5h://c:1")], "http://x/"), "tunnel c");
    assert_eq!(proxied(&[("http", "HTTP://a:1")], "http://x/"), "forward a");
    assert_eq!(proxied(&[("http", "http://a:1")], "https://x/"), "");
    assert_eq!(proxied(&[("http", "http://a:1"), ("none", "x")], "http://x/"), "");
    for (value, reason) in [
        ("ftp://u:geheim@a:1", "its scheme is none of"),
        ("u:geheim@a:1", "does not begin with a scheme"),
        ("a", "does not begin with a scheme"),
        ("http://u:geheim@a b:1", "no URL of a host"),
        ("http://u:geheim@a:70000", "no URL of a host"),
    ] {
        let told = proxied(&[("http", value)], "http://x/");
        assert!(told.contains("variable http ") && told.contains(reason) && !told.contains("geheim"), "{told}");
        assert_eq!(proxied(&[("http", value)], "https://x/"), "", "a variable that does not count does no harm");
        assert_eq!(proxied(&[("http", value), ("none", "x")], "http://x/"), "");
    }
    let mut named = options();
    named.proxy = Some("http://own:1".to_owned());
    named.environment = environment(&[("none", "*")]);
    assert!(matches!(route(&named, &"http://x/".parse().unwrap()), Ok(Route::Forward(_))), "the option means it");
}

#[test]
fn urls_are_joined_without_doubled_slashes() {
    assert_eq!(join("http://h", "/all", &[]), "http://h/all");
    assert_eq!(join("http://h/", "/all", &[]), "http://h/all");
    assert_eq!(
        join("http://h/a/b//", "all", &[("filter", "x.y"), ("q", "a b&\u{fc}")]),
        "http://h/a/b/all?filter=x.y&q=a%20b%26%C3%BC"
    );
}

#[test]
fn locations_are_followed_from_where_they_were_given() {
    let follow = |location: &str| {
        url::follow(&"https://u:p@h:1/a/b?c".parse().unwrap(), location).map(|uri| uri.to_string()).ok()
    };
    for (location, target) in [
        ("http://x/y", "http://x/y"),
        ("//x/y?z", "https://x/y?z"),
        ("/y#part", "https://u:p@h:1/y"),
        ("y?z", "https://u:p@h:1/a/y?z"),
        ("../y", "https://u:p@h:1/y"),
        ("../../../y", "https://u:p@h:1/y"),
        ("./y", "https://u:p@h:1/a/y"),
        ("?z", "https://u:p@h:1/a/b?z"),
        ("y?a:b", "https://u:p@h:1/a/y?a:b"),
    ] {
        assert_eq!(follow(location).as_deref(), Some(target), "{location}");
    }
    for location in ["ftp://x/", "javascript:x", "http://", "//", "/a b"] {
        assert_eq!(follow(location), None, "{location}");
    }
}

#[test]
fn the_same_origin_has_the_same_scheme_host_and_port() {
    let same = |a: &str, b: &str| url::is_same_origin(&a.parse().unwrap(), &b.parse().unwrap());
    assert!(same("http://H/a", "http://h:80/b") && same("https://h", "https://h:443"));
    for other in ["https://h/", "http://h:81/", "http://i/", "http://h.i/"] {
        assert!(!same("http://h/", other), "{other}");
    }
}

#[test]
fn options_that_cannot_work_are_refused_without_repeating_secrets() {
    assert!(options().check("http://h").is_ok());
    let with = |change: &dyn Fn(&mut HttpOptions)| {
        let mut options = options();
        change(&mut options);
        let error = options.check("http://h").unwrap_err().to_string();
        assert!(!error.contains("geheim"), "{error}");
        error
    };
    for proxy in [
        "ftp://user:geheim@host",
        "user:geheim@host:1",
        "http://user:geheim@",
        "http://user:geheim@ho st",
        "http://user:geheim@h:99999",
        "",
    ] {
        assert!(with(&|options| options.proxy = Some(proxy.to_owned())).contains("not a usable proxy"), "{proxy}");
    }
    for (name, value) in
        [("X Y", "geheim"), ("", "geheim"), ("X", "geheim\r\nY: z"), ("Content-Length", "3"), ("host", "h")]
    {
        with(&|options| options.headers = vec![(name.to_owned(), value.to_owned())]);
    }
    with(&|options| options.tags = Some("geheim\n".to_owned()));
    assert!(with(&|options| options.ca_file = Some("/nowhere/ca.pem".into())).contains("/nowhere/ca.pem"));
    let no_pem = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(with(&|options| options.ca_file = Some(no_pem.into())).contains("no PEM certificate"));
    let broken = std::env::temp_dir().join(format!("flagstone-ca-{}.pem", std::process::id()));
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    with(&|options| options.ca_file = Some(broken.clone()));
    std::fs::remove_file(&broken).unwrap();
    let no_file = with(&|options| options.ca_file = Some("/dev/zero".into()));
    assert!(no_file.contains("http.tls.ca_file") && no_file.contains("not a regular file"), "{no_file}");
}

#[test]
fn base_urls_are_http_and_name_a_host() {
    assert!(check_base("http://h").is_ok() && check_base("https://[::1]:81/a/").is_ok());
    for bad in ["", "h", "h:80", "/a", "ftp://h", "http://", "http://h h", "user:geheim", "http://h:99999", "http://h:"]
    {
        let error = check_base(bad).unwrap_err().to_string();
        assert!(!error.contains("geheim"), "{error}");
    }
}

#[test]
fn no_secret_shows_in_a_debug_text() {
    let mut options = options();
    options.sdk_key = "geheim".to_owned();
    options.headers = vec![("X".to_owned(), "geheim".to_owned())];
    options.proxy = Some("http://u:geheim@h".to_owned());
    options.environment.all = Some(ProxyVariable { name: "all_proxy", value: "http://u:geheim@h".to_owned() });
    assert!(!format!("{options:?} {:?}", options.environment).contains("geheim"));
    let (name, value) = headers::parse("Authorization", "geheim").unwrap();
    assert!(!format!("{name:?} {value:?}").contains("geheim"));
}

#[test]
fn no_error_shows_a_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let refusing = Fake::start().unwrap();
    for url in
        [format!("http://u:geheim@{gone}/geheim"), format!("https://u:geheim@{gone}/"), "http://u:geheim@".to_owned()]
    {
        for proxy in [None, Some(format!("http://u:geheim@{gone}")), Some(refusing.url().replace("//", "//u:geheim@"))]
        {
            let mut options = options();
            options.sdk_key = "geheim".to_owned();
            options.proxy = proxy;
            refusing.script(Action::Close);
            match fetch(&options, &url) {
                Ok(status) => assert_ne!(status, 200),
                Err(error) => assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}"),
            }
        }
    }
}

#[test]
fn an_answer_may_be_no_longer_than_allowed_also_when_unpacked() {
    let fake = Fake::start().unwrap();
    for _ in 0..2 {
        fake.script(Action::Answer(200, Vec::new(), vec![b'x'; 1000]));
    }
    let requester = requester(&options());
    assert_eq!(requester.get(&fake.url(), &[]).unwrap().read_all(1000).unwrap().len(), 1000);
    assert!(matches!(requester.get(&fake.url(), &[]).unwrap().read_all(999), Err(RequestError::TooLong)));
    fake.edit(|environment| {
        drop(environment.set(fakeld::Kind::Flag, &format!(r#"{{"key":"a","salt":"{}"}}"#, "x".repeat(100_000))));
    });
    let url = format!("{}/sdk/latest-all", fake.url());
    let packed = requester.get(&url, &[("Accept-Encoding", "gzip")]).unwrap();
    assert!(matches!(packed.read_all(50_000), Err(RequestError::TooLong)));
}

#[test]
fn deadlines_beyond_all_bounds_do_no_harm() {
    let fake = Fake::start().unwrap();
    let mut options = options();
    options.connect_timeout = Duration::MAX;
    options.read_timeout = Duration::MAX;
    let requester = Requester::new(&options, Patience { silence: Duration::MAX, whole: Some(Duration::MAX) }).unwrap();
    let url = format!("{}/sdk/latest-all", fake.url());
    assert_eq!(requester.get(&url, &[]).unwrap().read_all(100).unwrap().len(), 26);
    options.read_timeout = Duration::ZERO;
    fake.script(Action::Hang(LONG));
    assert!(matches!(fetch(&options, &url), Err(RequestError::Timeout(_))));
}

#[test]
fn an_interrupted_requester_makes_no_more_requests() {
    let fake = Fake::start().unwrap();
    fake.script(Action::Hang(LONG));
    let requester = requester(&options());
    let interrupter = requester.interrupter();
    let url = fake.url();
    let waiting = spawn(move || {
        let first = requester.get(&url, &[]).map(|response| response.status());
        (first, requester.get(&url, &[]).map(|response| response.status()))
    });
    fake.wait_for_requests(1, LONG);
    let begin = Instant::now();
    interrupter.interrupt();
    let (first, second) = waiting.join().unwrap();
    assert!(matches!(first, Err(RequestError::Interrupted)) && matches!(second, Err(RequestError::Interrupted)));
    assert!(begin.elapsed() < SOON);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_stream_is_handed_out_as_it_arrives() {
    let fake = Fake::start().unwrap();
    let mut response = requester(&options()).get(&format!("{}/all", fake.url()), &[]).unwrap();
    let mut buffer = vec![0; 10_000];
    assert!(response.read(&mut buffer).unwrap() > 0);
    fake.send_raw(b"now");
    let length = response.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"now");
    fake.close_streams();
    assert_eq!(response.read(&mut buffer).unwrap(), 0);
}

#[test]
fn a_body_is_posted_and_goes_on_with_redirects_that_keep_it_and_with_no_others() {
    let (fake, other) = (Fake::start().unwrap(), Fake::start().unwrap());
    let requester = requester(&options());
    let post = |body: &str| requester.post(&format!("{}/bulk", fake.url()), &[("X-A", "1")], body.as_bytes());
    let answer = post("first").unwrap();
    assert_eq!(answer.status(), 202);
    answer.finish(1);
    for status in [307, 308] {
        fake.script(Action::Redirect(status, format!("{}/bulk", other.url())));
        assert_eq!(post("moved").unwrap().status(), 202);
        let last = other.requests().pop().unwrap();
        assert_eq!((last.method.as_str(), last.body.as_slice()), ("POST", b"moved".as_slice()));
        assert_eq!((last.header("authorization"), last.header("x-a")), (None, Some("1")));
    }
    for status in [301, 302, 303] {
        fake.script(Action::Redirect(status, format!("{}/bulk", other.url())));
        assert!(matches!(post("x"), Err(RequestError::Redirect(_))), "{status}");
    }
    assert_eq!((fake.connections(), other.requests().len()), (1, 2));
}

#[test]
fn a_server_says_when_it_is() {
    let fake = Fake::start().unwrap();
    for (date, expected) in
        [(Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000)), (Some("yesterday"), None), (None, None)]
    {
        let headers = date.map(|date| ("Date".to_owned(), date.to_owned())).into_iter().collect();
        fake.script(Action::Answer(200, headers, Vec::new()));
        assert_eq!(requester(&options()).get(&fake.url(), &[]).unwrap().date_ms(), expected, "{date:?}");
    }
}

#[test]
fn what_is_shown_of_a_url_holds_no_credentials_and_no_query() {
    assert_eq!(shown("https://me:geheim@host:1/a/b?key=geheim"), "https://host:1/a/b");
    assert_eq!(shown("no url"), "a URL that cannot be parsed");
}
