//! What the page of `view` answers to whom: without a browser, byte by byte. What a browser makes of it is tested elsewhere
//! (`tests/viewer`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{LONG, examples, file, flagstone, redis, redis_with_examples, send, silent, wait_until};

const TOKEN: &str = "0123456789-token";

struct Viewer {
    child: Child,
    out: BufReader<ChildStdout>,
    address: String,
}

impl Viewer {
    fn start(arguments: &[&str], token: Option<&str>) -> Self {
        let mut command = flagstone();
        command.args(["view", "--json"]).args(arguments).stdout(Stdio::piped()).env_remove("FLAGSTONE_VIEW_TOKEN");
        if let Some(token) = token {
            command.env("FLAGSTONE_VIEW_TOKEN", token);
        }
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let url = line["url"].as_str().unwrap();
        let address = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        Self { child, out, address }
    }

    fn on_examples() -> Self {
        Self::start(&["--file", examples().to_str().unwrap()], None)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// Sends a request as it is; the whole answer.
    fn send(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        answer(&mut stream).unwrap()
    }

    fn get(&self, path: &str, headers: &str) -> String {
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.address) };
        self.send(&format!("GET {path} HTTP/1.1\r\n{host}{headers}\r\n"))
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let (address, length) = (&self.address, body.len());
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    fn own(&self) -> String {
        format!("Origin: http://{}\r\n", self.address)
    }

    fn json(&self, path: &str) -> Value {
        body(&self.get(path, ""))
    }

