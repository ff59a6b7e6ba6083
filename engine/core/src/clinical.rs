//! Clinical values: what scorers may ask about a patient that no voxel tells.
//!
//! A scorer names what it wants as `clinical.` and a name of this list. A value that is missing is
//! NaN and is never filled in.

/// Why a clinical value is not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClinicalError {
    /// No value has this name.
    #[error("no clinical value is called {name:?}; known: {}", known())]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// The value lies outside of what is possible.
    #[error("{value} is no {name}: it must be {} from {low} to {high}", number(*.whole))]
    Range {
        /// The name.
        name: &'static str,
        /// The value that was given.
        value: f64,
        /// Lowest value taken.
        low: f64,
        /// Highest value taken.
        high: f64,
        /// Whether only whole numbers are taken.
        whole: bool,
    },
}

/// A value that may be known about a patient; scorers know it as `clinical.` and its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClinicalName {
    /// The name, with its unit.
    pub name: &'static str,
    /// What it means, as staff says it, with its unit.
    pub words: &'static str,
    /// Lowest value taken.
    pub low: f64,
    /// Highest value taken.
    pub high: f64,
    /// Whether only whole numbers are taken; 0 and 1 stand for no and yes.
    pub whole: bool,
}

impl ClinicalName {
    const fn new(name: &'static str, words: &'static str, low: f64, high: f64) -> Self {
        Self { name, words, low, high, whole: false }
    }

    const fn whole(name: &'static str, words: &'static str, low: f64, high: f64) -> Self {
        Self { name, words, low, high, whole: true }
    }

    /// Every value that may be known, in the order in which staff is asked.
    pub const ALL: [Self; 10] = [
        Self::new("onset_to_ct_h", "onset to CT, hours", 0.0, 72.0),
        Self::new("age_years", "age, years", 0.0, 120.0),
        Self::new("sbp_mmhg", "systolic blood pressure, mmHg", 40.0, 320.0),
        Self::whole("gcs", "Glasgow coma scale", 3.0, 15.0),
        Self::whole("anticoagulant", "on an anticoagulant", 0.0, 1.0),
        Self::whole("antiplatelet", "on an antiplatelet", 0.0, 1.0),
        Self::new("glucose_mgdl", "glucose, mg/dl", 20.0, 1500.0),
        Self::whole("nihss", "NIHSS", 0.0, 42.0),
        Self::whole("recurrent_ich", "earlier hemorrhage", 0.0, 1.0),
        Self::whole("ivh", "blood in the ventricles", 0.0, 1.0),
    ];

    /// The entry called `name`, with or without the prefix `clinical.`.
    pub fn find(name: &str) -> Result<&'static Self, ClinicalError> {
        let bare = name.strip_prefix("clinical.").unwrap_or(name);
        let found = const { &Self::ALL }.iter().find(|known| known.name == bare);
        found.ok_or_else(|| ClinicalError::Unknown { name: name.to_owned() })
    }

    /// Whether 0 and 1 are the only values and stand for no and yes.
    pub fn is_yes_or_no(&self) -> bool {
        self.whole && self.low >= 0.0 && self.high <= 1.0
    }

    /// Takes `value` where it is possible; NaN, the value of what is missing, is.
    pub fn check(&self, value: f64) -> Result<f64, ClinicalError> {
        let Self { name, low, high, whole, .. } = *self;
        let possible = (low..=high).contains(&value) && !(whole && value.fract() != 0.0);
        if possible || value.is_nan() {
            return Ok(value);
        }
        Err(ClinicalError::Range { name, value, low, high, whole })
    }
}

fn number(whole: bool) -> &'static str {
    if whole { "a whole number" } else { "a number" }
}

/// The names and ranges in words.
fn known() -> String {
    let one =
        |known: &ClinicalName| format!("{} ({} to {})", known.name, known.low, known.high);
    ClinicalName::ALL.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_is_refused_with_what_can() {
        let check = |name: &str, value, words: &str| {
            let error =
                ClinicalName::find(name).and_then(|known| known.check(value)).unwrap_err();
            assert!(error.to_string().starts_with(words), "{error}");
        };
        check("gcs", 7.5, "7.5 is no gcs: it must be a whole number from 3 to 15");
        check(
            "clinical.sbp_mmhg",
            900.0,
            "900 is no sbp_mmhg: it must be a number from 40 to 320",
        );
        check(
            "onset",
            1.0,
            "no clinical value is called \"onset\"; known: onset_to_ct_h (0 to 72)",
        );
    }

    #[test]
    fn what_is_missing_stays_missing() {
        assert!(ClinicalName::ALL[0].check(f64::NAN).unwrap().is_nan());
    }

    #[test]
    fn yes_and_no_are_those_of_two_values() {
        let yes_or_no = ClinicalName::ALL.iter().filter(|known| known.is_yes_or_no());
        let names: Vec<&str> = yes_or_no.map(|known| known.name).collect();
        assert_eq!(names, ["anticoagulant", "antiplatelet", "recurrent_ich", "ivh"]);
    }
}
