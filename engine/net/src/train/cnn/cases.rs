//! What the CNN learns from: hematomas, one byte a pixel, with what became of them.
//!
//! Cases are held out whole; held-out cases never train.

use super::recipe::CnnRecipe;
use crate::NetError;
use crate::cnn::crop::Bleed;
use crate::train::random::{Random, Stream};
use crate::weights::sha256;

/// One hematoma with its label.
#[derive(Debug, Clone, PartialEq)]
pub struct CnnCase {
    /// Patient or phantom.
    pub subject: String,
    /// Whether it grew by more than 6 ml.
    pub expands: bool,
    /// What was seen of it.
    pub bleed: Bleed,
}

/// The cases of a training: those that train and those that are held out.
#[derive(Debug)]
pub struct CnnCases {
    training: Vec<CnnCase>,
    validation: Vec<CnnCase>,
    seed: u64,
}

impl CnnCases {
    /// Holds out the share of `all` that `recipe` asks for.
    ///
    /// Fails when nothing is left to train on.
    pub fn split(all: Vec<CnnCase>, recipe: &CnnRecipe) -> Result<Self, NetError> {
        let n_held = (all.len() as f64 * recipe.validation).round() as usize;
        let mut places: Vec<usize> = (0..all.len()).collect();
        shuffle(&mut places, &mut Random::keyed(Stream::Hold, &[recipe.seed]));
        let held = &places[..n_held];
        let (mut training, mut validation) = (Vec::new(), Vec::new());
        for (place, case) in all.into_iter().enumerate() {
            if held.contains(&place) { &mut validation } else { &mut training }.push(case);
        }
        if training.is_empty() {
            return Err(NetError::NoCases);
        }
        Ok(Self { training, validation, seed: recipe.seed })
    }

    /// Cases that train.
    pub fn training(&self) -> &[CnnCase] {
        &self.training
    }

    /// Cases that are held out.
    pub fn validation(&self) -> &[CnnCase] {
        &self.validation
    }

    /// The case that comes at `place` of the endless row of rounds; each round has an order of its
    /// own.
    pub(super) fn at(&self, place: usize) -> &CnnCase {
        let n = self.training.len();
        let mut order: Vec<usize> = (0..n).collect();
        let round = (place / n) as u64;
        shuffle(&mut order, &mut Random::keyed(Stream::Order, &[self.seed, round]));
        &self.training[order[place % n]]
    }

    /// SHA-256 of what tells these cases from others.
    pub(super) fn sha256(&self) -> String {
        let mut bytes = Vec::new();
        for case in self.training.iter().chain(&self.validation) {
            bytes.extend(case.subject.bytes());
            bytes.push(u8::from(case.expands));
            for slice in 0..case.bleed.n_slices() {
                let sum: u64 = case.bleed.bytes(slice).map(u64::from).sum();
                bytes.extend(sum.to_le_bytes());
                bytes.extend(case.bleed.blood_mm3(slice).to_le_bytes());
            }
        }
        bytes.extend((self.training.len() as u64).to_le_bytes());
        sha256(&bytes)
    }
}

/// Any order is as likely as any other (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for at in (1..items.len()).rev() {
        items.swap(at, random.below(at + 1));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cnn::crop::tests::boxed;
    use ichor_core::PixelSpacing;
    use std::collections::BTreeSet;
    use std::path::Path;

    pub(in crate::train::cnn) fn recipe(text: &str) -> CnnRecipe {
        CnnRecipe::parse(text, Path::new("test.toml")).unwrap()
    }

    /// `n` boxes, of which the larger ones expand.
    pub(in crate::train::cnn) fn cases(n: usize) -> Vec<CnnCase> {
        let pixel = PixelSpacing { y: 0.75, x: 0.75 };
        let case = |at: usize| {
            let size = 10 + (at * 7) % 30;
            let (volume, mask) = boxed(pixel, 1..3, (60, 70), size);
            CnnCase {
                subject: format!("case {at}"),
                expands: size >= 25,
                bleed: Bleed::cut(&volume, &mask).unwrap(),
            }
        };
        (0..n).map(case).collect()
    }

    #[test]
    fn every_case_that_trains_comes_once_a_round() {
        let cases = CnnCases::split(cases(10), &recipe("validation = 0.3")).unwrap();
        assert_eq!((cases.training().len(), cases.validation().len()), (7, 3));
        let round = |round: usize| -> Vec<&str> {
            (7 * round..7 * round + 7).map(|place| cases.at(place).subject.as_str()).collect()
        };
        let first: BTreeSet<&str> = round(0).into_iter().collect();
        assert_eq!(first.len(), 7);
        assert_ne!(round(0), round(1));
        assert!(cases.validation().iter().all(|held| !first.contains(held.subject.as_str())));
    }

    #[test]
    fn nothing_to_train_on_is_an_error() {
        let refused = CnnCases::split(cases(2), &recipe("validation = 1.0"));
        assert!(matches!(refused, Err(NetError::NoCases)));
    }
}
