//! A network on GPUs with the CPU behind them.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;

use super::check::known_slice;
use super::describe::{bytes_an_image, describe};
use super::devices::Gpus;
use super::pool::{Image, Output, Pool, Task};
use crate::forward::{Done, Forward, Slices};
use crate::plan::Plan;
use crate::{FRAME, NetError};

/// Names and shapes of a network.
type Tensors = [(String, Vec<usize>)];

/// GPUs where there are some, and the CPU.
#[derive(Debug)]
pub(crate) struct Guarded {
    pool: Result<Arc<Pool>, String>,
    cpu: Box<dyn Forward>,
    /// What computed the last slices.
    device: Mutex<String>,
}

impl Guarded {
    /// Puts the network of `plan`, by its name and hash, on `gpus`; `cpu` is its arithmetic here, `exact` makes the same
    /// in f32, which devices are held against.
    pub(crate) fn new(
        gpus: &Gpus,
        key: (&str, &str),
        (plan, tensors, parameters): (&Plan, &Tensors, Vec<f32>),
        cpu: Box<dyn Forward>,
        exact: &dyn Fn() -> Result<Array2<f32>, NetError>,
    ) -> Result<Self, NetError> {
        let mut failed = None;
        let pool = gpus.pool(key, |precision, patience| Task {
            patience,
            network: describe(plan, tensors, parameters),
            output: Output::Probability,
            precision,
            bytes_an_image: bytes_an_image(plan, (FRAME, FRAME), precision.bytes()),
            known: image(&known_slice()),
            expected: exact().map_or_else(
                |error| {
                    failed = Some(error);
                    Vec::new()
                },
                |map| map.iter().copied().collect(),
            ),
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let device = match &pool {
            Ok(pool) => pool.name(),
            Err(why) => instead(&*cpu, why),
        };
        Ok(Self { pool, cpu, device: Mutex::new(device) })
    }

    /// The slice that `exact` computes.
    pub(crate) fn known_slice() -> Array2<f32> {
        known_slice()
    }

    fn say(&self, device: String) {
        *self.device.lock().unwrap_or_else(PoisonError::into_inner) = device;
    }
}

/// A slice as devices are shown it.
fn image(windowed: &Array2<f32>) -> Image {
    Image { pixels: windowed.iter().copied().collect(), dim: windowed.dim() }
}

/// The CPU in the place of a GPU.
fn instead(cpu: &dyn Forward, why: &str) -> String {
    format!("{} (no GPU: {why})", cpu.device())
}

impl Forward for Guarded {
    fn device(&self) -> String {
        self.device.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn bytes_a_slice(&self, dim: (usize, usize)) -> Option<usize> {
        self.cpu.bytes_a_slice(dim)
    }

    fn peak(&self) -> Option<f64> {
        self.cpu.peak()
    }

    fn run(&self, slices: &Slices<'_>, done: &mut Done<'_>) -> Result<(), NetError> {
        let Ok(pool) = &self.pool else { return self.cpu.run(slices, done) };
        // Those that are there now: one that is lost on the way costs all of it a second run.
        let name = pool.name();
        let dims = RefCell::new(Vec::with_capacity(slices.n));
        let shown = |index| {
            let windowed = (slices.make)(index).windowed;
            dims.borrow_mut().push(windowed.dim());
            image(&windowed)
        };
        match pool.run(slices.n, &shown) {
            Ok(computed) => {
                self.say(name);
                let computed = computed.into_iter().zip(dims.into_inner());
                for (index, (flat, (y, x))) in computed.enumerate() {
                    // As many numbers as pixels were shown.
                    let map =
                        Array2::from_shape_fn((y, x), |(row, column)| flat[row * x + column]);
                    if let ControlFlow::Break(()) = done(index, map) {
                        break;
                    }
                }
                Ok(())
            }
            // All of it again, so that no study is of two devices.
            Err(why) => {
                self.say(instead(&*self.cpu, &format!("{name} failed: {why}")));
                self.cpu.run(slices, done)
            }
        }
    }
}
