//! The segmentation network on one path of the CPU: planned buffers, slices side by side.
//!
//! Memory: a thread needs [`Cpu::bytes_a_thread`], which is fixed by width, depth and frame
//! (W = 32 at 512 x 512: 0.21 GiB in f32, half of it in bf16).

use std::fmt::{Debug, Formatter};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use ndarray::Array2;

use crate::bits::Bits;
use crate::forward::{Done, Forward, Slice, Slices, StepTime};
use crate::kernels::aligned::Aligned;
use crate::kernels::convolve::{Target, convolve, convolve_up};
use crate::kernels::lanes::Lanes;
use crate::kernels::maps::{HALO, Maps};
use crate::kernels::peak::peak;
use crate::kernels::{pixelwise, winograd};
use crate::measure::thread_cpu_s;
use crate::plan::{Plan, Step};
use crate::reach::{self, Part};
use crate::{NetError, Path};

use super::buffers::Buffers;
use super::layers::{Layer, layers, n_skipped, put_pixels};

/// Slices that run side by side at most: each takes memory of its own.
const MOST_SLICES: usize = 8;

/// A network's weights on one path.
pub(crate) struct Cpu<L: Lanes> {
    path: Path,
    plan: Plan,
    layers: Vec<Layer<L::Number>>,
    /// What every step gives where it sees only air.
    air: Vec<Vec<L::Number>>,
    buffers: Buffers,
    /// Maps that no slice uses right now: memory once touched is kept for the next study.
    spare: Mutex<Vec<Work<L::Number>>>,
}

/// Maps of one thread.
pub(crate) struct Work<T> {
    maps: Vec<Maps<T>>,
    logits: Vec<f32>,
    /// What a convolution needs besides its maps.
    room: Aligned<T>,
    dim: (usize, usize),
}

impl<L: Lanes> Cpu<L> {
    /// Packs the weights, `of` by name, of `plan`.
    pub(crate) fn new<'a>(path: Path, plan: Plan, of: &dyn Fn(&str) -> &'a [f32]) -> Self {
        let layers = layers::<L>(&plan, of);
        let buffers = Buffers::assign(&plan, L::MAPS);
        let mut cpu =
            Self { path, layers, air: Vec::new(), buffers, plan, spare: Mutex::default() };
        cpu.air = vec![Vec::new(); cpu.plan.steps.len()];
        cpu.air = cpu.of_air();
        cpu
    }

    /// Maps for slices of `dim`, `(y, x)`.
    pub(crate) fn work(&self, dim: (usize, usize)) -> Work<L::Number> {
        let maps = self.buffers.maps(&self.plan, dim);
        Work { maps, logits: vec![0.0; dim.0 * dim.1], room: Aligned::default(), dim }
    }

    /// Bytes of maps that a thread holds for slices of `dim`.
    pub(crate) fn bytes_a_thread(&self, (y, x): (usize, usize)) -> usize {
        let bytes = |(level, n_blocks, block): (usize, usize, usize)| {
            let pixels = ((y >> level) + 2 * HALO) * ((x >> level) + 2 * HALO);
            n_blocks * block * pixels * size_of::<L::Number>()
        };
        self.buffers.sizes().map(bytes).sum::<usize>() + 4 * y * x
    }

    fn spare(&self) -> Work<L::Number> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| self.work((0, 0)))
    }

    fn keep(&self, work: Work<L::Number>) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(work);
    }

    /// What each step has to do for this slice.
    pub(crate) fn parts(&self, slice: &Slice) -> Vec<Part> {
        let dim = slice.windowed.dim();
        match &slice.wanted {
            None => reach::whole(&self.plan, dim),
            Some(wanted) => {
                let wanted = Bits::of(wanted.view(), |&here| here);
                let air = Bits::of(slice.windowed.view(), |&value| value == 0.0);
                reach::parts(&self.plan, &wanted, &air, dim)
            }
        }
    }

    /// Probability of one slice.
    pub(crate) fn probability(
        &self,
        work: &mut Work<L::Number>,
        slice: &Slice,
    ) -> Result<Array2<f32>, NetError> {
        let (y, x) = slice.windowed.dim();
        let multiple = self.plan.multiple();
        let fits = |side: usize| side > 0 && side.is_multiple_of(multiple);
        if !fits(y) || !fits(x) {
            return Err(NetError::SliceShape { y, x, multiple });
        }
        if work.dim != (y, x) {
            *work = self.work((y, x));
        }
        let parts = self.parts(slice);
        self.put(work, slice);
        for (at, part) in parts.iter().enumerate() {
            self.step(work, at, part);
        }
        Ok(Self::sigmoid(work, &parts))
    }

    /// Writes the slice to the input.
    fn put(&self, work: &mut Work<L::Number>, slice: &Slice) {
        let pixels = slice.windowed.as_standard_layout();
        let rows = pixels.as_slice().unwrap_or_default().chunks(work.dim.1);
        put_pixels(rows, &mut work.maps[self.buffers.of(0)]);
    }

    /// The probability where it was computed, 0 elsewhere.
    fn sigmoid(work: &Work<L::Number>, parts: &[Part]) -> Array2<f32> {
        let x = work.dim.1;
        let mut out = Array2::zeros(work.dim);
        for span in parts.last().map_or(&[][..], |part| &part.spans) {
            for column in span.x0..span.x1 {
                let logit = work.logits[span.y * x + column];
                out[[span.y, column]] = 1.0 / (1.0 + (-logit).exp());
            }
        }
        out
    }

    /// Runs one step on the maps of `work`.
    pub(crate) fn step(&self, work: &mut Work<L::Number>, at: usize, part: &Part) {
        let (step, layer) = (&self.plan.steps[at], &self.layers[at]);
        let target_slot = step.target();
        let mut target =
            target_slot.map(|slot| std::mem::take(&mut work.maps[self.buffers.of(slot)]));
        let source = &work.maps[self.buffers.of(step.source())];
        let spans = &part.spans[..];
        match (step, layer, &mut target) {
            (Step::Convolve { dilation, .. }, Layer::Convolve(weights, bias), Some(maps)) => {
                let target = Target { maps, block: 0, spans };
                convolve::<L>((source, 0), (weights, bias), *dilation, true, target);
            }
            (Step::Convolve { dilation, .. }, Layer::Winograd(weights, bias), Some(maps)) => {
                let target = Target { maps, block: 0, spans };
                let (seen, room) = ((source, 0), &mut work.room);
                winograd::convolve::<L>(seen, (weights, bias), *dilation, true, target, room);
            }
            (Step::Up { target: slot, .. }, Layer::Up(corners, bias), Some(maps)) => {
                let block = n_skipped(&self.plan, *slot, L::MAPS);
                for (corner, weights) in corners.iter().enumerate() {
                    let target = Target { maps, block, spans };
                    let corner = (corner / 2, corner % 2);
                    convolve_up::<L>((source, 0), (weights, bias), corner, target);
                }
            }
            (Step::Pool { target: slot, .. }, _, Some(maps)) => {
                pixelwise::pool::<L>(
                    source,
                    n_skipped(&self.plan, *slot, L::MAPS),
                    maps,
                    spans,
                );
            }
            (Step::Logits { .. }, Layer::Logits(weights, bias), _) => {
                pixelwise::logits::<L>(source, weights, *bias, spans, &mut work.logits);
            }
            _ => {}
        }
        if let (Some(slot), Some(mut maps)) = (target_slot, target) {
            // Last, because a convolution may write beside its spans.
            pixelwise::fill(&mut maps, 0, &self.air[at], &part.air);
            work.maps[self.buffers.of(slot)] = maps;
        }
    }

    /// What every step gives in the middle of a slice of air: all that its first group holds.
    fn of_air(&self) -> Vec<Vec<L::Number>> {
        // Its middle must not see the border: down to the bottleneck a pixel sees less than five
        // times the multiple to each side.
        let side = 12 * self.plan.multiple();
        let dim = (side, side);
        let middle = (side / 2, side / 2);
        let parts = reach::parts(&self.plan, &Bits::one(dim, middle), &Bits::none(dim), dim);
        let mut work = self.work(dim);
        (0..self.plan.steps.len())
            .map(|at| {
                self.step(&mut work, at, &parts[at]);
                let Some(slot) = self.plan.steps[at].target() else { return Vec::new() };
                let maps = &work.maps[self.buffers.of(slot)];
                let level = self.plan.slots[slot].level;
                let n = n_skipped(&self.plan, slot, L::MAPS);
                let channels = |block| {
                    let at = maps.at(block, middle.0 >> level, middle.1 >> level);
                    maps.all()[at..at + L::MAPS].to_vec()
                };
                (0..n).flat_map(channels).collect()
            })
            .collect()
    }
}

