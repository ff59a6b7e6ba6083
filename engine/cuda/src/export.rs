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
    if let Some(text) =
        unsafe { text.as_mut() }.filter(|text| text.room > 0 && !text.at.is_null())
    {
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

/// An array of the caller's; null is one of no number.
///
/// # Safety
/// `n` numbers lie there, which nobody writes meanwhile.
unsafe fn array<'a, T>(at: *const T, n: usize) -> Result<&'a [T]> {
    match (n, at.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(Error::msg("an array that is null")),
        // SAFETY: the caller's promise.
        _ => Ok(unsafe { slice::from_raw_parts(at, n) }),
    }
}

/// The same, to be written.
///
/// # Safety
/// `n` numbers lie there, which nobody else uses meanwhile.
unsafe fn array_mut<'a, T>(at: *mut T, n: usize) -> Result<&'a mut [T]> {
    match (n, at.is_null()) {
        (0, _) => Ok(&mut []),
        (_, true) => Err(Error::msg("an array that is null")),
        // SAFETY: the caller's promise.
        _ => Ok(unsafe { slice::from_raw_parts_mut(at, n) }),
    }
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
            (array(given.steps, given.n_steps)?, array(given.parameters, given.n_parameters)?)
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
        let (network, parameters) = unsafe { (network(handle)?, array(parameters, n)?) };
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
        let pixels = unsafe { array(batch.pixels, batch.n_pixels)? };
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
        let (network, to) = unsafe { (network(handle)?, array_mut(to, n)?) };
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
        let (network, by_output, to) =
            unsafe { (network(handle)?, array(by_output, n_output)?, array_mut(to, n)?) };
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::CStr;
    use std::ptr;
    use std::result::Result;

    use super::*;
    use crate::interface::{CONVOLVE, LOGITS, POOL, Step, UP};

    /// Calls, and takes the words where it failed.
    fn said(call: impl FnOnce(*mut Text) -> i32) -> Result<(), String> {
        let mut room = [1_u8; 96];
        let mut text = Text { at: room.as_mut_ptr().cast(), room: room.len() };
        if call(&raw mut text) == 0 {
            return Ok(());
        }
        let words = CStr::from_bytes_until_nul(&room).expect("words that end");
        let words = words.to_str().expect("words in UTF-8");
        Err(words.lines().next().unwrap_or_default().to_owned())
    }

    /// Numbers that look random, from a seed.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, n: usize) -> usize {
            self.0 =
                self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (self.0 >> 33) as usize % n
        }

        fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
            all[self.roll(all.len())]
        }

        /// Mostly `usual`, at times one that is not.
        fn mostly(&mut self, usual: usize) -> usize {
            if self.roll(12) > 0 {
                usual
            } else {
                self.one_of(&[0, 1, 3, 8, 64, usual + 1, 4097])
            }
        }
    }

    /// A U-Net of one pooling, `(n, 2, y, x)` to `(n, 1, y, x)`.
    fn steps() -> (Vec<Step>, usize) {
        let shapes = [
            (CONVOLVE, 0, 1, 0, 2, 3, 9),
            (POOL, 1, 2, 0, 0, 0, 0),
            (CONVOLVE, 2, 3, 0, 3, 4, 9),
            (UP, 3, 1, 1, 4, 2, 4),
            (CONVOLVE, 1, 4, 0, 5, 2, 9),
            (LOGITS, 4, 0, 0, 2, 1, 1),
        ];
        let mut n = 0;
        let mut step = |(kind, source, target, group, channels_in, channels_out, taps)| {
            let weight = n;
            let bias = weight + u64::from(channels_in * channels_out * taps);
            n = bias + u64::from(channels_out);
            let dilation = u32::from(kind == CONVOLVE);
            Step {
                kind,
                source,
                target,
                group,
                dilation,
                channels_in,
                channels_out,
                weight,
                bias,
            }
        };
        let steps = shapes.map(&mut step).to_vec();
        (steps, n as usize)
    }

    fn spoil(step: &mut Step, dice: &mut Dice) {
        let odd = dice.one_of(&[0, 1, 2, 3, 5, 64, 65, 1 << 16, u32::MAX]);
        let fields = [
            &mut step.kind,
            &mut step.source,
            &mut step.target,
            &mut step.group,
            &mut step.dilation,
            &mut step.channels_in,
            &mut step.channels_out,
        ];
        match dice.roll(9) {
            7 => step.weight = u64::MAX - u64::from(odd),
            8 => step.bias = u64::from(odd),
            at => *fields.into_iter().nth(at).expect("a field") = odd,
        }
    }

    /// What a round of calls came to.
    #[derive(Debug, Default)]
    struct Seen {
        n_opened: usize,
        n_computed: usize,
        n_gradients: usize,
        refusals: BTreeMap<String, usize>,
    }

    impl Seen {
        fn note(&mut self, said: Result<(), String>) -> bool {
            if let Err(words) = &said {
                assert!(!words.is_empty() && !words.starts_with("panic"), "{words}");
                let kind = words.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
                *self.refusals.entry(kind.to_owned()).or_default() += 1;
            }
            said.is_ok()
        }
    }

    #[test]
    fn calls_that_make_no_sense_end_with_words() {
        let (mut dice, mut seen) = (Dice(7), Seen::default());
        for _ in 0..1500 {
            let (mut steps, n) = steps();
            for _ in 0..dice.one_of(&[0, 0, 0, 1, 1, 2]) {
                let at = dice.roll(steps.len());
                spoil(&mut steps[at], &mut dice);
            }
            let parameters = vec![0.25_f32; dice.mostly(n)];
            let given = Given {
                size: dice.mostly(size_of::<Given>()),
                steps: steps.as_ptr(),
                n_steps: dice.roll(24).checked_sub(18).unwrap_or(6).min(6),
                parameters: parameters.as_ptr(),
                n_parameters: parameters.len(),
                channels: dice.mostly(2) as u32,
                precision: dice.mostly(0) as u32,
            };
            let device = if dice.roll(12) > 0 { CPU } else { dice.one_of(&[0, 3, i32::MIN]) };
            let mut handle = ptr::null_mut();
            // SAFETY: the arrays are as long as is said; what they say is what is tried.
            let opened =
                said(|text| unsafe { open(device, &raw const given, &raw mut handle, text) });
            assert_eq!(opened.is_ok(), !handle.is_null());
            if seen.note(opened) {
                seen.n_opened += 1;
                use_it(handle, &mut dice, &mut seen, n);
                // SAFETY: opened above, and used by nobody any more.
                unsafe { close(handle) };
            }
        }
        assert!(seen.n_opened > 400 && seen.n_computed > 200 && seen.n_gradients > 100);
        assert!(seen.refusals.len() > 10);
    }

    /// Some calls of an open handle.
    fn use_it(handle: *mut c_void, dice: &mut Dice, seen: &mut Seen, n_parameters: usize) {
        for _ in 0..3 {
            let dim = [1 + dice.roll(2), 2 * dice.mostly(2), 2 * dice.mostly(3)];
            let pixels = vec![0.5_f32; dice.mostly(dim.iter().product::<usize>() * 2)];
            let keep = dice.one_of(&[0, 1, 1, 2, 5000]);
            let batch = Batch {
                size: dice.mostly(size_of::<Batch>()),
                dim,
                pixels: pixels.as_ptr(),
                n_pixels: pixels.len(),
                probabilities: dice.roll(2) as u32,
                keep,
            };
            let place = dice.one_of(&[0, 1, 1, 2, usize::MAX]);
            // SAFETY: an open handle, and arrays as long as is said.
            unsafe {
                seen.note(said(|text| put(handle, place, &raw const batch, text)));
                let mut out = vec![0.0_f32; dice.mostly(dim.iter().product())];
                let to = out.as_mut_ptr();
                let place = dice.one_of(&[0, 1]);
                let found = said(|text| get(handle, place, to, out.len(), text));
                seen.n_computed += usize::from(seen.note(found));
                let mut gradient_ = vec![0.0_f32; dice.mostly(n_parameters)];
                let (to, n) = (gradient_.as_mut_ptr(), gradient_.len());
                let by = (out.as_ptr(), out.len());
                let kept = dice.one_of(&[0, 1, 1, 2, usize::MAX]);
                let found = said(|text| gradient(handle, kept, by.0, by.1, to, n, text));
                seen.n_gradients += usize::from(seen.note(found));
                let taken = said(|text| take(handle, gradient_.as_ptr(), n, text));
                seen.note(taken);
            }
        }
    }

    #[test]
    fn what_is_null_is_refused() {
        let (null, text) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: every pointer is null, and none is to be read.
        let codes = unsafe {
            [
                memory(CPU, ptr::null_mut(), text),
                open(CPU, ptr::null(), ptr::null_mut(), text),
                take(null, ptr::null(), 0, text),
                put(null, 0, ptr::null(), text),
                get(null, 0, ptr::null_mut(), 0, text),
                gradient(null, 1, ptr::null(), 0, ptr::null_mut(), 0, text),
            ]
        };
        assert_eq!(codes, [1; 6]);
        // SAFETY: a handle that is null has nothing to end.
        unsafe { close(null) };
        let (steps, n) = steps();
        let mut given = Given {
            size: size_of::<Given>(),
            steps: ptr::null(),
            n_steps: steps.len(),
            parameters: ptr::null(),
            n_parameters: n,
            channels: 2,
            precision: 0,
        };
        let words = |given: &Given| {
            let mut handle = ptr::null_mut();
            // SAFETY: arrays are as long as is said, or null.
            said(|text| unsafe { open(CPU, given, &raw mut handle, text) }).unwrap_err()
        };
        assert_eq!(words(&given), "an array that is null");
        (given.n_steps, given.n_parameters) = (0, 0);
        assert_eq!(words(&given), "a network without a step");
    }
}
