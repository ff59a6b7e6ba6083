//! What the arithmetic units could do: multiply-adds that never leave the registers.

use std::hint::black_box;

use super::aligned::{Aligned, Number};
use super::lanes::{Lanes, Work};
use super::maps::BLOCK;
use crate::measure::thread_cpu_s;

/// Multiply-adds of each sum in one run.
const ROUNDS: usize = 2_000_000;

/// FLOP/s of one core, the best of five runs.
pub(crate) fn peak<L: Lanes>() -> f64 {
    let numbers = Aligned::<L::Number>::near(vec![0.5; 2 * BLOCK].into_iter());
    let flop = (2 * sums::<L>() * ROUNDS * BLOCK * L::STEP) as f64;
    let once = |_| {
        let started = thread_cpu_s();
        // SAFETY: the path was chosen for this CPU; 32 numbers are enough for weights and pixel.
        unsafe { L::with(Spin::<L> { numbers: &numbers }) };
        flop / (thread_cpu_s() - started)
    };
    (0..5).map(once).fold(0.0, f64::max)
}

/// Sums that are kept going at once: enough to hide the latency, few enough for the registers.
const fn sums<L: Lanes>() -> usize {
    if L::TWO_BLOCKS { 12 } else { 6 }
}

struct Spin<'a, L: Lanes> {
    numbers: &'a Aligned<L::Number>,
}

impl<L: Lanes> Work<L> for Spin<'_, L> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: below `with`.
        unsafe { if L::TWO_BLOCKS { self.spin::<12>() } else { self.spin::<6>() } }
    }
}

impl<L: Lanes> Spin<'_, L> {
    #[inline(always)]
    unsafe fn spin<const N: usize>(&self) {
        let from = black_box(self.numbers.as_ptr());
        let mut out = [0.0; BLOCK];
        // SAFETY: below `with`; `from` points at 32 numbers, `out` has room for sixteen.
        unsafe {
            let (weights, pixel) = (L::weights(from), L::pixel(from));
            let mut sums = [L::zero(); N];
            for _ in 0..ROUNDS {
                for sum in &mut sums {
                    *sum = L::sum(*sum, weights, pixel);
                }
            }
            for sum in sums {
                L::save(sum, out.as_mut_ptr());
                black_box(&out);
            }
        }
        debug_assert!(out[0].value() > 0.0);
    }
}
