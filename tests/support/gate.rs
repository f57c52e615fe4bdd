//! A proxy that understands Redis' protocol: it refuses, hangs, closes or delays at chosen commands, leads to another server
//! whenever the test says so, knows which connections wait for pushes, and counts. The server behind it is a real one.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use flagdata::free_port;

use super::resp;

/// What happens to a command instead of being answered by the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// It is answered by the server; as an exception from a rule for all commands.
    Pass,
    /// It is answered with this error.
    Error(String),
    /// It is answered with these bytes.
    Answer(Vec<u8>),
    /// Neither it nor anything after it on its connection is ever answered.
    Hang,
    /// Its connection is closed.
    Close,
    /// It reaches the server later.
    Delay(Duration),
}

impl Rule {
    /// An error.
    pub fn error(text: &str) -> Self {
        Self::Error(text.to_owned())
    }

    /// An answer of these texts: one by itself, or several as an array.
    pub fn answer(texts: &[&str]) -> Self {
        let bulk = |text: &&str| format!("${}\r\n{text}\r\n", text.len());
        let bulks: String = texts.iter().map(bulk).collect();
        let head = if texts.len() == 1 { String::new() } else { format!("*{}\r\n", texts.len()) };
        Self::Answer(format!("{head}{bulks}").into_bytes())
    }
}

/// Which connections are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Those on which pushes were asked for.
    Watch,
    /// All others.
    Data,
    /// Those of them over which something was written.
    Writer,
    /// Those of them over which nothing was written.
    Reader,
    /// Every one.
    Any,
}

/// What was seen since the gate was made.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Connections that were accepted.
    pub connects: u64,
    /// How often each command was sent, by upper-case name; CLIENT has its subcommand with it.
    pub commands: BTreeMap<String, u64>,
    /// Bytes of commands.
    pub bytes_asked: u64,
    /// Bytes of the server's replies and pushes.
    pub bytes_told: u64,
}

impl Seen {
    /// How often this command was sent.
    pub fn count(&self, command: &str) -> u64 {
        self.commands.get(command).copied().unwrap_or(0)
    }
}

struct State {
    /// Where connections lead, in turn; the next one to the first.
    targets: VecDeque<u16>,
    dead: bool,
    rules: BTreeMap<String, Rule>,
    /// Rules for commands in which these bytes occur.
    of_content: Vec<(Vec<u8>, Rule)>,
    links: Vec<Arc<Link>>,
    seen: Seen,
    guard: Option<Guard>,
}

/// Looks at a login before the server does.
type Guard = Arc<dyn Fn(&[String]) + Send + Sync>;

/// Who answers next on a connection.
enum Turn {
    Server,
    /// The gate, with these bytes.
    Gate(Vec<u8>),
    /// The gate, in place of what the server says.
    Instead(Vec<u8>),
    /// The server, which may do so by a push.
    Subscription,
}

/// A client's connection and what it leads to.
struct Link {
    client: TcpStream,
    server: TcpStream,
    port: u16,
    watches: AtomicBool,
    writes: AtomicBool,
    turns: Mutex<VecDeque<Turn>>,
}

