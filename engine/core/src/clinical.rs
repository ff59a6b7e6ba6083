//! Clinical values: what scorers may ask about a patient that no voxel tells.
//!
//! A scorer names what it wants as `clinical.` and a name of this list. A value that is missing is
//! NaN and is never filled in. The header of the images tells the age, staff tells the rest and may
//! correct the header.

use serde::{Deserialize, Serialize};

use crate::UnixMs;

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

    /// What scorers put before a name.
    pub const PREFIX: &str = "clinical.";

    /// What scorers call the value `name`.
    pub fn input(name: &str) -> String {
        format!("{}{name}", Self::PREFIX)
    }

    /// The name in what a scorer calls an input, known or not; none where that is no clinical value.
    pub fn of_input(input: &str) -> Option<&str> {
        input.strip_prefix(Self::PREFIX)
    }

    /// The entry called `name`, with or without the prefix.
    pub fn find(name: &str) -> Result<&'static Self, ClinicalError> {
        let bare = Self::of_input(name).unwrap_or(name);
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

/// Where a clinical value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum ClinicalSource {
    /// The header of the images.
    Dicom,
    /// A person entered it.
    Staff {
        /// Who.
        by: String,
        /// When.
        at: UnixMs,
    },
    /// The command that scores.
    Command,
}

impl ClinicalSource {
    /// Who says so: `DICOM`, a person's name, `command line`.
    pub fn who(&self) -> &str {
        match self {
            Self::Dicom => "DICOM",
            Self::Staff { by, .. } => by,
            Self::Command => "command line",
        }
    }
}

/// A value that is known about a patient: `clinical.onset_to_ct_h` and the like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClinicalValue {
    /// Its name without the prefix `clinical.`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Where it comes from.
    #[serde(flatten)]
    pub source: ClinicalSource,
}

impl ClinicalValue {
    /// What is known: everything `entered`, and from the header the age at the scan where nobody
    /// entered one. An age that cannot be is missing. In the order of [`ClinicalName::ALL`].
    pub fn known(entered: Vec<Self>, age_years: Option<f64>) -> Vec<Self> {
        let mut known = entered;
        let age = age_years.filter(|age| {
            let possible = ClinicalName::find(AGE).and_then(|name| name.check(*age));
            possible.is_ok_and(|age| !age.is_nan())
        });
        if let Some(value) = age
            && known.iter().all(|value| value.name != AGE)
        {
            let name = AGE.to_owned();
            known.push(Self { name, value, source: ClinicalSource::Dicom });
        }
        let place =
            |value: &Self| ClinicalName::ALL.iter().position(|known| known.name == value.name);
        known.sort_by_key(|value| (place(value), value.name.clone()));
        known
    }
}

/// What the header tells.
const AGE: &str = "age_years";

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
    #[test]
    fn staff_is_believed_before_the_header() {
        let staff = |name: &str, value| ClinicalValue {
            name: name.to_owned(),
            value,
            source: ClinicalSource::Staff { by: "ana".to_owned(), at: UnixMs(1) },
        };
        let said = |entered: Vec<ClinicalValue>, age| {
            let known = ClinicalValue::known(entered, age);
            known.iter().map(|v| format!("{} {} {}", v.name, v.value, v.source.who())).collect()
        };
        let check = |known: Vec<String>, expected: &[&str]| assert_eq!(known, expected);
        check(said(vec![], None), &[]);
        check(
            said(vec![staff("gcs", 13.0)], Some(63.5)),
            &["age_years 63.5 DICOM", "gcs 13 ana"],
        );
        check(said(vec![staff("age_years", 64.0)], Some(63.5)), &["age_years 64 ana"]);
        check(said(vec![], Some(999.0)), &[]);
        check(said(vec![], Some(f64::NAN)), &[]);
    }
}
