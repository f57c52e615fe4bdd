//! A server for one page, over HTTP/1.1: one request a connection, and everything bounded that others decide: how many there
//! are, how long they take, how much they send. Knows nothing of flags.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Connections at a time. A browser opens six to one server.
const MOST_CONNECTIONS: usize = 64;
/// Bytes of a request before its body.
const LONGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// Bytes of a body: a context.
const LONGEST_BODY: usize = 256 << 10;
/// A whole request takes so long at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// A whole answer takes so long at most.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);
/// After it so much time is left to whoever still sends.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// A reader of what has no end that takes nothing for so long has gone.
const LONGEST_WRITE: Duration = Duration::from_secs(10);
/// What is refused takes so long at most, twice.
const MOMENT: Duration = Duration::from_millis(5);
/// After a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Of two of these one would be believed by some, the other one by others. Of what else comes twice the first one counts.
const ONCE: &[&str] =
    &["host", "origin", "content-length", "transfer-encoding", "authorization", "cookie", "sec-fetch-site"];

/// What was asked.
#[derive(Debug, Default)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What the query says, decoded.
    pub query: HashMap<String, String>,
    /// By their names in lower case.
    headers: HashMap<String, String>,
    /// Of a POST.
    pub body: Vec<u8>,
}

impl Request {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Writes the body of an answer that has no end of its own.
pub type Stream = Box<dyn FnOnce(&mut TcpStream) -> io::Result<()>>;

/// The body of an answer.
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// What is written to the connection until it is closed.
    Stream(Stream),
}

/// An answer.
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

impl Reply {
    /// Of this media type.
    pub fn new(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type", media.to_owned())], body: Body::Whole(body.into()) }
    }

    /// A sentence.
    pub fn sentence(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text)
    }

    /// Goes on until it is closed.
    pub fn stream(media: &str, stream: Stream) -> Self {
        Self { status: 200, headers: vec![("Content-Type", media.to_owned())], body: Body::Stream(stream) }
    }

    /// With one more header, whose value must be one line.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn write(self, stream: &mut TcpStream, end: Instant) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} {}\r\nConnection: close\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.body {
            Body::Whole(body) => {
                head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
                // Together: the second of two small writes would wait for the first to be confirmed.
                put(stream, &[head.as_bytes(), &body].concat(), end)
            }
            Body::Stream(write) => {
                head.push_str("\r\n");
                put(stream, head.as_bytes(), end)?;
                stream.set_write_timeout(Some(LONGEST_WRITE))?;
                write(stream)
            }
        }
    }
}

/// Answers whoever comes, for ever. Each answer of `handle` is made on a thread of its own.
pub fn serve(listener: &TcpListener, handle: impl Fn(Request) -> Reply + Send + Sync + 'static) {
    let handle = Arc::new(handle);
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let place = Place::take(&open);
        if place.is_none() {
            // Whoever is not told has gone, or does not listen.
            let _ = refuse(&mut stream);
            continue;
        }
        let handle = Arc::clone(&handle);
        let answer = move || {
            // Whoever has gone is not told anything.
            let _ = answer(stream, &*handle);
            drop(place);
        };
        // Without a thread nobody is answered; the connection is closed.
        let _ = std::thread::Builder::new().name("page".to_owned()).spawn(answer);
    }
}

/// Nobody else is accepted meanwhile, so it takes no time: what was not sent at once is not read.
fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(MOMENT))?;
    let _ = stream.read(&mut [0; 8 << 10]);
    Reply::sentence(503, "too many connections").write(stream, Instant::now() + MOMENT)
}

/// One of the connections that there may be.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, SeqCst) < MOST_CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn answer(mut stream: TcpStream, handle: &dyn Fn(Request) -> Reply) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let reply = match read(&mut stream) {
        Ok(request) => handle(request),
        Err(Unread::Refused(status)) => Reply::sentence(status, reason(status)),
        Err(Unread::Gone(error)) => return Err(error),
    };
    reply.write(&mut stream, Instant::now() + LONGEST_ANSWER)?;
    // What was not read would make the system throw away what was written.
    stream.shutdown(Shutdown::Write)?;
    drain(&mut stream, Instant::now() + LONGEST_REST)
}

