//! The networks on a GPU, where there is one; the CPU is always behind it.
//!
//! The driver is asked first, the library is opened only where it answered, and a device computes
//! for patients only after it has computed a known slice as the CPU does. A device that fails
//! costs the study in hand a second run, on the CPU; it is not asked again before the next start.

mod check;
mod describe;
mod devices;
#[cfg(test)]
mod fallback;
mod guarded;
#[cfg(test)]
mod late;
mod means;
mod pool;
pub(crate) mod train;
pub(crate) mod train_cnn;
mod worker;

pub use devices::{Devices, GpuPrecision, Gpus};
pub(crate) use guarded::Guarded;
pub(crate) use means::Means;
