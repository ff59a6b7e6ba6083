//! Phantom patients: simulated heads with simulated bleeding and simulated outcome.
//!
//! Made to build, show and test the whole way from a scanner to a verdict without a patient's
//! data. It is a simulator: no figure obtained on it is clinical evidence, and every file made
//! from it says PHANTOM. A case follows from its cohort, seed and index alone, bit for bit, on
//! every machine.
//!
//! Known gaps: no gantry tilt, no subarachnoid or subdural blood, no old infarcts, no ears or
//! face, generic kernels; slices of 5 mm are what it was tuned for.

mod base;
mod bleed;
mod clot;
mod cohort;
mod curves;
mod fluid;
mod fourier;
mod frame;
mod head;
mod hematoma;
mod label;
mod latents;
mod lattice;
mod midline;
mod render;
mod scanner;
mod shake;
mod skull;
mod tissue;
mod upsample;
mod warp;
mod water;

pub use cohort::{Case, Cohort};
pub use label::EXPANSION_ML;
pub use latents::{Latents, Location, Side};
pub use render::{Phantom, PhantomError, Scan};
pub use scanner::Kernel;
pub use water::water_cylinder;
