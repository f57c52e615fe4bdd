//! One item as it is held in memory: the text read from Redis, what became of it, and the marks that tell whether it is
//! in use and whether it is still known to be true.
//!
//! The marks are atomics because evaluations (any thread) set them while the store thread reads them. May depend on
//! `model` only.
//!
//! An entry may be sealed: its text is in force, and was only glanced at. Who asks for the item first opens it; of threads
//! that race each opens it and one wins, so that nobody waits, and a child of a fork never for a thread that it does not have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use once_cell::race::OnceBox;

use crate::model::{Flag, Interner, ParseError, Parsed, Remark, Segment, Text, glance, read_flag, read_segment};
use crate::store::memory::received::Received;

/// What the text of an item turned out to be.
#[derive(Debug)]
pub enum State<T> {
    /// A flag or segment that can be evaluated.
    Live(T),
    /// A deletion marker: the item is treated as not found.
    Tombstone,
    /// The text does not parse, and no earlier good version is held.
    Unreadable,
}

/// What is known of a text.
#[derive(Debug)]
enum Content<T> {
    Known(State<T>),
    Sealed(Sealed<T>),
}

/// An item that was not parsed when it came.
#[derive(Debug)]
struct Sealed<T> {
    field: Box<str>,
    opened: OnceBox<State<T>>,
}

/// A flag or a segment: something that Redis holds as JSON text under a field name.
pub trait Item: Clone + Send + Sync + 'static {
    /// Parses the text of one hash field; the field name is the item's identity.
    fn parse(field: &str, text: &Text, interner: &mut Interner) -> Result<Parsed<Self>, ParseError>;
    /// The version stated in the text.
    fn version(&self) -> i64;
    /// Calls `found` with the key of each flag this item names as a prerequisite.
    fn each_flag(&self, found: &mut dyn FnMut(&str));
    /// Calls `found` with the key of each segment this item's clauses name.
    fn each_segment(&self, found: &mut dyn FnMut(&str));
}

impl Item for Flag {
    fn parse(field: &str, text: &Text, interner: &mut Interner) -> Result<Parsed<Self>, ParseError> {
        read_flag(field, text, interner)
    }
    fn version(&self) -> i64 {
        self.version
    }
    fn each_flag(&self, found: &mut dyn FnMut(&str)) {
        self.prerequisite_keys().for_each(found);
    }
    fn each_segment(&self, found: &mut dyn FnMut(&str)) {
        self.segments().for_each(found);
    }
}

impl Item for Segment {
    fn parse(field: &str, text: &Text, interner: &mut Interner) -> Result<Parsed<Self>, ParseError> {
        read_segment(field, text, interner)
    }
    fn version(&self) -> i64 {
        self.version
    }
    fn each_flag(&self, _: &mut dyn FnMut(&str)) {}
    fn each_segment(&self, found: &mut dyn FnMut(&str)) {
        self.segments().for_each(found);
    }
}

/// What may be told of one content of an item, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Told {
    /// Its data make no sense.
    Malformed = 1,
    /// A prerequisite does not exist.
    MissingPrerequisite = 2,
    /// It was asked for another type.
    WrongType = 4,
    /// Some of its patterns never match.
    Remarks = 8,
}

/// A held item. Shared by every snapshot in which its text is unchanged.
#[derive(Debug)]
#[repr(C)]
pub struct Entry<T> {
    // In this order in memory: what every evaluation reads comes first and shares cache lines.
    /// Tick of the latest evaluation; written only when it differs, so a busy flag costs one write a tick.
    used: AtomicU32,
    /// There is newer content that does not parse; this one stays in force.
    superseded: AtomicBool,
    /// [`Told`] bits.
    told: AtomicU8,
    /// Generation for which a read has confirmed this text.
    verified: AtomicU64,
    content: Content<T>,
    received: Received,
    version: i64,
    /// What hardly any item has.
    rare: Option<Box<Rare>>,
}

#[derive(Debug)]
struct Rare {
    /// What is in force, where what was received came after it and does not parse.
    good: Option<Received>,
    /// What is remarkable about the text, although it parses.
    remarks: Box<[Remark]>,
}

