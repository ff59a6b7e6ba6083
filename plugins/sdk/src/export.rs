//! From the traits to the C tables; for the macro only.
//!
//! Each function of a table is an `extern "C"` function that checks what it was given, calls the
//! trait inside `catch_unwind`, and writes a reason into the caller's buffer when that fails.
#![expect(unsafe_code, reason = "the plugin's side of the C ABI")]

use std::any::Any;
use std::ffi::c_void;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::abi::{
    self, Description, ErrorText, Host, Plugin, Request, Response, Status, Str, Unit, Volume,
};
use crate::{Call, Extractor, Refused, RefusedKind, Scorer, VolumeView};

/// The table that a library exports.
pub const fn table(id: &'static str, version: &'static str, units: &'static [Unit]) -> Plugin {
    Plugin {
        magic: abi::MAGIC,
        struct_size: size_of::<Plugin>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        n_units: units.len() as u32,
        id: Str::new(id),
        version: Str::new(version),
        units: units.as_ptr(),
    }
}

/// The table of an extractor.
pub const fn extractor<E: Extractor>(id: &'static str) -> Unit {
    unit::<AnExtractor<E>>(id)
}

/// The table of a scorer.
pub const fn scorer<S: Scorer>(id: &'static str) -> Unit {
    unit::<AScorer<S>>(id)
}

/// What extractors and scorers have in common.
trait Runs: Sized {
    const KIND: u32;
    fn open(config: &str, folder: &Path) -> Result<Self, Refused>;
    fn inputs(&self) -> &[String];
    fn outputs(&self) -> &[String];
    fn deterministic(&self) -> bool;
    /// Slots of `out` and of `contributions`, for a given number of inputs and outputs.
    fn slots(n_in: usize, n_out: usize) -> (usize, usize);
    fn run(&self, job: Job<'_>) -> Result<(), Refused>;
}

/// One call with its buffers.
struct Job<'a> {
    volume: Option<VolumeView<'a>>,
    inputs: &'a [f64],
    out: &'a mut [f64],
    contributions: &'a mut [f64],
    base: &'a mut f64,
    call: &'a mut Call<'a>,
}

struct AnExtractor<E>(E);

impl<E: Extractor> Runs for AnExtractor<E> {
    const KIND: u32 = abi::KIND_EXTRACTOR;
    fn open(config: &str, folder: &Path) -> Result<Self, Refused> {
        E::open(config, folder).map(Self)
    }
    fn inputs(&self) -> &[String] {
        self.0.inputs()
    }
    fn outputs(&self) -> &[String] {
        self.0.outputs()
    }
    fn deterministic(&self) -> bool {
        self.0.deterministic()
    }
    fn slots(_: usize, n_out: usize) -> (usize, usize) {
        (n_out, 0)
    }
    fn run(&self, job: Job<'_>) -> Result<(), Refused> {
        let volume = job.volume.ok_or_else(|| Refused::input("an extractor needs a volume"))?;
        job.out.fill(f64::NAN);
        self.0.extract(&volume, job.inputs, job.out, job.call)
    }
}

struct AScorer<S>(S);

impl<S: Scorer> Runs for AScorer<S> {
    const KIND: u32 = abi::KIND_SCORER;
    fn open(config: &str, folder: &Path) -> Result<Self, Refused> {
        S::open(config, folder).map(Self)
    }
    fn inputs(&self) -> &[String] {
        self.0.inputs()
    }
    fn outputs(&self) -> &[String] {
        &[]
    }
    fn deterministic(&self) -> bool {
        self.0.deterministic()
    }
    fn slots(n_in: usize, _: usize) -> (usize, usize) {
        (1, n_in)
    }
    fn run(&self, job: Job<'_>) -> Result<(), Refused> {
        job.contributions.fill(0.0);
        let score = self.0.score(job.inputs, job.contributions, job.call)?;
        job.out[0] = score.risk;
        *job.base = score.base;
        Ok(())
    }
}

/// An open unit; the names are its own copies, so that the pointers in `described` hold.
struct Instance<R> {
    unit: R,
    host: *const Host,
    names: [Vec<String>; 2],
    described: [Vec<Str>; 2],
}

