//! Tests of tokens and of where identities come from, against services of this process.
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2026-11-29, 20:15:30.
const MOMENT: u64 = 1_795_983_330;

fn options(environment: Environment) -> AwsOptions {
    AwsOptions {
        region: "eu-central-1".to_owned(),
        service: Service::ElastiCache,
        cluster: "flags".to_owned(),
        serverless: false,
        user: "ada".to_owned(),
        environment,
    }
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::from(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
}

/// What is in a token by name, the signature among it.
fn parts(token: &str) -> Vec<(String, String)> {
    let (_, query) = token.split_once("/?").unwrap();
    query.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

#[test]
fn tokens_are_those_that_awss_own_library_makes() {
    let (at, memory_db) =
        (UNIX_EPOCH + Duration::from_secs(MOMENT), "2a8f8ba2f4ee8ddea4b40aead9a2254a0f9916dbfa45f07f9af00a3fb8f7050b");
    let lasting = Identity::lasting("AKIDEXAMPLE", SECRET, None);
    let made = token(&options(Environment::default()), &lasting, at);
    let expected = "flags/?Action=connect&User=ada&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261129%2F\
                    eu-central-1%2Felasticache%2Faws4_request&X-Amz-Date=20261129T201530Z&X-Amz-Expires=900&\
                    X-Amz-SignedHeaders=host&\
                    X-Amz-Signature=eb74eec4b93faaf11fb259192120e5809e44230936300f424ed127b430705bf4";
    assert_eq!(*made, expected);
    let lent = Identity::lasting("AKIDEXAMPLE", SECRET, Some("IQoJb3Jp//Z2luX2Vj+EXAMPLE=/token=="));
    let other = AwsOptions {
        region: "us-east-1".to_owned(),
        service: Service::MemoryDb,
        cluster: "my-cluster".to_owned(),
        user: "user.name@example+1".to_owned(),
        ..options(Environment::default())
    };
    let made = token(&other, &lent, at);
    assert!(made.starts_with("my-cluster/?Action=connect&User=user.name%40example%2B1&"), "{}", *made);
    assert!(made.contains("&X-Amz-Security-Token=IQoJb3Jp%2F%2FZ2luX2Vj%2BEXAMPLE%3D%2Ftoken%3D%3D&"), "{}", *made);
    assert_eq!(parts(&made).pop().unwrap().1, memory_db);
    let serverless = AwsOptions {
        region: "us-east-1".to_owned(),
        cluster: "cache-01".to_owned(),
        serverless: true,
        user: "iam-user-01".to_owned(),
        ..options(Environment::default())
    };
    let made = token(&serverless, &Identity::lasting("AKIDEXAMPLE", SECRET, Some("tok")), at);
    let signature = "fc0ef090eb3d91401535bccf8e1733b77179428a85422f025b368beaf6271cce";
    assert_eq!(parts(&made).pop().unwrap().1, signature, "{}", *made);
    assert!(made.contains("&ResourceType=ServerlessCache&"), "{}", *made);
}

/// What a service answers next: status and body; none: it says nothing at all.
type Reply = Option<(u16, String)>;

/// A service that answers each request with the next reply and tells what it was asked.
struct Fake {
    url: String,
    replies: Sender<Reply>,
    asked: Receiver<String>,
}

impl Fake {
    fn new(replies: &[(u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ((sender, next), (tell, asked)) = (channel(), channel());
        for (status, body) in replies {
            sender.send(Some((*status, (*body).to_owned()))).unwrap();
        }
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming().flatten() {
                let Ok(request) = read_request(&stream) else { continue };
                let Ok(reply) = next.recv() else { return };
                let _ = tell.send(request);
                match reply {
                    Some((status, body)) => {
                        let length = body.len();
                        let _ = write!(&stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
                    }
                    None => silent.push(stream),
                }
            }
        });
        Self { url, replies: sender, asked }
    }

    fn asked(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

/// Head and body of a request, the head in lower case.
fn read_request(stream: &TcpStream) -> std::io::Result<String> {
    let (mut reader, mut head, mut length) = (BufReader::new(stream), String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head += &line;
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (first, rest) = head.split_once("\r\n").unwrap_or_default();
    Ok(format!("{first}\n{}{}", rest.to_lowercase(), String::from_utf8_lossy(&body)))
}

fn identity_json(key: &str, seconds: i64) -> String {
    let end = Moment::at((SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + seconds) as u64);
    let end = signature_date(&end);
    format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{key}","SecretAccessKey":"{SECRET}","Token":"lent-hunter2","Expiration":"{end}"}}"#
    )
}

/// As RFC 3339 writes it.
fn signature_date(moment: &Moment) -> String {
    let text = moment.text();
    format!("{}-{}-{}T{}:{}:{}Z", &text[..4], &text[4..6], &text[6..8], &text[9..11], &text[11..13], &text[13..15])
}

fn error_of(environment: Environment) -> String {
    let (options, errand) = (options(environment), Errand::default());
    let error = Tokens::new(&options, &errand).make().err().expect("there is no token");
    let told = format!("{error} {error:?}");
    assert!(!told.contains(SECRET) && !told.contains("hunter2"), "{told}");
    error.to_string()
}

fn key_of(token: &Token) -> String {
    let credential = parts(&token.text).into_iter().find(|(name, _)| name == "X-Amz-Credential").unwrap().1;
    credential.split("%2F").next().unwrap().to_owned()
}

#[test]
fn the_environment_comes_first_and_half_of_an_identity_is_named() {
    let full = environment(&[
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/never"),
    ]);
    let (options, errand) = (options(full), Errand::default());
    let token = Tokens::new(&options, &errand).make().unwrap();
    assert_eq!((key_of(&token).as_str(), token.life), ("AKIDENV", LIFE));
    let half = error_of(environment(&[("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "")]));
    assert_eq!(half, "AWS_SECRET_ACCESS_KEY: it is not set, and its companion is");
}

#[test]
fn an_instance_is_asked_for_a_token_first_and_then_for_the_identity_of_its_role() {
    let fake = Fake::new(&[(200, "metadata-token"), (200, "role one\n"), (200, &identity_json("AKIDROLE", 3_600))]);
    let environment = environment(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("{}/", fake.url))]);
    let (options, errand) = (options(environment), Errand::default());
    let mut tokens = Tokens::new(&options, &errand);
    let token = tokens.make().unwrap();
    assert_eq!((key_of(&token).as_str(), token.life), ("AKIDROLE", LIFE));
    let first = fake.asked();
    assert!(first.starts_with("PUT /latest/api/token HTTP/1.1\n"), "{first}");
    assert!(first.contains("x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"), "{first}");
    for path in ["", "role%20one"] {
        let asked = fake.asked();
        assert!(asked.starts_with(&format!("GET {ROLES}{path} HTTP/1.1\n")), "{asked}");
        assert!(asked.contains("x-aws-ec2-metadata-token: metadata-token\r\n"), "{asked}");
    }
    // It is remembered.
    tokens.make().unwrap();
    assert!(fake.asked.try_recv().is_err());
}

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

#[test]
fn an_identity_that_ends_soon_is_fetched_anew_and_used_on_where_that_fails() {
    let fake = Fake::new(&[(200, &identity_json("AKIDOLD", 200)), (500, ""), (200, &identity_json("AKIDNEW", 3_600))]);
    let environment = environment(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &fake.url)]);
    let (options, errand) = (options(environment), Errand::default());
    let mut tokens = Tokens::new(&options, &errand);
    for _ in 0..2 {
        let token = tokens.make().unwrap();
        assert_eq!(key_of(&token), "AKIDOLD");
        assert!(token.life <= Duration::from_secs(200) && token.life > Duration::from_secs(100), "{:?}", token.life);
    }
    assert_eq!(key_of(&tokens.make().unwrap()), "AKIDNEW");
    tokens.forget_identity();
    fake.replies.send(Some((200, identity_json("AKIDLAST", 3_600)))).unwrap();
    assert_eq!(key_of(&tokens.make().unwrap()), "AKIDLAST");
}

#[test]
fn a_container_is_asked_with_its_token_where_it_may_be() {
    let path = std::env::temp_dir().join(format!("flagstone-aws-{}", std::process::id()));
    std::fs::write(&path, "token-of-file\n").unwrap();
    let fake = Fake::new(&[(200, &identity_json("AKIDPOD", 3_600)), (200, &identity_json("AKIDPOD", 3_600))]);
    let url = format!("{}/v1/credentials", fake.url);
    for (variable, value, sent) in [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc", "basic abc"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path.to_str().unwrap(), "token-of-file"),
    ] {
        let environment = environment(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url), (variable, value)]);
        let (options, errand) = (options(environment), Errand::default());
        assert_eq!(key_of(&Tokens::new(&options, &errand).make().unwrap()), "AKIDPOD");
        let asked = fake.asked();
        assert!(
            asked.starts_with("GET /v1/credentials ") && asked.contains(&format!("authorization: {sent}\r\n")),
            "{asked}"
        );
    }
    std::fs::remove_file(&path).unwrap();
    for url in
        ["http://example.org/", "http://169.254.169.254/", "http://127.0.0.1.example.org/", "ftp://127.0.0.1/", "x"]
    {
        let told = error_of(environment(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)]));
        assert!(told.starts_with("AWS_CONTAINER_CREDENTIALS_FULL_URI: "), "{told}");
    }
    for url in [
        "http://127.1.2.3/",
        "http://localhost/",
        "http://[::1]/",
        "http://169.254.170.23/",
        "http://[fd00:ec2::23]/",
        "https://a.b/",
    ] {
        let allowed = places::container_url(&environment(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)]));
        assert_eq!(allowed.unwrap().as_deref(), Some(url));
    }
    let relative = environment(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")]);
    assert_eq!(places::container_url(&relative).unwrap().as_deref(), Some("http://169.254.170.2/v2/x"));
    let told = error_of(environment(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.org/")]));
    assert!(told.contains("does not begin with /"), "{told}");
    let two_lines = environment(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nb: c"),
    ]);
    assert!(error_of(two_lines).contains("more than one line"));
}

#[test]
fn a_web_identity_is_lent_another_by_the_token_service() {
    let path = std::env::temp_dir().join(format!("flagstone-web-{}", std::process::id()));
    std::fs::write(&path, "web+identity/hunter2\n").unwrap();
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>lent</SessionToken>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><Expiration>2100-01-01T00:00:00Z</Expiration>\
         <AccessKeyId>ASIAWEB</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    let fake = Fake::new(&[(200, &body), (400, "<Error><Code>ExpiredTokenException</Code></Error>"), (200, "<a/>")]);
    let environment = || {
        environment(&[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", path.to_str().unwrap()),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/flags"),
            ("AWS_ENDPOINT_URL_STS", &fake.url),
        ])
    };
    let (options, errand) = (options(environment()), Errand::default());
    assert_eq!(key_of(&Tokens::new(&options, &errand).make().unwrap()), "ASIAWEB");
    let asked = fake.asked();
    assert!(asked.starts_with("POST / "), "{asked}");
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fflags&\
                RoleSessionName=flagstone&WebIdentityToken=web%2Bidentity%2Fhunter2";
    assert!(asked.ends_with(body), "{asked}");
    assert_eq!(error_of(environment()), "the token service of AWS answers with status 400");
    assert!(error_of(environment()).contains("no AccessKeyId"));
    std::fs::remove_file(&path).unwrap();
    assert!(error_of(environment()).contains("cannot be read"));
}

