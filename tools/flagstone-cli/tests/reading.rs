//! The commands that only read: flags, show, eval, verify, diff, export, doctor, bench.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "reading/explaining.rs"]
mod explaining;
mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{
    Ran, examples, file, flag_text, flagstone, on_examples, on_file, on_redis, redis, redis_with_examples, send,
};

const ADA: &str = r#"{"kind":"user","key":"zoe","email":"zoe@example.org","country":"DE"}"#;

#[test]
fn flags_are_listed_filtered_and_counted() {
    let all = on_examples(&["flags"]).ended(0);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(
        lines,
        [
            "FLAG           STATE  VERSION  TARGETS  RULES  OTHERWISE",
            "new-checkout   on          12        1      2  25% true, 75% false",
            "payments-v2    on           4                  \"on\"",
            "search-engine  off         31                  \"classic\"",
            "3 flags",
        ]
    );
    let filters: [(&[&str], &str); 9] = [
        (&["--on"], "new-checkout\npayments-v2\n"),
        (&["--off"], "search-engine\n"),
        (&["--targeted"], "new-checkout\n"),
        (&["--uses", "beta"], "new-checkout\n"),
        (&["--uses", "payments-v2"], "new-checkout\n"),
        (&["pay"], "payments-v2\n"),
        (&["*e"], "search-engine\n"),
        (&["--segments"], "beta\n"),
        (&["--bad"], ""),
    ];
    for (filter, keys) in filters {
        assert_eq!(on_examples(&[&["flags", "--quiet"][..], filter].concat()).ended(0), keys, "{filter:?}");
    }
    let json = on_examples(&["flags", "new", "--json"]).json(0);
    assert_eq!(json[0]["key"], "new-checkout");
    assert_eq!(json[0]["prerequisites"], json!(["payments-v2"]));
}

