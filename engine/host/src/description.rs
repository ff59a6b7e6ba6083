//! What an open unit takes and gives.

use std::collections::BTreeSet;

use ichor_core::Features;

use crate::UnitKind;
use crate::message::Opened;

/// The most names that a unit may take or give.
const MOST_NAMES: usize = 100_000;

/// What an open unit takes and gives, in its own order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitDescription {
    /// What it does.
    pub kind: UnitKind,
    /// Names of its inputs.
    pub inputs: Vec<String>,
    /// Names of its features; none for a scorer.
    pub outputs: Vec<String>,
    /// Whether it promises the same bits for the same inputs.
    pub deterministic: bool,
}

impl UnitDescription {
    /// Fails, in words, when names are empty, come twice or are too many.
    pub(crate) fn checked(kind: UnitKind, opened: Opened) -> Result<Self, String> {
        let Opened { deterministic, inputs, outputs } = opened;
        for (what, names) in [("inputs", &inputs), ("features", &outputs)] {
            if names.len() > MOST_NAMES {
                return Err(format!("{} {what} where {MOST_NAMES} is the most", names.len()));
            }
            let mut known = BTreeSet::new();
            if let Some(name) =
                names.iter().find(|name| name.is_empty() || !known.insert(*name))
            {
                return Err(format!("{name:?} twice, or without a name, among its {what}"));
            }
        }
        if kind == UnitKind::Scorer && !outputs.is_empty() {
            return Err("a scorer that names features".to_owned());
        }
        Ok(Self { kind, inputs, outputs, deterministic })
    }
}

/// Where the inputs of a unit stand among features of certain names; found once, then kept for
/// as long as features of the same names come.
#[derive(Debug)]
pub(crate) struct Binding {
    names: Vec<String>,
    places: Vec<Option<usize>>,
}

impl Binding {
    /// Finds `inputs` among the names of `features`.
    pub(crate) fn new(inputs: &[String], features: &Features) -> Self {
        let names = features.names();
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|a, b| names[*a].cmp(&names[*b]));
        let place = |input: &String| {
            let found = order.binary_search_by(|at| names[*at].cmp(input));
            found.ok().map(|at| order[at])
        };
        Self { names: names.to_vec(), places: inputs.iter().map(place).collect() }
    }

    /// Whether it holds for `features`.
    pub(crate) fn fits(&self, features: &Features) -> bool {
        self.names == features.names()
    }

    /// The inputs' values; NaN where `features` has none.
    pub(crate) fn values(&self, features: &Features) -> Vec<f64> {
        let value = |place: &Option<usize>| place.map_or(f64::NAN, |at| features.values()[at]);
        self.places.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn inputs_are_bound_by_name_and_missing_ones_are_nan() {
        let features = Features::new(words("c a b"), vec![3.0, 1.0, 2.0]).unwrap();
        let binding = Binding::new(&words("b x c"), &features);
        let values = binding.values(&features);
        assert_eq!((values[0], values[2]), (2.0, 3.0));
        assert!(values[1].is_nan());
        assert!(binding.fits(&features));
        assert!(!binding.fits(&Features::new(words("a c b"), vec![0.0; 3]).unwrap()));
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let opened =
            Opened { deterministic: true, inputs: words("a b a"), outputs: Vec::new() };
        let refused = UnitDescription::checked(UnitKind::Scorer, opened).unwrap_err();
        assert_eq!(refused, "\"a\" twice, or without a name, among its inputs");
    }
}