impl<L: Lanes> Forward for Cpu<L> {
    fn device(&self) -> String {
        format!("cpu {}", self.path)
    }

    fn bytes_a_slice(&self, dim: (usize, usize)) -> Option<usize> {
        Some(self.bytes_a_thread(dim))
    }

    fn peak(&self) -> Option<f64> {
        Some(peak::<L>())
    }

    fn timed(&self, slice: &Slice) -> Result<Option<Vec<StepTime>>, NetError> {
        let dim = slice.windowed.dim();
        let mut work = self.work(dim);
        // Once unmeasured: it checks the size, and touches the memory.
        self.probability(&mut work, slice)?;
        let (parts, whole) = (self.parts(slice), reach::whole(&self.plan, dim));
        let timed = self.plan.steps.iter().enumerate().map(|(at, step)| {
            let flop = self.plan.flops_a_pixel(step) as f64;
            let corners = if matches!(step, Step::Up { .. }) { 4.0 } else { 1.0 };
            let started = thread_cpu_s();
            self.step(&mut work, at, &parts[at]);
            StepTime {
                name: step.name().to_owned(),
                level: self.plan.slots[step.target().unwrap_or(0)].level,
                flop: flop * corners * parts[at].n_pixels() as f64,
                whole_flop: flop * corners * whole[at].n_pixels() as f64,
                cpu_s: thread_cpu_s() - started,
            }
        });
        Ok(Some(timed.collect()))
    }

    fn run(&self, slices: &Slices<'_>, done: &mut Done<'_>) -> Result<(), NetError> {
        let next = &AtomicUsize::new(0);
        let (send, results) = mpsc::channel();
        thread::scope(move |scope| {
            for _ in 0..n_threads(slices.n) {
                let send = send.clone();
                scope.spawn(move || {
                    let mut work = self.spare();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= slices.n {
                            break;
                        }
                        let computed = self.probability(&mut work, &(slices.make)(index));
                        if send.send((index, computed)).is_err() {
                            break;
                        }
                    }
                    self.keep(work);
                });
            }
            drop(send);
            // Leaving this loop drops the receiver, which stops the threads after their slice.
            for (index, computed) in results {
                if done(index, computed?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

impl<L: Lanes> Debug for Cpu<L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cpu({}, {} steps)", self.path, self.plan.steps.len())
    }
}

/// Slices to run side by side.
pub(crate) fn n_threads(n_slices: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(MOST_SLICES).min(n_slices)
}
