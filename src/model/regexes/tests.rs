//! Tests of the budgets of expressions, and of who shares what.

use std::time::Instant;

use super::*;

#[test]
fn equal_patterns_share_one_expression_across_all_clients() {
    let (mut one, mut other) = (Interner::default(), Interner::default());
    let (first, second) = (one.regex("^a+$").unwrap(), one.regex("^a+$").unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    assert!(Arc::ptr_eq(&first, &other.regex("^a+$").unwrap()));
    assert!(!Arc::ptr_eq(&first, &one.regex("^b+$").unwrap()));
}

#[test]
fn expressions_that_nobody_uses_are_forgotten() {
    let mut interner = Interner::default();
    let kept = interner.regex("kept").unwrap();
    for number in 0..1000 {
        interner.begin_item();
        interner.regex(&format!("p{number}"));
    }
    assert!(interner.patterns.len() <= FIRST_PRUNE);
    assert!(Arc::ptr_eq(&kept, &interner.regex("kept").unwrap()));
}

#[test]
fn an_oversized_program_is_refused() {
    let refusal = |pattern: &str| compile(pattern).map(|_| ()).unwrap_err();
    assert_eq!(refusal(r"(\pL{30}){30}\pL{900}"), Refusal::Pattern);
    assert_eq!(refusal(r"[^a]{0,900}(\pL{1,9}){1,100}"), Refusal::Pattern);
    assert_eq!(refusal(&format!("{}a{}", "(".repeat(200), ")".repeat(200))), Refusal::Invalid);
    for ordinary in ["^a{1000}$", r"^[\w.+-]+@[\w-]+\.[\w.-]+$", ".{0,500}x", r"(?i)chrome/1[0-9]{2}\b"] {
        assert!(compile(ordinary).is_ok(), "{ordinary}");
    }
}

#[test]
fn a_hundred_short_patterns_do_not_take_a_gigabyte() {
    let mut interner = Interner::default();
    let mut kept = Vec::new();
    for number in 0..100 {
        kept.extend(interner.regex(&format!(r"(\pL{{9}}){{30}}{number:03}")));
        kept.extend(interner.regex(&format!(r"[^é]{{300}}{number:03}")));
    }
    let memory: usize = kept.iter().map(|pattern| pattern.memory).sum();
    assert!(memory <= ITEM_LIMIT, "{memory}");
    assert!(kept.iter().all(|pattern| pattern.memory <= PATTERN_LIMIT));
    assert_eq!(interner.take_remarks().len(), MOST_REMARKS, "and it is told");
    interner.begin_item();
    assert!(interner.regex("another item").is_some());
    assert!(interner.take_remarks().is_empty());
}

#[test]
fn a_refused_pattern_is_compiled_once() {
    let patterns: Vec<String> = (0..20).map(|number| format!(r"(\pL{{30}}){{30}}\pL{{90}}{number}")).collect();
    let parse = || {
        let mut interner = Interner::default();
        let began = Instant::now();
        assert!(patterns.iter().all(|pattern| interner.regex(pattern).is_none()));
        began.elapsed()
    };
    let (first, again) = (parse(), parse());
    assert!(again < first / 4, "{first:?}, then {again:?}");
}

#[test]
fn all_expressions_in_use_of_a_client_have_one_budget() {
    let mut interner = Interner::default();
    let first = interner.regex("^in use$").unwrap();
    interner.memory = INTERNER_LIMIT;
    assert!(interner.regex("^what is gone does not count$").is_some());
    assert_eq!(interner.patterns.len(), 2);
    drop(first);
    let in_use = Arc::new(Pattern { memory: INTERNER_LIMIT, ..compile("^large$").unwrap() });
    interner.keep("large", &in_use).unwrap();
    assert_eq!(interner.regex("one more").map(|_| ()), None);
    assert_eq!(interner.take_remarks()[0].refusal, Refusal::Client);
}
