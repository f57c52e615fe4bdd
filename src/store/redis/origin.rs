//! Which server answers over a connection, and which servers took what was written: another one may lack it, for a failover, a
//! restart or a name that leads elsewhere takes back what was acknowledged a moment before. Plain state, no I/O. Depends on nothing.

/// Which server is on the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// By what it tells of itself, which differs from start to start.
    Server(String),
    /// It does not tell: by the number of the connection, for each may lead elsewhere.
    Connection(u64),
}

/// Those that the connections for both hashes lead to, as far as there are any.
pub type Origins = [Option<Origin>; 2];

/// Who took what was written, by hash.
#[derive(Debug, Default)]
pub struct Takers {
    takers: Origins,
    /// Who was read at that time.
    readers: Origins,
    are_others: bool,
}

impl Takers {
    /// Something was written over connections to `writers`, while `readers` were read.
    pub fn took(&mut self, writers: Origins, readers: Origins) {
        self.answered(&readers);
        for ((taker, writer), reader) in self.takers.iter_mut().zip(writers).zip(self.readers.iter_mut().zip(readers)) {
            if writer.is_none() {
                continue;
            }
            self.are_others |= taker.is_some() && *taker != writer;
            *taker = writer;
            *reader.0 = reader.1;
        }
    }

    /// These were read just now.
    pub fn answered(&mut self, readers: &Origins) {
        for ((taker, before), reader) in self.takers.iter_mut().zip(&self.readers).zip(readers) {
            let is_other = match (&*taker, reader) {
                (None, _) | (_, None) => false,
                (Some(Origin::Server(taker)), Some(Origin::Server(reader))) => taker != reader,
                (Some(_), Some(reader)) => before.as_ref().is_some_and(|before| before != reader),
            };
            if is_other {
                self.are_others = true;
                *taker = None;
            }
        }
    }

    /// Whether others answer by now than took what was written: true once.
    pub fn take_others(&mut self) -> bool {
        std::mem::take(&mut self.are_others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str) -> Origins {
        [Some(Origin::Server(name.to_owned())), None]
    }

    fn connection(number: u64) -> Origins {
        [Some(Origin::Connection(number)), None]
    }

    #[test]
    fn another_server_that_is_read_or_written_is_noticed_once() {
        let mut takers = Takers::default();
        takers.answered(&server("a"));
        takers.answered(&server("b"));
        assert!(!takers.take_others(), "nothing was written");
        takers.took(server("b"), server("b"));
        takers.answered(&server("b"));
        takers.answered(&[None, None]);
        assert!(!takers.take_others());
        takers.answered(&server("c"));
        takers.answered(&server("c"));
        assert!(takers.take_others() && !takers.take_others());
        takers.took(server("c"), server("c"));
        assert!(!takers.take_others(), "it has what was written since");
        takers.took(server("d"), server("c"));
        assert!(takers.take_others(), "the reader has not followed yet");
        takers.took(server("d"), server("d"));
        assert!(!takers.take_others());
    }

    #[test]
    fn where_servers_do_not_tell_who_they_are_each_connection_may_lead_to_another_one() {
        let mut takers = Takers::default();
        takers.took(connection(1), connection(7));
        takers.took(connection(1), connection(7));
        takers.answered(&connection(7));
        assert!(!takers.take_others());
        takers.answered(&connection(8));
        assert!(takers.take_others());
        takers.took(connection(1), connection(8));
        assert!(!takers.take_others());
        takers.took(connection(2), connection(8));
        assert!(takers.take_others());
    }
}
