//! Wakes a thread that waits for what a server tells: it waits for two sockets at once, that of the server and one that others
//! write into. May depend on `wire` and `sockets` of `redis`.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, Timespec, poll};

use crate::store::redis::sockets::{Remembered, Sockets};
use crate::store::redis::wire::{Socket, pair};

/// Two ends of a stream: who writes into one wakes who waits at the other.
#[derive(Debug)]
pub struct Bell {
    // First, so that the sockets are forgotten before they are closed.
    _remembered: [Option<Remembered>; 2],
    ring: Socket,
    heard: Socket,
}

impl Bell {
    /// A bell. A forked child has no use for it and closes it with the other sockets.
    pub fn new(sockets: &Arc<Sockets>) -> io::Result<Self> {
        let (ring, heard) = pair()?;
        ring.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        let (ring, heard) = (Socket::Local(ring), Socket::Local(heard));
        let remembered = [&ring, &heard].map(|socket| Sockets::remember(sockets, socket));
        Ok(Self { _remembered: remembered, ring, heard })
    }

    /// Wakes who waits, or the next one who would.
    pub fn ring(&self) {
        if let Socket::Local(stream) = &self.ring {
            // A stream that is full rings already.
            let _ = (&*stream).write(&[1]);
        }
    }

    /// Waits until it rings or `other` has something to read, at most for `limit`.
    pub fn wait(&self, other: Option<&Socket>, limit: Option<Duration>) {
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let (bell, other) = (self.heard.readable(), other.map(Socket::readable));
        let mut waited_for: arrayvec::ArrayVec<PollFd<'_>, 2> = [Some(bell), other].into_iter().flatten().collect();
        // A wait that a signal interrupts is taken up again by whoever waits.
        let _ = poll(&mut waited_for, limit.as_ref());
        if let Socket::Local(stream) = &self.heard {
            while (&*stream).read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    fn bell() -> Bell {
        Bell::new(&Arc::default()).unwrap()
    }

    #[test]
    fn a_bell_wakes_who_waits_and_who_comes_later_once() {
        let bell = bell();
        thread::scope(|scope| {
            scope.spawn(|| bell.ring());
            bell.wait(None, None);
        });
        (0..100_000).for_each(|_| bell.ring());
        bell.wait(None, None);
        let began = Instant::now();
        bell.wait(None, Some(Duration::from_millis(20)));
        assert!(began.elapsed() >= Duration::from_millis(20), "it does not ring any more");
    }

    #[test]
    fn what_arrives_elsewhere_ends_the_wait_too() {
        let (mut from, to) = pair().unwrap();
        from.write_all(b"x").unwrap();
        bell().wait(Some(&Socket::Local(to)), None);
    }
}