/// The proxy. Its threads end with their connections.
pub struct Gate {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Gate {
    /// Leads to `port`.
    pub fn to(port: u16) -> Self {
        let (listening, listener) = loop {
            let port = free_port();
            // Somebody else may take it at any moment.
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                break (port, listener);
            }
        };
        let (rules, of_content, links) = (BTreeMap::new(), Vec::new(), Vec::new());
        let state =
            State { targets: [port].into(), dead: false, rules, of_content, links, seen: Seen::default(), guard: None };
        let gate = Self { port: listening, state: Arc::new(Mutex::new(state)) };
        let state = gate.state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is away: the connection is dropped.
                let _ = open(client, &state);
            }
        });
        gate
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on this rule holds for the command (`HSCAN`, `CLIENT TRACKING`, `CLIENT` for all its subcommands, `*` for all
    /// commands), also on connections that are open.
    pub fn rule(&self, command: &str, rule: Rule) {
        self.state().rules.insert(command.to_owned(), rule);
    }

    /// From now on this rule holds for commands in which `content` occurs, whatever their names.
    pub fn rule_for_content(&self, content: &str, rule: Rule) {
        self.state().of_content.push((content.as_bytes().to_vec(), rule));
    }

    /// From now on this sees the words of each login (AUTH, HELLO) before the server does.
    pub fn guard_logins(&self, guard: impl Fn(&[String]) + Send + Sync + 'static) {
        self.state().guard = Some(Arc::new(guard));
    }

    /// No rule holds any longer.
    pub fn clear(&self) {
        self.state().rules.clear();
        self.state().of_content.clear();
    }

    /// New connections lead there.
    pub fn lead_to(&self, port: u16) {
        self.lead_in_turn(&[port]);
    }

    /// New connections lead to these in turn.
    pub fn lead_in_turn(&self, ports: &[u16]) {
        self.state().targets = ports.iter().copied().collect();
    }

    /// Whether connections are closed as soon as they are accepted, those that are open at once.
    pub fn set_dead(&self, dead: bool) {
        self.state().dead = dead;
        if dead {
            self.cut(Role::Any);
        }
    }

    /// Cuts connections; gives their number.
    pub fn cut(&self, role: Role) -> usize {
        let state = self.state();
        let links = state.links.iter().filter(|link| link.has(role));
        links.map(|link| link.close()).count()
    }

    /// Number of open connections that lead to the server at `port`.
    pub fn links(&self, role: Role, port: u16) -> usize {
        self.state().links.iter().filter(|link| link.has(role) && link.port == port).count()
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.state().seen.clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.set_dead(true);
    }
}

impl Link {
    fn has(&self, role: Role) -> bool {
        let (watches, writes) = (self.watches.load(SeqCst), self.writes.load(SeqCst));
        match role {
            Role::Watch => watches,
            Role::Data => !watches,
            Role::Writer => !watches && writes,
            Role::Reader => !watches && !writes,
            Role::Any => true,
        }
    }

