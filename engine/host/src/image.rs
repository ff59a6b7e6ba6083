//! A plugin's library, opened; only ever in a worker.
//!
//! The library is never closed and instances are never destroyed: a process that ends is the one
//! clean way out of foreign code with threads, statics and thread-local destructors.
#![expect(unsafe_code, reason = "the host's side of the C ABI")]

use std::error::Error as _;
use std::ffi::c_void;
use std::mem::{MaybeUninit, offset_of};
use std::path::Path;
use std::ptr::{null, null_mut};

use ichor_plugin::abi::{
    self, Create, Describe, Description, ErrorText, Host, Plugin, Request, Response, Run,
    Status, Str, Unit, Volume,
};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::library::names;
use crate::memory::MappedVolume;
use crate::message::{Geometry, Load, LoadUnit, Opened, Refusal};
use crate::pages::{Pages, WORDS, doubles};

/// The most units, names and bytes of a name that a table may claim.
const MOST_UNITS: u32 = 64;
const MOST_NAMES: u32 = 100_000;
const LONGEST_NAME: u64 = 1024;
/// The bytes of a unit that are read here; an older plugin may end after them.
const NEEDED: usize = offset_of!(Unit, destroy);

/// The units of an open library, in the order in which the manifest has them.
#[derive(Debug)]
pub(crate) struct Image {
    units: Vec<Result<OpenUnit, Refusal>>,
}

/// An instance with the function that runs it.
#[derive(Debug)]
struct OpenUnit {
    kind: u32,
    instance: *mut c_void,
    run: Run,
    opened: Opened,
}

impl Image {
    /// Opens the library at `path` and its units; fails, in words, when it is not what `load`
    /// says. `host` is what the plugin may call.
    pub(crate) fn open(path: &Path, load: &Load, host: &'static Host) -> Result<Self, String> {
        // SAFETY: initialisers of the library run here; this process exists to take that risk.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        // The loader's own words, with the symbol or the library that is not there.
        let library =
            library.map_err(|e| e.source().map_or(e.to_string(), ToString::to_string))?;
        let table = exported(&library, &load.file);
        std::mem::forget(library);
        let tables = checked(table?, load)?;
        let units = load
            .units
            .iter()
            .map(|wanted| Ok(open_unit(find(&tables, wanted)?, wanted, &load.folder, host)))
            .collect::<Result<_, String>>()?;
        Ok(Self { units })
    }

    /// What each unit takes and gives, or why it is not open.
    pub(crate) fn described(&self) -> Vec<Result<Opened, Refusal>> {
        let described = |unit: &Result<OpenUnit, Refusal>| match unit {
            Ok(open) => Ok(open.opened.clone()),
            Err(refusal) => Err(refusal.clone()),
        };
        self.units.iter().map(described).collect()
    }

    /// Runs the unit at `at` on the doubles in `pages`; gives the base.
    pub(crate) fn run(
        &self,
        at: u32,
        job: u64,
        volume: Option<&(Geometry, MappedVolume)>,
        pages: &Pages,
    ) -> Result<f64, Refusal> {
        let unit = match self.units.get(at as usize) {
            Some(Ok(unit)) => unit,
            Some(Err(refusal)) => return Err(refusal.clone()),
            None => return Err(ours("no such unit")),
        };
        unit.call(job, volume.map(|(geometry, mapped)| table_of(geometry, mapped)), pages)
    }
}

