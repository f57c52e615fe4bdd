//! Flagstone from Rust: `cargo run --example rust -- redis://localhost:6379`
//!
//! Reads a flag that somebody else keeps in that Redis, and prints its value, the reason, and what was looked at.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that prints")]

use std::time::Duration;

use flagstone::client::{Ask, Client, Config, DefaultValue, Wanted};
use flagstone::context::Context;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://localhost:6379".to_owned());
    let mut config = Config::default();
    config.set("redis.url", &url)?;
    let client = Client::new(config.resolve()?)?;
    // Waits for the data. If there are none yet, it says why, and goes on trying.
    if let Err(why) = client.start(Duration::from_secs(5)) {
        eprintln!("{why}");
    }

    let ada = Context::from_json(r#"{"kind":"user","key":"ada","country":"DE"}"#)?;
    let ask = Ask::detail(Wanted::Bool, DefaultValue::Bool(false));
    client.evaluate("new-checkout", Some(&ada), ask, |evaluation| {
        let value = evaluation.detail.variation.map_or("false", |variation| variation.json());
        let old = if evaluation.stale { ", may be old" } else { "" };
        println!("{value}, {:?}{old}", evaluation.detail.reason);
    });

    // What was looked at, for people: rules, clauses, segments, buckets.
    println!("{}", serde_json::to_string_pretty(&client.explain("new-checkout", &ada)?)?);
    client.close(Duration::from_secs(2));
    Ok(())
}