#[test]
fn redis_and_a_file_show_the_same_flags() {
    let redis = redis_with_examples();
    assert_eq!(on_redis(&redis, &["flags"]).ended(0), on_examples(&["flags"]).ended(0));
    let shown = on_redis(&redis, &["show", "new-checkout"]).ended(0);
    assert_eq!(shown, on_examples(&["show", "new-checkout"]).ended(0));
    for words in [
        "new-checkout  on  version 12",
        r#""payments-v2" to be on and to serve its variation 0"#,
        r#"true (0) for user "ada", "bob""#,
        r#"if user email ends with "@example.org""#,
        r#"and user country is none of "US", "CN""#,
        r#"if the context is in segment "beta""#,
        "25% true (0), 75% false (1) by user key",
    ] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let used = on_redis(&redis, &["show", "payments-v2"]).ended(0);
    assert!(used.contains(r#"Used by "new-checkout""#), "{used}");
    let segment = on_redis(&redis, &["show", "--segment", "beta", "--json"]).json(0);
    assert_eq!(segment["used_by"], json!(["new-checkout"]));
    assert_eq!(
        on_redis(&redis, &["show", "beta", "--segment", "--raw"]).ended(0).trim_end().len(),
        segment["item"].to_string().len()
    );
}

#[test]
fn a_flag_that_is_not_there_is_said_with_some_that_are_alike() {
    for command in [&["show", "new-checkou"][..], &["eval", "new-checkou", "--user", "ada"]] {
        let complaint = on_examples(command).complained(4);
        assert!(complaint.contains(r#"there is no flag "new-checkou"; there is "new-checkout""#), "{complaint}");
    }
}

const BAD: &str = r#"{"flags":{
    "good":{"version":1,"on":true,"variations":[1],"fallthrough":{"variation":0}},
    "typed":{"version":1,"on":"yes","variations":[1]},
    "lost":{"version":1,"on":true,"variations":[1],"offVariation":4,"fallthrough":{"variation":0},
            "prerequisites":[{"key":"gone","variation":0}],
            "rules":[{"variation":0,"clauses":[{"op":"segmentMatch","values":["nobody"]}]}]},
    "one":{"version":1,"variations":[1],"prerequisites":[{"key":"two","variation":0}],"fallthrough":{"variation":0}},
    "two":{"version":1,"variations":[1],"prerequisites":[{"key":"one","variation":0}],"fallthrough":{"variation":0}}
  }}"#;

#[test]
fn verify_names_each_item_and_what_is_wrong_with_it() {
    assert!(on_examples(&["verify"]).ended(0).ends_with("3 flags, 1 segment: all of them are good\n"));
    let bad = file("bad.json", BAD);
    let told = on_file(&bad, &["verify"]).ended(1);
    for words in [
        "✗ flag typed: `on`: ",
        "! flag lost: when off it serves a variation that it does not have: it has 1",
        "! flag lost: prerequisite \"gone\" does not exist: it is never met",
        "! flag lost: segment \"nobody\" does not exist: nobody is in it",
        "! flag one: its prerequisites form a circle",
        "! flag two: its prerequisites form a circle",
        "4 flags, 0 segments: 6 problems",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert!(!told.contains("good"), "{told}");
    let json = Ran::of(flagstone().args(["verify", "--json"]).arg(&bad).output().unwrap()).json(1);
    assert_eq!(json["problems"].as_array().unwrap().len(), 6);
    assert_eq!(on_file(&bad, &["flags", "--bad", "-q"]).ended(0), "typed\n");
    on_file(&bad, &["eval", "typed", "--user", "a"]).ended(1);
    let lost = on_file(&bad, &["eval", "lost", "--user", "a", "-e"]).ended(1);
    assert!(lost.contains("there is no such flag") && lost.contains("no value"), "{lost}");
}

#[test]
fn what_is_wrong_with_other_items_is_told_in_a_few_lines() {
    let bad: Vec<String> = (0..50).map(|number| format!(r#""bad-{number}":{{"on":"yes"}}"#)).collect();
    let good = r#""good":{"version":1,"on":true,"variations":[1],"fallthrough":{"variation":0}}"#;
    let path = file("many-bad.json", &format!(r#"{{"flags":{{{good},{}}}}}"#, bad.join(",")));
    let told = on_file(&path, &["eval", "good", "--user", "a"]).ended(0);
    assert!(told.lines().count() < 10 && told.ends_with(" more: flagstone verify\n"), "{told}");
}

#[test]
fn verify_finds_what_evaluations_stumble_over() {
    let flag = |key: &str, more: &str| {
        format!(r#""{key}":{{"version":1,"on":true,"variations":["a","b"],"fallthrough":{{"variation":1}},{more}}}"#)
    };
    let clause = |text: &str| format!(r#""rules":[{{"variation":0,"clauses":[{text}]}}]"#);
    let rollout = |more: &str| {
        format!(r#""fallthrough":{{"rollout":{{{more}"variations":[{{"variation":0,"weight":25000}}]}}}}"#)
    };
    let flags = [
        flag("needs", r#""prerequisites":[{"key":"unnamed","variation":2}]"#),
        flag("unnamed", &clause(r#"{"contextKind":"user","attribute":"//","op":"in","values":[1]}"#)),
        flag("below", &clause(r#"{"contextKind":"user","attribute":"/key/x","op":"in","values":[1]}"#)),
        flag("unknown", &clause(r#"{"attribute":"n","op":"near","values":[1],"negate":true}"#)),
        format!(r#""short":{{"version":1,"on":true,"variations":[1],{}}}"#, rollout("")),
        format!(r#""by":{{"version":1,"variations":[1],{}}}"#, rollout(r#""contextKind":"org","bucketBy":"//","#)),
    ];
    let segment = |key: &str, rule: &str| format!(r#""{key}":{{"version":1,"rules":[{{{rule}}}]}}"#);
    let segments = [
        segment("one", r#""clauses":[{"op":"segmentMatch","values":["two"]}]"#),
        segment("two", r#""clauses":[{"op":"segmentMatch","values":["one"]}]"#),
        segment("share", r#""weight":1,"rolloutContextKind":"org","bucketBy":"/","clauses":[]"#),
    ];
    let text = format!(r#"{{"flags":{{{}}},"segments":{{{}}}}}"#, flags.join(","), segments.join(","));
    let told = on_file(&file("stumbles.json", &text), &["verify"]).ended(1);
    for words in [
        "flag needs: prerequisite \"unnamed\" must serve variation 2, and has 2: it is never met",
        "flag unnamed: clause 1 of rule 1 names no attribute: evaluations that come there end in an error",
        "flag below: clause 1 of rule 1 looks below a built-in attribute, where nothing is: it never passes",
        "flag unknown: clause 1 of rule 1 has an unknown operator, which nothing passes",
        "flag short: the shares of the fallthrough add up to 25%: the last one gets what is left of 100%",
        "flag by: the fallthrough rolls out by what is no attribute: evaluations end in an error",
        "segment one: its segments form a circle",
        "segment two: its segments form a circle",
        "segment share: rule 1 takes its share by what is no attribute: evaluations end in an error",
        "6 flags, 3 segments: 10 problems",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
}

#[test]
fn an_export_is_what_it_was_made_of_and_bad_items_are_left_out_aloud() {
    let redis = redis_with_examples();
    let to = file("exported.json", "");
    let told = on_redis(&redis, &["export", to.to_str().unwrap()]).ended(0);
    assert!(told.starts_with("3 flags, 1 segment in "), "{told}");
    let same = Ran::of(flagstone().args(["diff", to.to_str().unwrap()]).arg(examples()).output().unwrap());
    assert!(same.ended(0).contains("0 added, 0 removed, 0 changed, 4 the same"));
    assert_eq!(on_redis(&redis, &["export"]).ended(0), std::fs::read_to_string(&to).unwrap());
    send(&redis, &["HSET", "launchdarkly:features", "broken", "{"]);
    let ran = on_redis(&redis, &["export"]);
    let exported: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(exported["flags"]["broken"].is_null() && exported["flags"]["new-checkout"].is_object());
    assert!(ran.complained(1).contains(r#"flag "broken" is left out: the item is not valid JSON"#));
    on_redis(&redis, &["export", "/nowhere/flags.json"]).complained(3);
}

#[test]
fn two_prefixes_are_compared_item_by_item() {
    let redis = redis_with_examples();
    let text = flag_text(&redis, "search-engine").unwrap();
    let changed = text.replace("\"version\":31", "\"version\":32").replace("\"on\":false", "\"on\":true");
    assert_ne!(text, changed);
    send(&redis, &["HSET", "staging:features", "search-engine", &changed]);
    send(&redis, &["HSET", "staging:features", "extra", r#"{"version":1,"variations":[1]}"#]);
    let told = on_redis(&redis, &["diff", "launchdarkly", "staging"]).ended(1);
    for words in [
        "+ flag extra  version 1\n",
        "− flag new-checkout  version 12\n",
        "− segment beta  version 3\n",
        "~ flag search-engine  version 31 → 32: turned on\n",
        "1 added, 3 removed, 1 changed, 0 the same\n",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let here = format!("staging@{}", redis.url());
    let json = Ran::of(flagstone().args(["diff", "--json", &here, &here]).output().unwrap()).json(0);
    assert_eq!(json, json!([]));
}

#[test]
fn how_an_item_is_spelled_makes_no_difference() {
    let flag = |numbers: &str| {
        format!(
            r#"{{"flags":{{"f":{{"version":1,"on":true,"variations":[{numbers}],"fallthrough":{{"variation":0}}}}}}}}"#
        )
    };
    let one = file("spelled-one.json", &flag(r#"1, 100, {"a":[0,2.5]}, 1"#));
    let other = file("spelled-other.json", &flag(r#"1.0,1e2,{"a":[-0.0,25e-1]},1"#));
    let diff = |other: &Path| Ran::of(flagstone().arg("diff").arg(&one).arg(other).output().unwrap());
    assert!(diff(&other).ended(0).contains("0 changed, 1 the same"));
    let different = file("spelled-different.json", &flag(r#"1,100,{"a":[0,2.5]},"1""#));
    assert!(diff(&different).ended(1).contains("4 variations changed"));
}

#[test]
fn a_doctor_says_what_is_good_and_what_is_wrong() {
    let redis = redis_with_examples();
    let told = on_redis(&redis, &["doctor"]).ended(0);
    for words in [
        "✓ connection",
        "✓ server      redis ",
        "· TLS",
        "✓ user        default",
        "✓ clock",
        "✓ memory",
        "✓ reading     all commands are allowed",
        "✓ writing",
        "✓ flags       3 flags",
        "✓ $inited",
        "✓ items",
        "✓ changes     told at once",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    send(&redis, &["DEL", "launchdarkly:$inited"]);
    send(&redis, &["HSET", "launchdarkly:features", "broken", "{"]);
    send(
        &redis,
        &[
            "ACL",
            "SETUSER",
            "reader",
            "on",
            ">secret",
            "~launchdarkly:*",
            "+@read",
            "+@transaction",
            "+ping",
            "-hgetall",
            "-hmget",
            "+info",
        ],
    );
    let mut command = flagstone();
    command.args(["doctor", "--json", "--url", &redis.url(), "--username", "reader"]);
    let ran = Ran::of(command.env("FLAGSTONE_REDIS_PASSWORD", "secret").output().unwrap());
    assert!(!format!("{ran:?}").contains("secret"));
    let checks = ran.json(3);
    let health = |name: &str| {
        let all = checks["checks"].as_array().unwrap().iter();
        all.filter(|check| check["name"] == name)
            .map(|check| format!("{} {}", check["health"], check["words"]))
            .collect::<String>()
    };
    assert!(health("reading").starts_with("\"bad\" \"refused: HGETALL (reading everything), HMGET"), "{checks}");
    assert!(health("writing").contains("HSET (writing)"), "{checks}");
    let told = on_redis(&redis, &["doctor"]).ended(1);
    assert!(told.contains("! $inited") && told.contains("✗ items       flag \"broken\""), "{told}");
}

#[test]
fn a_doctor_claims_nothing_that_it_may_not_ask() {
    let redis = redis_with_examples();
    send(&redis, &["ACL", "SETUSER", "minimal", "on", ">pw", "~launchdarkly:*", "+hgetall", "+hget"]);
    let mut command = flagstone();
    command.args(["doctor", "--url", &redis.url(), "--username", "minimal"]);
    let told = Ran::of(command.env("FLAGSTONE_REDIS_PASSWORD", "pw").output().unwrap()).ended(1);
    assert!(told.contains("· $inited     unknown: EXISTS is not allowed\n"), "{told}");
}

#[test]
fn a_place_without_flags_and_a_redis_that_is_away_are_told_apart() {
    let redis = redis();
    for command in [&["flags"][..], &["export"], &["verify"], &["show", "a"], &["eval", "a", "--user", "b"]] {
        let complaint = on_redis(&redis, command).complained(4);
        for words in ["there are no flags: ", r#"prefix "launchdarkly""#, "--prefix names another"] {
            assert!(complaint.contains(words), "{words} in {complaint}");
        }
    }
    let told = on_redis(&redis, &["doctor"]).ended(1);
    assert!(told.contains("✗ flags       none below this prefix: --prefix names another"), "{told}");
    let url = redis.url();
    drop(redis);
    let all = [
        &["flags"][..],
        &["eval", "a", "--user", "b"],
        &["doctor"],
        &["export"],
        &["verify"],
        &["bench"],
        &["diff", "a", "b"],
    ];
    for command in all {
        let mut process = flagstone();
        let ran = Ran::of(process.args(command).args(["--url", &url, "--timeout", "1"]).output().unwrap());
        let complaint = ran.complained(3);
        assert!(complaint.starts_with("flagstone: ") && complaint.to_lowercase().contains("refused"), "{complaint}");
    }
}

#[test]
fn passwords_are_never_shown() {
    for arguments in [
        &["flags", "--url", "redis://ada:hunter2@127.0.0.1:1/", "--timeout", "1"][..],
        &["doctor", "--json", "--url", "redis://ada:hunter2@127.0.0.1:1/", "--timeout", "1"],
        &["flags", "--url", "http://ada:hunter2@127.0.0.1/"],
        &["diff", "x@redis://ada:hunter2@127.0.0.1:1", "y", "--timeout", "1"],
    ] {
        let ran = Ran::of(flagstone().args(arguments).output().unwrap());
        assert!(matches!(ran.status, Some(2 | 3)) && !format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
    let help = Ran::of(
        flagstone().args(["flags", "--help"]).env("FLAGSTONE_REDIS_URL", "redis://:hunter2@h").output().unwrap(),
    );
    assert!(!help.ended(0).contains("hunter2"));
}

#[test]
fn options_that_make_no_sense_are_refused_by_name() {
    let lines: [(&[&str], &str); 5] = [
        (&["flags", "-o", "redis.urll=x"], "redis.urll"),
        (&["flags", "-o", "nonsense"], "NAME=VALUE"),
        (&["flags", "--timeout=-1"], "--timeout"),
        (&["flags", "--on", "--off"], "--off"),
        (&["nonsense"], "nonsense"),
    ];
    for (arguments, words) in lines {
        let complaint = Ran::of(flagstone().args(arguments).output().unwrap()).complained(2);
        assert!(complaint.contains(words), "{complaint}");
    }
    // Nobody waits for a file that is not there, or is none, until the time is over.
    let text = file("torn.json", "{\"flags\":{");
    for path in [Path::new("/nowhere.yaml"), &text] {
        let started = std::time::Instant::now();
        let complaint = on_file(path, &["flags", "--timeout", "120"]).complained(3);
        assert!(complaint.contains(path.to_str().unwrap()), "{complaint}");
        assert!(started.elapsed() < support::LONG);
    }
}

#[test]
fn a_bench_times_reads_and_evaluations() {
    let json = on_examples(&["bench", "--for", "0.05", "--json"]).json(0);
    assert_eq!(json["evaluated_flags"], 3);
    assert!(json["times"][1]["median_ns"].as_u64().unwrap() > 0, "{json}");
}

#[test]
fn huge_values_and_many_flags_are_listed() {
    let redis = redis();
    let huge = format!(
        r#"{{"version":1,"on":true,"variations":["{}"],"fallthrough":{{"variation":0}}}}"#,
        "x".repeat(1 << 20)
    );
    send(&redis, &["HSET", "launchdarkly:features", "huge", &huge]);
    let told = on_redis(&redis, &["flags"]).ended(0);
    assert!(told.contains("huge  on") && told.len() < 500, "{}", told.len());
    assert!(on_redis(&redis, &["show", "huge"]).ended(0).len() < 1_000);
    assert!(on_redis(&redis, &["eval", "huge", "--user", "a"]).ended(0).len() > 1 << 20, "the value is whole");
    let key = "k".repeat(10_000);
    send(&redis, &["HSET", "launchdarkly:features", &key, r#"{"version":1,"variations":[1]}"#]);
    let told = on_redis(&redis, &["flags"]).ended(0);
    assert!(told.contains(&key), "nothing is cut where nobody looks");
    let short = told.lines().find(|line| line.starts_with("huge ")).unwrap();
    assert!(short.len() < 300, "one long key is no reason to fill every line");
}

#[test]
fn an_item_is_shown_and_exported_with_its_numbers_members_and_order() {
    let redis = redis();
    let text =
        r#"{"version":1,"zeta":{"b":1.0,"a":12345678901234567890123},"on":true,"variations":[1e2,-0.0,"é"],"key":"n"}"#;
    send(&redis, &["HSET", "launchdarkly:features", "n", text]);
    let shown = on_redis(&redis, &["show", "n", "--json"]).ended(0);
    assert!(shown.contains(&format!(r#""item":{text},"#)), "{shown}");
    let exported = file("numbers.json", &on_redis(&redis, &["export"]).ended(0));
    on_redis(&redis, &["import", exported.to_str().unwrap(), "--yes", "--prefix", "other"]).ended(0);
    assert_eq!(on_redis(&redis, &["show", "n", "--raw", "--prefix", "other"]).ended(0), format!("{text}\n"));
}

#[test]
fn values_are_told_as_they_are_stored_whatever_a_double_makes_of_them() {
    let redis = redis();
    let clause = r#"{"attribute":"n","op":"in","values":[12345678901234567890123,1.50,1e2]}"#;
    let flag = format!(
        r#"{{"version":1,"on":true,"variations":[0.1000000000000000055],"fallthrough":{{"variation":0}},"rules":[{{"variation":0,"clauses":[{clause}]}}]}}"#
    );
    send(&redis, &["HSET", "launchdarkly:features", "exact", &flag]);
    for command in [&["show", "exact"][..], &["eval", "exact", "-u", "ada", "-e"]] {
        let told = on_redis(&redis, command).ended(0);
        assert!(told.contains("user n is one of 12345678901234567890123, 1.50, 1e2"), "{told}");
        assert!(told.contains("0.1000000000000000055"), "{told}");
    }
    let json = on_redis(&redis, &["eval", "exact", "-u", "ada", "-e", "--json"]).ended(0);
    assert!(json.contains(r#"{"first":[12345678901234567890123,1.50,1e2],"count":3}"#), "{json}");
}

#[test]
fn an_export_goes_where_it_was_told_to_and_counts_what_is_in_it() {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
    let redis = redis_with_examples();
    send(&redis, &["HSET", "launchdarkly:features", "gone", r#"{"version":2,"deleted":true}"#, "bad", "{"]);
    let real = file("export-real.json", "old");
    let link = real.with_file_name("link.json");
    let _ = std::fs::remove_file(&link);
    symlink(&real, &link).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
    let told = on_redis(&redis, &["export", link.to_str().unwrap()]).ended(1);
    assert!(told.starts_with("3 flags, 1 segment in "), "what is deleted, or cannot be read, is not in it: {told}");
    assert!(link.is_symlink() && std::fs::read_to_string(&real).unwrap().contains("new-checkout"));
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    let json = on_redis(&redis, &["export", link.to_str().unwrap(), "--json"]).json(1);
    assert_eq!((&json["flags"], &json["segments"], &json["left_out"]), (&3.into(), &1.into(), &vec!["bad"].into()));
    // A pipe is written to, and not replaced by a file.
    let pipe = real.with_file_name("pipe");
    let _ = std::fs::remove_file(&pipe);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe).unwrap()
    });
    on_redis(&redis, &["export", pipe.to_str().unwrap()]).ended(1);
    let is_pipe = std::fs::metadata(&pipe).unwrap().file_type().is_fifo();
    assert!(is_pipe, "it was replaced");
    assert!(reader.join().unwrap().contains("new-checkout"));
}

#[test]
fn json_is_one_line_however_an_item_is_written() {
    let redis = redis();
    let text = "{\"version\":1,\n\"on\":true,\"variations\":[{\n\"a b\": [1,\r\n 2.50]}],\"fallthrough\":{\"variation\":0},\n\
                \"rules\":[{\"variation\":0,\"clauses\":[{\"attribute\":\"n\",\"op\":\"in\",\"values\":[[\n1]]}]}]}";
    send(&redis, &["HSET", "launchdarkly:features", "n", text]);
    for arguments in [&["eval", "n", "--user", "u", "--explain"][..], &["show", "n"], &["flags"]] {
        let told = on_redis(&redis, &[arguments, &["--json"]].concat()).ended(0);
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let told = on_redis(&redis, &["eval", "n", "--user", "u", "--json"]).ended(0);
    assert!(told.contains(r#"{"a b":[1,2.50]}"#), "{told}");
}