    fn close(&self) {
        for stream in [&self.client, &self.server] {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The gate answers when everything before is answered.
    fn answer(&self, text: &str) -> io::Result<()> {
        self.answer_with(format!("-{text}\r\n").into_bytes())
    }

    fn answer_with(&self, bytes: Vec<u8>) -> io::Result<()> {
        let mut turns = self.turns.lock().unwrap();
        turns.push_back(Turn::Gate(bytes));
        self.answer_turns(&mut turns)
    }

    fn forward(&self, bytes: &[u8], turn: Turn) -> io::Result<()> {
        self.turns.lock().unwrap().push_back(turn);
        (&self.server).write_all(bytes)
    }

    fn answer_turns(&self, turns: &mut VecDeque<Turn>) -> io::Result<()> {
        while let Some(Turn::Gate(bytes)) = turns.front() {
            (&self.client).write_all(bytes)?;
            turns.pop_front();
        }
        Ok(())
    }

    /// Passes on a whole message of the server.
    fn pass(&self, message: &[u8]) -> io::Result<()> {
        let mut turns = self.turns.lock().unwrap();
        if resp::is_push(message) {
            (&self.client).write_all(message)?;
            if !matches!(turns.front(), Some(Turn::Subscription)) || !resp::is_subscription(message) {
                return Ok(());
            }
            turns.pop_front();
            return self.answer_turns(&mut turns);
        }
        match turns.pop_front() {
            Some(Turn::Instead(bytes)) => (&self.client).write_all(&bytes)?,
            _ => (&self.client).write_all(message)?,
        }
        self.answer_turns(&mut turns)
    }
}

fn open(client: TcpStream, state: &Arc<Mutex<State>>) -> io::Result<()> {
    let port = {
        let mut state = state.lock().unwrap();
        state.seen.connects += 1;
        if state.dead {
            return Ok(());
        }
        state.targets.rotate_left(1);
        state.targets[state.targets.len() - 1]
    };
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (watches, writes) = (AtomicBool::new(false), AtomicBool::new(false));
    let link = Arc::new(Link { client, server, port, watches, writes, turns: Mutex::default() });
    state.lock().unwrap().links.push(link.clone());
    for is_reply in [false, true] {
        let (link, state) = (link.clone(), state.clone());
        thread::spawn(move || {
            // Either side may go at any time: then both do.
            let _ = if is_reply { replies(&link, &state) } else { requests(&link, &state) };
            link.close();
            state.lock().unwrap().links.retain(|other| !Arc::ptr_eq(other, &link));
        });
    }
    Ok(())
}

fn replies(link: &Link, state: &Mutex<State>) -> io::Result<()> {
    let (mut buffer, mut unparsed) = (vec![0; 1 << 16], Vec::new());
    loop {
        let count = read(&link.server, &mut buffer)?;
        state.lock().unwrap().seen.bytes_told += count as u64;
        unparsed.extend_from_slice(&buffer[..count]);
        while let Some(length) = resp::reply_length(&unparsed) {
            link.pass(&unparsed[..length])?;
            unparsed.drain(..length);
        }
    }
}

fn requests(link: &Link, state: &Mutex<State>) -> io::Result<()> {
    let (mut buffer, mut unparsed) = (vec![0; 1 << 16], Vec::new());
    let mut transaction = Transaction::None;
    loop {
        let count = read(&link.client, &mut buffer)?;
        unparsed.extend_from_slice(&buffer[..count]);
        while let Some((words, length)) = resp::command(&unparsed) {
            let name = resp::name(&words);
            let rule = note(link, state, &name, &unparsed[..length]);
            if ["AUTH", "HELLO"].contains(&name.as_str()) {
                let guard = state.lock().unwrap().guard.clone();
                guard.inspect(|guard| guard(&words));
            }
            match rule {
                Rule::Hang => loop {
                    read(&link.client, &mut buffer)?;
                },
                Rule::Close => return Ok(()),
                Rule::Error(text) => transaction.refuse(link, &name, &text)?,
                Rule::Answer(bytes) => link.answer_with(bytes)?,
                Rule::Delay(pause) => {
                    thread::sleep(pause);
                    transaction.forward(link, &name, &unparsed[..length])?;
                }
                Rule::Pass => transaction.forward(link, &name, &unparsed[..length])?,
            }
            unparsed.drain(..length);
        }
    }
}

/// Counts a command and says what is to happen to it.
fn note(link: &Link, state: &Mutex<State>, name: &str, command: &[u8]) -> Rule {
    if ["CLIENT TRACKING", "SUBSCRIBE", "PSUBSCRIBE"].contains(&name) {
        link.watches.store(true, SeqCst);
    }
    if ["EVAL", "WATCH", "SET"].contains(&name) {
        link.writes.store(true, SeqCst);
    }
    let mut state = state.lock().unwrap();
    state.seen.bytes_asked += command.len() as u64;
    *state.seen.commands.entry(name.to_owned()).or_default() += 1;
    let has = |content: &[u8]| command.windows(content.len()).any(|part| part == content);
    if let Some((_, rule)) = state.of_content.iter().find(|(content, _)| has(content)) {
        return rule.clone();
    }
    let first = name.split(' ').next().unwrap_or(name);
    [name, first, "*"].iter().find_map(|name| state.rules.get(*name)).cloned().unwrap_or(Rule::Pass)
}

/// A connection's transaction, to which a refused command does what it does at a server.
enum Transaction {
    None,
    Open,
    Doomed,
}

impl Transaction {
    fn refuse(&mut self, link: &Link, name: &str, text: &str) -> io::Result<()> {
        match self {
            Self::None => link.answer(text),
            _ if name == "EXEC" => self.end(link, text),
            _ => {
                *self = Self::Doomed;
                link.answer(text)
            }
        }
    }

    fn forward(&mut self, link: &Link, name: &str, bytes: &[u8]) -> io::Result<()> {
        match (&self, name) {
            (Self::Doomed, "EXEC") => {
                return self.end(link, "EXECABORT Transaction discarded because of previous errors.");
            }
            (Self::None, "MULTI") => *self = Self::Open,
            (_, "EXEC" | "DISCARD") => *self = Self::None,
            _ => {}
        }
        link.forward(bytes, if name == "SUBSCRIBE" { Turn::Subscription } else { Turn::Server })
    }

    fn end(&mut self, link: &Link, text: &str) -> io::Result<()> {
        *self = Self::None;
        link.forward(b"*1\r\n$7\r\nDISCARD\r\n", Turn::Instead(format!("-{text}\r\n").into_bytes()))
    }
}

fn read(mut from: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match from.read(buffer)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}
