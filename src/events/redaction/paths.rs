//! References of private attributes, arranged so that walking a context finds them however many there are.
//!
//! They are sorted by their components: those that begin alike are neighbours, and the one that ends first comes first.
//! Depends on `model`.

use crate::model::AttributeRef;

/// References of attributes.
#[derive(Debug)]
pub(super) struct Paths(Box<[Path]>);

/// The name of an attribute, and those of the members to descend into.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Path {
    first: Box<str>,
    rest: Box<[Box<str>]>,
}

/// The references that begin as the way that was walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps<'a> {
    paths: &'a [Path],
    depth: usize,
}

impl Paths {
    pub(super) fn new<'a>(references: impl Iterator<Item = &'a str>) -> Self {
        let mut paths: Vec<Path> = references.filter_map(Path::new).collect();
        paths.sort_unstable();
        Self(paths.into_boxed_slice())
    }

    /// Before the first step.
    pub(super) fn start(&self) -> Steps<'_> {
        Steps { paths: &self.0, depth: 0 }
    }
}

impl Path {
    /// None if no attribute can be meant that may be kept private.
    fn new(reference: &str) -> Option<Self> {
        match AttributeRef::parse(reference) {
            AttributeRef::Name => Some(Self { first: Box::from("name"), rest: Box::default() }),
            AttributeRef::Custom(name) => Some(Self { first: name, rest: Box::default() }),
            AttributeRef::Path(components) => {
                let mut components = components.into_iter();
                Some(Self { first: components.next()?, rest: components.collect() })
            }
            AttributeRef::Kind
            | AttributeRef::Key
            | AttributeRef::Anonymous
            | AttributeRef::Undefined
            | AttributeRef::Invalid
            | AttributeRef::Nothing => None,
        }
    }

    fn component(&self, depth: usize) -> Option<&str> {
        match depth.checked_sub(1) {
            None => Some(&self.first),
            Some(index) => self.rest.get(index).map(|component| &**component),
        }
    }
}

impl<'a> Steps<'a> {
    /// Those that go on with this name.
    pub(super) fn step(self, name: &str) -> Steps<'a> {
        let depth = self.depth + 1;
        if self.paths.is_empty() {
            return Steps { depth, ..self };
        }
        let begin = self.paths.partition_point(|path| path.component(self.depth) < Some(name));
        let rest = self.paths.get(begin..).unwrap_or_default();
        let length = rest.partition_point(|path| path.component(self.depth) == Some(name));
        Steps { paths: rest.get(..length).unwrap_or_default(), depth }
    }

    /// Whether one of them ends here.
    pub(super) fn is_end(&self) -> bool {
        self.paths.first().is_some_and(|path| path.component(self.depth).is_none())
    }

    /// Whether one of them goes on.
    pub(super) fn lead_on(&self) -> bool {
        !self.paths.is_empty()
    }
}