#[test]
fn what_services_answer_wrongly_is_told_in_words_without_a_secret() {
    for (replies, told) in [
        (vec![(500, "hunter2")], "the metadata service of the instance answers with status 500"),
        (vec![(200, "t"), (404, "hunter2")], "no role is attached"),
        (vec![(200, "t"), (200, "")], "no role is attached"),
        (vec![(200, "t"), (200, "r"), (200, "hunter2")], "not the JSON"),
        (vec![(200, "t"), (200, "r"), (200, r#"{"Code":"Failed"}"#)], "it says that it has none"),
        (vec![(200, "t"), (200, "r"), (200, r#"{"AccessKeyId":"a"}"#)], "no AccessKeyId or no SecretAccessKey"),
        (vec![(200, "t"), (200, "r"), (200, r#"{"AccessKeyId":"a","SecretAccessKey":""}"#)], "a value that is empty"),
        (
            vec![(200, "t"), (200, "r"), (200, r#"{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"}"#)],
            "Expiration is no date",
        ),
        (
            vec![
                (200, "t"),
                (200, "r"),
                (200, r#"{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"2020-01-01T00:00:00Z"}"#),
            ],
            "it has expired",
        ),
        (vec![(302, "")], "status 302"),
    ] {
        let fake = Fake::new(&replies);
        let error = error_of(environment(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &fake.url)]));
        assert!(error.contains(told), "{error}");
    }
    let long = "x".repeat(200_000);
    let fake = Fake::new(&[(200, "t"), (200, &long)]);
    assert!(error_of(environment(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &fake.url)])).contains("does not answer"));
    let off = error_of(environment(&[("AWS_EC2_METADATA_DISABLED", "TRUE")]));
    assert!(off.contains("this process has no identity at AWS"), "{off}");
}

#[test]
fn a_service_that_hangs_is_left_in_time_and_at_once_when_the_client_is_closed() {
    let fake = Fake::new(&[]);
    let hangs = environment(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &fake.url)]);
    fake.replies.send(None).unwrap();
    let began = Instant::now();
    assert!(error_of(hangs.clone()).contains("does not answer"));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    fake.asked();
    fake.replies.send(None).unwrap();
    let (options, errand) = (options(hangs), Errand::default());
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| Tokens::new(&options, &errand).make().err());
        fake.asked();
        let began = Instant::now();
        errand.end();
        assert!(matches!(asking.join().unwrap(), Some(AwsError::Ended)));
        assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
    });
    assert!(matches!(Tokens::new(&options, &errand).make(), Err(AwsError::Ended)));
}
