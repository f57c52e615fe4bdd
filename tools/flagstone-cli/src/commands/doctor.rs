//! `doctor`: connects, looks at everything that flags depend on, and says what is wrong.

use flagstone::model::unix_ms;
use flagstone::store::{Depot, Examination, Verdict as Allowed};
use serde::Serialize;
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::verify::{Examined, examine};
use crate::failure::{Failure, Verdict};
use crate::item::Item;
use crate::output::{Bytes, Output, count, plain};
use crate::place::{Held, Place};

/// A clock that is further away is told of: debug events end by it.
const CLOCK_MS: i64 = 2_000;
/// A certificate that ends earlier is told of: somebody has to act.
const SOON_DAYS: i64 = 21;
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
const NO_FLAGS: &str = "none below this prefix: --prefix names another one, flagstone import writes some";
/// So many problems are told one by one.
const SHOWN: usize = 5;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Good,
    /// Worth knowing, and no fault.
    Note,
    /// Something works less well than it could.
    Doubtful,
    /// Something does not work.
    Bad,
}

/// What was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    health: Health,
    words: String,
}

/// All that was found.
#[derive(Default)]
struct Report {
    checks: Vec<Check>,
}

impl Report {
    fn add(&mut self, name: &'static str, health: Health, words: impl Into<String>) {
        self.checks.push(Check { name, health, words: words.into() });
    }
}

pub fn run(place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let mut report = Report::default();
    let reached = look(place, &mut report, output);
    if let Err(failure) = &reached {
        if matches!(failure, Failure::Usage(_)) {
            return reached.map(|()| Verdict::Fine);
        }
        let name = if report.checks.is_empty() { "connection" } else { "data" };
        report.add(name, Health::Bad, failure.to_string());
    }
    let is_wrong = report.checks.iter().any(|check| matches!(check.health, Health::Bad | Health::Doubtful));
    if output.json {
        let place = place.describe();
        output.json(&serde_json::json!({ "place": place, "healthy": !is_wrong, "checks": report.checks }))?;
    } else {
        print(&report, place, output)?;
    }
    // The sentence has been said: what is left is the status.
    reached.map(|()| if is_wrong { Verdict::Found } else { Verdict::Fine })
}

fn print(report: &Report, place: &Place, output: &mut Output) -> Result<(), Failure> {
    let heading = output.strong(plain(&place.describe()));
    output.words(heading)?;
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &report.checks {
        let mark = match check.health {
            Health::Good => output.good("✓"),
            Health::Note => output.faint("·"),
            Health::Doubtful => output.doubtful("!"),
            Health::Bad => output.bad("✗"),
        };
        output.words(format!("{mark} {:width$}  {}", check.name, plain(&check.words)))?;
    }
    output.finish()
}

fn look(place: &Place, report: &mut Report, output: &Output) -> Result<(), Failure> {
    if let Place::Redis(_) = place {
        let depot = place.depot()?;
        let found = depot.examine().map_err(|error| place.placed(error))?;
        server(&found, &depot, report);
        let held = place.read(output)?;
        data(&held, NO_FLAGS, report, output);
        if held.inited.is_none() {
            report.add("$inited", Health::Note, "unknown: EXISTS is not allowed");
        }
        rung(place, report)
    } else {
        data(&place.read(output)?, "none", report, output);
        Ok(())
    }
}

