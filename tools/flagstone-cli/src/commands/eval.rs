//! `eval`: a flag for a context, explained by the evaluation itself.

use flagstone::client::Explanation;
use flagstone::context::Context;

use super::{context, like};
use crate::arguments::{Eval, Who};
use crate::failure::{Failure, Verdict};
use crate::output::{Output, plain};
use crate::place::{Place, warnings};
use crate::words::explanation::{reason, tree};

/// So many warnings of the client are told one by one: most are about other items.
const SHOWN: usize = 5;

pub fn run(what: &Eval, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let context = who(&what.who)?;
    let client = place.ready_client()?;
    let explanation = client.explain(&what.key, &context)?;
    if explanation.outcome.reason.error_kind == Some("FLAG_NOT_FOUND") {
        let data = client.data().unwrap_or_default();
        if data.flags.is_empty() && data.segments.is_empty() {
            return Err(place.without_flags());
        }
        let keys = data.flags.iter().filter(|(_, entry)| entry.is_live()).map(|(key, _)| &**key);
        return Err(Failure::Missing(format!("there is no flag {:?}{}", what.key, like(&what.key, keys))));
    }
    let verdict = if explanation.outcome.reason.kind == "ERROR" { Verdict::Found } else { Verdict::Fine };
    if output.json {
        let steps = explanation.flag.clone().filter(|_| what.explain);
        output.json(&Explanation { flag: steps, ..explanation })?;
        return Ok(verdict);
    }
    print(&explanation, what.explain, output)?;
    let warnings = warnings(&client);
    for warning in warnings.iter().take(SHOWN) {
        let warning = output.doubtful(plain(warning));
        output.words(warning)?;
    }
    if warnings.len() > SHOWN {
        let more = output.doubtful(format!("{} more: flagstone verify", warnings.len() - SHOWN));
        output.words(more)?;
    }
    Ok(verdict)
}

fn who(who: &Who) -> Result<Context, Failure> {
    match (&who.context, &who.user) {
        (Some(json), _) => context(json),
        (None, user) => {
            let key = user.as_deref().unwrap_or_default();
            Context::from_key("user", key).map_err(|error| Failure::Usage(format!("this is no key: {error}")))
        }
    }
}

fn print(explanation: &Explanation, explain: bool, output: &mut Output) -> Result<(), Failure> {
    let outcome = &explanation.outcome;
    let value = match &outcome.value {
        Some(value) => output.strong(plain(value.get())),
        None => output.doubtful("no value: the caller's default"),
    };
    output.line(value)?;
    let variation = outcome.variation.map_or_else(String::new, |index| format!("variation {index}: "));
    let stale = if explanation.stale { "; the data may be out of date" } else { "" };
    let why = output.faint(format!("{variation}{}{stale}", reason(&outcome.reason)));
    output.words(why)?;
    if explain {
        output.gap()?;
        return tree(explanation, output).print(output);
    }
    explanation.troubles.iter().try_for_each(|trouble| output.words(output.doubtful(plain(trouble))))
}
