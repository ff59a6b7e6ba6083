//! The nouns of Ichor and their rules.
//!
//! No file, clock, device, thread or randomness lives here: text, numbers and times come in as
//! arguments, values go out. Arrays are `(z, y, x)`; positions are patient coordinates in
//! millimetres, LPS (DICOM PS3.3 C.7.6.2.1.1).

mod clinical;
mod config;
mod features;
mod grid;
mod head;
mod input_words;
mod mask;
mod motion;
mod pictures;
mod places;
mod profile;
mod provenance;
mod push;
mod time;
mod units;
mod verdict;
mod volume;

pub use clinical::{ClinicalError, ClinicalName, ClinicalSource, ClinicalValue};
pub use config::{
    Config, ConfigError, DEFAULT_TOML, DicomConfig, EngineConfig, GuardConfig, ScoreConfig,
    UnitId,
};
pub use features::{FeatureError, Features};
pub use grid::{Grid, GridError, PixelSpacing};
pub use head::{Head, HeadBox};
pub use input_words::{input_value, input_words, input_words_at};
pub use mask::{Mask, MaskError};
pub use motion::motion_index;
pub use pictures::Pictures;
pub use places::{Layout, Places};
pub use profile::{Profile, ProfileError, Proportion};
pub use provenance::{Contribution, Provenance, short_number};
pub use push::Push;
pub use time::{UnixMs, age_text};
pub use units::{Millilitres, MotionIndex, Risk, Threshold, UnitError};
pub use verdict::{Guards, Verdict, Withheld, guard, judge};
pub use volume::{Volume, VolumeError};
