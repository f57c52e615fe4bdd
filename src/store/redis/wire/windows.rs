//! Sockets of Windows: the standard library has none in the file system, and no process inherits them. Depends on nothing.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;

use rustix::event::{Timespec, poll};

use super::{Deadline, Socket};

/// A stream on this machine.
pub type LocalStream = TcpStream;

/// Two ends of a stream. Who else connects to the port in the moment that it is open is turned away.
pub fn pair() -> io::Result<(LocalStream, LocalStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    let address = one.local_addr()?;
    loop {
        let (other, from) = listener.accept()?;
        if from == address {
            one.set_nodelay(true)?;
            return Ok((one, other));
        }
    }
}

/// There are none: such an address is refused before anybody connects to it.
pub fn connect_local<H: std::ops::Deref<Target = Socket>>(
    _path: &Path,
    _deadline: &Deadline,
    _held: impl FnOnce(Socket) -> io::Result<H>,
) -> io::Result<H> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nothing inherits it.
pub(super) fn identity(_stream: &TcpStream) -> Option<(i32, u64)> {
    None
}

/// How many bytes there are to read, one at most, without waiting.
pub(super) fn peek(socket: &Socket) -> io::Result<usize> {
    if poll(&mut [socket.readable()], Some(&Timespec::default()))? == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    socket.reference().peek(&mut [MaybeUninit::uninit()])
}
