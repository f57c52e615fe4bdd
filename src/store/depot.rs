//! One environment in Redis for tools that look at it and, if told so, write to it: without a client, on the caller's thread,
//! over the connections, reads and writes that clients use. May depend on all rooms.

use std::time::Duration;

use crate::model::Kind;
use crate::store::redis::class::Class;
use crate::store::redis::connector::{ConnectError, Connector, RedisOptions};
use crate::store::redis::endpoints::ReadFrom;
use crate::store::redis::examination::examine;
use crate::store::redis::layout::Keys;
use crate::store::redis::reader::{ReadError, Reader, SCAN_ABOVE};
use crate::store::redis::writer::{Upsert, Upsertion, WriteError, Writer};

pub use crate::store::redis::connection::Encryption;
pub use crate::store::redis::examination::{Examination, Right, Verdict};
pub use crate::store::reply::Field;

/// How often a data set is replaced anew because others wrote meanwhile.
const ATTEMPTS: usize = 20;
/// Pause before the lock that another writer holds is tried again, and how often.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
const LOCK_ATTEMPTS: usize = 240;

/// Why Redis could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// It does not answer, or not now.
    #[error("{0}")]
    Away(String),
    /// It answers and does not let us, which waiting does not mend.
    #[error("{0}")]
    Refused(String),
    /// A key is there, and no hash.
    #[error("{0}")]
    WrongType(String),
    /// Others wrote at each attempt.
    #[error("gave up: others wrote at each of {ATTEMPTS} attempts")]
    Conflicts,
}

impl DepotError {
    fn of(class: Class, text: String) -> Self {
        match class {
            Class::Later | Class::Elsewhere => Self::Away(text),
            Class::Refused | Class::Login | Class::Full => Self::Refused(text),
            Class::Data => Self::WrongType(text),
        }
    }
}

impl From<ReadError> for DepotError {
    fn from(error: ReadError) -> Self {
        Self::of(error.class(), error.to_string())
    }
}

impl From<WriteError> for DepotError {
    fn from(error: WriteError) -> Self {
        Self::of(error.class(), error.to_string())
    }
}

/// What an environment holds, as it is written.
#[derive(Debug, Default)]
pub struct Contents {
    /// Flags: field names, which are keys, and texts.
    pub flags: Vec<Field>,
    /// Segments.
    pub segments: Vec<Field>,
    /// Somebody has written a full data set: `$inited` is there. None where the server does not let us ask.
    pub inited: Option<bool>,
}

/// An item to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key.
    pub key: String,
    /// Its version, or that of its deletion.
    pub version: i64,
    /// Its text.
    pub text: Vec<u8>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    Applied,
    /// Redis holds a version that is as new or newer.
    Newer,
    /// The server does not take it; this is what it said.
    Rejected(String),
}

/// One environment in Redis.
#[derive(Debug)]
pub struct Depot {
    /// To where is read.
    connector: Connector,
    /// To where is written, and read what is written anew.
    primary: Connector,
    keys: Keys,
}

impl Depot {
    /// Under this prefix, an empty one for the default. Checks the options; opens no connection.
    ///
    /// # Errors
    ///
    /// Options that do not fit together, or certificate files that cannot be read.
    pub fn new(options: &RedisOptions, prefix: &str) -> Result<Self, ConnectError> {
        let primary = RedisOptions { read: ReadFrom::Primary, zone: None, ..options.clone() };
        let (connector, primary) = (Connector::new(options)?, Connector::new(&primary)?);
        Ok(Self { connector, primary, keys: Keys::new(prefix) })
    }

    /// Where it is, for people: never with a password.
    pub fn address(&self) -> String {
        self.connector.address()
    }

    /// Number of the database.
    pub fn database(&self) -> i64 {
        self.connector.database()
    }

    /// The prefix in force.
    pub fn prefix(&self) -> &str {
        &self.keys.prefix
    }

    /// Reads everything: at one moment where there is little of it and the server allows that, in steps otherwise.
    ///
    /// # Errors
    ///
    /// Redis is away, refuses, or holds no hash under a name that is one's. Nothing is ever read in part.
    pub fn read(&self) -> Result<Contents, DepotError> {
        read(&mut Reader::new(&self.connector, &self.keys))
    }

    /// Finds out what the server that is read says of itself, and what it lets us do; in a cluster that with the flags. Changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// It cannot be connected to. Whatever it does not tell is left open.
    pub fn examine(&self) -> Result<Examination, DepotError> {
        Ok(examine(&self.connector.bound_to(&self.keys.features), &self.keys)?)
    }

