//! The library from the engine's side: opened, checked, called.

#![expect(unsafe_code, reason = "the table of the library")]

use std::ffi::{CStr, c_void};
use std::path::{Path, PathBuf};
use std::ptr;

use crate::Absent;
use crate::driver::words;
use crate::interface::{self, Batch, Memory, Step, Table, Text, VERSION};

/// The library's file.
pub const FILE: &str = "libichor_cuda.so";
/// Room for the words of an error.
const ROOM: usize = 1024;

/// What a library is told of a network.
#[derive(Debug, Clone)]
pub struct Description {
    /// Its steps in order.
    pub steps: Vec<Step>,
    /// Channels of its input.
    pub channels: usize,
    /// Its parameters, one flat vector.
    pub parameters: Vec<f32>,
}

/// A library that speaks this engine's version of the interface.
#[derive(Debug, Clone)]
pub struct Library {
    table: Table,
    path: PathBuf,
}

impl Library {
    /// Opens the first [`FILE`] in `folders`; call it only where [`Driver::ask`](crate::Driver::ask)
    /// found one.
    ///
    /// It is never closed: a swap is a new engine.
    pub fn open(folders: &[PathBuf]) -> Result<Self, Absent> {
        let path = folders.iter().map(|folder| folder.join(FILE)).find(|path| path.is_file());
        let path = path.ok_or_else(|| Absent::NoLibrary { folders: folders.to_vec() })?;
        let library = Self::read(&path)?;
        if library.table.cuda == 1 { Ok(library) } else { Err(Absent::WithoutCuda { path }) }
    }

    /// The arithmetic that is linked into this program, on its CPU: what tests hold the networks
    /// against, through the same interface.
    pub fn linked() -> Self {
        Self { table: crate::export::ICHOR_CUDA, path: PathBuf::new() }
    }

    /// Where the linked table lies, for a stand-in in the same process that passes calls on to it.
    pub fn linked_at() -> usize {
        (&raw const crate::export::ICHOR_CUDA) as usize
    }

    fn read(path: &Path) -> Result<Self, Absent> {
        let does_not_open = |error: &libloading::Error| Absent::DoesNotOpen {
            path: path.to_owned(),
            reason: words(error),
        };
        // SAFETY: the file lies in a folder that the site trusts as it trusts this program; what
        // runs when it is opened is CUDA's own.
        let library =
            unsafe { libloading::Library::new(path) }.map_err(|e| does_not_open(&e))?;
        let library = Box::leak(Box::new(library));
        // SAFETY: the symbol is a table by its name; its version is read before anything else.
        let table = unsafe { library.get::<*const Table>(interface::SYMBOL) };
        let table = *table.map_err(|e| does_not_open(&e))?;
        // SAFETY: a table of any version starts with its version, and is never unmapped.
        let found = unsafe { ptr::read(table.cast::<u32>()) };
        if found != VERSION {
            return Err(Absent::OtherVersion { path: path.to_owned(), found, wanted: VERSION });
        }
        // SAFETY: a table of this version is this struct.
        let table = unsafe { ptr::read(table) };
        if table.size == size_of::<Table>() {
            Ok(Self { table, path: path.to_owned() })
        } else {
            let reason = "its table has another size than its version says".to_owned();
            Err(Absent::DoesNotOpen { path: path.to_owned(), reason })
        }
    }

    /// Its file; empty for what is linked into this program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are free on a device, and all.
    pub fn memory(&self, device: i32) -> Result<(u64, u64), Absent> {
        let mut memory = Memory { size: size_of::<Memory>(), free: 0, total: 0 };
        // SAFETY: the struct and the text live through the call.
        told("asking for memory", |text| unsafe {
            (self.table.memory)(device, &raw mut memory, text)
        })?;
        Ok((memory.free, memory.total))
    }

