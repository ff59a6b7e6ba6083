//! Statistics, evaluation, and the phantom cohort.
//!
//! Nothing here reads a clock, a file or a device: numbers in, numbers out, the same on every
//! machine.

pub mod phantom;
mod random;
pub mod stats;
