//! Plain requests through an HTTP proxy.
//!
//! Such a request names the whole URL in its first line. The HTTP library knows tunnels only and writes the path alone, so
//! the connection to the proxy completes the line on its way out. The connection serves one request.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

/// Connects to the proxy, which the request's URL must name instead of the target. The `Host` header names the target.
#[derive(Debug, Default)]
pub(super) struct ForwardConnector(DefaultConnector);

impl Connector<()> for ForwardConnector {
    type Out = Forwarding;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Forwarding>, Error> {
        Ok(self.0.connect(details, chained)?.map(|proxy| Forwarding { proxy, has_begun: false }))
    }
}

/// A connection to a proxy for one request.
#[derive(Debug)]
pub(super) struct Forwarding {
    proxy: Box<dyn Transport>,
    has_begun: bool,
}

impl Transport for Forwarding {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.proxy.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.has_begun {
            return self.proxy.transmit_output(amount, timeout);
        }
        self.has_begun = true;
        let output = self.proxy.buffers().output();
        let written = output.get(..amount).unwrap_or_default();
        let completed = complete(written).ok_or(Error::ConnectionFailed)?;
        for part in completed.chunks(output.len().max(1)) {
            if let Some(space) = self.proxy.buffers().output().get_mut(..part.len()) {
                space.copy_from_slice(part);
            }
            self.proxy.transmit_output(part.len(), timeout)?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.proxy.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.proxy.is_tls()
    }
}

/// The head of a request with the whole URL in its first line; none if it has no `Host`.
fn complete(head: &[u8]) -> Option<Vec<u8>> {
    let path = head.iter().position(|byte| *byte == b' ')? + 1;
    let mut lines = head.split(|byte| *byte == b'\n');
    let host = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(5)?;
        name.eq_ignore_ascii_case(b"host:").then(|| value.trim_ascii())
    })?;
    let (method, rest) = head.split_at_checked(path)?;
    Some([method, b"http://", host, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_host_of_the_host_header() {
        let head = b"GET /a?b HTTP/1.1\r\nx: Host: no\r\nhost: example.org:81\r\n\r\n";
        let completed = complete(head).unwrap();
        assert!(completed.starts_with(b"GET http://example.org:81/a?b HTTP/1.1\r\nx: Host: no\r\nhost:"));
        assert_eq!(complete(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
