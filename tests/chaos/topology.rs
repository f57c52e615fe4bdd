//! What the test plays with: servers of which one holds the flags, and another one after each round.

use crate::dice::Dice;
use crate::support::*;

pub trait Topology {
    /// Address, and what else is in it: for those that hold everything, those that hold little and those that are special here.
    fn urls(&self) -> [String; 3];

    /// What is special about the third.
    fn special(&self) -> &'static str;

    /// The prefix of what is written directly, and of what a client in connected mode writes.
    fn prefixes(&self) -> [&'static str; 2];

    /// Who holds what is written directly.
    fn primary(&self) -> &RedisServer;

    /// One thing that happens, until it is known who holds the flags; in words.
    fn happen(&mut self, dice: &mut Dice) -> String;

    /// A busy machine may make another server the primary that nobody asked for.
    fn is_as_known(&self) -> bool;

    /// Finds out who holds the flags.
    fn learn(&mut self);

    /// What stood still goes on.
    fn mend(&mut self);

    /// Whether what a client in connected mode writes has arrived for the first time.
    fn is_filled(&self) -> bool;
}
