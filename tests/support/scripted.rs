//! Servers that say what a test wants them to say, for what no real server does on demand: nonsense, and the word of a sentinel that
//! is behind the others.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::resp;
use super::sentinel::SERVICE;

type Reply = dyn Fn(&[String]) -> Vec<u8> + Send + Sync;

#[derive(Default)]
struct State {
    is_dead: bool,
    streams: Vec<TcpStream>,
}

/// A server that answers each command with what a function says; with nothing, it closes the connection.
pub struct Scripted {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Scripted {
    /// Answers so.
    pub fn answering(reply: impl Fn(&[String]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, state) = (listener.local_addr().unwrap().port(), Arc::<Mutex<State>>::default());
        let (shared, reply): (_, Arc<Reply>) = (state.clone(), Arc::new(reply));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut state = shared.lock().unwrap();
                if state.is_dead {
                    return;
                }
                state.streams.push(stream.try_clone().unwrap());
                let reply = reply.clone();
                thread::spawn(move || answer(&stream, &*reply));
            }
        });
        Self { port, state }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it: connections are closed, new ones refused soon.
    pub fn kill(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_dead = true;
        for stream in state.streams.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        // Wakes the thread that accepts, which ends.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.kill();
    }
}

fn answer(mut stream: &TcpStream, reply: &Reply) -> Option<()> {
    let (mut buffer, mut unparsed) = (vec![0; 1 << 14], Vec::new());
    loop {
        let count = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome.ok().filter(|count| *count > 0)?,
        };
        unparsed.extend_from_slice(&buffer[..count]);
        while let Some((words, length)) = resp::command(&unparsed) {
            unparsed.drain(..length);
            let bytes = reply(&words);
            if bytes.is_empty() {
                let _ = stream.shutdown(Shutdown::Both);
                return None;
            }
            stream.write_all(&bytes).ok()?;
        }
    }
}

/// A list of texts, as a reply.
pub fn bulk(texts: &[&str]) -> String {
    let parts: String = texts.iter().map(|text| format!("${}\r\n{text}\r\n", text.len())).collect();
    format!("*{}\r\n{parts}", texts.len())
}

/// A sentinel that names whichever primary the test wants, by whichever failover. It tells nothing by itself.
pub struct ScriptedSentinel {
    server: Scripted,
    word: Arc<Mutex<(u16, u64)>>,
}

impl ScriptedSentinel {
    /// Names the server on this port.
    pub fn naming(port: u16, epoch: u64) -> Self {
        let word = Arc::new(Mutex::new((port, epoch)));
        let said = word.clone();
        let server = Scripted::answering(move |words| {
            let (port, epoch) = *said.lock().unwrap();
            let is_known = words.get(2).is_some_and(|service| service == SERVICE);
            let topic = words.get(1).map(|topic| topic.to_uppercase()).unwrap_or_default();
            let text = match (words[0].to_uppercase().as_str(), topic.as_str()) {
                ("SENTINEL", "GET-MASTER-ADDR-BY-NAME") if is_known => bulk(&["127.0.0.1", &port.to_string()]),
                ("SENTINEL", "MASTER") if is_known => bulk(&["name", SERVICE, "config-epoch", &epoch.to_string()]),
                ("SENTINEL", "REPLICAS" | "SENTINELS") if is_known => "*0\r\n".to_owned(),
                ("SENTINEL", "GET-MASTER-ADDR-BY-NAME") => "*-1\r\n".to_owned(),
                ("HELLO", _) => "-NOPROTO unsupported protocol version\r\n".to_owned(),
                _ => "+OK\r\n".to_owned(),
            };
            text.into_bytes()
        });
        Self { server, word }
    }

    /// From now on it names this one.
    pub fn name(&self, port: u16, epoch: u64) {
        *self.word.lock().unwrap() = (port, epoch);
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Ends it.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Address of the service under these.
    pub fn url(sentinels: &[Self]) -> String {
        let list: Vec<String> = sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port())).collect();
        format!("redis+sentinel://{}/{SERVICE}", list.join(","))
    }
}
