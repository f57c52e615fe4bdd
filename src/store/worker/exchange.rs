//! The one way in which the store thread speaks with Redis. It alone notes that Redis answered, or failed; what counts as
//! recovery is decided by the agenda, when a whole pass has succeeded. May depend on `redis`.

use crate::store::redis::class::Class;
use crate::store::redis::cluster::Cluster;
use crate::store::redis::connector::Connector;
use crate::store::redis::describe::of_one_server;
use crate::store::redis::endpoints::Address;
use crate::store::redis::origin::{Origin, Origins, Takers};
use crate::store::redis::reader::{ReadError, Reader};
use crate::store::redis::route::{places, watched_places};
use crate::store::redis::writer::{WriteError, Writer};
use crate::store::shared::Shared;

/// Why the store thread could not do what was due.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A read failed.
    #[error("reading from Redis failed: {0}")]
    Read(#[from] ReadError),
    /// A write failed.
    #[error("writing to Redis failed: {0}")]
    Write(#[from] WriteError),
}

impl Failed {
    /// What failed, for people, who may mean a cluster. A login fails whatever it is for.
    pub fn told(&self, is_of_cluster: bool) -> String {
        let text = match self {
            Self::Read(error) if error.class() == Class::Login => error.to_string(),
            Self::Write(error) if error.class() == Class::Login => error.to_string(),
            _ => self.to_string(),
        };
        if is_of_cluster { text } else { of_one_server(text) }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Read(error) => error.class(),
            Self::Write(error) => error.class(),
        }
    }
}

/// Both conversations of the store thread.
pub struct Exchange<'a> {
    shared: &'a Shared,
    reader: Reader<'a>,
    /// Exists where a data source's items are written.
    writer: Option<Writer<'a>>,
    answers: u64,
    takers: Takers,
    /// Who was read at the latest look.
    readers: Origins,
    /// Where the keys of a cluster are, as of so many changes.
    places: Vec<Address>,
    changes: u64,
}

impl<'a> Exchange<'a> {
    /// Not connected yet.
    pub fn new(shared: &'a Shared, connector: &'a Connector) -> Self {
        Self {
            shared,
            reader: Reader::new(connector, &shared.keys),
            writer: shared.options.writes().then(|| Writer::new(connector, &shared.keys)),
            answers: 0,
            takers: Takers::default(),
            readers: [None, None],
            places: Vec::new(),
            changes: 0,
        }
    }

    /// Whether the keys are not always on one server.
    pub fn is_spread(&self) -> bool {
        self.reader.is_spread()
    }

    /// Whether the keys may have another owner at any time.
    pub fn is_of_cluster(&self) -> bool {
        self.shared.connector.as_ref().is_some_and(|connector| connector.cluster().is_some())
    }

    /// Whether somebody else says where connections are to lead.
    pub fn is_sought(&self) -> bool {
        self.shared.connector.as_ref().is_some_and(|connector| connector.is_sought())
    }

    /// How often Redis has answered.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Whether anything is written at all.
    pub fn writes(&self) -> bool {
        self.writer.is_some()
    }

    /// Where connections lead, where that is looked for.
    pub fn place(&self) -> Option<String> {
        let connector = self.shared.connector.as_ref().filter(|connector| connector.is_sought())?;
        let mut names: Vec<String> = Vec::new();
        for place in places(connector, &self.shared.keys) {
            let name = place.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Some(names.join(" and ")).filter(|place| !place.is_empty())
    }

    /// Whether changes of the keys may be told elsewhere than at these addresses alone.
    pub fn is_beyond(&self, armed: &[String]) -> bool {
        let Some(connector) = self.shared.connector.as_ref().filter(|_| self.is_of_cluster()) else { return false };
        watched_places(connector, &self.shared.keys).iter().any(|place| !armed.contains(&place.to_string()))
    }

    /// Whether in a cluster keys have other owners than before.
    pub fn has_moved(&mut self) -> bool {
        let Some(connector) = &self.shared.connector else { return false };
        let changes = connector.cluster().map_or(0, Cluster::changes);
        if changes == self.changes {
            return false;
        }
        self.changes = changes;
        let places = places(connector, &self.shared.keys);
        let before = std::mem::replace(&mut self.places, places);
        !before.is_empty() && before != self.places
    }

    /// Which server answers, where it tells.
    pub fn server(&self) -> Option<String> {
        self.reader.server()
    }

    /// Which servers the connections for both hashes lead to that are read.
    pub fn readers(&self) -> Origins {
        self.reader.origins()
    }

    /// Reads.
    pub fn read<T>(&mut self, ask: impl FnOnce(&mut Reader<'a>) -> Result<T, ReadError>) -> Result<T, Failed> {
        match ask(&mut self.reader) {
            Ok(answer) => {
                self.answers += 1;
                self.shared.health.count_exchange();
                self.shared.health.set_available(true);
                Ok(answer)
            }
            Err(error) => {
                self.shared.health.set_available(false);
                Err(error.into())
            }
        }
    }

    /// Writes; `None` where nothing is written.
    pub fn write<T>(
        &mut self,
        ask: impl FnOnce(&mut Writer<'a>) -> Result<T, WriteError>,
    ) -> Result<Option<T>, Failed> {
        let Some(writer) = &mut self.writer else { return Ok(None) };
        let answer = ask(writer)?;
        self.takers.took(writer.origins(), self.reader.origins());
        self.answers += 1;
        self.shared.health.count_exchange();
        Ok(Some(answer))
    }

    /// Whether others answer by now than took what was written, which need not have got it: told once, with whether they tell who
    /// they are.
    pub fn take_others(&mut self) -> Option<bool> {
        self.takers.answered(&self.reader.origins());
        self.takers.take_others()
    }

    /// Whether reads and writes are known to go to different servers.
    pub fn is_apart(&self) -> bool {
        let writer = self.writer.as_ref().and_then(Writer::server);
        writer.zip(self.reader.server()).is_some_and(|(writer, reader)| writer != reader)
    }

    /// Whether reads go over another connection than at the latest call, where servers do not tell who they are.
    pub fn is_read_anew(&mut self) -> bool {
        let readers = self.reader.origins();
        let before = std::mem::replace(&mut self.readers, readers);
        let is_anew = |(now, before): (&Option<Origin>, &Option<Origin>)| matches!((now, before), (Some(now @ Origin::Connection(_)), Some(before)) if now != before);
        self.readers.iter().zip(&before).any(is_anew)
    }

    /// Notices that the server closed the idle data connection: true once.
    pub fn was_closed(&mut self) -> bool {
        self.reader.drop_if_closed()
    }

    /// Something else logs in by now.
    pub fn renew_logins(&mut self) {
        self.reader.renew_login();
        if let Some(writer) = &mut self.writer {
            writer.renew_login();
        }
    }

    /// Connections that lead elsewhere than the next ones would are made anew, and so are the others then. True when there were
    /// any.
    pub fn follow(&mut self) -> bool {
        let (reader, writer) = (&mut self.reader, &mut self.writer);
        let reads_elsewhere = reader.leave_others();
        let writes_elsewhere = writer.as_mut().is_some_and(Writer::leave_others);
        if reads_elsewhere || writes_elsewhere {
            self.start_over();
        }
        reads_elsewhere || writes_elsewhere
    }

    /// Both connections are made anew: the server may be another one by now.
    pub fn start_over(&mut self) {
        self.reader.start_over();
        if let Some(writer) = &mut self.writer {
            writer.start_over();
        }
    }
}