impl OpenUnit {
    fn call(&self, job: u64, volume: Option<Volume>, pages: &Pages) -> Result<f64, Refusal> {
        let n_in = self.opened.inputs.len();
        let (n_out, n_contributions) = match self.kind {
            abi::KIND_SCORER => (1, n_in),
            _ => (self.opened.outputs.len(), 0),
        };
        if pages.inputs().len() < n_in || pages.outputs().len() < n_out {
            return Err(ours("pages that are too small"));
        }
        // What the call before left there is none of this one's.
        crate::pages::write(pages.outputs(), &vec![f64::NAN; n_out]);
        crate::pages::write(pages.contributions(), &vec![0.0; n_contributions]);
        let request = Request {
            struct_size: size_of::<Request>() as u32,
            n_in: n_in as u32,
            job,
            volume: volume.as_ref().map_or(null(), std::ptr::from_ref),
            input: doubles(pages.inputs()),
        };
        let mut response = Response {
            struct_size: size_of::<Response>() as u32,
            n_out: n_out as u32,
            out: doubles(pages.outputs()),
            n_contributions: n_contributions as u32,
            reserved: 0,
            contributions: doubles(pages.contributions()),
            base: 0.0,
        };
        with_words(|words| {
            // SAFETY: the instance is open, every buffer has the size it carries and lives
            // during the call; the plugin keeps to its table, or this process ends.
            unsafe { (self.run)(self.instance, &raw const request, &raw mut response, words) }
        })?;
        let counts = (response.n_out as usize, response.n_contributions as usize);
        if counts != (n_out, n_contributions) {
            let (out, contributions) = counts;
            return Err(theirs(&format!("{out} results and {contributions} contributions")));
        }
        Ok(response.base)
    }
}

/// The volume as the C table has it; it borrows from both.
fn table_of(geometry: &Geometry, mapped: &MappedVolume) -> Volume {
    let [nz, ny, nx] = geometry.shape;
    Volume {
        struct_size: size_of::<Volume>() as u32,
        nx,
        ny,
        nz,
        hu: mapped.hu(),
        mask: mapped.mask(),
        spacing_mm: geometry.spacing_mm,
        direction: geometry.direction,
        slice_origin_mm: geometry.slice_origin_mm.as_ptr(),
        slice_pos_mm: geometry.slice_pos_mm.as_ptr(),
    }
}

/// The table that the library exports: under a name with the library's own, else the plain one.
fn exported(library: &Library, file: &str) -> Result<*const Plugin, String> {
    let [named, plain] = names(file);
    for name in [&named, &plain] {
        // SAFETY: a data symbol, of which only the address is taken here.
        let found = unsafe { library.get::<*const Plugin>(name.as_str()) };
        if let Ok(table) = found {
            return Ok(*table);
        }
    }
    Err(format!("it exports neither {named} nor {plain}"))
}

/// The units of a table that is what `load` says.
fn checked(table: *const Plugin, load: &Load) -> Result<Vec<Unit>, String> {
    // SAFETY: every table begins with these two numbers; it is the library's constant data.
    let (magic, size) = unsafe { ((*table).magic, (*table).struct_size) };
    if magic != abi::MAGIC || (size as usize) < size_of::<Plugin>() {
        return Err(format!("its table begins with {magic:#x} and has {size} bytes"));
    }
    // SAFETY: it is at least as large as ours, as was just checked.
    let table = unsafe { &*table };
    // A newer minor has appended fields only, which this host does not read.
    if table.abi_major != abi::ABI_MAJOR {
        let (is, here) = (table.abi_major, abi::ABI_MAJOR);
        return Err(format!("it was built for ABI {is}, this host has {here}"));
    }
    for (what, is, should) in
        [("id", table.id, &load.id), ("version", table.version, &load.version)]
    {
        let is = text(is)?;
        if is != *should {
            return Err(format!("its {what} is {is:?}, the manifest says {should:?}"));
        }
    }
    if table.n_units > MOST_UNITS || table.units.is_null() {
        return Err(format!("{} units where {MOST_UNITS} is the most", table.n_units));
    }
    if table.n_units == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: at least one unit, which begins with its size.
    let stride = unsafe { (*table.units).struct_size } as usize;
    if !(NEEDED..=4096).contains(&stride) || !stride.is_multiple_of(align_of::<Unit>()) {
        return Err(format!("its units have {stride} bytes"));
    }
    let unit = |at: usize| {
        let mut unit = MaybeUninit::<Unit>::zeroed();
        // SAFETY: `n_units` units of `stride` bytes each, as the table says; what an older one
        // lacks stays zero, which is a valid value of every field.
        unsafe {
            let from = table.units.byte_add(at * stride).cast::<u8>();
            let n = stride.min(size_of::<Unit>());
            std::ptr::copy_nonoverlapping(from, unit.as_mut_ptr().cast(), n);
            unit.assume_init()
        }
    };
    Ok((0..table.n_units as usize).map(unit).collect())
}

