//! The C tables as Rust sees them: `include/ichor_plugin.h`, field by field.
//!
//! For hosts; an author of a plugin never names these. What each field means, who owns it and
//! who may call is said in the header; `tests/layout.rs` compares the two with a C compiler.
#![expect(unsafe_code, reason = "tables of the C ABI are shared between threads")]

use std::ffi::c_void;

/// "ICH1" in memory, little endian.
pub const MAGIC: u32 = 0x3148_4349;
/// Changes when something breaks, and with it the symbol's name.
pub const ABI_MAJOR: u16 = 1;
/// Rises when something is appended.
pub const ABI_MINOR: u16 = 0;
/// Name of the exported table; a library named `libNAME.so` may append `_NAME`.
pub const SYMBOL: &str = "ichor_plugin_v1";

/// Outcome of a call; see [`crate::RefusedKind`] for the others.
pub type Status = i32;
/// The call did what it was asked for.
pub const OK: Status = 0;

/// Turns a volume and its mask into features.
pub const KIND_EXTRACTOR: u32 = 1;
/// Turns features into a risk.
pub const KIND_SCORER: u32 = 2;
/// The same inputs give the same bits.
pub const FLAG_DETERMINISTIC: u32 = 1;

/// UTF-8, not ended by a NUL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Str {
    /// First byte; may dangle when `len` is 0.
    pub ptr: *const u8,
    /// In bytes.
    pub len: u64,
}

impl Str {
    /// The text at `text`, for as long as that lives.
    pub const fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() as u64 }
    }
}

/// The caller's buffer for the reason of a refusal.
#[repr(C)]
#[derive(Debug)]
pub struct ErrorText {
    /// Size of this struct.
    pub struct_size: u32,
    /// Bytes at `buf`.
    pub cap: u32,
    /// Bytes written.
    pub len: u32,
    /// 0.
    pub reserved: u32,
    /// Where the text goes.
    pub buf: *mut u8,
}

/// What the host does for a plugin.
#[repr(C)]
#[derive(Debug)]
pub struct Host {
    /// Size of this struct.
    pub struct_size: u32,
    /// The host's [`ABI_MAJOR`].
    pub abi_major: u16,
    /// The host's [`ABI_MINOR`].
    pub abi_minor: u16,
    /// Handed back to `poll`.
    pub ctx: *mut c_void,
    /// Takes the progress of `job`; not 0: stop.
    pub poll: Option<unsafe extern "C" fn(ctx: *mut c_void, job: u64, progress: f32) -> i32>,
}

/// A head CT with its hematoma.
#[repr(C)]
#[derive(Debug)]
pub struct Volume {
    /// Size of this struct.
    pub struct_size: u32,
    /// Columns.
    pub nx: u32,
    /// Rows.
    pub ny: u32,
    /// Slices.
    pub nz: u32,
    /// Hounsfield units, `(z, y, x)`.
    pub hu: *const i16,
    /// 1 in the hematoma, else 0.
    pub mask: *const u8,
    /// z, y, x.
    pub spacing_mm: [f64; 3],
    /// Unit vectors of the normal, rising y, rising x.
    pub direction: [f64; 9],
    /// `nz` times x, y, z.
    pub slice_origin_mm: *const f64,
    /// `nz` positions along the normal.
    pub slice_pos_mm: *const f64,
}

/// What a call is given.
#[repr(C)]
#[derive(Debug)]
pub struct Request {
    /// Size of this struct.
    pub struct_size: u32,
    /// Values at `input`.
    pub n_in: u32,
    /// Handed back to `poll`.
    pub job: u64,
    /// Null for a scorer.
    pub volume: *const Volume,
    /// NaN where missing.
    pub input: *const f64,
}

/// Where a call puts its results.
#[repr(C)]
#[derive(Debug)]
pub struct Response {
    /// Size of this struct.
    pub struct_size: u32,
    /// Slots at `out`.
    pub n_out: u32,
    /// Features, or the probability.
    pub out: *mut f64,
    /// Slots at `contributions`.
    pub n_contributions: u32,
    /// 0.
    pub reserved: u32,
    /// Log-odds, one an input.
    pub contributions: *mut f64,
    /// Log-odds.
    pub base: f64,
}

/// What an instance takes and gives.
#[repr(C)]
#[derive(Debug)]
pub struct Description {
    /// Size of this struct.
    pub struct_size: u32,
    /// Of `FLAG_…`.
    pub flags: u32,
    /// Names at `in_names`.
    pub n_in: u32,
    /// Names at `out_names`.
    pub n_out: u32,
    /// The instance's.
    pub in_names: *const Str,
    /// The instance's.
    pub out_names: *const Str,
}

/// Opens an instance.
pub type Create =
    unsafe extern "C" fn(*const Host, Str, Str, *mut *mut c_void, *mut ErrorText) -> Status;
/// Tells what an instance takes and gives.
pub type Describe =
    unsafe extern "C" fn(*mut c_void, *mut Description, *mut ErrorText) -> Status;
/// Does the work.
pub type Run =
    unsafe extern "C" fn(*mut c_void, *const Request, *mut Response, *mut ErrorText) -> Status;
/// Frees an instance.
pub type Destroy = unsafe extern "C" fn(*mut c_void);

/// An extractor or a scorer.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    /// Size of this struct.
    pub struct_size: u32,
    /// One of `KIND_…`.
    pub kind: u32,
    /// Within the plugin.
    pub id: Str,
    /// Never null in a valid table.
    pub create: Option<Create>,
    /// Never null in a valid table.
    pub describe: Option<Describe>,
    /// Never null in a valid table.
    pub run: Option<Run>,
    /// Never null in a valid table.
    pub destroy: Option<Destroy>,
}

/// The exported table.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Plugin {
    /// [`MAGIC`].
    pub magic: u32,
    /// Size of this struct.
    pub struct_size: u32,
    /// [`ABI_MAJOR`] that the plugin was built for.
    pub abi_major: u16,
    /// [`ABI_MINOR`] that the plugin was built for.
    pub abi_minor: u16,
    /// Units at `units`.
    pub n_units: u32,
    /// The plugin's id.
    pub id: Str,
    /// The plugin's version.
    pub version: Str,
    /// Each with its own `struct_size`, all of the same size.
    pub units: *const Unit,
}

// SAFETY: a table is constant data; its pointers lead to constant data and to functions.
unsafe impl Sync for Unit {}
// SAFETY: as for `Unit`.
unsafe impl Sync for Plugin {}
