//! How much work one evaluation may do.
//!
//! Data decide how often an evaluation comes back to the same rules, and callers how long the texts are that expressions are
//! matched against; together that may be hours. The unit is about what one clause costs. Items weigh what their rules take at
//! most, which is counted when one is visited; only what depends on the context is counted where it happens. Once all is spent
//! no expensive question is answered any more, so the end is near, and the result does not count. No clock is looked at, so
//! the same evaluation always ends the same way. Depends on nothing.

/// Units that one evaluation may spend: some tenths of a second of the cheap ones, or a megabyte matched by small expressions.
const BUDGET: i64 = 1 << 24;

/// What is left.
pub(super) struct Meter {
    left: i64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { left: BUDGET }
    }

    /// Takes units away; false when there were not enough. No text and no list is so long that the count would wrap.
    #[inline(always)]
    pub(super) fn spend(&mut self, units: usize) -> bool {
        self.left = self.left.wrapping_sub(units as i64);
        self.left >= 0
    }

    /// Whether more was to be spent than there was.
    #[inline(always)]
    pub(super) fn is_spent(&self) -> bool {
        self.left < 0
    }
}