    /// Sends a signal; the signal that ended it.
    fn signal(&mut self, name: &str) -> Option<i32> {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut ended = None;
        wait_until("the viewer ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.and_then(|ended| ended.signal())
    }
}

fn answer(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn body(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {head}\n{body}"))
}

#[track_caller]
fn has_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
}

#[test]
fn every_answer_says_what_browsers_may_do_with_it() {
    let viewer = Viewer::on_examples();
    for path in ["/", "/assets/app.js", "/assets/style.css", "/api/lists", "/nowhere", "/api/flag?key=nobody"] {
        let answer = viewer.get(path, "");
        for header in [
            "Content-Security-Policy: default-src 'none'; script-src 'self';",
            "require-trusted-types-for 'script'",
            "X-Content-Type-Options: nosniff",
            "Referrer-Policy: same-origin",
            "X-Frame-Options: DENY",
            "Cross-Origin-Resource-Policy: same-origin",
            "Cache-Control: no-store",
        ] {
            assert!(answer.contains(header), "{header} of {path}: {answer}");
        }
    }
    let page = viewer.get("/", "");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<style"), "{page}");
}

#[test]
fn only_browsers_that_came_on_purpose_are_answered() {
    let viewer = Viewer::on_examples();
    for (headers, status) in [
        ("Host: evil.example.org\r\n", 421),
        ("Host: evil.example.org:80\r\n", 421),
        ("Host: \r\n", 421),
        ("Host: localhost:9\r\n", 200),
        ("Host: [::1]:9\r\n", 200),
        ("Host: localhost\r\nHost: localhost\r\n", 400),
        ("Cookie: a=1\r\nCookie: b=2\r\n", 400),
        ("Authorization: Bearer a\r\nauthorization: Bearer b\r\n", 400),
        ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: none\r\n", 400),
        // Between here and a browser others may add to what nothing depends on.
        ("Accept: a\r\nAccept: b\r\nVia: one\r\nVia: other\r\n", 200),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: same-origin\r\n", 200),
    ] {
        has_status(&viewer.get("/api/lists", headers), status);
    }
    // A link of another page may lead here.
    has_status(&viewer.get("/", "Sec-Fetch-Site: cross-site\r\n"), 200);
    let question = r#"{"context":{"kind":"user","key":"ada"}}"#;
    for origin in ["", "Origin: null\r\n", "Origin: http://evil.example.org\r\n", "Origin: http://localhost:9\r\n"] {
        has_status(&viewer.post("/api/who", origin, question), 403);
    }
    has_status(&viewer.post("/api/who", "Origin: null\r\nSec-Fetch-Site: cross-site\r\n", question), 403);
    has_status(&viewer.post("/api/who", "Origin: null\r\nSec-Fetch-Site: same-origin\r\n", question), 403);
    has_status(&viewer.post("/api/who", &viewer.own(), question), 200);
}

#[test]
fn what_is_no_request_is_refused_and_harms_nobody() {
    let viewer = Viewer::on_examples();
    let host = format!("Host: {}\r\n", viewer.address);
    let own = viewer.own();
    let long = "x".repeat(20_000);
    let headers: String = (0..80).map(|number| format!("X-{number}: y\r\n")).collect();
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("PUT / HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("DELETE /api/lists HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("GET / HTTP/1.1\r\n{host}X: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\n{host}{headers}\r\n"), 431),
        (format!("POST /api/who HTTP/1.1\r\n{host}{own}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 411),
        (format!("POST /api/who HTTP/1.1\r\n{host}{own}Content-Length: 99999999\r\n\r\n{{}}"), 413),
        (format!("POST /api/who HTTP/1.1\r\n{host}{own}Content-Length: -1\r\n\r\n"), 400),
        (format!("POST /api/lists HTTP/1.1\r\n{host}{own}Content-Length: 0\r\n\r\n"), 404),
        (format!("GET /../../etc/passwd HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET /api/flag HTTP/1.1\r\n{host}\r\n"), 404),
    ] {
        has_status(&viewer.send(&request), status);
    }
    for (question, words) in [
        ("{", "this is no JSON"),
        (r#"{"context":7}"#, "this is no context"),
        (r#"{"context":{"kind":"user"}}"#, "this is no context"),
        (r#"{"key":"a"}"#, "this is no JSON"),
    ] {
        let answer = viewer.post("/api/who", &own, question);
        has_status(&answer, 400);
        assert!(answer.contains(words), "{answer}");
    }
    wait_until("the file is read", || viewer.json("/api/lists")["flags"].as_array().unwrap().len() == 3);
}

#[test]
fn connections_are_bounded_and_those_that_say_nothing_are_ended() {
    let viewer = Viewer::on_examples();
    let silent: Vec<TcpStream> = (0..64).map(|_| viewer.connect()).collect();
    // Not before all of them have been accepted. What is refused may be broken off as well.
    let begins = |status: &str| {
        let mut stream = viewer.connect();
        let sent = write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\n\r\n", viewer.address);
        sent.and_then(|()| answer(&mut stream)).is_ok_and(|answer| answer.starts_with(&format!("HTTP/1.1 {status} ")))
    };
    wait_until("the 65th is refused", || begins("503"));
    // Each is told that it took too long.
    for mut stream in silent {
        has_status(&answer(&mut stream).unwrap(), 408);
    }
    wait_until("the others have gone", || begins("200"));
}

#[test]
fn whoever_was_answered_and_goes_on_sending_is_cut_off() {
    let viewer = Viewer::on_examples();
    let mut streams: Vec<TcpStream> = (0..8).map(|_| viewer.connect()).collect();
    for stream in &mut streams {
        write!(stream, "GET /assets/icon.svg HTTP/1.1\r\nHost: {}\r\n\r\n", viewer.address).unwrap();
    }
    for stream in &mut streams {
        wait_until("it is cut off", || stream.write_all(b"x").is_err());
    }
}

/// Runs it to its end, which must come by itself.
fn ends(command: &mut Command) -> support::Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + LONG;
    while child.try_wait().unwrap().is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    // What has ended cannot be killed.
    let _ = child.kill();
    support::Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn a_token_that_is_none_is_refused_and_leaves_nothing_open() {
    for token in [&b""[..], b"short", b"0123456789 token", b"0123456789-\xff\xfetoken"] {
        let mut open = flagstone();
        open.args(["view", "--file"]).arg(examples()).env("FLAGSTONE_VIEW_TOKEN", OsStr::from_bytes(token));
        let complaint = ends(&mut open).complained(2);
        assert!(complaint.contains("FLAGSTONE_VIEW_TOKEN"), "{complaint}");
    }
}

#[test]
fn where_others_come_nobody_sees_anything_without_the_token() {
    let file = examples();
    let mut open = flagstone();
    open.args(["view", "--listen", "0.0.0.0:0", "--file"]).arg(&file).env_remove("FLAGSTONE_VIEW_TOKEN");
    let refused = ends(&mut open).complained(2);
    assert!(refused.contains("FLAGSTONE_VIEW_TOKEN") && refused.contains("token"), "{refused}");
    for none in ["8090", "localhost:8090", "127.0.0.1"] {
        let refused = ends(flagstone().args(["view", "--listen", none, "--file"]).arg(&file)).complained(2);
        assert!(refused.contains("an address and a port, such as 127.0.0.1:8090"), "{refused}");
    }
    let viewer = Viewer::start(
        &["--listen", "0.0.0.0:0", "--name", "flags.test", "--file", file.to_str().unwrap()],
        Some(TOKEN),
    );
    for path in ["/api/lists", "/api/flag?key=new-checkout", "/api/health", "/api/events"] {
        has_status(&viewer.get(path, ""), 401);
        has_status(&viewer.get(path, "Authorization: Bearer 0123456789-tokes\r\n"), 401);
    }
    let page = viewer.get("/", "");
    has_status(&page, 401);
    assert!(page.contains("FLAGSTONE_VIEW_TOKEN") && !page.contains("new-checkout"), "{page}");
    has_status(&viewer.get("/api/lists", &format!("Host: flags.test\r\nAuthorization: Bearer {TOKEN}\r\n")), 200);
    has_status(&viewer.post("/login", &viewer.own(), "token=wrong"), 401);
    has_status(&viewer.post("/login", "Origin: http://evil.example.org\r\n", &format!("token={TOKEN}")), 403);
    let entered = viewer.post("/login", &viewer.own(), &format!("token={TOKEN}"));
    has_status(&entered, 303);
    let cookie = entered.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("Secure"), "it would not be sent: {cookie}");
    // A proxy that encrypts.
    let encrypted = format!("Origin: https://{}\r\n", viewer.address);
    let entered = viewer.post("/login", &encrypted, &format!("token={TOKEN}"));
    assert!(entered.contains("; SameSite=Strict; Secure\r\n"), "{entered}");
    let cookie = cookie.split(';').next().unwrap();
    has_status(&viewer.get("/api/lists", &format!("Cookie: other=1; {cookie}\r\n")), 200);
}

#[test]
fn answers_are_those_of_the_command_line() {
    let viewer = Viewer::on_examples();
    wait_until("the file is read", || {
        viewer.json("/api/lists")["flags"].as_array().is_some_and(|flags| flags.len() == 3)
    });
    let lists = viewer.json("/api/lists");
    let listed = support::on_examples(&["flags", "--json"]).json(0);
    assert_eq!(lists["flags"], listed);
    let question = json!({ "context": { "kind": "user", "key": "zoe" }, "key": "new-checkout" }).to_string();
    let told = body(&viewer.post("/api/who", &viewer.own(), &question));
    let explained = support::on_examples(&["eval", "new-checkout", "--user", "zoe", "--explain", "--json"]).json(0);
    assert_eq!(told["explanation"], explained);
    let words = support::on_examples(&["eval", "new-checkout", "--user", "zoe", "--explain"]).ended(0);
    let first = told["tree"]["text"].as_str().unwrap();
    assert!(words.contains(first), "{first} in {words}");
    let item = viewer.json("/api/flag?key=new-checkout");
    assert_eq!(item["flag"]["otherwise"]["shares"][0], json!({ "variation": 0, "share": 0.25 }));
    assert_eq!(item["graph"]["edges"].as_array().unwrap().len(), 2);
    has_status(&viewer.get("/api/flag?key=nobody", ""), 404);
}

#[test]
fn weights_that_are_no_weights_end_nothing() {
    let weights = r#"[{"variation":0,"weight":1e300},{"variation":1,"weight":-1e300},{"variation":0,"weight":1},{"variation":1,"weight":1}]"#;
    let serves = format!(r#"{{"rollout":{{"variations":{weights}}}}}"#);
    let with = |version: u32| {
        format!(r#"{{"flags":{{"odd":{{"version":{version},"on":true,"variations":[1,2],"fallthrough":{serves}}}}}}}"#)
    };
    let from = file("odd.json", &with(1));
    let viewer = Viewer::start(&["--file", from.to_str().unwrap()], None);
    wait_until("it is read and told", || viewer.json("/api/timeline").to_string().contains("\"many\""));
    assert_eq!(viewer.json("/api/lists")["flags"][0]["serves"], "100% 1");
    assert_eq!(viewer.json("/api/flag?key=odd")["flag"]["otherwise"]["shares"][0]["share"], json!(1.0));
    std::fs::write(&from, with(2)).unwrap();
    wait_until("it is followed", || viewer.json("/api/timeline").to_string().contains("\"change\""));
}

#[test]
fn what_a_picture_leaves_out_is_counted_once() {
    let flag = |key: String, needs: &[String]| {
        let needs: Vec<Value> = needs.iter().map(|key| json!({ "key": key, "variation": 0 })).collect();
        (key, json!({ "version": 1, "on": true, "variations": [1], "prerequisites": needs }))
    };
    let near: Vec<String> = (0..79).map(|number| format!("near-{number}")).collect();
    let far = ["far-1".to_owned(), "far-2".to_owned()];
    let flags: serde_json::Map<String, Value> = std::iter::once(flag("here".to_owned(), &near))
        .chain(near.iter().map(|key| flag(key.clone(), &far)))
        .chain(far.iter().map(|key| flag(key.clone(), &[])))
        .collect();
    let from = file("wide.json", &json!({ "flags": flags }).to_string());
    let viewer = Viewer::start(&["--file", from.to_str().unwrap()], None);
    wait_until("the file is read", || viewer.json("/api/lists")["flags"].as_array().unwrap().len() == 82);
    let graph = &viewer.json("/api/flag?key=here")["graph"];
    assert_eq!((graph["nodes"].as_array().unwrap().len(), &graph["left_out"]), (80, &json!(2)));
}

/// Reads events until one contains these words.
fn hear(events: &mut BufReader<TcpStream>, words: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(events.read_line(&mut line).unwrap() > 0, "it has ended before {words}");
        if line.contains(words) {
            return line;
        }
    }
}

#[test]
fn changes_are_pushed_with_what_is_new_and_the_end_of_redis_too() {
    let redis = redis_with_examples();
    let viewer = Viewer::start(&["--url", &redis.url()], None);
    // What is read first is told as one entry: whatever comes after that is a change.
    wait_until("it is read and told", || viewer.json("/api/timeline").to_string().contains("\"many\""));
    let mut stream = viewer.connect();
    stream.write_all(format!("GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", viewer.address).as_bytes()).unwrap();
    let mut events = BufReader::new(stream);
    hear(&mut events, "event: hello");
    let pulse = hear(&mut events, "\"state\"");
    assert!(pulse.contains("\"VALID\"") && pulse.contains("\"flags\":3"), "{pulse}");
    let text = support::flag_text(&redis, "search-engine").unwrap();
    let changed = text.replace("\"version\":31", "\"version\":32").replace("\"on\":false", "\"on\":true");
    send(&redis, &["HSET", "launchdarkly:features", "search-engine", &changed]);
    let news = hear(&mut events, "search-engine");
    let news: Value = serde_json::from_str(news.strip_prefix("data: ").unwrap()).unwrap();
    let change = &news["entries"][0];
    assert_eq!((&change["old_version"], &change["new_version"]), (&json!(31), &json!(32)));
    assert_eq!((&change["words"], &change["row"]["on"]), (&json!(["turned on"]), &json!(true)));
    send(&redis, &["HSET", "launchdarkly:segments", "beta", r#"{"version":4,"deleted":true}"#]);
    let gone = hear(&mut events, "\"segment\"");
    assert!(gone.contains("\"row\":null"), "{gone}");
    drop(redis);
    hear(&mut events, "\"INTERRUPTED\"");
    assert_eq!(viewer.json("/api/lists")["flags"].as_array().unwrap().len(), 3, "what was held is shown");
}

#[test]
fn what_changes_through_something_else_is_told_in_one_entry_if_it_is_much() {
    let needs = r#"{"version":1,"on":true,"variations":[1],"prerequisites":[{"key":"base","variation":0}]}"#;
    let flags: String = (0..3_000).map(|number| format!(r#","f{number}":{needs}"#)).collect();
    let with_base = |version: u32| {
        let base = format!(r#"{{"version":{version},"on":true,"variations":[{version}],"offVariation":0}}"#);
        format!(r#"{{"flags":{{"base":{base}{flags}}}}}"#)
    };
    let from = file("through.json", &with_base(1));
    let viewer = Viewer::start(&["--file", from.to_str().unwrap()], None);
    wait_until("it is read and told", || viewer.json("/api/timeline").to_string().contains("\"many\""));
    std::fs::write(&from, with_base(2)).unwrap();
    wait_until("it is told together", || {
        let timeline = viewer.json("/api/timeline");
        // The first entry is that of all that was read.
        timeline.as_array().unwrap().iter().any(|entry| {
            entry["event"] == "many" && entry["count"].as_u64().is_some_and(|count| (501..=3_000).contains(&count))
        })
    });
}

#[test]
fn a_prefix_without_flags_is_shown_as_such_and_followed() {
    let redis = redis();
    let viewer = Viewer::start(&["--url", &redis.url(), "--timeout", "0.2"], None);
    assert_eq!(viewer.json("/api/lists")["flags"], json!([]));
    send(&redis, &["HSET", "launchdarkly:features", "first", r#"{"version":1,"variations":[1]}"#]);
    wait_until("it is read", || viewer.json("/api/lists")["flags"][0]["key"] == "first");
}

#[test]
fn a_signal_ends_it_at_once_whoever_is_connected() {
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let mut viewer = Viewer::on_examples();
        let mut stream = viewer.connect();
        stream.write_all(format!("GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", viewer.address).as_bytes()).unwrap();
        // It is connected to the end.
        let mut events = BufReader::new(stream);
        hear(&mut events, "event: hello");
        assert_eq!(viewer.signal(name), Some(number));
        let mut rest = String::new();
        viewer.out.read_line(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
    // Also while it waits for a Redis that says nothing, far longer than this test waits for anything.
    let (silent, url) = silent();
    let mut waiting = Viewer::start(&["--url", &url, "--timeout", "600"], None);
    let _connection = silent.accept().unwrap();
    assert_eq!(waiting.json("/api/lists")["flags"], json!([]));
    assert_eq!(waiting.signal("INT"), Some(2));
}

#[test]
fn an_address_that_is_taken_is_said_and_a_reader_that_has_gone_ends_it() {
    let viewer = Viewer::on_examples();
    let file = examples();
    let mut second = flagstone();
    let output = second.args(["view", "--listen", &viewer.address, "--file"]).arg(&file).output().unwrap();
    assert!(support::Ran::of(output).complained(3).contains("--listen"));
    // Nobody reads from a pipe whose reader has ended.
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    let output = flagstone().args(["view", "--file"]).arg(&file).stdout(pipe).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}
