//! Write a plugin for Ichor: implement [`Extractor`] or [`Scorer`], list them in [`plugin!`].
//!
//! The macro writes the C tables of `include/ichor_plugin.h`. A panic never leaves the library:
//! it comes back to the host as a refusal with its text. Nothing but the standard library is
//! used, so that a plugin is as large as its own arithmetic.
//!
//! ```
//! use ichor_plugin::{Call, Refused, Score, Scorer};
//!
//! struct VolumeOnly { inputs: [String; 1] }
//!
//! impl Scorer for VolumeOnly {
//!     fn open(_config: &str, _folder: &std::path::Path) -> Result<Self, Refused> {
//!         Ok(Self { inputs: ["hematoma.volume_ml".to_owned()] })
//!     }
//!     fn inputs(&self) -> &[String] {
//!         &self.inputs
//!     }
//!     fn score(&self, inputs: &[f64], contributions: &mut [f64], _: &mut Call) -> Result<Score, Refused> {
//!         contributions[0] = if inputs[0].is_nan() { 0.0 } else { 0.04 * (inputs[0] - 20.0) };
//!         Ok(Score::from_log_odds(-1.2, contributions))
//!     }
//! }
//!
//! ichor_plugin::plugin! {
//!     id: "org.example.volume",
//!     version: env!("CARGO_PKG_VERSION"),
//!     scorers: [("volume", VolumeOnly)],
//! }
//! # fn main() {}
//! ```

pub mod abi;
mod call;
mod extractor;
mod refused;
mod scorer;
mod settings;
mod volume;

#[doc(hidden)]
pub mod export;
mod plugin;

pub use call::Call;
pub use extractor::Extractor;
pub use refused::{Refused, RefusedKind};
pub use scorer::{Score, Scorer};
pub use settings::Settings;
pub use volume::VolumeView;