const fn unit<R: Runs>(id: &'static str) -> Unit {
    Unit {
        struct_size: size_of::<Unit>() as u32,
        kind: R::KIND,
        id: Str::new(id),
        create: Some(create::<R>),
        describe: Some(describe::<R>),
        run: Some(run::<R>),
        destroy: Some(destroy::<R>),
    }
}

unsafe extern "C" fn create<R: Runs>(
    host: *const Host,
    config: Str,
    folder: Str,
    instance: *mut *mut c_void,
    error: *mut ErrorText,
) -> Status {
    guarded(error, || {
        // SAFETY: the host promises that both texts live during this call.
        let (config, folder) = unsafe { (text(config)?, text(folder)?) };
        let unit = R::open(config, Path::new(folder))?;
        let names = [unit.inputs().to_vec(), unit.outputs().to_vec()];
        let described =
            [0, 1].map(|side: usize| names[side].iter().map(|name| Str::new(name)).collect());
        let opened = Box::new(Instance { unit, host, names, described });
        // SAFETY: the host promises room for one pointer.
        unsafe { instance.write(Box::into_raw(opened).cast()) };
        Ok(())
    })
}

unsafe extern "C" fn describe<R: Runs>(
    instance: *mut c_void,
    description: *mut Description,
    error: *mut ErrorText,
) -> Status {
    guarded(error, || {
        // SAFETY: the host promises an instance of `create::<R>`, not yet destroyed.
        let instance = unsafe { &*instance.cast::<Instance<R>>() };
        let [inputs, outputs] = &instance.described;
        // SAFETY: the host promises a description of at least the size it carries.
        let description = unsafe { &mut *description };
        full_size(description.struct_size, size_of::<Description>())?;
        description.flags =
            if instance.unit.deterministic() { abi::FLAG_DETERMINISTIC } else { 0 };
        description.n_in = inputs.len() as u32;
        description.n_out = outputs.len() as u32;
        description.in_names = inputs.as_ptr();
        description.out_names = outputs.as_ptr();
        Ok(())
    })
}

unsafe extern "C" fn run<R: Runs>(
    instance: *mut c_void,
    request: *const Request,
    response: *mut Response,
    error: *mut ErrorText,
) -> Status {
    guarded(error, || {
        // SAFETY: the host promises an instance of `create::<R>` and structs of at least the
        // sizes they carry, for this call.
        let (instance, request, response) =
            unsafe { (&*instance.cast::<Instance<R>>(), &*request, &mut *response) };
        full_size(request.struct_size, size_of::<Request>())?;
        full_size(response.struct_size, size_of::<Response>())?;
        let [inputs, outputs] = &instance.names;
        let (n_out, n_contributions) = R::slots(inputs.len(), outputs.len());
        counted("inputs", request.n_in, inputs.len())?;
        counted("outputs", response.n_out, n_out)?;
        counted("contributions", response.n_contributions, n_contributions)?;
        // SAFETY: the counts were checked, the buffers are the host's and do not overlap.
        let (inputs, out, contributions) = unsafe {
            (
                values(request.input, inputs.len()),
                values_mut(response.out, n_out),
                values_mut(response.contributions, n_contributions),
            )
        };
        // SAFETY: null, or a volume that lives during this call.
        let volume = unsafe { request.volume.as_ref() }.map(view).transpose()?;
        let mut poll = |share: f32| poll(instance.host, request.job, share);
        let call = &mut Call::new(&mut poll);
        let base = &mut response.base;
        instance.unit.run(Job { volume, inputs, out, contributions, base, call })
    })
}

unsafe extern "C" fn destroy<R: Runs>(instance: *mut c_void) {
    if instance.is_null() {
        return;
    }
    // SAFETY: the host promises an instance of `create::<R>`, which it will not use again.
    let instance = unsafe { Box::from_raw(instance.cast::<Instance<R>>()) };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(instance))) {
        std::mem::forget(payload);
    }
}

