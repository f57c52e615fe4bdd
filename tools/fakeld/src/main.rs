//! `fakeld`: a small LaunchDarkly on a port, steered by lines on its standard input.

mod told;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use fakeld::{Environment, Fake, Kind, Request};
use serde_json::{Value, json};

const USAGE: &str = "\
fakeld --port PORT [--data FILE] [--sdk-key KEY] [--environment-id ID]

Serves /all, /sdk/latest-all, /sdk/stream, /sdk/poll, /bulk and /diagnostic on the loopback address and prints its URL; port 0 is a free one.
FILE is {\"flags\": {...}, \"segments\": {...}}. Then one command a line:

  patch flag|segment JSON         add or replace an item and tell all streams
  delete flag|segment KEY VERSION delete one and tell all streams
  replace FILE                    take everything from this file and send it to all streams
  fallthrough KEY N               let a flag serve variation N to whoever no rule matches, and tell all streams
  put                             send everything to all streams
  drop                            close all streams
  streams                         print how many streams are connected
  requests                        print the requests so far, without bodies, as one line of JSON
  events                          print each payload with events so far as a line of JSON, then an empty line
  diagnostics                     the same of the diagnostic events
  counts                          print what the summaries count, flag, value and number, then an empty line
  kinds                           print how many events of each kind there are, then an empty line
  sizes                           print the number of payloads and of their bytes on the wire, then an empty line
  quit                            end, as the end of the input does
";

fn main() -> ExitCode {
    let result = run(&std::env::args().skip(1).collect::<Vec<String>>());
    if let Err(message) = result {
        let _ = writeln!(io::stderr(), "fakeld: {message}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(arguments: &[String]) -> Result<(), String> {
    if arguments.iter().any(|argument| argument == "--help") {
        return say(USAGE);
    }
    let (mut port, mut data, mut sdk_key, mut environment_id) = (0, None, None, None);
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"))?;
        match name.as_str() {
            "--port" => port = value.parse().map_err(|_| format!("{value} is no port"))?,
            "--data" => data = Some(value),
            "--sdk-key" => sdk_key = Some(value),
            "--environment-id" => environment_id = Some(value),
            _ => return Err(format!("unknown option {name}\n\n{USAGE}")),
        }
    }
    let environment = data.map_or_else(|| Ok(Environment::default()), |path: &String| environment_of(path))?;
    let fake = Fake::start_holding(port, environment, sdk_key.map(String::as_str))
        .map_err(|error| format!("port {port}: {error}"))?;
    if let Some(id) = environment_id {
        fake.set_environment_id(id);
    }
    say(&format!("{}\n", fake.url()))?;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        if line.trim() == "quit" {
            break;
        }
        // A wrong line must not end the server of a demo.
        if let Err(message) = command(&fake, line.trim()) {
            say(&format!("error: {message}\n"))?;
        }
    }
    Ok(())
}

fn command(fake: &Fake, line: &str) -> Result<(), String> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match (name, Kind::of(kind)) {
        ("", _) => Ok(()),
        ("fallthrough", _) => fallthrough(fake, kind, rest),
        ("put", _) => {
            fake.put();
            Ok(())
        }
        ("replace", _) => {
            let (_, path) = line.split_once(' ').ok_or("replace needs a file")?;
            let environment = environment_of(path)?;
            fake.replace(environment);
            Ok(())
        }
        ("drop", _) => {
            fake.close_streams();
            Ok(())
        }
        ("streams", _) => say(&format!("{}\n", fake.streams())),
        ("requests", _) => {
            let requests: Value = fake.requests().iter().map(told).collect();
            say(&format!("{requests}\n"))
        }
        ("events", _) => say(&lines(&fake.payloads())),
        ("diagnostics", _) => say(&lines(&fake.diagnostics())),
        ("counts", _) => say(&(told::counts(&fake.payloads()) + "\n")),
        ("kinds", _) => say(&(told::kinds(&fake.payloads()) + "\n")),
        ("sizes", _) => say(&(told::sizes(&fake.payloads()) + "\n")),
        ("patch", Some(kind)) => fake.patch(kind, rest),
        ("delete", Some(kind)) => {
            let (key, version) = rest.rsplit_once(' ').ok_or("delete needs a key and a version")?;
            let version = version.parse().map_err(|_| format!("{version} is no version"))?;
            fake.delete(kind, key, version);
            Ok(())
        }
        _ => Err(format!("unknown command: {line}")),
    }
}

fn environment_of(path: &str) -> Result<Environment, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Environment::parse(&text)
}

/// A request without its body.
fn told(request: &Request) -> Value {
    let headers: serde_json::Map<String, Value> =
        request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({"method": request.method, "path": request.path, "query": request.query, "headers": headers})
}

/// The bodies of requests, each as it is in one line, then an empty line.
fn lines(requests: &[Request]) -> String {
    let bodies = requests.iter().map(|request| request.json().unwrap_or_default().to_string());
    bodies.chain([String::new()]).map(|line| line + "\n").collect()
}

fn fallthrough(fake: &Fake, key: &str, variation: &str) -> Result<(), String> {
    let variation: u32 = variation.parse().map_err(|_| format!("{variation} is no variation"))?;
    let mut flag = None;
    fake.edit(|environment| flag = environment.get(Kind::Flag, key).map(str::to_owned));
    let flag = flag.ok_or_else(|| format!("there is no flag {key}"))?;
    let mut flag: Value = serde_json::from_str(&flag).map_err(|error| error.to_string())?;
    let version = flag["version"].as_i64().unwrap_or(0) + 1;
    flag["version"] = version.into();
    flag["fallthrough"] = json!({ "variation": variation });
    fake.patch(Kind::Flag, &flag.to_string())
}

fn say(text: &str) -> Result<(), String> {
    let mut output = io::stdout();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(|error| error.to_string())
}
