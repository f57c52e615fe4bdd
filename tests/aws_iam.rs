//! `redis.credentials=aws-iam`: from the metadata services of AWS, played by this process, to the login at a real server, before
//! which a proxy checks the signature of each token, as ElastiCache does, and makes it the user's password.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "the environment, which names the services")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::*;

const SECRET: &str = "wJalrXUtnFEMI+hunter2+bPxRfiCYEXAMPLEKEY";
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The access key that has signed this token; none where it is none for `ada` at `flags`, or the signature is wrong.
fn signer(token: &str) -> Option<String> {
    let query = token.strip_prefix("flags/?")?;
    let (signed, signature) = query.split_once("&X-Amz-Signature=")?;
    let value = |name: &str| signed.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if value("Action") != Some("connect") || value("User") != Some("ada") || value("X-Amz-Expires") != Some("900") {
        return None;
    }
    let credential = value("X-Amz-Credential")?.replace("%2F", "/");
    let (access_key, scope) = credential.split_once('/')?;
    let parts: Vec<&str> = scope.split('/').collect();
    let date = value("X-Amz-Date")?;
    if parts[1..] != ["eu-central-1", "elasticache", "aws4_request"] || !date.starts_with(parts[0]) {
        return None;
    }
    let request = format!("GET\n/\n{signed}\nhost:flags\n\nhost\n{NOTHING}");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(Sha256::digest(request)));
    let key = parts.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
    (hex(mac(&key, &text)) == signature).then(|| access_key.to_owned())
}

/// A server that takes tokens, and those whose tokens it takes.
struct Cluster {
    server: Arc<RedisServer>,
    gate: Gate,
    allowed: Arc<Mutex<BTreeSet<String>>>,
    /// Who signed the tokens that came.
    signers: Arc<Mutex<Vec<Option<String>>>>,
}

impl Cluster {
    fn start(allowed: &str) -> Self {
        let server = Arc::new(RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]));
        server.run::<()>(&["ACL", "SETUSER", "ada", "on", "~*", "&*", "+@all"]);
        let gate = Gate::to(server.port());
        let allowed = Arc::new(Mutex::new(BTreeSet::from([allowed.to_owned()])));
        let signers = Arc::<Mutex<Vec<_>>>::default();
        let (at, takes, came) = (server.clone(), allowed.clone(), signers.clone());
        gate.guard_logins(move |words| {
            let Some(token) = words.last().filter(|word| word.contains("/?")) else { return };
            let signer = signer(token);
            if signer.as_ref().is_some_and(|signer| takes.lock().unwrap().contains(signer)) {
                at.run::<()>(&["ACL", "SETUSER", "ada", "resetpass", &format!(">{token}")]);
            }
            came.lock().unwrap().push(signer);
        });
        Self { server, gate, allowed, signers }
    }

    fn config(&self) -> Config {
        Config::at(&self.gate.url())
            .with("redis.username", "ada")
            .with("redis.credentials", "aws-iam")
            .with("redis.aws.region", "eu-central-1")
            .with("redis.aws.cluster", "Flags")
            .with("redis.ping_ms", "100")
    }

    fn signers(&self) -> Vec<Option<String>> {
        self.signers.lock().unwrap().clone()
    }
}