/// Runs `work`; a refusal and a panic end as text in `error`.
fn guarded(error: *mut ErrorText, work: impl FnOnce() -> Result<(), Refused>) -> Status {
    let refused = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return abi::OK,
        Ok(Err(refused)) => refused,
        Err(payload) => {
            let text = format!("panicked: {}", panic_text(&*payload));
            // A payload whose own drop panics must not leave the library either.
            std::mem::forget(payload);
            Refused { kind: RefusedKind::Panic, text }
        }
    };
    // SAFETY: null, or the caller's struct.
    if let Some(error) = unsafe { error.as_mut() } {
        write_text(error, &refused.text);
    }
    refused.kind.status()
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Writes as much of `text` as fits, cut between characters.
fn write_text(error: &mut ErrorText, text: &str) {
    if error.buf.is_null() || full_size(error.struct_size, size_of::<ErrorText>()).is_err() {
        return;
    }
    let len = text.floor_char_boundary(error.cap as usize);
    // SAFETY: the caller promises `cap` bytes at `buf`, and `len` is at most `cap`.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), error.buf, len) };
    error.len = len as u32;
}

/// Refuses a struct that is older than every field used here.
fn full_size(found: u32, needed: usize) -> Result<(), Refused> {
    if (found as usize) < needed {
        return Err(Refused::unsupported(format!(
            "the host's tables are older than this plugin: {found} bytes for {needed}"
        )));
    }
    Ok(())
}

fn counted(what: &str, found: u32, wanted: usize) -> Result<(), Refused> {
    if found as usize != wanted {
        return Err(Refused::internal(format!("{found} {what} for {wanted} described")));
    }
    Ok(())
}

fn poll(host: *const Host, job: u64, share: f32) -> ControlFlow<()> {
    // SAFETY: null, or a host that lives as long as the instance.
    let Some((host, Some(poll))) = (unsafe { host.as_ref() }).map(|h| (h, h.poll)) else {
        return ControlFlow::Continue(());
    };
    // SAFETY: the host promises that its function takes its own `ctx`.
    match unsafe { poll(host.ctx, job, share) } {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

/// # Safety
/// `text` must point at its `len` bytes for as long as the result is used.
unsafe fn text<'a>(text: Str) -> Result<&'a str, Refused> {
    if text.len == 0 {
        return Ok("");
    }
    // SAFETY: promised by the caller.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr, text.len as usize) };
    std::str::from_utf8(bytes).map_err(|_| Refused::config("a text that is not UTF-8"))
}

/// # Safety
/// `at` must point at `len` values for as long as the result is used, unless `len` is 0.
unsafe fn values<'a, T>(at: *const T, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(at, len) }
}

/// # Safety
/// As for [`values`], and nothing else may use them meanwhile.
unsafe fn values_mut<'a, T>(at: *mut T, len: usize) -> &'a mut [T] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts_mut(at, len) }
}

fn view(volume: &Volume) -> Result<VolumeView<'_>, Refused> {
    full_size(volume.struct_size, size_of::<Volume>())?;
    let shape = [volume.nz as usize, volume.ny as usize, volume.nx as usize];
    let voxels = shape[0]
        .checked_mul(shape[1])
        .and_then(|area| area.checked_mul(shape[2]))
        .ok_or_else(|| Refused::input(format!("a volume of {shape:?} voxels")))?;
    if voxels > 0 && (volume.hu.is_null() || volume.mask.is_null()) {
        return Err(Refused::input("a volume without voxels or without a mask"));
    }
    // SAFETY: the host promises that many voxels and slices, read only, for this call.
    let (hu, mask, slice_origins_mm, slice_pos_mm) = unsafe {
        (
            values(volume.hu, voxels),
            values(volume.mask, voxels),
            values(volume.slice_origin_mm.cast::<[f64; 3]>(), shape[0]),
            values(volume.slice_pos_mm, shape[0]),
        )
    };
    let d = volume.direction;
    let direction = [0, 3, 6].map(|at: usize| [d[at], d[at + 1], d[at + 2]]);
    let spacing_mm = volume.spacing_mm;
    Ok(VolumeView { hu, mask, shape, spacing_mm, direction, slice_origins_mm, slice_pos_mm })
}
