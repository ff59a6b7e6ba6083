//! The pages through which host and worker make their calls.
//!
//! A memory file of a size that the host chose, sealed against growing and shrinking, mapped by
//! both: a header, then inputs, outputs and contributions as doubles, then a plugin's own words.
//! A plugin can write anything into it at any time. So everything here is read as atomics, once, by
//! lengths that are the reader's own, and copied out before it is looked at.
#![expect(unsafe_code, reason = "memory that two processes share")]

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

/// Room for a plugin's own words, in bytes.
pub(crate) const WORDS: usize = 4096;

/// How many doubles the pages have room for, over all units of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Inputs, and as many contributions.
    pub(crate) inputs: u32,
    /// Features, or the one risk.
    pub(crate) outputs: u32,
}

/// What a call says beside its doubles.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Header {
    /// The call, from 1.
    pub(crate) job: AtomicU64,
    /// Its lower half, on which the worker sleeps; written last by the host.
    pub(crate) called: AtomicU32,
    reserved: AtomicU32,
    /// Which unit of the manifest is to run.
    pub(crate) unit: AtomicU32,
    /// Status of a call that ended.
    pub(crate) status: AtomicI32,
    /// The number of the shared volume; 0: none.
    pub(crate) volume: AtomicU64,
    /// The job that is to stop.
    pub(crate) cancelled: AtomicU64,
    /// The last call that ended; written last by the worker.
    pub(crate) done: AtomicU64,
    /// Bits of the base, f64.
    pub(crate) base: AtomicU64,
    /// Bits of the progress, f32.
    pub(crate) share: AtomicU32,
    /// Bytes of the plugin's own words.
    pub(crate) n_words: AtomicU32,
}

/// A mapping of the pages.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<Header>,
    room: Room,
}

// SAFETY: the mapping belongs to the process, not to a thread, and holds atomics only.
unsafe impl Send for Pages {}
// SAFETY: as for `Send`.
unsafe impl Sync for Pages {}

impl Pages {
    /// New pages, and the memory by which another process maps them.
    pub(crate) fn create(room: Room) -> io::Result<(Self, OwnedFd)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create("ichor-calls", flags)?;
        rustix::fs::ftruncate(&memory, room.bytes() as u64)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&memory, seals)?;
        Ok((Self::map(&memory, room)?, memory))
    }

    /// Maps pages that another process created; fails when `memory` is of another size.
    pub(crate) fn map(memory: &OwnedFd, room: Room) -> io::Result<Self> {
        let found = rustix::fs::fstat(memory)?.st_size as usize;
        if found != room.bytes() {
            return Err(io::Error::other(format!("{found} bytes for {room:?}")));
        }
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe {
            rustix::mm::mmap(null_mut(), room.bytes(), both, MapFlags::SHARED, memory, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("no address"))?;
        Ok(Self { start, room })
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the mapping begins with a header, is page-aligned and lives as long as this.
        unsafe { self.start.as_ref() }
    }

    pub(crate) fn inputs(&self) -> &[AtomicU64] {
        self.cells(0, self.room.inputs)
    }

    pub(crate) fn contributions(&self) -> &[AtomicU64] {
        self.cells(self.room.inputs, self.room.inputs)
    }

    pub(crate) fn outputs(&self) -> &[AtomicU64] {
        self.cells(2 * self.room.inputs, self.room.outputs)
    }

    pub(crate) fn words(&self) -> &[AtomicU8] {
        let first = self.cells(0, self.room.doubles()).as_ptr_range().end;
        // SAFETY: `WORDS` bytes follow the doubles.
        unsafe { std::slice::from_raw_parts(first.cast(), WORDS) }
    }

    fn cells(&self, from: u32, n: u32) -> &[AtomicU64] {
        // SAFETY: `room.doubles()` cells follow the header, whose size is a multiple of theirs;
        // every caller stays below that.
        unsafe {
            let first = self.start.add(1).cast::<AtomicU64>().add(from as usize);
            std::slice::from_raw_parts(first.as_ptr(), n as usize)
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping of `map`, which nothing borrows any more.
        let unmapped =
            unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.room.bytes()) };
        debug_assert!(unmapped.is_ok());
    }
}

impl Room {
    fn doubles(self) -> u32 {
        2 * self.inputs + self.outputs
    }

    fn bytes(self) -> usize {
        size_of::<Header>() + self.doubles() as usize * size_of::<f64>() + WORDS
    }
}

/// The doubles in the first `n` of `cells`, each read once.
pub(crate) fn read(cells: &[AtomicU64], n: usize) -> Vec<f64> {
    cells.iter().take(n).map(|cell| f64::from_bits(cell.load(Ordering::Relaxed))).collect()
}

/// Writes `values` into the first of `cells`.
pub(crate) fn write(cells: &[AtomicU64], values: &[f64]) {
    cells.iter().zip(values).for_each(|(cell, v)| cell.store(v.to_bits(), Ordering::Relaxed));
}

/// Where a plugin reads or writes the doubles of `cells`.
pub(crate) fn doubles(cells: &[AtomicU64]) -> *mut f64 {
    cells.as_ptr().cast_mut().cast()
}