fn find<'a>(tables: &'a [Unit], wanted: &LoadUnit) -> Result<&'a Unit, String> {
    for table in tables {
        if text(table.id)? == wanted.id {
            return if table.kind == wanted.kind {
                Ok(table)
            } else {
                Err(format!("its unit {} is of another kind than the manifest says", wanted.id))
            };
        }
    }
    Err(format!("it has no unit {}", wanted.id))
}

fn open_unit(
    table: &Unit,
    wanted: &LoadUnit,
    folder: &str,
    host: &'static Host,
) -> Result<OpenUnit, Refusal> {
    let (Some(create), Some(describe), Some(run)) = (table.create, table.describe, table.run)
    else {
        return Err(theirs("its table lacks a function"));
    };
    let instance = created(create, &wanted.config, folder, host)?;
    let opened = described(describe, instance)?;
    Ok(OpenUnit { kind: table.kind, instance, run, opened })
}

fn created(
    create: Create,
    config: &str,
    folder: &str,
    host: &'static Host,
) -> Result<*mut c_void, Refusal> {
    let mut instance = null_mut();
    with_words(|words| {
        // SAFETY: the texts live during the call, the host for ever.
        unsafe { create(host, Str::new(config), Str::new(folder), &raw mut instance, words) }
    })?;
    Ok(instance)
}

fn described(describe: Describe, instance: *mut c_void) -> Result<Opened, Refusal> {
    let mut description = Description {
        struct_size: size_of::<Description>() as u32,
        flags: 0,
        n_in: 0,
        n_out: 0,
        in_names: null(),
        out_names: null(),
    };
    with_words(|words| {
        // SAFETY: the instance is open, the description lives during the call.
        unsafe { describe(instance, &raw mut description, words) }
    })?;
    let names = |at: *const Str, n: u32| -> Result<Vec<String>, Refusal> {
        if n > MOST_NAMES || (n > 0 && at.is_null()) {
            return Err(theirs(&format!("{n} names")));
        }
        // SAFETY: the plugin says that there are `n` names.
        let name = |i: usize| text(unsafe { *at.add(i) }).map(str::to_owned);
        (0..n as usize).map(name).collect::<Result<_, _>>().map_err(|e| theirs(&e))
    };
    Ok(Opened {
        deterministic: description.flags & abi::FLAG_DETERMINISTIC != 0,
        inputs: names(description.in_names, description.n_in)?,
        outputs: names(description.out_names, description.n_out)?,
    })
}

/// Makes a call with room for the plugin's words.
fn with_words(call: impl FnOnce(*mut ErrorText) -> Status) -> Result<(), Refusal> {
    let mut buffer = vec![0_u8; WORDS];
    let mut words = ErrorText {
        struct_size: size_of::<ErrorText>() as u32,
        cap: WORDS as u32,
        len: 0,
        reserved: 0,
        buf: buffer.as_mut_ptr(),
    };
    let status = call(&raw mut words);
    if status == abi::OK {
        return Ok(());
    }
    let said = &buffer[..WORDS.min(words.len as usize)];
    let text = match String::from_utf8_lossy(said) {
        said if said.is_empty() => format!("refused without a word (status {status})"),
        said => said.into_owned(),
    };
    Err(Refusal { status, text })
}

fn text<'a>(text: Str) -> Result<&'a str, String> {
    if text.ptr.is_null() || text.len > LONGEST_NAME {
        return Err(format!("a name of {} bytes", text.len));
    }
    // SAFETY: the plugin says that so many bytes are there, and they live as long as it does.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr, text.len as usize) };
    std::str::from_utf8(bytes).map_err(|_| "a name that is not UTF-8".to_owned())
}

fn ours(text: &str) -> Refusal {
    Refusal { status: 2, text: format!("the host sent {text}") }
}

fn theirs(text: &str) -> Refusal {
    Refusal { status: 5, text: format!("the plugin describes itself wrongly: {text}") }
}
