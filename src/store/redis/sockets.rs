//! Which sockets are open, and how much went through them. A forked child inherits them and has no use for them, while a server
//! whose client dies in the parent would go on filling them. Atomics only, because a fork may come at any moment. Depends on `wire`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};

use super::wire::{Socket, Traffic};

/// Most sockets that are remembered: reading, writing, watching (two at most), listening to a sentinel, looking at a replica and
/// reading members, as many more while they are replaced, and all that for each server where several hold the data.
const MOST: usize = 48;
const FREE: i32 = -1;
/// Somebody is filling the place.
const TAKEN: i32 = -2;

/// The open sockets of a client.
#[derive(Debug)]
pub struct Sockets {
    places: [Place; MOST],
    /// Bytes to and fro.
    pub traffic: Arc<Traffic>,
}

#[derive(Debug)]
struct Place {
    number: AtomicI32,
    /// The number alone may be another file's by now.
    inode: AtomicU64,
}

impl Default for Sockets {
    fn default() -> Self {
        let place = |_| Place { number: AtomicI32::new(FREE), inode: AtomicU64::new(0) };
        Self { places: std::array::from_fn(place), traffic: Arc::default() }
    }
}

impl Sockets {
    /// Remembers a socket until what is returned is dropped, which must be before the socket is closed.
    pub fn remember(sockets: &Arc<Self>, socket: &Socket) -> Option<Remembered> {
        let (number, inode) = socket.identity()?;
        let position = sockets
            .places
            .iter()
            .position(|place| place.number.compare_exchange(FREE, TAKEN, AcqRel, Acquire).is_ok())?;
        let place = sockets.places.get(position)?;
        place.inode.store(inode, Release);
        place.number.store(number, Release);
        Some(Remembered { sockets: sockets.clone(), position })
    }

    /// Numbers and inodes of all; none is remembered afterwards. For a forked child, to which they are of no use.
    pub fn take_all(&self) -> Vec<(i32, u64)> {
        let taken = self.places.iter().map(|place| (place.number.swap(FREE, AcqRel), place.inode.load(Acquire)));
        taken.filter(|(number, _)| *number >= 0).collect()
    }
}

/// A socket that is remembered.
#[derive(Debug)]
pub struct Remembered {
    sockets: Arc<Sockets>,
    position: usize,
}

impl Drop for Remembered {
    fn drop(&mut self) {
        if let Some(place) = self.sockets.places.get(self.position) {
            place.number.store(FREE, Release);
        }
    }
}