fn server(of: &Examination, depot: &Depot, report: &mut Report) {
    let times = format!("{:.1?}, a round trip takes {:.1?}", of.connected_in, of.round_trip);
    report.add("connection", Health::Good, format!("{} in {times}", depot.address()));
    let words = [of.server.as_deref(), of.mode.as_deref(), of.role.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    match words.as_slice() {
        [] => report.add("server", Health::Note, "it does not say what it is"),
        words => {
            let clients =
                of.clients.map_or_else(String::new, |number| format!(", {}", count(number as usize, "client")));
            report.add("server", Health::Good, format!("{}{clients}", words.join(", ")));
        }
    }
    match &of.encryption {
        Some(encryption) => {
            report.add("TLS", Health::Good, format!("{}, {}", encryption.protocol, encryption.cipher));
            certificate(&encryption.certificate, report);
        }
        None => report.add("TLS", Health::Note, "not encrypted: rediss:// is"),
    }
    let user = of.user.as_deref().unwrap_or("the server does not say who is logged in");
    report.add("user", if of.user.is_some() { Health::Good } else { Health::Note }, user);
    clock(of, report);
    memory(of, report);
    rights(of, report);
}

/// How long it is good for yet: that of the server alone, not those that vouch for it. Whom it names was checked when it was shown.
fn certificate(der: &[u8], report: &mut Report) {
    let Ok(certificate) = Certificate::from_der(der) else {
        return report.add("certificate", Health::Note, "its dates cannot be read");
    };
    let end = certificate.tbs_certificate().validity().not_after;
    let left = end.to_unix_duration().as_secs().cast_signed() - unix_ms() / 1_000;
    let days = left.div_euclid(SECONDS_PER_DAY);
    let health = if days < SOON_DAYS { Health::Doubtful } else { Health::Good };
    let words = match days {
        0 => format!("ends today, on {end}"),
        ..0 => format!("ended on {end}"),
        _ => format!("good for {}, until {end}", count(usize::try_from(days).unwrap_or(usize::MAX), "more day")),
    };
    report.add("certificate", health, words);
}

fn clock(of: &Examination, report: &mut Report) {
    match of.clock_ahead_ms {
        None => report.add("clock", Health::Note, "the server does not tell its time"),
        Some(ahead) if ahead.abs() > CLOCK_MS => {
            let way = if ahead > 0 { "ahead of" } else { "behind" };
            report.add("clock", Health::Doubtful, format!("the server's is {} ms {way} the one here", ahead.abs()));
        }
        Some(ahead) => report.add("clock", Health::Good, format!("{} ms apart", ahead.abs())),
    }
}

fn memory(of: &Examination, report: &mut Report) {
    let Some(used) = of.memory else { return report.add("memory", Health::Note, "the server does not tell") };
    let limit = of.memory_limit.filter(|limit| *limit > 0);
    let policy = of.eviction.as_deref().unwrap_or_default();
    match limit {
        None => report.add("memory", Health::Good, format!("{} in use, no limit", Bytes(used))),
        Some(limit) if policy.starts_with("allkeys") => {
            let words = format!("{} of {} in use; with {policy} flags may be evicted", Bytes(used), Bytes(limit));
            report.add("memory", Health::Doubtful, words);
        }
        Some(limit) => {
            report.add("memory", Health::Good, format!("{} of {} in use, {policy}", Bytes(used), Bytes(limit)))
        }
    }
}

fn rights(of: &Examination, report: &mut Report) {
    for (name, writes) in [("reading", false), ("writing", true)] {
        let of_kind = || of.rights.iter().filter(move |right| right.writes == writes);
        let refused: Vec<_> = of_kind().filter(|right| matches!(right.verdict, Allowed::Refused(_))).collect();
        let is_unknown = of_kind().any(|right| right.verdict == Allowed::Unknown);
        if refused.is_empty() {
            let words = if is_unknown {
                "unknown: the server refuses MULTI, by which one asks"
            } else {
                "all commands are allowed"
            };
            report.add(name, if is_unknown { Health::Note } else { Health::Good }, words);
            continue;
        }
        let names: Vec<String> = refused.iter().map(|right| format!("{} ({})", right.command, right.purpose)).collect();
        let health = match (writes, refused.iter().any(|right| right.needed)) {
            // Clients in daemon mode never write.
            (true, true) => Health::Note,
            (false, true) => Health::Bad,
            (_, false) => Health::Doubtful,
        };
        let words = if health == Health::Note { "not allowed, as clients in daemon mode want it" } else { "refused" };
        report.add(name, health, format!("{words}: {}", names.join(", ")));
    }
}

/// What is there; `without` says that there are no flags.
fn data(held: &Held, without: &str, report: &mut Report, output: &Output) {
    let size = |items: &[Item]| items.iter().map(|item| (item.key.len() + item.text.len()) as u64).sum::<u64>();
    for (name, noun, items) in [("flags", "flag", &held.flags), ("segments", "segment", &held.segments)] {
        let largest = items.iter().max_by_key(|item| item.text.len());
        let largest = largest.map_or_else(String::new, |item| {
            format!(", the largest is {:?} with {}", item.key, Bytes(item.text.len() as u64))
        });
        if name == "flags" && items.is_empty() {
            report.add(name, Health::Bad, without);
        } else {
            report.add(name, Health::Good, format!("{}, {}{largest}", count(items.len(), noun), Bytes(size(items))));
        }
    }
    match held.inited {
        Some(true) => report.add("$inited", Health::Good, "somebody has written a full data set"),
        Some(false) => {
            report.add("$inited", Health::Doubtful, "missing: nobody knows whether the data set is whole");
        }
        None => {}
    }
    let Examined { problems, deleted, .. } = examine(held, output);
    if problems.is_empty() {
        let deleted = if deleted == 0 { String::new() } else { format!(", {deleted} of them deleted") };
        report.add("items", Health::Good, format!("all can be read{deleted}"));
    }
    for problem in problems.iter().take(SHOWN) {
        let health = if problem.unreadable { Health::Bad } else { Health::Doubtful };
        report.add("items", health, format!("{} {:?}: {}", problem.kind, problem.key, problem.problem));
    }
    if problems.len() > SHOWN {
        report.add(
            "items",
            Health::Doubtful,
            format!("{} more: flagstone verify", count(problems.len() - SHOWN, "problem")),
        );
    }
}

/// How a client hears of changes, by what one that is started for it says.
fn rung(place: &Place, report: &mut Report) -> Result<(), Failure> {
    let client = place.ready_client()?;
    let status: Value = serde_json::from_str(&client.status_json()).unwrap_or_default();
    let text = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
    let watched = status["watch"]["rung"].as_str().map_or_else(String::new, |rung| format!(" by {rung}"));
    let (freshness, reason) = (text("freshness"), text("freshness_reason"));
    match freshness.as_str() {
        "push" => report.add("changes", Health::Good, format!("told at once{watched}")),
        "ttl" => {
            let words = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            report.add("changes", Health::Doubtful, format!("seen when items are read again, by their age{words}"));
        }
        other => report.add("changes", Health::Note, other),
    }
    Ok(())
}
