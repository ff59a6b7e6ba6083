//! The networks on a GPU: the library that links CUDA, and what opens it where a driver answers.
//!
//! Built with the feature `cuda` this is `libichor_cuda.so`, and nothing else ever links CUDA.
//! Without it the same arithmetic runs on the CPU, for tests; what asks the driver ([`Driver`])
//! and opens the library ([`Library`]) is part of every engine. An engine that finds no driver
//! opens nothing.

mod absent;
mod convolve;
mod copies;
mod driver;
mod export;
pub mod interface;
mod library;
mod network;
mod steps;
mod taps;

pub use absent::Absent;
pub use driver::{Driver, Found};
pub use library::{Description, FILE, Images, Library, Loaded};