    /// Puts a network on a device, by its number or [`interface::CPU`].
    pub fn load(
        &self,
        device: i32,
        network: &Description,
        precision: u32,
    ) -> Result<Loaded, Absent> {
        let given = interface::Network {
            size: size_of::<interface::Network>(),
            steps: network.steps.as_ptr(),
            n_steps: network.steps.len(),
            parameters: network.parameters.as_ptr(),
            n_parameters: network.parameters.len(),
            channels: network.channels as u32,
            precision,
        };
        let mut handle = ptr::null_mut();
        // SAFETY: both arrays and the handle's place live through the call.
        told("loading the network", |text| unsafe {
            (self.table.open)(device, &raw const given, &raw mut handle, text)
        })?;
        Ok(Loaded { table: self.table, handle, channels: network.channels })
    }
}

/// A batch as a network is given it.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    /// `(n, channels, y, x)`.
    pub pixels: &'a [f32],
    /// How many, rows, columns.
    pub dim: [usize; 3],
    /// Whether logits are given as probabilities.
    pub probabilities: bool,
    /// 0, or under which number the maps are kept for a gradient.
    pub keep: usize,
}

/// A network on a device.
#[derive(Debug)]
pub struct Loaded {
    table: Table,
    handle: *mut c_void,
    channels: usize,
}

// SAFETY: the interface lets any thread use a handle, one at a time; methods take `&mut self`.
unsafe impl Send for Loaded {}

impl Loaded {
    /// Takes new parameters.
    pub fn take(&mut self, parameters: &[f32]) -> Result<(), Absent> {
        // SAFETY: an open handle, and an array of its own length.
        told("taking parameters", |text| unsafe {
            (self.table.take)(self.handle, parameters.as_ptr(), parameters.len(), text)
        })
    }

    /// Begins a batch in a place below [`interface::PLACES`].
    pub fn put(&mut self, place: usize, images: &Images<'_>) -> Result<(), Absent> {
        const WHAT: &str = "beginning a batch";
        let Images { pixels, dim, probabilities, keep } = *images;
        if pixels.len() != dim.iter().product::<usize>() * self.channels {
            let reason = format!("{} pixels for {dim:?}", pixels.len());
            return Err(Absent::Failed { what: WHAT, reason });
        }
        let batch = Batch {
            size: size_of::<Batch>(),
            dim,
            pixels: pixels.as_ptr(),
            n_pixels: pixels.len(),
            probabilities: u32::from(probabilities),
            keep,
        };
        // SAFETY: an open handle; the array lives through the call with the length given.
        told(WHAT, |text| unsafe {
            (self.table.put)(self.handle, place, &raw const batch, text)
        })
    }

    /// Waits for the batch in `place` and writes its output.
    pub fn get(&mut self, place: usize, out: &mut [f32]) -> Result<(), Absent> {
        // SAFETY: an open handle, and an array of its own length.
        told("computing a batch", |text| unsafe {
            (self.table.get)(self.handle, place, out.as_mut_ptr(), out.len(), text)
        })
    }

    /// Computes a batch alone and waits for it.
    pub fn forward(&mut self, images: &Images<'_>, out: &mut [f32]) -> Result<(), Absent> {
        self.put(0, images)?;
        self.get(0, out)
    }

    /// Gradient by the parameters into `gradient`, from that by the output of what was kept.
    pub fn gradient(
        &mut self,
        kept: usize,
        by_output: &[f32],
        gradient: &mut [f32],
    ) -> Result<(), Absent> {
        let (n_output, n) = (by_output.len(), gradient.len());
        // SAFETY: an open handle; both arrays live through the call with the lengths given.
        told("computing a gradient", |text| unsafe {
            let (by_output, to) = (by_output.as_ptr(), gradient.as_mut_ptr());
            (self.table.gradient)(self.handle, kept, by_output, n_output, to, n, text)
        })
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: an open handle that nobody uses after this.
        unsafe { (self.table.close)(self.handle) }
    }
}

/// Calls, and takes the words where it failed.
fn told(what: &'static str, call: impl FnOnce(*mut Text) -> i32) -> Result<(), Absent> {
    let mut room = [0_u8; ROOM];
    let mut text = Text { at: room.as_mut_ptr().cast(), room: ROOM };
    if call(&raw mut text) == 0 {
        return Ok(());
    }
    room[ROOM - 1] = 0;
    let words = CStr::from_bytes_until_nul(&room).unwrap_or_default().to_string_lossy();
    let reason = words.lines().next().unwrap_or_default().to_owned();
    Err(Absent::Failed { what, reason })
}
