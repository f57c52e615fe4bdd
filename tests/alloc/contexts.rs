//! Contexts: what making one takes.

use super::*;

fn string(text: &str) -> flagstone_str {
    flagstone_str { ptr: text.as_ptr().cast(), len: text.len() }
}

fn attribute(name: &str, r#type: flagstone_type, text: &str) -> flagstone_attr {
    flagstone_attr { name: string(name), r#type: r#type as i32, flags: 0, number: 36.0, text: string(text) }
}

/// Allocations for making and freeing a context of these attributes.
fn allocations_for(kind: &str, key: &str, attributes: &[flagstone_attr]) -> u64 {
    let mut context = null_mut();
    allocations(|| unsafe {
        let (attributes, count, out) = (attributes.as_ptr(), attributes.len(), &raw mut context);
        assert_eq!(flagstone_context_from_attrs(string(kind), string(key), attributes, count, out, null_mut()), 0);
        flagstone_context_release(context);
    })
}

#[test]
fn a_context_of_usual_size_takes_one_allocation() {
    let mut five = [
        attribute("email", FLAGSTONE_TYPE_STRING, "ada.lovelace@engines.example.org"),
        attribute("name", FLAGSTONE_TYPE_STRING, "Ada Lovelace"),
        attribute("country", FLAGSTONE_TYPE_STRING, "GB"),
        attribute("age", FLAGSTONE_TYPE_NUMBER, ""),
        attribute("beta", FLAGSTONE_TYPE_BOOL, ""),
    ];
    let key = "6f1c9a52-7c1d-4b0e-9d3a-0e5b8f2a4c11";
    assert_eq!(allocations_for("user", key, &five), 1);
    // The first context of a kind names it for the process.
    allocations_for("organisation", key, &five);
    assert_eq!(allocations_for("organisation", key, &five), 1);
    five[0].flags = FLAGSTONE_ATTR_PRIVATE;
    assert_eq!(allocations_for("", key, &five), 1);
    assert_eq!(allocations_for("", key, &[]), 1);
    // What does not fit takes one more for all texts, and one for all attributes.
    let long = "x".repeat(1000);
    five[1].text = string(&long);
    assert_eq!(allocations_for("", key, &five), 2);
    let names: Vec<String> = (0..12).map(|number| format!("a{number}")).collect();
    let many: Vec<flagstone_attr> = names.iter().map(|name| attribute(name, FLAGSTONE_TYPE_BOOL, "")).collect();
    assert_eq!(allocations_for("", key, &many), 2);
}

#[test]
fn a_builder_takes_one_allocation_and_each_of_its_contexts_another() {
    let (email, age) =
        (attribute("email", FLAGSTONE_TYPE_STRING, "a@b.c"), attribute("age", FLAGSTONE_TYPE_NUMBER, ""));
    // The first context of a kind names it for the process.
    allocations_for("org", "acme", &[]);
    let counted = allocations(|| unsafe {
        let builder = flagstone_context_builder_new(string("org"), string("acme"));
        flagstone_context_builder_set(builder, &raw const email, null_mut());
        flagstone_context_builder_set(builder, &raw const age, null_mut());
        for _ in 0..3 {
            let mut context = null_mut();
            assert_eq!(flagstone_context_builder_build(builder, &raw mut context, null_mut()), 0);
            flagstone_context_release(context);
        }
        flagstone_context_builder_free(builder);
    });
    assert_eq!(counted, 1 + 3);
}
