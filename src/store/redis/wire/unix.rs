//! Sockets of Unix: those in the file system, and how a child of `fork` knows which of its files they are. Depends on nothing.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use socket2::{Domain, SockAddr, Socket as RawSocket, Type};

use super::{Deadline, Socket};

/// A stream on this machine.
pub type LocalStream = std::os::unix::net::UnixStream;

/// Two ends of a stream.
pub fn pair() -> io::Result<(LocalStream, LocalStream)> {
    LocalStream::pair()
}

/// A socket that `held` has in hand while it connects to the one at `path`. The system waits for a place in the server's backlog
/// as long as a write may take, by default without limit.
pub fn connect_local<H: std::ops::Deref<Target = Socket>>(
    path: &Path,
    deadline: &Deadline,
    held: impl FnOnce(Socket) -> io::Result<H>,
) -> io::Result<H> {
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    let socket = held(Socket::Local(LocalStream::from(OwnedFd::from(socket))))?;
    let address = SockAddr::unix(path)?;
    loop {
        socket.reference().set_write_timeout(Some(deadline.left()))?;
        match socket.reference().connect(&address) {
            Ok(()) => return Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::Interrupted && !deadline.is_over() => {}
            Err(error) => return Err(error),
        }
    }
}

/// The number of a socket and its inode. Where sockets have none, as on macOS, a child could take another one for it: there it
/// is left to the child.
pub(super) fn identity(stream: &impl AsFd) -> Option<(i32, u64)> {
    let twin = stream.as_fd().try_clone_to_owned().ok()?;
    let inode = File::from(twin).metadata().ok()?.ino();
    (inode != 0).then(|| (stream.as_fd().as_raw_fd(), inode))
}

/// How many bytes there are to read, one at most, without waiting.
pub(super) fn peek(socket: &Socket) -> io::Result<usize> {
    socket.reference().recv_with_flags(&mut [MaybeUninit::uninit()], libc::MSG_PEEK | libc::MSG_DONTWAIT)
}
