//! The table that the library exports.

#![expect(unsafe_code, reason = "the table that the engine calls")]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use candle_core::{Device, Error, Result};

use crate::interface::{Batch, CPU, Memory, Network as Given, Table, Text, VERSION};
use crate::network::{Network, Seen};

/// What the engine looks for.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "a symbol of the library")]
pub static ICHOR_CUDA: Table = Table {
    version: VERSION,
    cuda: cfg!(feature = "cuda") as u32,
    size: size_of::<Table>(),
    memory,
    open,
    take,
    put,
    get,
    gradient,
    close,
};

/// Runs `body`, and hands out why it failed.
fn told(text: *mut Text, body: impl FnOnce() -> Result<()>) -> i32 {
    let done = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|w| (*w).to_owned()));
        Err(Error::msg(format!("panic: {}", words.unwrap_or_default())))
    });
    let Err(error) = done else { return 0 };
    let words = error.to_string();
    // SAFETY: the caller promises a text, or null, whose buffer has `room` bytes.
    if let Some(text) = unsafe { text.as_mut() }.filter(|text| text.room > 0) {
        let n = words.len().min(text.room - 1);
        // SAFETY: as above; `n` and the zero fit in `room`.
        unsafe {
            std::ptr::copy_nonoverlapping(words.as_ptr(), text.at.cast(), n);
            text.at.add(n).write(0);
        }
    }
    1
}

/// The device of a number.
fn device(index: i32) -> Result<Device> {
    match usize::try_from(index) {
        _ if index == CPU => Ok(Device::Cpu),
        #[cfg(feature = "cuda")]
        // A stream of its own, not the calling thread's: any thread may use a handle.
        Ok(index) => Device::new_cuda_with_stream(index),
        _ => Err(Error::msg(format!("this library has no device {index}"))),
    }
}

/// Fails where the caller's struct is of another size.
fn sized(found: usize, wanted: usize) -> Result<()> {
    if found == wanted { Ok(()) } else { Err(Error::msg("a struct of another size")) }
}

unsafe extern "C" fn memory(index: i32, to: *mut Memory, text: *mut Text) -> i32 {
    told(text, || {
        // SAFETY: the caller promises a struct that it owns.
        let to = unsafe { to.as_mut() }.ok_or_else(|| Error::msg("nowhere to write"))?;
        sized(to.size, size_of::<Memory>())?;
        (to.free, to.total) = free(&device(index)?)?;
        Ok(())
    })
}

#[cfg(feature = "cuda")]
fn free(device: &Device) -> Result<(u64, u64)> {
    let Device::Cuda(cuda) = device else { return Ok((0, 0)) };
    let stream = cuda.cuda_stream();
    let (free, total) = stream.context().mem_get_info().map_err(Error::wrap)?;
    Ok((free as u64, total as u64))
}

#[cfg(not(feature = "cuda"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as with CUDA")]
fn free(_: &Device) -> Result<(u64, u64)> {
    Ok((0, 0))
}

unsafe extern "C" fn open(
    index: i32,
    given: *const Given,
    handle: *mut *mut c_void,
    text: *mut Text,
) -> i32 {
    told(text, || {
        // SAFETY: the caller promises a struct, its two arrays, and room for the handle.
        let (given, handle) = unsafe { (given.as_ref(), handle.as_mut()) };
        let (Some(given), Some(handle)) = (given, handle) else {
            return Err(Error::msg("no network is given"));
        };
        sized(given.size, size_of::<Given>())?;
        // SAFETY: as above, for the arrays.
        let (steps, parameters) = unsafe {
            (
                slice::from_raw_parts(given.steps, given.n_steps),
                slice::from_raw_parts(given.parameters, given.n_parameters),
            )
        };
        let (channels, precision) = (given.channels as usize, given.precision);
        let network =
            Network::new(device(index)?, steps.to_vec(), channels, parameters, precision)?;
        *handle = Box::into_raw(Box::new(network)).cast();
        Ok(())
    })
}

/// The network of a handle.
///
/// # Safety
/// The handle is one of `open`, not yet closed, and used by this thread alone.
unsafe fn network<'a>(handle: *mut c_void) -> Result<&'a mut Network> {
    // SAFETY: the caller's promise.
    unsafe { handle.cast::<Network>().as_mut() }.ok_or_else(|| Error::msg("no handle is given"))
}

unsafe extern "C" fn take(
    handle: *mut c_void,
    parameters: *const f32,
    n: usize,
    text: *mut Text,
) -> i32 {
    told(text, || {
        // SAFETY: the caller promises a handle and `n` numbers.
        let (network, parameters) =
            unsafe { (network(handle)?, slice::from_raw_parts(parameters, n)) };
        network.take(parameters)
    })
}

unsafe extern "C" fn put(
    handle: *mut c_void,
    place: usize,
    batch: *const Batch,
    text: *mut Text,
) -> i32 {
    told(text, || {
        // SAFETY: the caller promises a handle and a batch whose lengths are right.
        let (network, batch) = unsafe { (network(handle)?, batch.as_ref()) };
        let batch = batch.ok_or_else(|| Error::msg("no batch is given"))?;
        sized(batch.size, size_of::<Batch>())?;
        // SAFETY: as above.
        let pixels = unsafe { slice::from_raw_parts(batch.pixels, batch.n_pixels) };
        let (probabilities, keep) = (batch.probabilities != 0, batch.keep);
        network.put(place, &Seen { pixels, dim: batch.dim, probabilities, keep })
    })
}

unsafe extern "C" fn get(
    handle: *mut c_void,
    place: usize,
    to: *mut f32,
    n: usize,
    text: *mut Text,
) -> i32 {
    told(text, || {
        // SAFETY: the caller promises a handle and an array of this length.
        let (network, to) = unsafe { (network(handle)?, slice::from_raw_parts_mut(to, n)) };
        network.get(place, to)
    })
}

unsafe extern "C" fn gradient(
    handle: *mut c_void,
    kept: usize,
    by_output: *const f32,
    n_output: usize,
    to: *mut f32,
    n: usize,
    text: *mut Text,
) -> i32 {
    told(text, || {
        // SAFETY: the caller promises a handle and two arrays of these lengths.
        let (network, by_output, to) = unsafe {
            (
                network(handle)?,
                slice::from_raw_parts(by_output, n_output),
                slice::from_raw_parts_mut(to, n),
            )
        };
        network.gradient(kept, by_output, to)
    })
}

unsafe extern "C" fn close(handle: *mut c_void) {
    if !handle.is_null() {
        // SAFETY: a handle of `open`, which the caller gives up; a panic stays here.
        let network = unsafe { Box::from_raw(handle.cast::<Network>()) };
        drop(catch_unwind(AssertUnwindSafe(|| drop(network))));
    }
}
