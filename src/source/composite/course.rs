//! Whose turn it is among the synchronizers: a list that is gone round, from which those are removed that were refused for
//! good. Pure.

/// The list and the place in it.
#[derive(Debug)]
pub(super) struct Course {
    /// Which of the synchronizers are left, in their order.
    left: Vec<usize>,
    /// The place of the present one among them.
    at: usize,
}

impl Course {
    /// Begins with the first of so many.
    pub(super) fn new(count: usize) -> Self {
        Self { left: (0..count).collect(), at: 0 }
    }

    /// Whose turn it is; `None` when nobody is left.
    pub(super) fn present(&self) -> Option<usize> {
        self.left.get(self.at).copied()
    }

    /// It is the turn of the first that is left.
    pub(super) fn is_at_first(&self) -> bool {
        self.at == 0
    }

    /// There is no other to give way to.
    pub(super) fn is_alone(&self) -> bool {
        self.left.len() < 2
    }

    /// It is the turn of the next one; after the last comes the first.
    pub(super) fn give_way(&mut self) {
        self.at = if self.at + 1 < self.left.len() { self.at + 1 } else { 0 };
    }

    /// It is the turn of the first again.
    pub(super) fn recover(&mut self) {
        self.at = 0;
    }

    /// The present one never has its turn again; it is that of the next one.
    pub(super) fn remove(&mut self) {
        if self.at < self.left.len() {
            self.left.remove(self.at);
        }
        if self.at >= self.left.len() {
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_comes_the_first() {
        let mut course = Course::new(3);
        let mut turns = Vec::new();
        for _ in 0..5 {
            turns.push(course.present().unwrap());
            course.give_way();
        }
        assert_eq!(turns, [0, 1, 2, 0, 1]);
        assert!(!course.is_at_first());
        course.recover();
        assert!(course.is_at_first() && course.present() == Some(0));
    }

    #[test]
    fn who_is_removed_never_comes_again_and_the_next_one_has_its_turn() {
        let mut course = Course::new(3);
        course.give_way();
        course.remove();
        assert_eq!((course.present(), course.is_at_first()), (Some(2), false));
        course.remove();
        assert_eq!((course.present(), course.is_at_first(), course.is_alone()), (Some(0), true, true));
        course.give_way();
        assert_eq!(course.present(), Some(0), "alone it gives way to itself");
        course.remove();
        assert_eq!(course.present(), None);
        course.remove();
        course.give_way();
        assert_eq!(course.present(), None);
    }

    #[test]
    fn the_second_is_the_first_once_the_first_is_removed() {
        let mut course = Course::new(3);
        course.remove();
        assert_eq!((course.present(), course.is_at_first()), (Some(1), true));
        course.give_way();
        course.recover();
        assert_eq!(course.present(), Some(1));
    }
}
