//! The server: accepts connections, answers requests, can be killed and started again on its port.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufReader, Read as _, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::environment::{Environment, Kind, quoted};
use crate::fdv2::{self, History};
use crate::lock;
use crate::script::Action;
use crate::stream::{Streams, event, pump};
use crate::tls::{self, Socket};
use crate::wire::{Request, answer};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::ServerConfig;

/// A running server. It stops when dropped.
pub struct Fake {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Default)]
struct Shared {
    settings: Mutex<Settings>,
    environment: Mutex<Environment>,
    /// Locked with the environment only.
    history: Mutex<History>,
    script: Mutex<VecDeque<Action>>,
    /// For requests of one path alone: what happens to the next ones, and to those after them.
    scripts: Mutex<HashMap<String, Script>>,
    requests: Mutex<Vec<Request>>,
    streams: Streams,
    /// Those of the second protocol.
    streams_fdv2: Streams,
    tls: Option<Arc<ServerConfig>>,
    /// The sockets of this run, so that all can be closed at once.
    sockets: Mutex<Vec<(u64, TcpStream)>>,
    next: AtomicU64,
    /// Set for each run anew.
    alive: Mutex<Arc<AtomicBool>>,
}

#[derive(Default)]
struct Script {
    next: VecDeque<Action>,
    always: Option<Action>,
}

#[derive(Default, Clone)]
struct Settings {
    sdk_key: Option<String>,
    environment_id: Option<String>,
    base_path: String,
    without_etag: bool,
    /// The answers of the second protocol ask for the first, with this time if any.
    directive: Option<Option<String>>,
}

impl Fake {
    /// Starts on a free port of the loopback address.
    pub fn start() -> io::Result<Fake> {
        Fake::start_with(None)
    }

    /// Starts on this port, 0 is a free one, with items and the SDK key that it asks for: nobody can see it without them.
    pub fn start_holding(port: u16, environment: Environment, sdk_key: Option<&str>) -> io::Result<Fake> {
        let listener = listen(port)?;
        let settings = Settings { sdk_key: sdk_key.map(str::to_owned), ..Settings::default() };
        let shared =
            Shared { environment: Mutex::new(environment), settings: Mutex::new(settings), ..Shared::default() };
        Ok(Fake::begin(listener.local_addr()?, shared, listener))
    }