/// How the metadata service behaves.
#[derive(Clone)]
enum Manner {
    /// It lends an identity with this access key, for so many seconds.
    Lends(&'static str, u64),
    Status(u16),
    Says(&'static str),
    Hangs,
}

/// The metadata service of an instance, and the agent of a container.
struct Metadata {
    url: String,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Metadata {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (manner, asked) = (Arc::new(Mutex::new(manner)), Arc::<Mutex<Vec<_>>>::default());
        let (how, heard) = (manner.clone(), asked.clone());
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming().flatten() {
                let Some(head) = head(&stream) else { continue };
                heard.lock().unwrap().push(head.clone());
                match answer(&how.lock().unwrap(), &head) {
                    // The other end may be gone.
                    Some((status, body)) => {
                        let length = body.len();
                        let _ = write!(&stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
                    }
                    None => silent.push(stream),
                }
            }
        });
        Self { url, manner, asked }
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn head(stream: &TcpStream) -> Option<String> {
    let lines = BufReader::new(stream).lines();
    let lines: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn answer(manner: &Manner, head: &str) -> Option<(u16, String)> {
    let (key, seconds) = match manner {
        Manner::Lends(key, seconds) => (key, seconds),
        Manner::Status(status) => return Some((*status, "hunter2".to_owned())),
        Manner::Says(text) => return Some((200, (*text).to_owned())),
        Manner::Hangs => return None,
    };
    if head.starts_with("PUT /latest/api/token ") {
        return Some((200, "metadata-token".to_owned()));
    }
    let is_allowed = head.to_lowercase().contains("x-aws-ec2-metadata-token: metadata-token")
        || head.to_lowercase().contains("authorization: pod-hunter2");
    if !is_allowed {
        return Some((401, String::new()));
    }
    if head.starts_with("GET /latest/meta-data/iam/security-credentials/ ") {
        return Some((200, "flags-role".to_owned()));
    }
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + seconds;
    let end = time::UtcDateTime::from_unix_timestamp(i64::try_from(end).unwrap()).unwrap();
    let end = format!("{}T{:02}:{:02}:{:02}Z", end.date(), end.hour(), end.minute(), end.second());
    let identity = json!({
        "Code": "Success", "AccessKeyId": key, "SecretAccessKey": SECRET, "Token": "lent-hunter2", "Expiration": end,
    });
    Some((200, identity.to_string()))
}

/// Makes a client while the environment says this, which it reads then and not again.
fn client_in(environment: &[(&str, &str)], config: &Config) -> Client {
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (name, value) in environment {
        // SAFETY: whoever else reads the environment of this process does so by way of the standard library.
        unsafe { std::env::set_var(name, value) };
    }
    let client = config.client();
    for (name, _) in environment {
        // SAFETY: as above.
        unsafe { std::env::remove_var(name) };
    }
    client
}

fn on_instance(metadata: &Metadata, config: &Config) -> Client {
    client_in(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url)], config)
}

fn login(client: &Client) -> Value {
    client.status()["redis"]["credentials"].clone()
}

#[track_caller]
fn tells_no_secret(client: &Client, heard: &[Notice]) {
    let all = format!("{:?} {heard:?} {:?}", client.status(), client.drain());
    assert!(!all.contains("hunter2") && !all.contains("X-Amz-Signature"), "{all}");
}

/// Numbers of the connections that the library has made to the server.
fn connections(server: &RedisServer) -> BTreeSet<u64> {
    let list: String = server.run(&["CLIENT", "LIST"]);
    let ours = list.lines().filter(|line| line.contains("name=flagstone-") && line.contains("user=ada"));
    let number = |line: &str| line.split(' ').find_map(|word| word.strip_prefix("id=")?.parse().ok());
    ours.filter_map(number).collect()
}

#[test]
fn a_token_of_the_instances_identity_logs_in() {
    let (cluster, metadata) = (Cluster::start("AKIDROLE"), Metadata::start(Manner::Lends("AKIDROLE", 3_600)));
    let client = on_instance(&metadata, &cluster.config());
    client.start(PATIENCE_MS).unwrap();
    client.serves("a", "one");
    client.reports("freshness", "push");
    let login = login(&client);
    assert_eq!((&login["source"], &login["user"], &login["state"]), (&json!("aws-iam"), &json!("ada"), &json!("ok")));
    assert!((500_000..=900_000).contains(&login["expires_in_ms"].as_i64().unwrap()), "{login}");
    assert!(cluster.signers().iter().all(|signer| signer.as_deref() == Some("AKIDROLE")), "{:?}", cluster.signers());
    assert_eq!(metadata.asked(), 3);
    assert_eq!(client.set_credentials("ada", "hunter2", 0).unwrap_err().status, INVALID_ARGUMENT);
    let heard = client.drain();
    assert!(log_lines(&heard, 2).iter().any(|line| line.contains("without TLS")), "{heard:?}");
    tells_no_secret(&client, &heard);
}

#[test]
fn open_connections_log_in_anew_before_a_token_ends() {
    let (cluster, metadata) = (Cluster::start("AKIDONE"), Metadata::start(Manner::Lends("AKIDONE", 3)));
    let client = on_instance(&metadata, &cluster.config());
    client.start(PATIENCE_MS).unwrap();
    client.becomes(VALID);
    eventually("both are there", || connections(&cluster.server).len() == 2);
    let before = connections(&cluster.server);
    cluster.allowed.lock().unwrap().insert("AKIDTWO".to_owned());
    metadata.set(Manner::Lends("AKIDTWO", 3_600));
    let second = || cluster.signers().iter().filter(|signer| signer.as_deref() == Some("AKIDTWO")).count();
    eventually("both log in with the next one", || second() >= 2);
    server_still_tells(&cluster, &client);
    assert_eq!(connections(&cluster.server), before);
    tells_no_secret(&client, &client.drain());
}

fn server_still_tells(cluster: &Cluster, client: &Client) {
    cluster.server.set_flag("a", flag("a", 2, "two"));
    client.serves("a", "two");
    assert_eq!(client.state(), VALID);
}

#[test]
fn an_identity_that_was_taken_away_is_replaced_by_the_next_one() {
    let (cluster, metadata) = (Cluster::start("AKIDOLD"), Metadata::start(Manner::Lends("AKIDOLD", 3_600)));
    let client = on_instance(&metadata, &cluster.config());
    client.start(PATIENCE_MS).unwrap();
    client.becomes(VALID);
    metadata.set(Manner::Status(500));
    *cluster.allowed.lock().unwrap() = BTreeSet::from(["AKIDNEW".to_owned()]);
    cluster.server.run::<()>(&["ACL", "SETUSER", "ada", "resetpass"]);
    cluster.server.run::<i64>(&["CLIENT", "KILL", "USER", "ada"]);
    eventually("it is refused", || login(&client)["state"] == "refused");
    client.becomes(INTERRUPTED);
    let detail = client.detail("a");
    assert_eq!((detail.word().as_str(), detail.stale), ("one", true));
    metadata.set(Manner::Lends("AKIDNEW", 3_600));
    client.becomes(VALID);
    eventually("it is well", || login(&client)["state"] == "ok" && login(&client)["error"].is_null());
    tells_no_secret(&client, &client.drain());
}

#[test]
fn services_that_fail_are_told_of_once_and_asked_again_until_they_are_well() {
    thread::scope(|scope| {
        for (manner, told) in [
            (Manner::Status(500), "the metadata service of the instance answers with status 500"),
            (Manner::Says("hunter2 <html>"), "what the metadata service of the instance answers cannot be used"),
            (Manner::Hangs, "the metadata service of the instance does not answer"),
        ] {
            scope.spawn(move || {
                let (cluster, metadata) = (Cluster::start("AKIDROLE"), Metadata::start(manner));
                let client = on_instance(&metadata, &cluster.config());
                client.start(0).unwrap();
                eventually("the trouble is told", || {
                    login(&client)["error"].as_str().is_some_and(|error| error.contains(told))
                });
                let failure = client.start(1).unwrap_err();
                assert!(failure.message.contains(told), "{}", failure.message);
                assert_eq!(
                    (login(&client)["state"].as_str(), client.detail("a").word().as_str()),
                    (Some("missing"), "CLIENT_NOT_READY")
                );
                let asked = metadata.asked();
                eventually("it is asked again", || metadata.asked() > asked);
                metadata.set(Manner::Lends("AKIDROLE", 3_600));
                client.start(PATIENCE_MS).unwrap();
                client.serves("a", "one");
                let heard = client.drain();
                let lines = log_lines(&heard, 3);
                assert!(lines.len() == 1 && lines[0].contains(told), "{lines:?}");
                tells_no_secret(&client, &heard);
            });
        }
    });
}

#[test]
fn closing_does_not_wait_for_a_service_that_hangs() {
    let (cluster, metadata) = (Cluster::start("AKIDROLE"), Metadata::start(Manner::Hangs));
    let client = on_instance(&metadata, &cluster.config());
    client.start(0).unwrap();
    eventually("it is asked", || metadata.asked() > 0);
    let began = Instant::now();
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_pod_asks_its_agent_with_the_token_of_its_file() {
    let (cluster, metadata) = (Cluster::start("AKIDPOD"), Metadata::start(Manner::Lends("AKIDPOD", 3_600)));
    let directory = TempDir::new("pod");
    let path = directory.path().join("token");
    fs::write(&path, "pod-hunter2\n").unwrap();
    let environment = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", metadata.url)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path.display().to_string()),
    ];
    let pairs: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let client = client_in(&pairs, &cluster.config());
    client.start(PATIENCE_MS).unwrap();
    client.serves("a", "one");
    assert_eq!(metadata.asked(), 1);
    tells_no_secret(&client, &client.drain());
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let config = || Config::at("rediss://127.0.0.1:1").with("redis.credentials", "aws-iam");
    for (config, told) in [
        (config(), "needs redis.aws.region"),
        (config().with("redis.aws.region", "eu-central-1"), "needs redis.aws.cluster"),
        (config().with("redis.aws.region", "eu-central-1").with("redis.aws.cluster", "flags"), "needs a user"),
        (config().with("redis.aws.region", "eu/central"), "needs redis.aws.cluster"),
        (
            config().with("redis.aws.region", "eu-1").with("redis.aws.cluster", "flags.abc.cache.amazonaws.com"),
            "not an address",
        ),
        (
            config()
                .with("redis.aws.region", "eu-1")
                .with("redis.aws.cluster", "flags")
                .with("redis.username", "ada")
                .with("redis.aws.service", "memorydb")
                .with("redis.aws.serverless", "true"),
            "redis.aws.serverless is for",
        ),
    ] {
        let failure = config.try_client().err().expect("something is missing");
        assert!(failure.message.contains(told), "{}", failure.message);
        assert_eq!(failure.status, INVALID_ARGUMENT);
    }
}