impl<T: Item> Entry<T> {
    /// Parses `text`, lone surrogates repaired. On failure the entry is [`State::Unreadable`] and the error is returned
    /// beside it.
    pub fn parse(field: &str, text: Vec<u8>, interner: &mut Interner) -> (Self, Option<ParseError>) {
        Self::of(field, Received::new(text), interner)
    }

    /// Parses the text of a sealed entry, which is shared from then on.
    pub fn parse_sealed(field: &str, sealed: &Self, interner: &mut Interner) -> (Self, Option<ParseError>) {
        Self::of(field, sealed.received.clone(), interner)
    }

    fn of(field: &str, received: Received, interner: &mut Interner) -> (Self, Option<ParseError>) {
        let (state, version, error) = received.parse(field, interner);
        let remarks = interner.take_remarks();
        let rare = (!remarks.is_empty()).then(|| Box::new(Rare { good: None, remarks: remarks.into_boxed_slice() }));
        (Self { rare, ..Self::new(received, state, version) }, error)
    }

    /// Puts a text in force that is not parsed before somebody asks for the item; gives it back where it must be parsed now.
    pub fn sealed(field: &str, text: Vec<u8>) -> Result<Self, Vec<u8>> {
        let Some(version) = glance(&text) else { return Err(text) };
        let sealed = Sealed { field: Box::from(field), opened: OnceBox::new() };
        Ok(Self { content: Content::Sealed(sealed), ..Self::new(Received::new(text), State::Tombstone, version) })
    }

    /// What the text turned out to be.
    #[inline]
    pub fn state(&self) -> &State<T> {
        match &self.content {
            Content::Known(state) => state,
            Content::Sealed(sealed) => self.open(sealed),
        }
    }

    /// The flag or segment, unless this is a tombstone or unreadable.
    pub fn live(&self) -> Option<&T> {
        match self.state() {
            State::Live(item) => Some(item),
            State::Tombstone | State::Unreadable => None,
        }
    }

    /// Expressions count towards no budget here: before long the store thread parses the text in earnest.
    #[cold]
    fn open<'a>(&self, sealed: &'a Sealed<T>) -> &'a State<T> {
        sealed.opened.get_or_init(|| Box::new(self.received.parse(&sealed.field, &mut Interner::default()).0))
    }

    /// A text that does not parse and came where memory leads: it is kept as received, because Redis gets it, while the
    /// last good version that is `held` stays in force.
    pub fn unreadable(text: Vec<u8>, version: i64, held: Option<&Self>) -> Self {
        let received = Received::new(text);
        match held.and_then(|held| Some((held, held.live()?))) {
            None => Self::new(received, State::Unreadable, version),
            Some((held, item)) => Self {
                rare: Some(Box::new(Rare { good: Some(held.good().clone()), remarks: Box::default() })),
                superseded: AtomicBool::new(true),
                ..Self::new(received, State::Live(item.clone()), version)
            },
        }
    }

    fn new(received: Received, state: State<T>, version: i64) -> Self {
        Self {
            received,
            content: Content::Known(state),
            version,
            used: AtomicU32::new(0),
            verified: AtomicU64::new(0),
            superseded: AtomicBool::new(false),
            told: AtomicU8::new(0),
            rare: None,
        }
    }
}

impl<T> Entry<T> {
    /// Whether the text was not parsed when it came.
    pub fn is_sealed(&self) -> bool {
        matches!(self.content, Content::Sealed(_))
    }

    /// Whether there is a flag or segment, as far as is known without parsing one for this question.
    pub fn is_live(&self) -> bool {
        let state = match &self.content {
            Content::Known(state) => Some(state),
            Content::Sealed(sealed) => sealed.opened.get(),
        };
        state.is_none_or(|state| matches!(state, State::Live(_)))
    }

    /// The bytes as read from Redis, or as the data source delivered them for it.
    pub fn text(&self) -> &[u8] {
        self.received.bytes()
    }

    /// The text of what is in force.
    pub fn good_text(&self) -> &[u8] {
        self.good().bytes()
    }

    fn good(&self) -> &Received {
        self.rare.as_ref().and_then(|rare| rare.good.as_ref()).unwrap_or(&self.received)
    }