    /// Writes items that are newer than what Redis holds at that moment, and leaves alone what is as new or newer. The outcomes
    /// are in the order of the items. One round trip: some hundred items at a time are enough.
    ///
    /// # Errors
    ///
    /// Redis is away or refuses; some of the items may have been written.
    pub fn write_newer(&self, items: &[NewItem]) -> Result<Vec<Written>, DepotError> {
        let upsertions: Vec<_> = items.iter().map(NewItem::upsertion).collect();
        let outcomes = Writer::new(&self.primary, &self.keys).upsert(&upsertions)?;
        Ok(outcomes.into_iter().map(Written::of).collect())
    }

    /// Reads everything, asks `change` what is to be there instead, and replaces the data set in one transaction, which is
    /// given up and begun anew when others write meanwhile: `change` may be asked several times. Sets `$inited`.
    ///
    /// # Errors
    ///
    /// Those of `change`, nothing being written then; Redis is away or refuses, or others never stop writing.
    pub fn rewrite<E: From<DepotError>>(
        &self,
        change: impl FnMut(Contents) -> Result<Vec<NewItem>, E>,
    ) -> Result<(), E> {
        self.rewrite_while(|| Ok(()), change)
    }

    /// The same; while another writer holds the lock, `wait` is asked again and again whether to wait on.
    ///
    /// # Errors
    ///
    /// Those of [`Self::rewrite`], and those of `wait`, nothing being written then.
    pub fn rewrite_while<E: From<DepotError>>(
        &self,
        wait: impl FnMut() -> Result<(), E>,
        mut change: impl FnMut(Contents) -> Result<Vec<NewItem>, E>,
    ) -> Result<(), E> {
        let mut writer = Writer::new(&self.primary, &self.keys);
        lock(&mut writer, wait)?;
        let outcome = self.rewrite_locked(&mut writer, &mut change);
        // Where that fails the lock expires.
        let _ = writer.unlock();
        outcome
    }

    fn rewrite_locked<E: From<DepotError>>(
        &self,
        writer: &mut Writer<'_>,
        change: &mut impl FnMut(Contents) -> Result<Vec<NewItem>, E>,
    ) -> Result<(), E> {
        let failed = |error: WriteError| E::from(DepotError::from(error));
        for _ in 0..ATTEMPTS {
            writer.watch().map_err(failed)?;
            let items = change(read(&mut Reader::new(&self.primary, &self.keys))?)?;
            let written = items.iter().map(|item| (item.kind, item.key.as_str(), item.text.as_slice()));
            if writer.init(written).map_err(failed)? {
                return Ok(());
            }
        }
        Err(DepotError::Conflicts.into())
    }
}

impl NewItem {
    fn upsertion(&self) -> Upsertion<'_> {
        let Self { kind, key, version, text } = self;
        Upsertion { kind: *kind, key, version: *version, text, must_exist: false }
    }
}

impl Written {
    fn of(outcome: Upsert) -> Self {
        match outcome {
            Upsert::Applied => Self::Applied,
            // A hash that is gone is one only for those who demand that it is there.
            Upsert::Refused | Upsert::Gone => Self::Newer,
            Upsert::Rejected(reason) => Self::Rejected(reason),
        }
    }
}

/// Whoever waited long enough writes all the same.
fn lock<E: From<DepotError>>(writer: &mut Writer<'_>, mut wait: impl FnMut() -> Result<(), E>) -> Result<(), E> {
    for _ in 0..LOCK_ATTEMPTS {
        if writer.lock().map_err(DepotError::from)? {
            break;
        }
        wait()?;
        std::thread::sleep(LOCK_PAUSE);
    }
    Ok(())
}

fn read(reader: &mut Reader<'_>) -> Result<Contents, DepotError> {
    // In one transaction only where that is known to be little: other clients of that Redis wait for it.
    let sizes = reader.presence()?.sizes;
    let expected = sizes.into_iter().map(|size| size.unwrap_or(0)).max().unwrap_or(0);
    let reply = reader.everything(expected.min(SCAN_ABOVE + 1))?;
    if let Some(reason) = reply.wrong_type() {
        return Err(DepotError::WrongType(reason.to_owned()));
    }
    let inited = reader.sees_marker().then_some(reply.presence.inited);
    Ok(Contents { flags: reply.features.into_fields(), segments: reply.segments.into_fields(), inited })
}
