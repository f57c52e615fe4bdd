//! Where events go while they are measured: takes every request, counts its bytes, and forgets it. Depends on nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use crate::Outcome;

/// A server on a free port, for as long as the process lives.
pub struct Sink {
    /// Its address.
    pub url: String,
    bytes: Arc<AtomicU64>,
}

impl Sink {
    /// Starts it.
    pub fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (url, bytes) = (format!("http://{}", listener.local_addr()?), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&bytes);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                thread::spawn(move || serve(stream, &counted));
            }
        });
        Ok(Self { url, bytes })
    }

    /// Bytes of all bodies so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// Answers the requests of one connection until it ends.
fn serve(stream: TcpStream, bytes: &AtomicU64) -> Option<()> {
    let mut input = BufReader::new(stream.try_clone().ok()?);
    let mut output = stream;
    loop {
        let (mut line, mut length) = (String::new(), 0_u64);
        loop {
            line.clear();
            if input.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?
                }
                None if line.trim().is_empty() => break,
                _ => {}
            }
        }
        std::io::copy(&mut input.by_ref().take(length), &mut std::io::sink()).ok()?;
        bytes.fetch_add(length, Relaxed);
        output.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}
