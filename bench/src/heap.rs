//! What the C allocator and the kernel say about this process's memory. Depends on glibc and `/proc`.
#![allow(unsafe_code, reason = "calls into glibc")]

use std::{fs, io};

/// Memory of this process, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident in RAM.
    pub resident: u64,
    /// Handed out by `malloc` and not freed.
    pub allocated: u64,
}

/// Gives free pages back to the kernel, then looks.
pub fn memory() -> io::Result<Memory> {
    // SAFETY: takes no pointers.
    unsafe { libc::malloc_trim(0) };
    // SAFETY: takes nothing and returns a plain struct.
    let info = unsafe { libc::mallinfo2() };
    Ok(Memory { resident: resident()?, allocated: (info.uordblks + info.hblkhd) as u64 })
}

fn resident() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS"))
}
