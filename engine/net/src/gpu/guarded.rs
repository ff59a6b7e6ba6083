//! A network on GPUs with the CPU behind it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;

use super::check::{Known, Meaning, known_crop, known_slice};
use super::describe::{bytes_a_slice, describe};
use super::devices::Gpus;
use super::pool::{Pool, Seen, Task};
use crate::NetError;
use crate::forward::{Done, Forward, Slices};
use crate::plan::Plan;

/// A network for GPUs: what it is called, its plan, names and shapes of its tensors, their numbers
/// one after the other.
pub(crate) struct Described<'a> {
    pub(crate) name: &'a str,
    pub(crate) sha256: &'a str,
    pub(crate) plan: Plan,
    pub(crate) tensors: Vec<(String, Vec<usize>)>,
    pub(crate) parameters: Vec<f32>,
}

/// GPUs where there are some, and what is said of them.
#[derive(Debug)]
pub(crate) struct Guard {
    pool: Result<Arc<Pool>, String>,
    /// What the CPU is called.
    cpu: String,
    /// What computed the last slices.
    device: Mutex<String>,
}

impl Guard {
    /// Puts a U-Net on `gpus`; `exact` computes a slice in f32, which devices are held against.
    pub(crate) fn unet(
        gpus: &Gpus,
        network: Described<'_>,
        cpu: String,
        exact: &dyn Fn(Array2<f32>) -> Result<Array2<f32>, NetError>,
    ) -> Result<Self, NetError> {
        Self::open(gpus, network, cpu, &|| {
            let seen = seen([known_slice()]);
            Ok((seen, exact(known_slice())?.into_iter().collect(), Meaning::Logits))
        })
    }

    /// Puts a CNN on `gpus`; `exact` computes the means of the maps of a crop, pixels and blood.
    pub(crate) fn cnn(
        gpus: &Gpus,
        network: Described<'_>,
        cpu: String,
        exact: &dyn Fn([Array2<f32>; 2]) -> Vec<f64>,
    ) -> Result<Self, NetError> {
        Self::open(gpus, network, cpu, &|| {
            let means: Vec<f32> =
                exact(known_crop()).into_iter().map(|mean| mean as f32).collect();
            let meaning = Meaning::Means(means.len());
            Ok((seen(known_crop()), means, meaning))
        })
    }

    fn open(
        gpus: &Gpus,
        network: Described<'_>,
        cpu: String,
        known: &dyn Fn() -> Result<(Seen, Vec<f32>, Meaning), NetError>,
    ) -> Result<Self, NetError> {
        let Described { name, sha256, plan, tensors, parameters } = network;
        let mut failed = None;
        let pool = gpus.pool(name, sha256, |precision| match known() {
            Ok((seen, expected, meaning)) => Some(Task {
                bytes_a_slice: bytes_a_slice(&plan, seen.dim, precision.bytes()),
                network: describe(&plan, &tensors, parameters),
                precision,
                known: Known { seen, expected, meaning },
            }),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let device = match &pool {
            Ok(pool) => pool.name(),
            Err(why) => instead(&cpu, why),
        };
        Ok(Self { pool, cpu, device: Mutex::new(device) })
    }

    /// What computed the last slices, or will compute the first.
    pub(crate) fn device(&self) -> String {
        self.device.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a device took the network.
    pub(crate) fn opened(&self) -> bool {
        self.pool.is_ok()
    }

    fn say(&self, device: String) {
        *self.device.lock().unwrap_or_else(PoisonError::into_inner) = device;
    }

    /// What the devices say of slices; none where the CPU has to say it, all of it again, so that
    /// no study is of two devices.
    pub(crate) fn run(&self, n: usize, make: &dyn Fn(usize) -> Seen) -> Option<Vec<Vec<f32>>> {
        let Ok(pool) = &self.pool else { return None };
        let name = pool.name();
        match pool.run(n, make) {
            Ok(said) => {
                self.say(pool.name());
                Some(said)
            }
            Err(why) => {
                self.say(instead(&self.cpu, &format!("{name} failed: {why}")));
                None
            }
        }
    }
}

/// The CPU in the place of a GPU.
fn instead(cpu: &str, why: &str) -> String {
    format!("{cpu} (no GPU: {why})")
}

/// Planes of one shape as the channels of a slice.
pub(crate) fn seen<const N: usize>(planes: [Array2<f32>; N]) -> Seen {
    let dim = planes.first().map_or((0, 0), Array2::dim);
    Seen { dim, pixels: planes.into_iter().flatten().collect() }
}

/// A segmentation network on GPUs, and on the CPU.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) guard: Guard,
    pub(crate) cpu: Box<dyn Forward>,
}

impl Forward for Guarded {
    fn device(&self) -> String {
        self.guard.device()
    }

    fn bytes_a_slice(&self, dim: (usize, usize)) -> Option<usize> {
        self.cpu.bytes_a_slice(dim)
    }

    fn peak(&self) -> Option<f64> {
        self.cpu.peak()
    }

    fn run(&self, slices: &Slices<'_>, done: &mut Done<'_>) -> Result<(), NetError> {
        let windowed = |index: usize| seen([(slices.make)(index).windowed]);
        let Some(said) = self.guard.run(slices.n, &windowed) else {
            return self.cpu.run(slices, done);
        };
        for (index, probability) in said.into_iter().enumerate() {
            let dim = (slices.make)(index).windowed.dim();
            // As many numbers as pixels: the pool makes sure of it.
            let probability = Array2::from_shape_vec(dim, probability)
                .map_err(|error| NetError::Arithmetic(error.into()))?;
            if let ControlFlow::Break(()) = done(index, probability) {
                break;
            }
        }
        Ok(())
    }
}
