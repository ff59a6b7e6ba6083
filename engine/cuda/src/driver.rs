//! The driver is asked first: whether it is there, what it knows, what it drives.

#![expect(unsafe_code, reason = "functions of the driver")]

use std::ffi::{CStr, c_char};
use std::path::Path;

use crate::Absent;

/// The CUDA that the library is built with.
const NEEDED: i32 = 13000;
/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: i32 = 100;

/// A driver that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// The newest CUDA that it knows: 1000 a version, 10 a subversion.
    pub version: i32,
    /// What it drives, in its order.
    pub devices: Vec<Found>,
}

/// A device as the driver names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name, such as `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Memory in all, bytes.
    pub memory: usize,
}

type Init = unsafe extern "C" fn(u32) -> i32;
type Number = unsafe extern "C" fn(*mut i32) -> i32;
type Get = unsafe extern "C" fn(*mut i32, i32) -> i32;
type Name = unsafe extern "C" fn(*mut c_char, i32, i32) -> i32;
type Total = unsafe extern "C" fn(*mut usize, i32) -> i32;

impl Driver {
    /// The name that the system's loader knows it by.
    pub const FILE: &str = "libcuda.so.1";

    /// Opens the driver's library `file` and asks it.
    pub fn ask(file: &Path) -> Result<Self, Absent> {
        let no_driver = |error: libloading::Error| Absent::NoDriver { reason: words(&error) };
        // SAFETY: the driver's initialisers are NVIDIA's promise, made to whoever loads it; a
        // site that names another file in its place answers for that one.
        let library = unsafe { libloading::Library::new(file) }.map_err(no_driver)?;
        // Never closed: a driver keeps threads of its own.
        let library = Box::leak(Box::new(library));
        // SAFETY: signatures as in NVIDIA's cuda.h; the buffers live through their calls.
        unsafe {
            let init = library.get::<Init>(b"cuInit").map_err(no_driver)?;
            said("cuInit", init(0))?;
            let mut version = 0;
            let ask = library.get::<Number>(b"cuDriverGetVersion").map_err(no_driver)?;
            said("cuDriverGetVersion", ask(&raw mut version))?;
            if version < NEEDED {
                return Err(Absent::DriverTooOld { found: version, needed: NEEDED });
            }
            let mut n = 0;
            let ask = library.get::<Number>(b"cuDeviceGetCount").map_err(no_driver)?;
            said("cuDeviceGetCount", ask(&raw mut n))?;
            let get = library.get::<Get>(b"cuDeviceGet").map_err(no_driver)?;
            let name = library.get::<Name>(b"cuDeviceGetName").map_err(no_driver)?;
            let total = library.get::<Total>(b"cuDeviceTotalMem_v2").map_err(no_driver)?;
            let mut devices = Vec::new();
            for index in 0..n {
                let (mut device, mut memory, mut text) = (0, 0, [0_u8; 256]);
                said("cuDeviceGet", get(&raw mut device, index))?;
                said("cuDeviceGetName", name(text.as_mut_ptr().cast(), 255, device))?;
                said("cuDeviceTotalMem", total(&raw mut memory, device))?;
                let name = CStr::from_bytes_until_nul(&text).unwrap_or_default();
                devices.push(Found { name: name.to_string_lossy().into_owned(), memory });
            }
            if devices.is_empty() {
                Err(Absent::NoDevice)
            } else {
                Ok(Self { version, devices })
            }
        }
    }
}

fn said(call: &'static str, code: i32) -> Result<(), Absent> {
    match code {
        0 => Ok(()),
        NO_DEVICE => Err(Absent::NoDevice),
        code => Err(Absent::DriverFailed { call, code }),
    }
}

/// What the loader said, without the name of the call.
pub(crate) fn words(error: &libloading::Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    source.unwrap_or_else(|| error.to_string())
}