    /// Starts with TLS; the certificate is for `localhost`, of the authority [`CA_FILE`](crate::CA_FILE).
    pub fn start_tls() -> io::Result<Fake> {
        Fake::start_with(Some(tls::config()?))
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> io::Result<Fake> {
        let listener = listen(0)?;
        Ok(Fake::begin(listener.local_addr()?, Shared { tls, ..Shared::default() }, listener))
    }

    fn begin(address: SocketAddr, shared: Shared, listener: TcpListener) -> Fake {
        lock(&shared.history).name = format!("state-{}", address.port());
        let fake = Fake { address, shared: Arc::new(shared) };
        fake.run(listener);
        fake
    }

    /// Base URL, with the base path if one is set.
    pub fn url(&self) -> String {
        let (scheme, host) = if self.shared.tls.is_some() { ("https", "localhost") } else { ("http", "127.0.0.1") };
        format!("{scheme}://{host}:{}{}", self.address.port(), lock(&self.shared.settings).base_path)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Serves below this path only, such as `/relay/east`.
    pub fn set_base_path(&self, path: &str) {
        path.clone_into(&mut lock(&self.shared.settings).base_path);
    }

    /// Requests with another SDK key are answered with 401.
    pub fn set_sdk_key(&self, key: &str) {
        lock(&self.shared.settings).sdk_key = Some(key.to_owned());
    }

    /// Sends `X-LD-EnvID`.
    pub fn set_environment_id(&self, id: &str) {
        lock(&self.shared.settings).environment_id = Some(id.to_owned());
    }

    /// Polls are answered without an ETag.
    pub fn set_without_etag(&self, without: bool) {
        lock(&self.shared.settings).without_etag = without;
    }

    /// The answers of the second protocol ask for the first, `X-LD-FD-Fallback`, and say for how many seconds if one is given.
    pub fn set_directive(&self, directive: Option<Option<&str>>) {
        lock(&self.shared.settings).directive = directive.map(|seconds| seconds.map(str::to_owned));
    }

    /// Changes the environment without telling anybody.
    pub fn edit(&self, change: impl FnOnce(&mut Environment)) {
        let mut environment = lock(&self.shared.environment);
        change(&mut environment);
        lock(&self.shared.history).forget();
    }

    /// Sends an event to all streams of the second protocol.
    pub fn tell(&self, name: &str, data: &str) {
        self.shared.streams_fdv2.send(&event(name, data));
    }

    /// Sends everything to all streams.
    pub fn put(&self) {
        // The lock is held while sending, so that a stream that joins meanwhile misses nothing.
        let environment = lock(&self.shared.environment);
        self.send_everything(&environment);
    }

    fn send_everything(&self, environment: &Environment) {
        self.shared.streams.send(&put_event(environment));
        self.shared.streams_fdv2.send(&lock(&self.shared.history).everything(environment));
    }

    /// Has another environment from now on, and sends it to all streams.
    pub fn replace(&self, other: Environment) {
        let mut environment = lock(&self.shared.environment);
        *environment = other;
        lock(&self.shared.history).forget();
        self.send_everything(&environment);
    }

    /// Adds or replaces an item and tells all streams.
    pub fn patch(&self, kind: Kind, json: &str) -> Result<(), String> {
        let mut environment = lock(&self.shared.environment);
        let (key, item) = environment.set(kind, json)?;
        let data = format!(r#"{{"path":{},"data":{item}}}"#, path(kind, &key));
        self.shared.streams.send(&event("patch", &data));
        self.shared.streams_fdv2.send(&lock(&self.shared.history).put(kind, &key, &item));
        Ok(())
    }

    /// Deletes an item and tells all streams.
    pub fn delete(&self, kind: Kind, key: &str, version: i64) {
        let mut environment = lock(&self.shared.environment);
        environment.remove(kind, key);
        let data = format!(r#"{{"path":{},"version":{version}}}"#, path(kind, key));
        self.shared.streams.send(&event("delete", &data));
        self.shared.streams_fdv2.send(&lock(&self.shared.history).delete(kind, key, version));
    }

    /// Sends these bytes to all streams as they are.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.shared.streams.send(bytes);
        self.shared.streams_fdv2.send(bytes);
    }

    /// Ends all streams.
    pub fn close_streams(&self) {
        self.shared.streams.close();
        self.shared.streams_fdv2.close();
    }

    /// How many streams are connected.
    pub fn streams(&self) -> usize {
        self.shared.streams.count() + self.shared.streams_fdv2.count()
    }

    /// Waits until so many streams are connected; false if it takes longer than `timeout`.
    pub fn wait_for_streams(&self, count: usize, timeout: Duration) -> bool {
        wait(timeout, || self.streams() == count)
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.next.load(SeqCst)
    }

    /// Decides what happens to the next request for which nothing is decided yet.
    pub fn script(&self, action: Action) {
        lock(&self.shared.script).push_back(action);
    }

    /// Decides what happens to the next request for this path, such as `/bulk`, for which nothing is decided yet.
    pub fn script_for(&self, path: &str, action: Action) {
        lock(&self.shared.scripts).entry(path.to_owned()).or_default().next.push_back(action);
    }

    /// Decides what happens to every request for this path for which nothing else is decided; none is the regular answer.
    pub fn always(&self, path: &str, action: Option<Action>) {
        lock(&self.shared.scripts).entry(path.to_owned()).or_default().always = action;
    }

    /// The payloads with events that were received so far, whatever was answered.
    pub fn payloads(&self) -> Vec<Request> {
        self.posted("/bulk")
    }

    /// The diagnostic events that were received so far.
    pub fn diagnostics(&self) -> Vec<Request> {
        self.posted("/diagnostic")
    }

    fn posted(&self, path: &str) -> Vec<Request> {
        let is_it = |request: &&Request| request.method == "POST" && path_of(request, &self.shared) == Some(path);
        lock(&self.shared.requests).iter().filter(is_it).cloned().collect()
    }

    /// Waits for so many payloads in all; returns those that came.
    pub fn wait_for_payloads(&self, count: usize, timeout: Duration) -> Vec<Request> {
        wait(timeout, || self.payloads().len() >= count);
        self.payloads()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// Waits for so many requests in all; returns those that came.
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> Vec<Request> {
        wait(timeout, || lock(&self.shared.requests).len() >= count);
        self.requests()
    }

    /// Closes every connection and listens no more: later connects are refused.
    pub fn kill(&self) {
        let was_alive = lock(&self.shared.alive).swap(false, SeqCst);
        // Wakes the thread that accepts, so that it lets go of the port.
        if was_alive && let Ok(stream) = TcpStream::connect(self.address) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
            // Not a single read, which returns early when it is interrupted.
            let _ = io::Read::read_exact(&mut &stream, &mut [0]);
        }
        self.close_streams();
        for (_, socket) in lock(&self.shared.sockets).drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Listens again, on the same port, after [`kill`](Self::kill).
    pub fn start_again(&self) -> io::Result<()> {
        self.run(TcpListener::bind(self.address)?);
        Ok(())
    }

    fn run(&self, listener: TcpListener) {
        let alive = Arc::new(AtomicBool::new(true));
        *lock(&self.shared.alive) = Arc::clone(&alive);
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || accept(listener, &shared, &alive));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Listens on this port; 0 is a free one, below the range from which systems choose ports for outgoing connections: one of
/// those could otherwise take the port of a killed server before it is started again.
fn listen(port: u16) -> io::Result<TcpListener> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 9_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    if port != 0 {
        return TcpListener::bind(("127.0.0.1", port));
    }
    // Not the same ports in every process, and not the next ones in the next process.
    let own = u16::try_from((std::process::id().wrapping_mul(0x9E37_79B1) >> 8) % u32::from(COUNT)).unwrap_or(0);
    loop {
        let port = FIRST + (own + NEXT.fetch_add(1, SeqCst) % COUNT) % COUNT;
        match TcpListener::bind(("127.0.0.1", port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            listener => return listener,
        }
    }
}

fn wait(timeout: Duration, mut until: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + timeout;
    loop {
        if until() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(Duration::from_millis(2));
    }
}

/// Listens no more, also where a child that is not yet another program holds the socket, too: closing it is not enough.
fn stop(listener: TcpListener) {
    let socket = TcpStream::from(OwnedFd::from(listener));
    // It cannot fail on a socket that listens; a listener that goes on is found by the next connect.
    let _ = socket.shutdown(Shutdown::Both);
}

fn accept(listener: TcpListener, shared: &Arc<Shared>, alive: &Arc<AtomicBool>) {
    while let Ok((stream, _)) = listener.accept() {
        if !alive.load(SeqCst) {
            // The port is let go of before the one who kills sees its connection end.
            stop(listener);
            return drop(stream);
        }
        let number = shared.next.fetch_add(1, SeqCst);
        let Ok(copy) = stream.try_clone() else { continue };
        lock(&shared.sockets).push((number, copy));
        let (shared, alive) = (Arc::clone(shared), Arc::clone(alive));
        thread::spawn(move || {
            // How a connection ends is the client's affair.
            let _ = serve(number, stream, &shared, &alive);
            lock(&shared.sockets).retain(|(own, socket)| {
                let keep = *own != number;
                if !keep {
                    let _ = socket.shutdown(Shutdown::Both);
                }
                keep
            });
        });
    }
}

fn serve(number: u64, stream: TcpStream, shared: &Arc<Shared>, alive: &AtomicBool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let peer = stream.try_clone()?;
    let mut input = BufReader::new(Socket::new(stream, shared.tls.as_ref())?);
    while let Some(mut request) = Request::read_head(&mut input)? {
        let action = decide(&request, shared);
        if let Action::Cut(length) = action {
            // What is not read makes the end of the connection an abrupt one.
            io::copy(&mut input.take(length), &mut io::sink())?;
            return Ok(());
        }
        request.read_body(&mut input)?;
        lock(&shared.requests).push(request.clone());
        let output = input.get_mut();
        match action {
            Action::Regular if request.method == "GET" && is_stream(path_of(&request, shared)) => {
                return serve_stream(number, output, &peer, &request, shared);
            }
            Action::Regular => serve_regular(output, &request, shared)?,
            Action::Status(status) => answer(output, status, &[], b"")?,
            Action::Answer(status, headers, body) => answer(output, status, &headers, &body)?,
            Action::Redirect(status, url) => answer(output, status, &[("Location".to_owned(), url)], b"")?,
            Action::Close | Action::Cut(_) => return Ok(()),
            Action::Hang(time) => return pause(time, alive),
            Action::Raw(pieces) => return serve_raw(output, &pieces, alive),
        }
    }
    Ok(())
}

fn is_stream(path: Option<&str>) -> bool {
    matches!(path, Some("/all" | "/sdk/stream"))
}

/// What happens to a request.
fn decide(request: &Request, shared: &Shared) -> Action {
    if let Some(path) = path_of(request, shared)
        && let Some(script) = lock(&shared.scripts).get_mut(path)
        && let Some(action) = script.next.pop_front().or_else(|| script.always.clone())
    {
        return action;
    }
    lock(&shared.script).pop_front().unwrap_or(Action::Regular)
}

/// Sleeps, but not beyond a kill.
fn pause(time: Duration, alive: &AtomicBool) -> io::Result<()> {
    if !time.is_zero() {
        wait(time, || !alive.load(SeqCst));
    }
    if alive.load(SeqCst) { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
}

fn serve_raw(output: &mut impl Write, pieces: &[(Duration, Vec<u8>)], alive: &AtomicBool) -> io::Result<()> {
    for (time, bytes) in pieces {
        pause(*time, alive)?;
        output.write_all(bytes)?;
        output.flush()?;
    }
    Ok(())
}

/// The path below the base path, if the request is for something there.
fn path_of<'a>(request: &'a Request, shared: &Shared) -> Option<&'a str> {
    request.path.strip_prefix(lock(&shared.settings).base_path.as_str())
}

/// The headers that every good answer has, or the refusal of the SDK key.
fn admit(request: &Request, shared: &Shared) -> Option<Vec<(String, String)>> {
    let settings = lock(&shared.settings);
    if settings.sdk_key.is_some() && settings.sdk_key.as_deref() != request.header("authorization") {
        return None;
    }
    let mut headers: Vec<_> = settings.environment_id.iter().map(|id| ("X-LD-EnvID".to_owned(), id.clone())).collect();
    let is_fdv2 = request.path.ends_with("/sdk/stream") || request.path.ends_with("/sdk/poll");
    if let Some(seconds) = settings.directive.as_ref().filter(|_| is_fdv2) {
        headers.push(("X-LD-FD-Fallback".to_owned(), "true".to_owned()));
        headers.extend(seconds.iter().map(|seconds| ("X-LD-FD-Fallback-TTL".to_owned(), seconds.clone())));
    }
    Some(headers)
}

fn serve_stream(
    number: u64,
    output: &mut impl Write,
    peer: &TcpStream,
    request: &Request,
    shared: &Shared,
) -> io::Result<()> {
    let Some(headers) = admit(request, shared) else { return answer(output, 401, &[], b"") };
    let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n".to_owned();
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    output.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes())?;
    output.flush()?;
    let is_fdv2 = path_of(request, shared) == Some("/sdk/stream");
    let streams = if is_fdv2 { &shared.streams_fdv2 } else { &shared.streams };
    let events = {
        let environment = lock(&shared.environment);
        let first = match is_fdv2 {
            true => fdv2::bytes(&lock(&shared.history).since(&environment, request.basis().as_deref())),
            false => put_event(&environment),
        };
        streams.join(number, first)
    };
    let result = pump(output, peer, &events);
    streams.leave(number);
    result
}

fn put_event(environment: &Environment) -> Vec<u8> {
    event("put", &format!(r#"{{"path":"/","data":{}}}"#, environment.json()))
}

/// The path of an item, as JSON.
fn path(kind: Kind, key: &str) -> String {
    quoted(&format!("/{}/{key}", kind.path()))
}

fn serve_regular(output: &mut impl Write, request: &Request, shared: &Shared) -> io::Result<()> {
    let Some(headers) = admit(request, shared) else { return answer(output, 401, &[], b"") };
    match (request.method.as_str(), path_of(request, shared)) {
        ("GET", Some("/sdk/latest-all")) => {
            let data = lock(&shared.environment).json();
            serve_poll(output, request, headers, &data, lock(&shared.settings).without_etag)
        }
        ("GET", Some("/sdk/poll")) => {
            let data = {
                let environment = lock(&shared.environment);
                fdv2::body(&lock(&shared.history).since(&environment, request.basis().as_deref()))
            };
            serve_poll(output, request, headers, &data, lock(&shared.settings).without_etag)
        }
        ("POST", Some("/bulk" | "/diagnostic")) => answer(output, 202, &headers, b""),
        _ => answer(output, 404, &[], b""),
    }
}

fn serve_poll(
    output: &mut impl Write,
    request: &Request,
    mut headers: Vec<(String, String)>,
    data: &str,
    without_etag: bool,
) -> io::Result<()> {
    let mut body = data.as_bytes().to_vec();
    if !without_etag {
        let etag = format!("\"{:x}\"", fingerprint(&body));
        headers.push(("ETag".to_owned(), etag.clone()));
        if request.header("if-none-match") == Some(&etag) {
            return answer(output, 304, &headers, b"");
        }
    }
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    if request.header("accept-encoding").is_some_and(|accepted| accepted.contains("gzip")) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body)?;
        body = encoder.finish()?;
        headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
    }
    answer(output, 200, &headers, &body)
}

fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
