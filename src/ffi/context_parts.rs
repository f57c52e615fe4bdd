//! What a context says: for hosts that show, compare or log contexts.

use super::context::{describe, hand_out, part};
use super::error::{Failure, status};
use super::{
    borrow, flagstone_bytes, flagstone_context, flagstone_error, flagstone_status, flagstone_str, guard, into_handle,
    retain,
};
use crate::context::{Context, SingleContext};
use crate::model::{AttributeRef, Value, write_string};

/// The kinds of a context as a JSON array of strings, sorted: `["user"]`, `["org","user"]`.
///
/// `*out` is owned by the caller (`flagstone_bytes_clear`). NULL_ARGUMENT; INVALID_ARGUMENT for a handle of another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_kinds(
    context: *const flagstone_context,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        // SAFETY: live and writable by the rules of the header.
        unsafe { describe(context, out, err, |context| Ok(array(context.kinds()))) }
    })
}

/// One attribute of a context as JSON text; `null` where there is none. Built-in ones are `kind`, `key`, `name` and
/// `anonymous`.
///
/// `kind` says of which individual context; empty means the context itself: of a multi-kind context that has only its kind,
/// `"multi"`. `reference` is a name, or a path such as `/address/street`. Both are borrowed for the call. `*out` is owned by the
/// caller (`flagstone_bytes_clear`). INVALID_ARGUMENT for what is no reference (empty, `//`, `/a~2`), or a handle of
/// another type; BAD_UTF8; NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_get(
    context: *const flagstone_context,
    kind: flagstone_str,
    reference: flagstone_str,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let get = |context: &Context| {
            // SAFETY: readable by the rules of the header.
            let kind = unsafe { part("kind", kind) }?;
            // SAFETY: readable by the rules of the header.
            let name = unsafe { part("reference", reference) }?;
            let reference = match AttributeRef::parse(name) {
                AttributeRef::Undefined | AttributeRef::Invalid => {
                    let message = "reference is neither a name nor a path of names";
                    return Err(Failure::new(status::INVALID_ARGUMENT, message));
                }
                reference => reference,
            };
            let mut json = String::new();
            match individual(context, kind) {
                Some(single) => single.get(&reference).write_json(&mut json),
                None if kind.is_empty() && reference == AttributeRef::Kind => json.push_str("\"multi\""),
                None => Value::Null.write_json(&mut json),
            }
            Ok(json)
        };
        // SAFETY: live and writable by the rules of the header.
        unsafe { describe(context, out, err, get) }
    })
}

/// The references of the attributes that events must not carry, as a JSON array of strings in the order in which they were
/// named. `kind` as for `flagstone_context_get`; `[]` for a kind that the context does not have.
///
/// `*out` is owned by the caller (`flagstone_bytes_clear`). INVALID_ARGUMENT for a handle of another type; BAD_UTF8;
/// NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_private_attributes(
    context: *const flagstone_context,
    kind: flagstone_str,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let private = |context: &Context| {
            // SAFETY: readable by the rules of the header.
            let kind = unsafe { part("kind", kind) }?;
            Ok(array(individual(context, kind).into_iter().flat_map(SingleContext::private)))
        };
        // SAFETY: live and writable by the rules of the header.
        unsafe { describe(context, out, err, private) }
    })
}

/// The individual context of a kind. A single-kind context of that kind is handed out itself, with one more reference; an
/// empty kind means just that.
///
/// `kind` is borrowed for the call. `*out` is owned by the caller (`flagstone_context_release`). NOT_FOUND when the context
/// has no such kind, or is multi-kind and `kind` empty; INVALID_ARGUMENT for a handle of another type; BAD_UTF8;
/// NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_individual(
    context: *const flagstone_context,
    kind: flagstone_str,
    out: *mut *mut flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let find = || {
            // SAFETY: NULL or live, by the rules of the header.
            let whole = unsafe { borrow(context) }.ok_or_else(|| Failure::handle("context", context))?;
            // SAFETY: readable by the rules of the header.
            let kind = unsafe { part("kind", kind) }?;
            let missing = || Failure::new(status::NOT_FOUND, "the context has no individual context of this kind");
            let single = individual(whole, kind).ok_or_else(missing)?;
            if whole.is_multi() {
                return Ok(into_handle::<flagstone_context>(Context::from(single.clone())));
            }
            // SAFETY: live, as it was borrowed above.
            Ok(unsafe { retain(context) })
        };
        // SAFETY: both are NULL or writable, by the rules of the header.
        unsafe { hand_out(find, out, err) }
    })
}

/// The individual context of a kind; for an empty one the only one, if there is only one.
fn individual<'a>(context: &'a Context, kind: &str) -> Option<&'a SingleContext> {
    if kind.is_empty() { context.singles().next().filter(|_| !context.is_multi()) } else { context.individual(kind) }
}

/// A JSON array of strings.
fn array<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let mut json = String::from("[");
    for item in items {
        if json.len() > 1 {
            json.push(',');
        }
        write_string(item, &mut json);
    }
    json.push(']');
    json
}
