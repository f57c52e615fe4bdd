//! The fake itself: what it serves, and that it can be killed and started again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use fakeld::{Action, Fake, Kind};

const LONG: Duration = Duration::from_secs(30);

/// Sends a request and reads until the connection ends or the text is there.
fn ask(fake: &Fake, request: &str, until: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", fake.port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut all, mut bytes) = (Vec::new(), BufReader::new(stream).bytes());
    while !String::from_utf8_lossy(&all).contains(until)
        && let Some(byte) = bytes.next()
    {
        all.push(byte.unwrap());
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn a_stream_begins_with_everything_and_goes_on_with_changes() {
    let fake = Fake::start().unwrap();
    fake.patch(Kind::Flag, r#"{"key":"a","version":1}"#).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", fake.port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"GET /all HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    assert!(
        lines.any(|line| line == r#"data: {"path":"/","data":{"flags":{"a":{"key":"a","version":1}},"segments":{}}}"#)
    );
    assert!(fake.wait_for_streams(1, LONG));
    fake.delete(Kind::Flag, "a", 2);
    assert!(lines.any(|line| line == r#"data: {"path":"/flags/a","version":2}"#));
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    assert!(fake.wait_for_streams(0, LONG), "a stream that the client left counts no more");
}

#[test]
fn a_poll_knows_what_the_client_has() {
    let fake = Fake::start().unwrap();
    let first = ask(&fake, "GET /sdk/latest-all?filter=f HTTP/1.1\r\n\r\n", "}}");
    assert!(first.starts_with("HTTP/1.1 200") && first.contains(r#"{"flags":{},"segments":{}}"#), "{first}");
    let etag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap().to_owned();
    let again = format!("GET /sdk/latest-all HTTP/1.1\r\nIf-None-Match: {etag}\r\n\r\n");
    assert!(ask(&fake, &again, "\r\n\r\n").starts_with("HTTP/1.1 304"));
    let requests = fake.requests();
    assert_eq!((requests[0].path.as_str(), requests[0].query.as_str()), ("/sdk/latest-all", "filter=f"));
}

#[test]
fn events_are_accepted_and_recorded() {
    let fake = Fake::start().unwrap();
    let post = "POST /bulk HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]";
    assert!(ask(&fake, post, "\r\n\r\n").starts_with("HTTP/1.1 202"));
    assert_eq!(fake.requests()[0].body, b"[]");
    assert!(
        ask(&fake, &post.replace("bulk", "diagnostic").replace("[]", "{}"), "\r\n\r\n").starts_with("HTTP/1.1 202")
    );
    assert_eq!((fake.payloads().len(), fake.diagnostics()[0].json()), (1, Some(serde_json::json!({}))));
}

#[test]
fn a_script_for_one_path_leaves_the_others_alone_and_goes_before_what_is_always_answered() {
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Status(503)));
    fake.script_for("/bulk", Action::Status(401));
    for status in ["401", "503", "503"] {
        let poll = ask(&fake, "GET /sdk/latest-all HTTP/1.1\r\n\r\n", "\r\n\r\n");
        assert!(poll.starts_with("HTTP/1.1 200"), "{poll}");
        let answer = ask(&fake, "POST /bulk HTTP/1.1\r\n\r\n", "\r\n\r\n");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    fake.always("/bulk", None);
    assert!(ask(&fake, "POST /bulk HTTP/1.1\r\n\r\n", "\r\n\r\n").starts_with("HTTP/1.1 202"));
}

#[test]
fn a_body_can_be_cut_short_and_was_not_received_then() {
    let fake = Fake::start().unwrap();
    fake.script_for("/bulk", Action::Cut(2));
    let mut stream = TcpStream::connect(("127.0.0.1", fake.port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"POST /bulk HTTP/1.1\r\nContent-Length: 9\r\n\r\n[1,2,3,4]").unwrap();
    let ended = stream.read(&mut [0]);
    assert!(matches!(&ended, Ok(0)) || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn a_wrong_sdk_key_is_refused() {
    let fake = Fake::start().unwrap();
    fake.set_sdk_key("right");
    for (key, status) in [("right", "200"), ("wrong", "401")] {
        let request = format!("GET /sdk/latest-all HTTP/1.1\r\nAuthorization: {key}\r\n\r\n");
        assert!(ask(&fake, &request, "\r\n\r\n").starts_with(&format!("HTTP/1.1 {status}")));
    }
}

#[test]
fn a_scripted_action_happens_once() {
    let fake = Fake::start().unwrap();
    fake.script(Action::Status(503));
    assert!(ask(&fake, "GET /sdk/latest-all HTTP/1.1\r\n\r\n", "\r\n\r\n").starts_with("HTTP/1.1 503"));
    assert!(ask(&fake, "GET /sdk/latest-all HTTP/1.1\r\n\r\n", "\r\n\r\n").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_killed_server_refuses_connections_until_it_is_started_again() {
    let fake = Fake::start().unwrap();
    for _ in 0..20 {
        fake.kill();
        assert!(TcpStream::connect(("127.0.0.1", fake.port())).is_err());
        fake.start_again().unwrap();
        assert!(ask(&fake, "GET /sdk/latest-all HTTP/1.1\r\n\r\n", "\r\n\r\n").starts_with("HTTP/1.1 200"));
    }
}

/// A child has what its parent has open until it has become another program: what is closed meanwhile is not closed yet.
#[test]
fn a_killed_server_refuses_connections_while_processes_are_started() {
    let fake = Fake::start().unwrap();
    let processes = thread::spawn(|| (0..200).for_each(|_| _ = Command::new("true").status().unwrap()));
    while !processes.is_finished() {
        fake.kill();
        assert!(TcpStream::connect(("127.0.0.1", fake.port())).is_err());
        fake.start_again().unwrap();
    }
    processes.join().unwrap();
}

#[test]
fn the_program_obeys_its_standard_input() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fakeld"))
        .args(["--port", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = output.next().unwrap();
    let port: u16 = url.strip_prefix("http://127.0.0.1:").unwrap().parse().unwrap();
    let mut input = program.stdin.take().unwrap();
    input.write_all(b"patch flag {\"key\":\"a\",\"version\":3}\nnonsense\n").unwrap();
    assert_eq!(output.next().unwrap(), "error: unknown command: nonsense");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /sdk/latest-all HTTP/1.1\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.find(String::is_empty).is_some());
    let file = std::env::temp_dir().join(format!("fakeld-{port}.json"));
    std::fs::write(&file, r#"{"flags":{"b":{"key":"b","version":1}}}"#).unwrap();
    writeln!(input, "replace {}\nstreams\nrequests", file.display()).unwrap();
    assert_eq!(output.next().unwrap(), "0");
    let requests = r#"[{"headers":{},"method":"GET","path":"/sdk/latest-all","query":""}]"#;
    assert_eq!(output.next().unwrap(), requests);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let everything = r#"{"flags":{"b":{"key":"b","version":1}},"segments":{}}"#;
    stream.write_all(b"GET /sdk/latest-all HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = vec![0; 4096];
    let mut length = 0;
    while !String::from_utf8_lossy(&answer[..length]).ends_with(everything) {
        let read = stream.read(&mut answer[length..]).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer[..length]));
        length += read;
    }
    std::fs::remove_file(&file).unwrap();
    for path in ["bulk", "bulk", "diagnostic"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "POST /{path} HTTP/1.1\r\nContent-Length: 7\r\n\r\n[ \"x\" ]").unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 1);
    }
    input.write_all(b"events\ndiagnostics\n").unwrap();
    assert_eq!(output.by_ref().take(5).collect::<Vec<_>>(), ["[\"x\"]", "[\"x\"]", "", "[\"x\"]", ""]);
    input.write_all(b"quit\n").unwrap();
    assert!(program.wait().unwrap().success());
}
