//! Memory that is written once, sealed, and handed to another process.
//!
//! `memfd_create(2)`, `fcntl(2)` `F_SEAL_WRITE`. After sealing nobody can change the bytes any
//! more, not even through a mapping; a worker that writes to its mapping dies and the data stay.
#![expect(unsafe_code, reason = "mappings, and voxels as bytes")]

#[cfg(not(target_os = "linux"))]
compile_error!("ichor-host needs Linux: sealed memory files have no portable counterpart");

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::ptr::null_mut;
use std::time::Duration;

use ichor_core::{Mask, Volume};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

/// How often sealing is tried again.
const SEALING_TRIES: u32 = 100;

/// Sealed memory with `bytes`; `name` shows in `/proc`.
pub(crate) fn sealed(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    written(name, |file| file.write_all(bytes))
}

/// Sealed memory with the voxels of `volume`, then one byte a voxel of `mask`.
pub(crate) fn sealed_volume(volume: &Volume, mask: &Mask) -> io::Result<OwnedFd> {
    let missing = || io::Error::other("an array that is not in standard layout");
    let hu = volume.hu().as_slice().ok_or_else(missing)?;
    let voxels = mask.voxels().as_slice().ok_or_else(missing)?;
    // SAFETY: every byte of an i16 and of a bool is a valid u8; length in bytes, same lifetime.
    let (hu, voxels) = unsafe {
        (
            std::slice::from_raw_parts(hu.as_ptr().cast::<u8>(), size_of_val(hu)),
            std::slice::from_raw_parts(voxels.as_ptr().cast::<u8>(), size_of_val(voxels)),
        )
    };
    written("ichor-volume", |file| {
        file.write_all(hu)?;
        file.write_all(voxels)
    })
}

fn written(name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create(name, flags)?);
    write(&mut file)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    let mut tries = 0;
    // BUSY while the kernel moves one of the pages, which it does when it likes.
    while let Err(error) = rustix::fs::fcntl_add_seals(&file, seals) {
        if error != Errno::BUSY || tries == SEALING_TRIES {
            return Err(error.into());
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(file.into())
}

/// A read-only mapping of a sealed volume.
#[derive(Debug)]
pub(crate) struct MappedVolume {
    start: *mut std::ffi::c_void,
    bytes: usize,
    voxels: usize,
}

impl MappedVolume {
    /// Maps `voxels` of HU and as many of mask; fails when `memory` is shorter.
    pub(crate) fn new(memory: &OwnedFd, voxels: usize) -> io::Result<Self> {
        let bytes = voxels.checked_mul(3).filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or_else(|| io::Error::other("a volume without voxels"))?;
        let found = rustix::fs::fstat(memory)?.st_size as usize;
        if found != bytes {
            return Err(io::Error::other(format!("{found} bytes for {voxels} voxels")));
        }
        // Private, because kernels before 6.7 refuse to share what is sealed against writing.
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe {
            rustix::mm::mmap(null_mut(), bytes, ProtFlags::READ, MapFlags::PRIVATE, memory, 0)?
        };
        Ok(Self { start, bytes, voxels })
    }

    /// The voxels, in HU.
    pub(crate) fn hu(&self) -> *const i16 {
        self.start.cast_const().cast()
    }

    /// One byte a voxel.
    pub(crate) fn mask(&self) -> *const u8 {
        let hu_bytes = self.voxels * size_of::<i16>();
        self.start.cast_const().cast::<u8>().wrapping_add(hu_bytes)
    }
}

impl Drop for MappedVolume {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping of `new`, which nothing uses any more.
        let unmapped = unsafe { rustix::mm::munmap(self.start, self.bytes) };
        debug_assert!(unmapped.is_ok());
    }
}
