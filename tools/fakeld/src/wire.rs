//! HTTP/1.1 on the wire: reading requests, writing answers.

use std::io::{self, BufRead, Read, Write};

use flate2::read::GzDecoder;
use serde_json::Value;

/// A request that was received.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target as sent; an absolute URL if the sender takes the server for a proxy.
    pub target: String,
    /// The path without query.
    pub path: String,
    /// The query without question mark.
    pub query: String,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header; the name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The state of which the second protocol tells the server, if it does.
    pub fn basis(&self) -> Option<String> {
        let value = self.query.split('&').find_map(|parameter| parameter.strip_prefix("basis="))?;
        let mut bytes = value.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
            decoded.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
        }
        String::from_utf8(decoded).ok()
    }

    /// The body as JSON, unpacked if need be; none if it is not.
    pub fn json(&self) -> Option<Value> {
        if self.header("content-encoding") == Some("gzip") {
            return serde_json::from_reader(GzDecoder::new(&*self.body)).ok();
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// Reads one up to its body; none at the end of the connection.
    pub(crate) fn read_head(input: &mut impl BufRead) -> io::Result<Option<Request>> {
        let first = line(input)?;
        let mut parts = first.split(' ');
        let (Some(method), Some(target)) = (parts.next(), parts.next()) else { return Ok(None) };
        let origin = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| rest.get(at..).unwrap_or("/")),
            None => target,
        };
        let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
        let mut request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Request::default()
        };
        loop {
            let header = line(input)?;
            let Some((name, value)) = header.split_once(':') else { break };
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Some(request))
    }

    /// Reads its body.
    pub(crate) fn read_body(&mut self, input: &mut impl BufRead) -> io::Result<()> {
        if self.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            loop {
                let length = usize::from_str_radix(&line(input)?, 16).unwrap_or(0);
                let mut chunk = vec![0; length];
                input.read_exact(&mut chunk)?;
                line(input)?;
                self.body.extend(chunk);
                if length == 0 {
                    return Ok(());
                }
            }
        }
        let length = self.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        input.take(length).read_to_end(&mut self.body)?;
        Ok(())
    }
}

fn line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}

/// Writes a whole answer.
pub(crate) fn answer(
    output: &mut impl Write,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", if status < 400 { "Fine" } else { "No" });
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 304 && status != 204 {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    output.write_all(&[head.as_bytes(), body].concat())?;
    output.flush()
}

/// Writes one chunk of a body of unknown length.
pub(crate) fn chunk(output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        // An empty chunk would end the body.
        return Ok(());
    }
    output.write_all(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())?;
    output.flush()
}