    /// True where the text is newer than what is in force, and does not parse.
    pub fn is_outlived(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.good.is_some())
    }

    /// Version of the item or of its tombstone; 0 when unreadable, as far as is known.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// What is remarkable about the text, although it parses.
    pub fn remarks(&self) -> &[Remark] {
        self.rare.as_ref().map_or(&[], |rare| &rare.remarks)
    }

    /// Whether this has been told of this content.
    pub fn was_told(&self, told: Told) -> bool {
        self.told.load(Relaxed) & told as u8 != 0
    }

    /// Notes that this is told of this content; false when it was already.
    pub fn tell(&self, told: Told) -> bool {
        self.told.fetch_or(told as u8, Relaxed) & told as u8 == 0
    }

    /// Marks the item as evaluated during `tick`.
    #[inline]
    pub fn mark_used(&self, tick: u32) {
        if self.used.load(Relaxed) != tick {
            self.used.store(tick, Relaxed);
        }
    }

    /// Tick of the latest evaluation, 0 for never.
    pub fn used(&self) -> u32 {
        self.used.load(Relaxed)
    }

    /// A read sent at `generation` confirmed this text.
    pub fn mark_verified(&self, generation: u64) {
        self.verified.fetch_max(generation, Relaxed);
    }

    /// Generation for which the text is confirmed.
    #[inline]
    pub fn verified(&self) -> u64 {
        self.verified.load(Relaxed)
    }

    /// Says whether Redis holds newer content that does not parse.
    pub fn set_superseded(&self, superseded: bool) {
        self.superseded.store(superseded || self.is_outlived(), Relaxed);
    }

    /// True while there is newer content that does not parse.
    #[inline]
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Relaxed)
    }

    /// Takes over the use mark of the entry that this one replaces.
    pub fn inherit_use(&self, older: &Self) {
        self.used.store(older.used(), Relaxed);
    }

    /// Takes over every mark of an entry with the same text.
    pub fn inherit_marks(&self, sealed: &Self) {
        self.used.fetch_max(sealed.used(), Relaxed);
        self.mark_verified(sealed.verified());
        self.told.fetch_or(sealed.told.load(Relaxed), Relaxed);
    }
}

/// Shared handle of a held flag.
pub type FlagEntry = Arc<Entry<Flag>>;
/// Shared handle of a held segment.
pub type SegmentEntry = Arc<Entry<Segment>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::flag;

    fn sealed(text: &[u8]) -> Entry<Flag> {
        Entry::sealed("a", text.to_vec()).unwrap()
    }

    #[test]
    fn a_sealed_item_is_what_its_text_says_and_counts_as_live_until_somebody_asks() {
        let good = sealed(&flag("a", 7, &["b"], &[]));
        assert!(good.is_sealed() && good.is_live() && good.version() == 7);
        assert_eq!(good.live().unwrap().prerequisite_keys().collect::<Vec<_>>(), ["b"]);
        assert!(std::ptr::eq(good.live().unwrap(), good.live().unwrap()), "it is opened once");

        let bad = sealed(br#"{"version":3,"rules":7}"#);
        assert!(bad.is_live());
        assert!(matches!(bad.state(), State::Unreadable) && !bad.is_live());
    }

    #[test]
    fn what_a_glance_does_not_settle_is_not_sealed() {
        for text in ["{", r#"{"version":3,"deleted":true}"#, "\u{0}"] {
            assert_eq!(Entry::<Flag>::sealed("a", text.into()).unwrap_err(), text.as_bytes());
        }
    }

    #[test]
    fn what_was_noted_of_a_sealed_item_is_known_of_the_opened_one() {
        let sealed = sealed(&flag("a", 1, &[], &[]));
        sealed.mark_used(4);
        sealed.mark_verified(9);
        sealed.tell(Told::WrongType);
        let (opened, _) = Entry::<Flag>::parse("a", sealed.text().to_vec(), &mut Interner::default());
        opened.inherit_marks(&sealed);
        assert_eq!((opened.used(), opened.verified()), (4, 9));
        assert!(opened.was_told(Told::WrongType) && !opened.was_told(Told::Malformed));
    }
}
