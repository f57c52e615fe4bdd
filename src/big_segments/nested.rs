//! Which desks this thread is asking just now: a store that evaluates flags while it answers must not be asked by them, for that
//! might go on for ever, or wait for itself: also in a process that it has forked meanwhile. Depends on `options`.

use std::cell::RefCell;

use super::options::Owner;

thread_local! {
    /// Whose desks they are.
    static ASKING: RefCell<Vec<Owner>> = const { RefCell::new(Vec::new()) };
}

/// This thread asks a desk's store as long as this lives.
pub struct Asking;

impl Asking {
    /// From here on this thread asks; `None` when it does already.
    pub fn begin(desk: Owner) -> Option<Self> {
        // At the end of a thread the list is gone, and so is everything that could ask in a circle.
        let is_new = ASKING.try_with(|asking| {
            let mut asking = asking.borrow_mut();
            let is_new = !asking.contains(&desk);
            if is_new {
                asking.push(desk);
            }
            is_new
        });
        // Lazily: one that is made and dropped would end the question that is under way.
        is_new.unwrap_or(false).then(|| Self)
    }
}

impl Asking {
    /// Whether this thread asks a desk's store just now.
    pub fn is_under_way(desk: Owner) -> bool {
        ASKING.try_with(|asking| asking.borrow().contains(&desk)).unwrap_or(true)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // An error: the list is gone.
        let _ = ASKING.try_with(|asking| asking.borrow_mut().pop());
    }
}

#[cfg(test)]
mod tests {
    use super::{Asking, Owner};

    #[test]
    fn a_thread_asks_a_desk_once_at_a_time_and_others_meanwhile() {
        let (one, other) = (Owner::another(), Owner::another());
        let first = Asking::begin(one).unwrap();
        assert!(Asking::begin(one).is_none() && Asking::is_under_way(one) && !Asking::is_under_way(other));
        let second = Asking::begin(other).unwrap();
        assert!(Asking::begin(one).is_none() && Asking::begin(other).is_none());
        drop(second);
        drop(first);
        assert!(Asking::begin(one).is_some());
    }
}
