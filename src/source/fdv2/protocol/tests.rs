//! Events in every order, and what is none.

use super::*;

/// What one connection has brought, in words.
struct Heard(Assembly);

impl Heard {
    fn first() -> Self {
        Self(Assembly::new(false))
    }

    /// One for which the server was told of a state.
    fn again() -> Self {
        Self(Assembly::new(true))
    }

    fn take(&mut self, name: &str, data: &str) -> Result<String, String> {
        self.0.take(name.as_bytes(), data.as_bytes()).map(|step| told(&step)).map_err(|error| error.to_string())
    }

    /// The same of an event that makes sense.
    fn say(&mut self, name: &str, data: &str) -> String {
        self.take(name, data).unwrap_or_else(|error| panic!("{name} {data}: {error}"))
    }

    fn announce(&mut self, code: &str) -> String {
        self.say(
            "server-intent",
            &format!(r#"{{"payloads":[{{"id":"p","target":1,"intentCode":"{code}","reason":"r"}}]}}"#),
        )
    }

    fn put(&mut self, kind: &str, key: &str, object: &str) -> String {
        self.say("put-object", &format!(r#"{{"version":1,"kind":"{kind}","key":"{key}","object":{object}}}"#))
    }

    fn transfer(&mut self, state: &str) -> String {
        self.say("payload-transferred", &format!(r#"{{"state":"{state}","version":7}}"#))
    }
}

fn told(step: &Step) -> String {
    match step {
        Step::More => String::new(),
        Step::Unchanged => "unchanged".to_owned(),
        Step::Dropped(reason) => format!("dropped: {reason}"),
        Step::Ignored(what) => format!("ignored: {what}"),
        Step::Nameless => "nameless".to_owned(),
        Step::Goodbye(goodbye) => format!("goodbye: {}, {:?}", goodbye.reason(), goodbye.fallback()),
        Step::Payload(payload) => {
            let items = payload.items().into_iter().map(|item| match item.content {
                Content::Json(text) => format!("{:?} {} {}", item.kind, item.key, String::from_utf8_lossy(text)),
                Content::Deleted { version } => format!("{:?} {} deleted {version}", item.kind, item.key),
            });
            let state =
                payload.selector.as_ref().map_or("nowhere".to_owned(), |to| format!("{} {}", to.state, to.version));
            format!("{:?} to {state}: {}", payload.kind, items.collect::<Vec<String>>().join(", "))
        }
    }
}

#[test]
fn everything_counts_once_it_is_transferred_and_what_follows_are_changes() {
    let mut heard = Heard::first();
    assert_eq!(heard.announce("xfer-full"), "");
    assert_eq!(heard.put("flag", "a", r#"{"key":"a"}"#), "");
    assert_eq!(heard.put("segment", "s", "{}"), "");
    assert_eq!(heard.transfer("one"), r#"Full to one 7: Flag a {"key":"a"}, Segment s {}"#);
    assert_eq!(heard.put("flag", "b", "{}"), "");
    assert_eq!(heard.say("delete-object", r#"{"version":9,"kind":"flag","key":"a"}"#), "");
    assert_eq!(heard.transfer("two"), "Partial to two 7: Flag b {}, Flag a deleted 9");
    assert_eq!(heard.transfer("three"), "Partial to three 7: ");
}

#[test]
fn changes_count_of_a_state_that_the_server_was_told_of() {
    let mut heard = Heard::again();
    heard.announce("xfer-changes");
    heard.put("flag", "a", "{}");
    assert_eq!(heard.transfer("two"), "Partial to two 7: Flag a {}");
    let mut first = Heard::first();
    for code in ["xfer-changes", "none"] {
        let error = first.take("server-intent", &format!(r#"{{"payloads":[{{"intentCode":"{code}"}}]}}"#)).unwrap_err();
        assert!(error.contains("told of no state"), "{error}");
    }
    // Once it has brought everything it may speak of changes.
    first.announce("xfer-full");
    first.transfer("one");
    assert_eq!((first.announce("xfer-changes"), first.announce("none")), (String::new(), "unchanged".to_owned()));
}

#[test]
fn nothing_has_changed_and_what_follows_are_changes() {
    let mut heard = Heard::again();
    assert_eq!(heard.announce("none"), "unchanged");
    heard.put("flag", "a", "{}");
    assert_eq!(heard.transfer("two"), "Partial to two 7: Flag a {}");
}

#[test]
fn a_new_announcement_drops_what_was_not_transferred() {
    let mut heard = Heard::again();
    heard.announce("xfer-changes");
    heard.put("flag", "a", "{}");
    heard.announce("xfer-full");
    heard.put("flag", "b", "{}");
    assert_eq!(heard.transfer("two"), "Full to two 7: Flag b {}");
    heard.put("flag", "c", "{}");
    assert_eq!(heard.announce("none"), "unchanged");
    assert_eq!(heard.transfer("two"), "Partial to two 7: ");
}

#[test]
fn pieces_and_transfers_that_were_not_announced_make_no_sense() {
    for mut heard in [Heard::first(), Heard::again()] {
        for (name, data) in [
            ("put-object", r#"{"version":1,"kind":"flag","key":"a","object":{}}"#),
            ("delete-object", r#"{"version":1,"kind":"flag","key":"a"}"#),
            ("payload-transferred", r#"{"state":"one","version":1}"#),
        ] {
            assert_eq!(heard.take(name, data), Err("nothing was announced".to_owned()), "{name}");
        }
    }
}

#[test]
fn an_error_drops_the_pieces_so_far_and_later_changes_count() {
    let mut heard = Heard::again();
    heard.announce("xfer-changes");
    heard.put("flag", "a", "{}");
    assert_eq!(heard.say("error", r#"{"payloadId":"p","reason":"lost it"}"#), "dropped: lost it");
    heard.put("flag", "b", "{}");
    assert_eq!(heard.transfer("two"), "Partial to two 7: Flag b {}");
}

#[test]
fn after_an_error_the_rest_of_everything_is_not_everything() {
    let mut heard = Heard::first();
    heard.announce("xfer-full");
    heard.put("flag", "a", "{}");
    heard.say("error", "{}");
    assert_eq!(heard.put("flag", "b", "{}"), "");
    let error = heard.take("payload-transferred", r#"{"state":"one","version":1}"#).unwrap_err();
    assert_eq!(error, "a part of it was dropped");
    heard.announce("xfer-full");
    heard.put("flag", "c", "{}");
    assert_eq!(heard.transfer("two"), "Full to two 7: Flag c {}");
}

#[test]
fn an_error_at_any_time_and_of_any_form_is_one() {
    let mut heard = Heard::first();
    for data in ["{}", r#"{"reason":7}"#, "sorry", ""] {
        assert_eq!(heard.say("error", data), "dropped: no reason given", "{data}");
    }
    heard.announce("xfer-full");
    heard.transfer("one");
    heard.say("error", "{}");
    assert_eq!(heard.transfer("two"), "Partial to two 7: ");
}

#[test]
fn heartbeats_and_unknown_events_change_nothing_and_are_not_looked_at() {
    let mut heard = Heard::first();
    heard.announce("xfer-full");
    heard.put("flag", "a", "{}");
    assert_eq!(heard.say("heartbeat", "{sorry"), "");
    assert_eq!(heard.say("put", "{sorry"), r#"ignored: an unknown event "put""#);
    assert_eq!(heard.say("", ""), r#"ignored: an unknown event """#);
    assert_eq!(heard.transfer("one"), "Full to one 7: Flag a {}");
}

#[test]
fn objects_of_unknown_kinds_are_ignored_whatever_else_they_are() {
    let mut heard = Heard::first();
    heard.announce("xfer-full");
    for data in [r#"{"kind":"ai-config","key":"x","version":1,"object":{}}"#, r#"{"kind":"Flag"}"#, r#"{"kind":""}"#] {
        for name in ["put-object", "delete-object"] {
            assert!(heard.say(name, data).starts_with("ignored: an object of the unknown kind"), "{name} {data}");
        }
    }
    heard.put("flag", "a", "{}");
    assert_eq!(heard.transfer("one"), "Full to one 7: Flag a {}");
}

#[test]
fn an_object_that_is_no_json_stays_as_it_is_beside_its_neighbours() {
    let mut heard = Heard::first();
    heard.announce("xfer-full");
    let bad = [r#"{"key":"a","on":NaN}"#, r#"{"a" 1,,}"#, "null", r#"{"a":"\ud800"}"#];
    for (index, object) in bad.iter().enumerate() {
        assert_eq!(heard.put("flag", &format!("bad{index}"), object), "");
    }
    let broken = b"{\"version\":1,\"kind\":\"flag\",\"key\":\"bytes\",\"object\":{\"x\":\"\xff\"}}";
    assert!(matches!(heard.0.take(b"put-object", broken), Ok(Step::More)));
    heard.put("flag", "good", "{}");
    let payload = heard.transfer("one");
    for (index, object) in bad.iter().enumerate() {
        assert!(payload.contains(&format!("Flag bad{index} {object}")), "{payload}");
    }
    assert!(payload.contains("Flag bytes {\"x\":\"\u{fffd}\"}") && payload.ends_with("Flag good {}"), "{payload}");
}

#[test]
fn a_piece_without_a_usable_key_concerns_itself_alone() {
    let mut heard = Heard::first();
    heard.announce("xfer-full");
    for key in ["", r#","key":null"#, r#","key":7"#, r#","key":"""#, r#","key":"\x""#] {
        let data = format!(r#"{{"kind":"flag","version":1,"object":{{}}{key}}}"#);
        assert_eq!(heard.say("put-object", &data), "nameless", "{data}");
        assert_eq!(heard.say("delete-object", &data), "nameless", "{data}");
    }
    heard.put("flag", r"a\u0062 \/", "{}");
    assert_eq!(heard.transfer("one"), "Full to one 7: Flag ab / {}");
}

#[test]
fn events_of_another_form_make_no_sense() {
    let mut heard = Heard::again();
    heard.announce("xfer-changes");
    for (name, data) in [
        ("server-intent", "{sorry"),
        ("server-intent", "{}"),
        ("server-intent", r#"{"data":{"flags":true}}"#),
        ("server-intent", r#"{"payloads":[]}"#),
        ("server-intent", r#"{"payloads":{}}"#),
        ("server-intent", r#"{"payloads":[{"id":"p"}]}"#),
        ("server-intent", r#"{"payloads":[{"intentCode":"xfer-more"}]}"#),
        ("server-intent", r#"{"payloads":[{"intentCode":1}]}"#),
        ("put-object", "{sorry"),
        ("put-object", "[]"),
        ("put-object", r#"{"key":"a","version":1,"object":{}}"#),
        ("put-object", r#"{"kind":7,"key":"a","version":1,"object":{}}"#),
        ("put-object", r#"{"kind":"flag","key":"a","version":1}"#),
        ("put-object", r#"{"kind":"flag","key":"a","version":1,"object":3}"#),
        ("put-object", r#"{"kind":"flag","key":"a","version":1,"object":[]}"#),
        ("delete-object", r#"{"kind":"flag","key":"a"}"#),
        ("delete-object", r#"{"kind":"flag","key":"a","version":"1"}"#),
        ("delete-object", r#"{"kind":"flag","key":"a","version":-1}"#),
        ("delete-object", r#"{"kind":"flag","key":"a","version":9007199254740993}"#),
        ("payload-transferred", "{sorry"),
        ("payload-transferred", r#"{"state":7,"version":1}"#),
        ("goodbye", "sorry"),
    ] {
        assert!(heard.take(name, data).is_err(), "{name} {data}");
    }
}

#[test]
fn a_state_without_a_name_is_none() {
    for data in ["{}", r#"{"state":null}"#, r#"{"state":"","version":3}"#] {
        let mut heard = Heard::first();
        heard.announce("xfer-full");
        assert_eq!(heard.say("payload-transferred", data), "Full to nowhere: ", "{data}");
    }
    let mut heard = Heard::first();
    heard.announce("xfer-full");
    assert_eq!(heard.say("payload-transferred", r#"{"state":"x"}"#), "Full to x 0: ");
}

#[test]
fn only_the_first_payload_of_an_announcement_counts() {
    let mut heard = Heard::again();
    let two = r#"{"payloads":[{"intentCode":"xfer-changes"},{"intentCode":"xfer-full"}]}"#;
    heard.say("server-intent", two);
    assert_eq!(heard.transfer("one"), "Partial to one 7: ");
}

#[test]
fn a_goodbye_may_ask_for_the_former_protocol() {
    let mut heard = Heard::first();
    assert_eq!(heard.say("goodbye", r#"{"reason":"shutdown","silent":false}"#), "goodbye: shutdown, None");
    assert_eq!(heard.say("goodbye", "{}"), "goodbye: no reason given, None");
    assert_eq!(heard.say("goodbye", r#"{"protocolFallbackTTL":90}"#), "goodbye: no reason given, Some(90s)");
    assert_eq!(heard.say("goodbye", r#"{"protocolFallbackTTL":0}"#), "goodbye: no reason given, Some(0ns)");
    for odd in ["-1", "1e300"] {
        let told = heard.say("goodbye", &format!(r#"{{"protocolFallbackTTL":{odd}}}"#));
        assert_eq!(told, "goodbye: no reason given, None", "{odd}");
    }
}

#[test]
fn a_payload_without_end_is_refused() {
    let mut heard = Heard::first();
    heard.announce("xfer-full");
    heard.0.size = LONGEST_PAYLOAD - 10;
    assert_eq!(heard.put("flag", "a", "{}"), "");
    assert!(heard.take("put-object", r#"{"kind":"flag","key":"b","version":1,"object":{"x":"yyyy"}}"#).is_err());
    // What is announced anew begins anew.
    heard.announce("xfer-full");
    assert_eq!(heard.put("flag", "b", r#"{"x":"yyyy"}"#), "");
}

#[test]
fn the_answer_to_a_poll_holds_the_same_events() {
    let body =
        br#"{"events":[{"event":"server-intent","data":{"a":1}},{"data":[2],"event":"\u0070ut"},{"event":"x"}]}"#;
    let events: Vec<(String, &[u8])> =
        read_poll(body).unwrap().into_iter().map(|(name, data)| (name.into_owned(), data)).collect();
    let expected = [("server-intent", &br#"{"a":1}"#[..]), ("put", b"[2]"), ("x", b"{}")];
    assert_eq!(events, expected.map(|(name, data)| (name.to_owned(), data)));
    assert_eq!(read_poll(br#"{"events":[]}"#), Ok(Vec::new()));
    for body in
        ["", "[]", "{}", r#"{"events":{}}"#, r#"{"events":[7]}"#, r#"{"events":[{"data":{}}]}"#, r#"{"flags":{}}"#]
    {
        assert!(read_poll(body.as_bytes()).is_err(), "{body}");
    }
}
