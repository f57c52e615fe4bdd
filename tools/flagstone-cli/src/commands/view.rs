//! `view`: a page to look at, until somebody ends it.

use std::env::VarError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use flagstone::client::Client;
use serde_json::json;

use crate::arguments::View as Arguments;
use crate::failure::{Failure, Verdict};
use crate::interrupt::Protected;
use crate::output::{Output, plain};
use crate::place::Place;
use crate::view::{TOKEN, View};

/// The whole data set is held, changes are heard of at once, and nobody is told of what is looked at, whatever the options say.
const OPTIONS: &[(&str, &str)] =
    &[("log.level", "warn"), ("file.auto_reload", "true"), ("cache.residency", "all"), ("events.enabled", "false")];

/// How long one wait for the end lasts at most.
const TURN: Duration = Duration::from_millis(200);

pub fn run(what: &Arguments, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let ending = Protected::begin()?;
    let client = Arc::new(place.new_client(OPTIONS)?);
    client.hear_flag_changes(true);
    let listener =
        TcpListener::bind(what.listen).map_err(|error| Failure::Away(format!("--listen {}: {error}", what.listen)))?;
    let url = url(listener.local_addr()?);
    let view = View::new(Arc::clone(&client), place.describe(), &listener, &what.names, token()?)?;
    let follower = view.serve(listener)?;
    if output.json {
        output.json_line(&json!({ "event": "viewing", "url": url }))?;
    } else {
        output.line_now(format!("{}  {}", output.strong(url), output.faint("Ctrl-C ends it")))?;
    }
    let mut started = Some(start(place, &client)?);
    while !ending.wait(TURN) {
        if follower.is_finished() {
            return Err(Failure::Away("nobody tells the page any more what changes, so it is gone".to_owned()));
        }
        let Some(Ok(failure)) = started.as_ref().map(Receiver::try_recv) else { continue };
        started = None;
        if let Some(failure) = failure {
            tell(&failure, &format!("{}: {failure}; waiting for it", place.describe()), output)?;
        } else if client.data().is_none_or(|data| data.flags.is_empty() && data.segments.is_empty()) {
            let empty = place.without_flags();
            tell(&empty, &empty.to_string(), output)?;
        }
    }
    client.close(Duration::ZERO);
    Ok(Verdict::Fine)
}

/// One that is there is meant, whatever it is: whoever wanted one shall not go without.
fn token() -> Result<Option<String>, Failure> {
    match std::env::var(TOKEN) {
        Ok(token) => Ok(Some(token)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::Usage(format!("{TOKEN}: this is no text"))),
    }
}

/// Where a browser at this machine finds it.
fn url(mut at: SocketAddr) -> String {
    match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => at.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => at.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{at}/")
}

/// Reads everything while the page is there already; what comes back is what kept it from being read, if something did.
fn start(place: &Place, client: &Arc<Client>) -> Result<Receiver<Option<Failure>>, Failure> {
    let (tell, told) = channel();
    let (place, client) = (place.clone(), Arc::clone(client));
    // Nobody is there to be told any more where the end has come.
    let start = move || drop(tell.send(place.start(&client).err()));
    std::thread::Builder::new().name("start".to_owned()).spawn(start)?;
    Ok(told)
}

fn tell(failure: &Failure, words: &str, output: &mut Output) -> Result<(), Failure> {
    if output.json {
        return output.json_line(&json!({ "event": "waiting", "error": failure.to_string() }));
    }
    output.words_now(output.doubtful(plain(words)))
}
