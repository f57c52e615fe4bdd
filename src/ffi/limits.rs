//! Limits that data and hosts meet: named, so that nobody has to find them out.

use crate::eval;
use crate::model;

/// Longest chain of prerequisites, and of segments that name segments, that an evaluation follows: MALFORMED_FLAG beyond it.
pub const FLAGSTONE_LIMIT_CHAIN: u32 = 100;
/// Most prerequisites and segments that one evaluation visits: MALFORMED_FLAG beyond it.
pub const FLAGSTONE_LIMIT_VISITS: u32 = 100000;
/// Deepest nesting of arrays and objects in JSON, that of hosts and that of flags: BAD_JSON or EXCEPTION beyond it.
pub const FLAGSTONE_LIMIT_JSON_DEPTH: u32 = 127;

const _: () = {
    assert!(FLAGSTONE_LIMIT_CHAIN == eval::DEPTH_LIMIT);
    assert!(FLAGSTONE_LIMIT_VISITS == eval::VISIT_LIMIT);
    assert!(FLAGSTONE_LIMIT_JSON_DEPTH as usize + 1 == model::DEPTH_LIMIT);
};
