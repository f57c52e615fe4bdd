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
    /// Who was read at that time, or first afterwards.
    readers: Origins,
    /// Others answer; whether they tell who they are.
    others: Option<bool>,
}

impl Takers {
    /// Something was written over connections to `writers`, while `readers` were read.
    pub fn took(&mut self, writers: Origins, readers: Origins) {
        self.answered(&readers);
        for ((taker, writer), (known, reader)) in
            self.takers.iter_mut().zip(writers).zip(self.readers.iter_mut().zip(readers))
        {
            let Some(writer) = writer else { continue };
            if taker.as_ref().is_some_and(|taker| *taker != writer) {
                note(&mut self.others, &writer);
            }
            *taker = Some(writer);
            *known = reader.or(known.take());
        }
    }

    /// These were read just now.
    pub fn answered(&mut self, readers: &Origins) {
        for ((taker, known), reader) in self.takers.iter_mut().zip(&mut self.readers).zip(readers) {
            let (Some(origin), Some(reader)) = (&*taker, reader) else { continue };
            let is_other = match (origin, reader) {
                (Origin::Server(taker), Origin::Server(reader)) => taker != reader,
                _ => known.get_or_insert_with(|| reader.clone()) != reader,
            };
            if is_other {
                note(&mut self.others, reader);
                *taker = None;
            }
        }
    }

    /// Whether others answer by now than took what was written: told once, with whether they tell who they are.
    pub fn take_others(&mut self) -> Option<bool> {
        self.others.take()
    }
}

fn note(others: &mut Option<bool>, origin: &Origin) {
    *others = Some(others.unwrap_or(false) || matches!(origin, Origin::Server(_)));
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
        assert_eq!(takers.take_others(), None, "nothing was written");
        takers.took(server("b"), server("b"));
        takers.answered(&server("b"));
        takers.answered(&[None, None]);
        assert_eq!(takers.take_others(), None);
        takers.answered(&server("c"));
        takers.answered(&server("c"));
        assert_eq!([takers.take_others(), takers.take_others()], [Some(true), None]);
        takers.took(server("c"), server("c"));
        assert_eq!(takers.take_others(), None, "it has what was written since");
        takers.took(server("d"), server("c"));
        assert_eq!(takers.take_others(), Some(true), "the reader has not followed yet");
        takers.took(server("d"), server("d"));
        assert_eq!(takers.take_others(), None);
    }

    #[test]
    fn where_servers_do_not_tell_who_they_are_each_connection_may_lead_to_another_one() {
        let mut takers = Takers::default();
        takers.took(connection(1), connection(7));
        takers.took(connection(1), connection(7));
        takers.answered(&connection(7));
        assert_eq!(takers.take_others(), None);
        takers.answered(&connection(8));
        assert_eq!(takers.take_others(), Some(false));
        takers.took(connection(1), connection(8));
        assert_eq!(takers.take_others(), None);
        takers.took(connection(2), connection(8));
        assert_eq!(takers.take_others(), Some(false));
    }

    #[test]
    fn a_reader_that_is_not_there_at_a_write_is_not_forgotten() {
        let mut takers = Takers::default();
        takers.took(connection(1), connection(7));
        takers.took(connection(1), [None, None]);
        takers.answered(&connection(8));
        assert_eq!(takers.take_others(), Some(false));
        let mut takers = Takers::default();
        takers.took(connection(1), [None, None]);
        takers.answered(&connection(7));
        assert_eq!(takers.take_others(), None, "the first one that is read");
        takers.answered(&connection(8));
        assert_eq!(takers.take_others(), Some(false));
    }
}
