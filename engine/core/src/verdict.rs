//! What a study gets in the end, and how it is decided.
//!
//! Declining is a verdict, not an error. The judgement is the host's and not a scorer's: a risk
//! against the active profile of that scorer, after the guards.

use serde::{Deserialize, Serialize};

use crate::{Millilitres, MotionIndex, Profile, Risk};

/// The answer for one study.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The risk reaches the threshold: growth by more than 6 ml within 24 h is expected.
    Expands(Risk),
    /// The risk lies below the threshold.
    Stable(Risk),
    /// No answer, with the reason.
    Withheld(Withheld),
}

/// Why no answer is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Withheld {
    /// No voxel is hematoma.
    NoHematoma,
    /// The hematoma is smaller than the guard allows (the paper's own failure: under 3 ml).
    TooSmall {
        /// The volume that was found.
        volume_ml: Millilitres,
    },
    /// The head moved during the scan.
    Motion {
        /// The index that the pixels gave.
        motion: MotionIndex,
    },
    /// The pixels show no head: no ring of bone around brain-like tissue.
    NotAHead,
    /// Nothing in the study is CT.
    NotCt {
        /// Modality (0008,0060) of what came instead.
        modality: String,
    },
    /// The study holds localizers only.
    LocalizerOnly,
    /// Contrast agent was given; the networks know non-contrast CT only.
    Contrast,
    /// Slices are missing.
    IncompleteSeries {
        /// The widest gap between neighbours, in millimetres.
        gap_mm: f64,
        /// The step between the other slices, in millimetres.
        step_mm: f64,
    },
    /// Too few slices to be a head scan.
    TooFewSlices {
        /// Slices at hand.
        slices: usize,
    },
    /// The pixels are compressed in a transfer syntax that is not decoded.
    TransferSyntax {
        /// Its UID.
        uid: String,
    },
    /// The slices do not make one volume.
    Geometry {
        /// What is wrong with them, in words.
        why: String,
    },
}

impl Withheld {
    /// The word that scripts match on; the same as in the store.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoHematoma => "no-hematoma",
            Self::TooSmall { .. } => "too-small",
            Self::Motion { .. } => "motion",
            Self::NotAHead => "not-a-head",
            Self::NotCt { .. } => "not-ct",
            Self::LocalizerOnly => "localizer-only",
            Self::Contrast => "contrast",
            Self::IncompleteSeries { .. } => "incomplete-series",
            Self::TooFewSlices { .. } => "too-few-slices",
            Self::TransferSyntax { .. } => "transfer-syntax",
            Self::Geometry { .. } => "geometry",
        }
    }

    /// At most twelve columns, for the worklist.
    pub fn short(&self) -> &'static str {
        match self {
            Self::NoHematoma => "no hematoma",
            Self::TooSmall { .. } => "under 3 ml",
            Self::Motion { .. } => "motion",
            Self::NotAHead => "not a head",
            Self::NotCt { .. } => "not CT",
            Self::LocalizerOnly => "localizer",
            Self::Contrast => "contrast",
            Self::IncompleteSeries { .. } => "incomplete",
            Self::TooFewSlices { .. } => "few slices",
            Self::TransferSyntax { .. } => "compressed",
            Self::Geometry { .. } => "geometry",
        }
    }
}

impl std::fmt::Display for Withheld {
    /// A sentence for the study view: cause and value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoHematoma => f.write_str("no hematoma found"),
            Self::TooSmall { volume_ml } => write!(
                f,
                "the hematoma has {:.1} ml, too little to predict its growth",
                volume_ml.ml()
            ),
            Self::Motion { motion } => {
                write!(f, "the head moved during the scan (motion index {:.2})", motion.share())
            }
            Self::NotAHead => f.write_str("the pixels show no head"),
            Self::NotCt { modality } => write!(f, "the study holds {modality}, not CT"),
            Self::LocalizerOnly => f.write_str("the study holds localizers only"),
            Self::Contrast => f.write_str("contrast agent was given"),
            Self::IncompleteSeries { gap_mm, step_mm } => write!(
                f,
                "slices are missing: a gap of {gap_mm:.1} mm where the step is {step_mm:.1} mm"
            ),
            Self::TooFewSlices { slices } => {
                write!(f, "{slices} slices are too few for a head scan")
            }
            Self::TransferSyntax { uid } => {
                write!(f, "pixels compressed as {uid} are not decoded; send them uncompressed")
            }
            Self::Geometry { why } => write!(f, "the slices make no volume: {why}"),
        }
    }
}

/// The limits under which a risk means something; a site's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guards {
    /// Hematomas below this get no answer.
    pub min_volume: Millilitres,
    /// Scans with a higher index get no answer.
    pub max_motion: MotionIndex,
}

/// The reason to withhold that volume and motion give, if any.
///
/// Motion comes first: on a scan that moved, neither presence nor volume can be believed.
pub fn guard(volume: Millilitres, motion: MotionIndex, guards: &Guards) -> Option<Withheld> {
    if motion > guards.max_motion {
        return Some(Withheld::Motion { motion });
    }
    if volume.ml() <= 0.0 {
        return Some(Withheld::NoHematoma);
    }
    if volume < guards.min_volume {
        return Some(Withheld::TooSmall { volume_ml: volume });
    }
    None
}

/// Risk against the threshold of `profile`; a risk equal to the threshold expands.
pub fn judge(risk: Risk, profile: &Profile) -> Verdict {
    if risk.probability() >= profile.threshold.probability() {
        Verdict::Expands(risk)
    } else {
        Verdict::Stable(risk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(volume_ml: f64, motion: f64, code: Option<&str>) {
        let guards = Guards {
            min_volume: Millilitres::new(3.0).unwrap(),
            max_motion: MotionIndex::new(0.5).unwrap(),
        };
        let found = guard(
            Millilitres::new(volume_ml).unwrap(),
            MotionIndex::new(motion).unwrap(),
            &guards,
        );
        assert_eq!(found.as_ref().map(Withheld::code), code);
    }

    #[test]
    fn a_hematoma_under_3_ml_gets_no_answer() {
        check(2.99, 0.1, Some("too-small"));
        check(3.0, 0.1, None);
    }

    #[test]
    fn motion_outweighs_what_was_found_under_it() {
        check(0.0, 0.51, Some("motion"));
        check(20.0, 0.51, Some("motion"));
        check(0.0, 0.5, Some("no-hematoma"));
    }
}