/// Writes all of it until then, however little is taken at a time.
fn put(stream: &mut TcpStream, mut bytes: &[u8], end: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(end)?))?;
        match stream.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = bytes.get(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Reads to the end, or until then, however little comes at a time.
fn drain(stream: &mut TcpStream, end: Instant) -> io::Result<()> {
    loop {
        stream.set_read_timeout(Some(left(end)?))?;
        if stream.read(&mut [0; 8 << 10])? == 0 {
            return Ok(());
        }
    }
}

/// The time until then.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Why there is no request.
enum Unread {
    /// It is one that is not taken; with the status.
    Refused(u16),
    /// It did not come to its end.
    Gone(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Refused(408),
            _ => Self::Gone(error),
        }
    }
}

fn read(stream: &mut TcpStream) -> Result<Request, Unread> {
    let end = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let (mut request, length, from) = loop {
        more(stream, &mut bytes, end)?;
        match parse(&bytes)? {
            Some(head) if head.2 <= LONGEST_HEAD => break head,
            None if bytes.len() <= LONGEST_HEAD => {}
            _ => return Err(Unread::Refused(431)),
        }
    };
    if length > LONGEST_BODY {
        return Err(Unread::Refused(413));
    }
    while bytes.len() < from + length {
        more(stream, &mut bytes, end)?;
    }
    request.body = bytes.get(from..from + length).unwrap_or_default().to_vec();
    Ok(request)
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>, end: Instant) -> Result<(), Unread> {
    stream.set_read_timeout(Some(left(end)?))?;
    let mut buffer = [0; 8 << 10];
    match stream.read(&mut buffer)? {
        0 => Err(Unread::Gone(io::ErrorKind::UnexpectedEof.into())),
        count => {
            bytes.extend(buffer.iter().take(count));
            Ok(())
        }
    }
}

/// The request without its body, the length of that, and where it begins; none as long as the head is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize, usize)>, Unread> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let from = match head.parse(bytes) {
        Ok(httparse::Status::Complete(from)) => from,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Unread::Refused(431)),
        Err(_) => return Err(Unread::Refused(400)),
    };
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request { method: head.method.unwrap_or_default().to_owned(), ..Request::default() };
    path.clone_into(&mut request.path);
    request.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for header in head.headers.iter() {
        let value = std::str::from_utf8(header.value).map_err(|_| Unread::Refused(400))?.to_owned();
        let name = header.name.to_ascii_lowercase();
        if ONCE.contains(&name.as_str()) && request.headers.contains_key(&name) {
            return Err(Unread::Refused(400));
        }
        request.headers.entry(name).or_insert(value);
    }
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return Err(Unread::Refused(405));
    }
    if request.header("transfer-encoding").is_some() {
        return Err(Unread::Refused(411));
    }
    let length = request.header("content-length").map_or(Ok(0), str::parse).map_err(|_| Unread::Refused(400))?;
    Ok(Some((request, length, from)))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        303 => "See Other",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_end_however_slowly_it_is_taken() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut slow = TcpStream::connect(listener.local_addr()?)?;
        let (mut stream, _) = listener.accept()?;
        let taken = std::thread::spawn(move || {
            while slow.read(&mut [0; 64 << 10]).is_ok_and(|count| count > 0) {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let outcome = put(&mut stream, &vec![0; 256 << 20], Instant::now() + Duration::from_millis(200));
        let kind = outcome.map_err(|error| error.kind());
        assert!(matches!(kind, Err(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)), "{kind:?}");
        stream.shutdown(Shutdown::Both)?;
        assert!(taken.join().is_ok());
        Ok(())
    }
}
