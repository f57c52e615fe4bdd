//! Tests of the conversion: what becomes of each feature of YAML, and what is refused.

use std::time::{Duration, Instant};

use super::*;

fn json(yaml: &str) -> String {
    String::from_utf8(convert(yaml.as_bytes()).unwrap_or_else(|problem| panic!("{problem}: {yaml}")).json).unwrap()
}

fn refusal(yaml: &str) -> String {
    match convert(yaml.as_bytes()) {
        Err(problem) => problem.to_string(),
        Ok(converted) => panic!("{}", String::from_utf8_lossy(&converted.json)),
    }
}

#[test]
fn a_file_of_flags_becomes_json() {
    let yaml = "
# The checkout.
flags:
  new-checkout: # a flag
    version: 3
    on: true
    variations: [true, false, 'it''s', \"a\\tb\", null]
    fallthrough: {variation: 0}
    rules:
    - id: r1
      clauses:
      - attribute: email
        op: endsWith
        values:
        - '@example.com'
        - plain text, with: colons
segments: {}
flagValues:
  text: |
    two
    lines
  folded: >-
    one
    line
";
    assert_eq!(
        json(yaml),
        concat!(
            r#"{"flags":{"new-checkout":{"version":3,"on":true,"variations":[true,false,"it's","a\tb",null],"#,
            r#""fallthrough":{"variation":0},"rules":[{"id":"r1","clauses":[{"attribute":"email","op":"endsWith","#,
            r#""values":["@example.com",{"plain text, with":"colons"}]}]}]}},"segments":{},"#,
            r#""flagValues":{"text":"two\nlines\n","folded":"one line"}}"#,
        )
    );
}

#[test]
fn scalars_are_those_of_yaml_1_2_and_numbers_stay_exact() {
    for (yaml, expected) in [
        ("on: yes", r#"{"on":"yes"}"#),
        ("a: [no, off, y]", r#"{"a":["no","off","y"]}"#),
        ("a: 1.0", r#"{"a":1.0}"#),
        ("a: 100000000000000000000", r#"{"a":100000000000000000000}"#),
        ("a: 12345678901234567890123.5e-3", r#"{"a":12345678901234567890123.5e-3}"#),
        ("a: [+1, 010, .5, 0x1F, 0o17]", r#"{"a":[1,10,0.5,31,15]}"#),
        ("a: 2026-11-29", r#"{"a":"2026-11-29"}"#),
        ("a: 2026-11-29T10:00:00Z", r#"{"a":"2026-11-29T10:00:00Z"}"#),
        ("a: [12:30, 1_000]", r#"{"a":["12:30","1_000"]}"#),
        ("a:", r#"{"a":null}"#),
        ("a: [~, null, 'null']", r#"{"a":[null,null,"null"]}"#),
        ("a: ['1', \"true\", \"\"]", r#"{"a":["1","true",""]}"#),
        ("a: \"\\uD834\\uDD1E\\u00fc\\x41\\0\"", "{\"a\":\"𝄞üA\\u0000\"}"),
        ("a: !!str 1", r#"{"a":"1"}"#),
        ("a: ! 1", r#"{"a":"1"}"#),
        ("a: [!!int '7', !!float 1, !!bool 'true', !!null '', !!str yes]", r#"{"a":[7,1,true,null,"yes"]}"#),
        ("a: !!map {b: !!seq [1]}", r#"{"a":{"b":[1]}}"#),
    ] {
        assert_eq!(json(yaml), expected, "{yaml}");
    }
}

#[test]
fn a_key_is_text_as_it_is_written() {
    for (yaml, expected) in [
        ("on: 1\ntrue: 2\nnull: 3\n1.0: 4\n0x1F: 5", r#"{"on":1,"true":2,"null":3,"1.0":4,"0x1F":5}"#),
        ("'a b': 1\n\"c\\\"\": 2\n? d\n: 3", r#"{"a b":1,"c\"":2,"d":3}"#),
        ("a: &x key\n*x : 1", r#"{"a":"key","key":1}"#),
        ("&x k: *x", r#"{"k":"k"}"#),
        (": 1", r#"{"":1}"#),
    ] {
        assert_eq!(json(yaml), expected, "{yaml}");
    }
    for yaml in ["[a]: 1", "? {a: 1}\n: 1", "a: &x [1]\n*x : 2"] {
        assert!(refusal(yaml).contains("a key is a mapping or a list"), "{}", refusal(yaml));
    }
}

#[test]
fn anchors_are_copied_and_merge_keys_give_what_is_not_there() {
    for (yaml, expected) in [
        (
            "a: &x {b: [1, 'c']}\nd: *x\ne: [*x, *x]",
            r#"{"a":{"b":[1,"c"]},"d":{"b":[1,"c"]},"e":[{"b":[1,"c"]},{"b":[1,"c"]}]}"#,
        ),
        ("a: &x 1\nb: &x 2\nc: *x", r#"{"a":1,"b":2,"c":2}"#),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", r#"{"a":{"p":1,"q":2},"b":{"q":3,"p":1}}"#),
        ("a: &x {p: 1, q: 2}\nb: {q: 3, <<: *x}", r#"{"a":{"p":1,"q":2},"b":{"q":3,"p":1}}"#),
        (
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  <<: [*x, *y, {r: 3}]",
            r#"{"a":{"p":1},"b":{"p":2,"q":2},"c":{"p":1,"q":2,"r":3}}"#,
        ),
        ("a: {<<: {x: &n 5}, y: *n}", r#"{"a":{"y":5,"x":5}}"#),
        ("a: {<<: {}}", r#"{"a":{}}"#),
        ("a: {<<: {x: 1}}", r#"{"a":{"x":1}}"#),
        ("a: {'<<': 1}", r#"{"a":{"<<":1}}"#),
        ("a: &x {p: 1}\nb: &y {<<: *x, q: 2}\nc: {<<: *y}", r#"{"a":{"p":1},"b":{"q":2,"p":1},"c":{"q":2,"p":1}}"#),
    ] {
        assert_eq!(json(yaml), expected, "{yaml}");
    }
    for yaml in ["a: {<<: 1}", "a: {<<: [1]}", "a: &x [{b: 1}]\nc: {<<: *x}", "a: {<<: [[{b: 1}]]}"] {
        assert!(refusal(yaml).contains("<< takes a mapping"), "{}", refusal(yaml));
    }
    assert!(refusal("a: &x [*x]").contains("inside of what it stands for"));
    assert!(refusal("a: *x").contains("unknown anchor"), "{}", refusal("a: *x"));
}

#[test]
fn a_problem_is_told_with_its_line_and_its_flag() {
    for (yaml, expected) in [
        ("flags:\n  a:\n    on: true\n    on: false", r#"4: flag "a": "on" is given twice, first in line 3"#),
        ("flagValues:\n  a: 1\n  b: .nan", r#"3: flag "b": .nan is no number that JSON has"#),
        ("segments:\n  s:\n    version: !date 2026", r#"3: segment "s": the tag !date does not go with "2026""#),
        ("flags:\n  a: !thing {}", r#"2: flag "a": the tag !thing is not known here"#),
        ("flags:\n  a: !!set {b}", r#"2: flag "a": the tag tag:yaml.org,2002:set is not known here"#),
        ("flags: {}\nsegments: {}\nflags: {}", r#"3: "flags" is given twice, first in line 1"#),
        ("flags: {}\n---\nflags: {}", "2: a second document begins; a file has one"),
        ("- flags", "1: it is a list, and no mapping with flags, flagValues or segments"),
        ("flags", "1: it is no mapping with flags, flagValues or segments"),
        ("", " it is empty"),
        ("# nothing\n", " it is empty"),
        ("flags:\n  a:\n    b: 'open", r#"3: flag "a": "#),
        ("flags:\n  a:\n\tb: 1", r#"3: flag "a": "#),
        ("flags:\n  a: {b: 1\n  c: 2", r#"3: flag "a": "#),
        ("a: @b", "1: "),
    ] {
        assert!(refusal(yaml).starts_with(expected), "{yaml:?}: {}", refusal(yaml));
    }
    assert_eq!(convert(b"a: 1\nb: \xff").unwrap_err().to_string(), "2: it is not UTF-8");
    assert_eq!(convert(b"\xff\xfea\0:\0").unwrap_err().to_string(), "1: it is not UTF-8");
}

#[test]
fn items_have_lines_and_may_be_there_twice() {
    let yaml = "flags:\n  a: {}\n  b: {on: true}\n  a: {}\nflagValues: {c: 1,\n  d: 2}\nother: {e: 1}";
    let converted = convert(yaml.as_bytes()).unwrap();
    assert_eq!(
        converted.json,
        br#"{"flags":{"a":{},"b":{"on":true},"a":{}},"flagValues":{"c":1,"d":2},"other":{"e":1}}"#
    );
    assert_eq!((&converted.lines["flags"][..], &converted.lines["flagValues"][..]), (&[2, 3, 4][..], &[5, 6][..]));
    assert_eq!(converted.doubt, None);
}

#[test]
fn what_older_readers_take_for_something_else_is_noticed() {
    let converted = convert(b"flags: {}\nflagValues:\n  yes: no\n  b: 'off'\n  c: [010, yes]").unwrap();
    assert_eq!(converted.doubt, Some(Doubt { line: 3, text: "no".to_owned(), count: 3 }));
}

#[test]
fn line_ends_of_every_system_and_tabs_between_words_are_fine() {
    assert_eq!(json("a:\r\n  b: 1\r\n"), r#"{"a":{"b":1}}"#);
    assert_eq!(json("a:\t1\nb: [\t2 ]\t# c"), r#"{"a":1,"b":[2]}"#);
    assert_eq!(json("%YAML 1.2\n---\na: 1\n...\n"), r#"{"a":1}"#);
    assert_eq!(json("{a: 1, b: [2],}"), r#"{"a":1,"b":[2]}"#);
    assert_eq!(json("a: |\n  x"), r#"{"a":"x"}"#);
}

/// Each line stands for ten of the line before.
fn bomb(first: &str, list: impl Fn(usize) -> String) -> String {
    (1..=12)
        .fold(format!("a0: &a0 {first}\n"), |text, level| format!("{text}a{level}: &a{level} {}\n", list(level - 1)))
}

#[test]
fn what_grows_beyond_measure_by_aliases_is_refused_at_once() {
    let ten = |level: usize| format!("[{}]", vec![format!("*a{level}"); 10].join(", "));
    let merged = |level: usize| {
        let others: Vec<String> = (0..10).map(|number| format!("k{number}x{level}: *a{level}")).collect();
        format!("{{<<: [*a{level}, *a{level}], {}}}", others.join(", "))
    };
    let merges = format!("a: &a {{b: '{}'}}\nc: {{<<: [{}]}}", "x".repeat(1_000_000), vec!["*a"; 100_000].join(", "));
    for yaml in [bomb("lol", ten), bomb("{}", merged), bomb("", ten), merges] {
        let began = Instant::now();
        assert!(refusal(&yaml).contains("stands for more than 128 MB of JSON"), "{}", refusal(&yaml));
        // Far less than what it stands for would take.
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = |levels: usize| format!("a: {}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(json(&deep(126)).len(), 258);
    assert_eq!(refusal(&deep(127)), "1: it is nested deeper than 127 levels");
    let blocks = (0..200).fold(String::new(), |text, level| format!("{text}{}a:\n", " ".repeat(level)));
    assert_eq!(refusal(&blocks), "128: it is nested deeper than 127 levels");
    assert!(refusal(&"- ".repeat(100_000)).starts_with("1: it is a list"));
    assert!(refusal(&"[".repeat(100_000)).starts_with("1: "));
    assert!(refusal(&format!("a: {}", "{b: ".repeat(100_000))).starts_with("1: "));
    let long = format!("a: {}", "x".repeat(LARGEST_TEXT));
    assert_eq!(refusal(&long), " YAML of more than 32 MB is not read");
}

#[test]
fn whatever_the_bytes_it_ends_with_json_or_a_sentence() {
    const SEEDS: [&str; 4] = [
        "flags:\n  a: &x {on: true, variations: [1.0, 'b', \"c\\n\"]}\n  b: {<<: *x, on: false}\nsegments:\n  - x\n",
        "? a\n: - b\n  - |\n    c\n  - >-\n    d\ne: !!str 1 # f\n",
        "%YAML 1.2\n---\n\"a\": {b: [~, .inf, 0x1F], *c : d}\n...\n",
        "a: 1\nb:\n\tc: {<<: [{d: 1}, {e: 2}]}\n",
    ];
    const BYTES: &[u8] = b"{}[]\",':\\ \n\t-?&*!|>%@#<~0x.aeyn\xc3\xbc\xff\x00";
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) as usize % below
    };
    let mut accepted = 0;
    for round in 0..20_000 {
        let mut text = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..random(5) {
            let at = random(text.len());
            match random(3) {
                0 => text[at] = BYTES[random(BYTES.len())],
                1 => drop(text.remove(at)),
                _ => text.insert(at, BYTES[random(BYTES.len())]),
            }
        }
        if let Ok(converted) = convert(&text) {
            accepted += 1;
            let value: Result<serde_json::Value, _> = serde_json::from_slice(&converted.json);
            assert!(value.is_ok_and(|value| value.is_object()), "{}", String::from_utf8_lossy(&text));
        }
    }
    assert!(accepted > 2_000, "{accepted} texts were YAML");
}
