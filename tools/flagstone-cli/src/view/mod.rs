//! The page that `flagstone view` serves: what it consists of, and what is answered to it. Read-only: nothing that can be asked
//! changes anything.
//!
//! | Module | Is |
//! |---|---|
//! | `http` | a small server, everything bounded |
//! | `guard` | who may see it |
//! | `journal` | what happened, for pages that wait for it |
//! | `follow` | what is new goes into the journal |
//! | `answers` | lists, one item, who gets what, health |
//! | `rows` | what is held as rows of a list |
//! | `graph` | what depends on what |
//! | `page` | HTML, styles and scripts, as they are sent |

mod answers;
mod follow;
mod graph;
mod guard;
mod http;
mod journal;
mod rows;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flagstone::client::Client;
use flagstone::context::Context;
use flagstone::model::Kind;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use answers::Answers;
use follow::Follower;
use guard::Guard;
use http::{Reply, Request};
use journal::Journal;

pub use guard::TOKEN;

/// How often a page that waits is told how the store is, whatever happens.
const PULSE: Duration = Duration::from_secs(1);
/// After a token that was wrong.
const PENALTY: Duration = Duration::from_millis(500);

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// What is sent as it is: path, media type, text.
const ASSETS: &[(&str, &str, &str)] = &[
    ("/assets/app.js", SCRIPT, include_str!("page/app.js")),
    ("/assets/dom.js", SCRIPT, include_str!("page/dom.js")),
    ("/assets/live.js", SCRIPT, include_str!("page/live.js")),
    ("/assets/table.js", SCRIPT, include_str!("page/table.js")),
    ("/assets/flag.js", SCRIPT, include_str!("page/flag.js")),
    ("/assets/graph.js", SCRIPT, include_str!("page/graph.js")),
    ("/assets/who.js", SCRIPT, include_str!("page/who.js")),
    ("/assets/health.js", SCRIPT, include_str!("page/health.js")),
    ("/assets/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/assets/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// Asks for the token; with a line that is hidden until one was wrong.
const LOGIN: &str = include_str!("page/login.html");

/// No script but these; nothing from elsewhere; no text becomes markup, for `innerHTML` and the like take none.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HEADERS: &[(&str, &str)] = &[
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
];

/// The page of a client.
pub struct View {
    page: Page,
    follower: JoinHandle<()>,
}

/// What answers.
struct Page {
    guard: Guard,
    answers: Arc<Answers>,
}

/// Who is asking, and for which flag.
#[derive(Deserialize)]
struct Question {
    context: Box<RawValue>,
    key: Option<String>,
}

impl View {
    /// Of a client that is not started yet, at the address of this listener.
    pub fn new(
        client: Arc<Client>,
        place: String,
        listener: &TcpListener,
        names: &[String],
        token: Option<String>,
    ) -> Result<Self, Failure> {
        let guard = Guard::new(listener.local_addr()?, names, token)?;
        let journal = Arc::new(Journal::default());
        let follower = Follower::new(Arc::clone(&client), Arc::clone(&journal));
        let follower = std::thread::Builder::new().name("follow".to_owned()).spawn(move || follower.run())?;
        let page = Page { guard, answers: Arc::new(Answers::new(client, journal, place)) };
        Ok(Self { page, follower })
    }

    /// Serves it, for ever; what is new is told to it by a thread that ends when the client is closed, and not before.
    pub fn serve(self, listener: TcpListener) -> Result<JoinHandle<()>, Failure> {
        let page = self.page;
        let serve = move || http::serve(&listener, move |request| page.reply(&request));
        std::thread::Builder::new().name("view".to_owned()).spawn(serve)?;
        Ok(self.follower)
    }
}

impl Page {
    fn reply(&self, request: &Request) -> Reply {
        let reply = self.guard.refusal(request).unwrap_or_else(|| self.answer(request));
        HEADERS.iter().fold(reply, |reply, &(name, value)| reply.with(name, value))
    }

    fn answer(&self, request: &Request) -> Reply {
        let asset = ASSETS.iter().find(|(path, ..)| request.method == "GET" && *path == request.path);
        if let Some((_, media, text)) = asset {
            return Reply::new(200, media, *text);
        }
        if (request.method.as_str(), request.path.as_str()) == ("POST", "/login") {
            return self.log_in(request);
        }
        if !self.guard.admits(request) {
            return match request.path.as_str() {
                "/" => Reply::new(401, HTML, LOGIN),
                _ => Reply::sentence(401, "the token is missing, or is another one"),
            };
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/") => Reply::new(200, HTML, include_str!("page/index.html")),
            ("GET", "/api/lists") => Reply::new(200, JSON, self.answers.lists()),
            ("GET", "/api/flag") => self.item(Kind::Flag, request),
            ("GET", "/api/segment") => self.item(Kind::Segment, request),
            ("GET", "/api/health") => Reply::new(200, JSON, self.answers.health()),
            ("GET", "/api/timeline") => Reply::new(200, JSON, self.answers.timeline()),
            ("GET", "/api/events") => self.events(),
            ("POST", "/api/who") => self.who(request),
            _ => Reply::sentence(404, "there is no such page"),
        }
    }

    fn log_in(&self, request: &Request) -> Reply {
        let typed = form_urlencoded::parse(&request.body).find(|(name, _)| name == "token");
        let is_encrypted = request.header("origin").is_some_and(|origin| origin.starts_with("https://"));
        match typed.and_then(|(_, token)| self.guard.cookie(token.trim(), is_encrypted)) {
            Some(cookie) => Reply::sentence(303, "").with("Location", "/").with("Set-Cookie", cookie),
            None => {
                std::thread::sleep(PENALTY);
                Reply::new(401, HTML, LOGIN.replace(" hidden", ""))
            }
        }
    }

    fn item(&self, kind: Kind, request: &Request) -> Reply {
        let key = request.query.get("key").map(String::as_str).unwrap_or_default();
        let found = self.answers.item(kind, key);
        found.map_or_else(|| Reply::sentence(404, "there is none of that key"), |json| Reply::new(200, JSON, json))
    }

    /// Of all flags, or of one with its explanation.
    fn who(&self, request: &Request) -> Reply {
        let question: Question = match serde_json::from_slice(&request.body) {
            Ok(question) => question,
            Err(error) => return Reply::sentence(400, &format!("this is no JSON: {error}")),
        };
        let context = match Context::from_json(question.context.get()) {
            Ok(context) => context,
            Err(error) => return Reply::sentence(400, &format!("this is no context: {error}")),
        };
        let Some(key) = question.key else { return Reply::new(200, JSON, self.answers.everything_for(&context)) };
        let explained = self.answers.explain(&key, &context);
        explained.map_or_else(|| Reply::sentence(503, "the end has come"), |json| Reply::new(200, JSON, json))
    }

    /// What happens from now on, as server-sent events.
    fn events(&self) -> Reply {
        let answers = Arc::clone(&self.answers);
        Reply::stream("text/event-stream", Box::new(move |stream| tell(&answers, stream)))
    }
}

/// Until whoever listens is gone.
fn tell(answers: &Answers, stream: &mut TcpStream) -> io::Result<()> {
    let mut number = answers.journal.newest();
    let mut text = event("hello", &format!(r#"{{"run":"{}","number":{number}}}"#, answers.run));
    loop {
        text.push_str(&event("pulse", &answers.pulse()));
        stream.write_all(text.as_bytes())?;
        let since = answers.journal.since(number, PULSE);
        number = since.newest;
        text.clear();
        if since.is_incomplete {
            text.push_str(&event("reload", &format!(r#"{{"number":{number}}}"#)));
        } else if !since.entries.is_empty() {
            let data = format!(r#"{{"number":{number},"entries":[{}]}}"#, since.entries.join(","));
            text.push_str(&event("news", &data));
        }
    }
}

/// JSON is one line.
fn event(name: &str, json: &str) -> String {
    let mut text = String::new();
    let _ = write!(text, "event: {name}\ndata: {json}\n\n");
    text
}
