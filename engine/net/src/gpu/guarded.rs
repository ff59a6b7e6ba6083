//! A network on GPUs with the CPU behind them.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::check::known_slice;
use super::describe::{bytes_a_slice, describe};
use super::devices::Gpus;
use super::pool::{Pool, Task};
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
    /// Puts the network of `plan` on `gpus`; `cpu` is its arithmetic here, `exact` makes the same
    /// in f32, which devices are held against.
    pub(crate) fn new(
        gpus: &Gpus,
        key: &str,
        (plan, tensors, parameters): (&Plan, &Tensors, Vec<f32>),
        cpu: Box<dyn Forward>,
        exact: &dyn Fn() -> Result<ndarray::Array2<f32>, NetError>,
    ) -> Result<Self, NetError> {
        let mut failed = None;
        let pool = gpus.pool(key, |precision| Task {
            network: describe(plan, tensors, parameters),
            precision,
            bytes_a_slice: bytes_a_slice(plan, (FRAME, FRAME), precision.bytes()),
            expected: exact().unwrap_or_else(|error| {
                failed = Some(error);
                ndarray::Array2::zeros((0, 0))
            }),
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let device = match &pool {
            Ok(pool) => pool.name().to_owned(),
            Err(why) => instead(&*cpu, why),
        };
        Ok(Self { pool, cpu, device: Mutex::new(device) })
    }

    /// The slice that `exact` computes.
    pub(crate) fn known_slice() -> ndarray::Array2<f32> {
        known_slice()
    }

    fn say(&self, device: String) {
        *self.device.lock().unwrap_or_else(PoisonError::into_inner) = device;
    }
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
        match pool.run(slices.n, &|index| (slices.make)(index).windowed) {
            Ok(computed) => {
                self.say(pool.name().to_owned());
                for (index, probability) in computed.into_iter().enumerate() {
                    if let ControlFlow::Break(()) = done(index, probability) {
                        break;
                    }
                }
                Ok(())
            }
            // All of it again, so that no study is of two devices.
            Err(why) => {
                self.say(instead(&*self.cpu, &format!("{} failed: {why}", pool.name())));
                self.cpu.run(slices, done)
            }
        }
    }
}
