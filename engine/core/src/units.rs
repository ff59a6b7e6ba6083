//! Quantities whose unit is their type.
//!
//! Every constructor refuses what the unit forbids, so nothing downstream checks again.

use serde::{Deserialize, Serialize};

/// A number that its unit forbids.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// Volumes are finite and not negative.
    #[error("{0} is no volume in millilitres: it must be finite and not negative")]
    Millilitres(f64),
    /// Probabilities lie between 0 and 1.
    #[error("{0} is no risk: it must lie between 0 and 1")]
    Risk(f64),
    /// Thresholds are compared with risks.
    #[error("{0} is no threshold: it must lie between 0 and 1")]
    Threshold(f64),
    /// The motion index is a share.
    #[error("{0} is no motion index: it must lie between 0 and 1")]
    MotionIndex(f64),
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $getter:ident, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Fails when the unit forbids `value`.
            pub fn new(value: f64) -> Result<Self, UnitError> {
                let valid: fn(f64) -> bool = $valid;
                if valid(value) { Ok(Self(value)) } else { Err(UnitError::$name(value)) }
            }

            /// The bare number, in the unit that the type names.
            pub fn $getter(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = UnitError;
            fn try_from(value: f64) -> Result<Self, UnitError> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(quantity: $name) -> f64 {
                quantity.0
            }
        }
    };
}

quantity! {
    /// A volume in millilitres; finite, never negative.
    Millilitres, ml, |v| v.is_finite() && v >= 0.0
}
quantity! {
    /// Probability that the hematoma grows by more than 6 ml within 24 h, in `0.0..=1.0`.
    Risk, probability, |v| (0.0..=1.0).contains(&v)
}
quantity! {
    /// The risk from which on a verdict says *expands*, in `0.0..=1.0`.
    Threshold, probability, |v| (0.0..=1.0).contains(&v)
}
quantity! {
    /// How much motion the pixels show, in `0.0..=1.0`; see [`crate::motion_index`].
    MotionIndex, share, |v| (0.0..=1.0).contains(&v)
}

impl Millilitres {
    /// No volume at all.
    pub const ZERO: Self = Self(0.0);
}

impl MotionIndex {
    /// No motion at all.
    pub const ZERO: Self = Self(0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_risk_is_a_probability_and_never_nan() {
        assert_eq!(Risk::new(0.25).map(Risk::probability), Ok(0.25));
        assert!(Risk::new(f64::NAN).is_err());
        assert_eq!(
            Risk::new(1.5).unwrap_err().to_string(),
            "1.5 is no risk: it must lie between 0 and 1"
        );
    }

    #[test]
    fn a_volume_is_never_negative() {
        assert!(Millilitres::new(-0.1).is_err());
        assert!(Millilitres::new(f64::INFINITY).is_err());
    }
}
