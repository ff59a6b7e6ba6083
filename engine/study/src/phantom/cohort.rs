//! Named cohorts of phantom cases, any case of which can be had by its index.

use super::label::{LabelModel, draw_growth};
use super::latents::Latents;
use crate::random::Random;

/// What a case's random streams are for; a number, once given, stays.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Latents = 1,
    Label = 2,
    Anatomy = 3,
    Hematoma = 4,
    Scanner = 5,
}

/// A cohort: its name, size and seed, and the model behind its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    name: &'static str,
    n: usize,
    seed: u64,
    model: LabelModel,
    prevalence: f64,
    bayes_auc: f64,
}

impl Cohort {
    /// Like the paper's clinical cohort: 23.7 % expand.
    pub fn clinical(n: usize, seed: u64) -> Self {
        let model = LabelModel { signal: 0.981, intercept: -2.418 };
        Self { name: "clinical", n, seed, model, prevalence: 0.237, bayes_auc: 0.797 }
    }

    /// Like the paper's development cohort, enriched: 47.1 % expand.
    pub fn development(n: usize, seed: u64) -> Self {
        let model = LabelModel { signal: 1.066, intercept: -0.948 };
        Self { name: "development", n, seed, model, prevalence: 0.471, bayes_auc: 0.799 }
    }

    /// The cohort of that name, `clinical` or `development`.
    pub fn named(name: &str, n: usize, seed: u64) -> Option<Self> {
        match name {
            "clinical" => Some(Self::clinical(n, seed)),
            "development" => Some(Self::development(n, seed)),
            _ => None,
        }
    }

    /// The cohort's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The seed from which every case follows.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Share of cases that expand, in the long run.
    pub fn prevalence(&self) -> f64 {
        self.prevalence
    }

    /// Area under the curve of [`Cohort::bayes_score`] in the long run. A scorer that beats it by
    /// more than two standard errors has seen the label.
    pub fn bayes_auc(&self) -> f64 {
        self.bayes_auc
    }

    /// Probability of expansion given all that a scan without contrast and the time since onset
    /// can show; no scorer separates the cases better.
    pub fn bayes_score(&self, case: &Case) -> f64 {
        self.model.visible_probability(&case.latents)
    }

    /// Case `index`; it does not depend on the cohort's size.
    pub fn case(&self, index: usize) -> Case {
        let tag = self.name.bytes().fold(0_u64, |tag, byte| {
            // The letters of a long name push out the first ones: names must differ in the last eight.
            (tag << 8) | u64::from(byte)
        });
        let seed = Random::keyed(&[tag, self.seed, index as u64]).bits() >> 11;
        let latents = Latents::draw(&mut Random::keyed(&[seed, Stream::Latents as u64]));
        let identity = Identity { cohort: self.name, cohort_seed: self.seed, index };
        Case::decided(identity, seed, 0, self.model, latents)
    }

    /// All cases in order.
    pub fn cases(&self) -> impl Iterator<Item = Case> {
        (0..self.n).map(|index| self.case(index))
    }
}

/// Where a case comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Identity {
    cohort: &'static str,
    cohort_seed: u64,
    index: usize,
}

/// One phantom patient at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Position in the cohort.
    pub index: usize,
    /// Seed of everything drawn for this case; below 2^53.
    pub seed: u64,
    /// What it looks like, and why.
    pub latents: Latents,
    /// The label: growth by more than 6 ml at 24 h.
    pub expands: bool,
    /// Growth at 24 h in millilitres; negative when it shrinks.
    pub growth_ml: f64,
    /// The probability from which the label was drawn, hidden traits included.
    pub probability: f64,
    /// 0 for the first scan, 1 for the one after 24 h.
    pub(super) visit: u64,
    identity: Identity,
    model: LabelModel,
}

impl Case {
    fn decided(
        identity: Identity,
        seed: u64,
        visit: u64,
        model: LabelModel,
        latents: Latents,
    ) -> Self {
        let probability = model.probability(&latents);
        let mut fate = Random::keyed(&[seed, Stream::Label as u64]);
        let (expands, growth_ml) = draw_growth(&mut fate, probability, latents.volume_ml);
        let index = identity.index;
        Self { index, seed, latents, expands, growth_ml, probability, visit, identity, model }
    }

    /// The patient's id in every file: `PHANTOM-<cohort>-<seed>-<case>`.
    pub fn patient_id(&self) -> String {
        let Identity { cohort, cohort_seed, index } = self.identity;
        format!("PHANTOM-{cohort}-{cohort_seed}-{index}")
    }

    /// The same patient 24 h later: grown by [`Case::growth_ml`] (down to nothing at the least),
    /// with a wider oedema. Label and growth stay those of the first scan.
    #[must_use]
    pub fn follow_up(&self) -> Self {
        let mut latents = self.latents.clone();
        latents.volume_ml = (latents.volume_ml + self.growth_ml).max(0.0);
        latents.onset_h += 24.0;
        if latents.volume_ml > 0.0 {
            latents.oedema_mm = (latents.oedema_mm + 2.0).min(6.5);
        }
        Self { latents, visit: 1, ..self.clone() }
    }

    /// The same head without any bleeding.
    #[must_use]
    pub fn without_bleed(&self) -> Self {
        self.with_latents(self.latents.clone().without_bleed())
    }

    /// The same case with a hematoma of `volume_ml` (negative or NaN: none); its fate is decided
    /// again with the same luck.
    #[must_use]
    pub fn with_volume(&self, volume_ml: f64) -> Self {
        if volume_ml > 0.0 {
            self.with_latents(Latents { volume_ml, ..self.latents.clone() })
        } else {
            self.without_bleed()
        }
    }

    fn with_latents(&self, latents: Latents) -> Self {
        Self::decided(self.identity, self.seed, self.visit, self.model, latents)
    }

    /// The random numbers of one purpose.
    pub(super) fn stream(&self, stream: Stream) -> Random {
        // Head and hematoma are the same at the next visit; the scanner's noise is not.
        let visit = if matches!(stream, Stream::Scanner) { self.visit } else { 0 };
        Random::keyed(&[self.seed, stream as u64, visit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Scored, auc};
    use sha2::{Digest, Sha256};

    #[test]
    fn the_latents_of_seed_7_are_what_they_were() {
        let mut hash = Sha256::new();
        for case in Cohort::clinical(100, 7).cases() {
            hash.update(serde_json::to_vec(&case.latents).unwrap());
            hash.update([u8::from(case.expands)]);
            hash.update(case.growth_ml.to_le_bytes());
        }
        let start: [u8; 4] = std::array::from_fn(|i| hash.clone().finalize()[i]);
        assert_eq!(start, [242, 198, 91, 248]);
    }

    #[test]
    fn a_case_does_not_depend_on_the_size_of_its_cohort() {
        assert_eq!(Cohort::clinical(5, 7).case(3), Cohort::clinical(500, 7).case(3));
        assert_ne!(Cohort::clinical(5, 7).case(3).seed, Cohort::development(5, 7).case(3).seed);
        assert_eq!(Cohort::clinical(5, 7).case(3).patient_id(), "PHANTOM-clinical-7-3");
    }

    #[test]
    fn cohorts_have_their_prevalence() {
        for cohort in [Cohort::clinical(20_000, 1), Cohort::development(20_000, 1)] {
            let expands = cohort.cases().filter(|case| case.expands).count() as f64;
            assert!((expands / 20_000.0 - cohort.prevalence()).abs() < 0.012, "{expands}");
        }
    }

    #[test]
    fn no_score_separates_the_cases_better_than_the_bayes_score() {
        for cohort in [Cohort::clinical(40_000, 1), Cohort::development(40_000, 1)] {
            let (mut scores, mut volumes, mut labels) = (Vec::new(), Vec::new(), Vec::new());
            for case in cohort.cases() {
                scores.push(cohort.bayes_score(&case));
                volumes.push(case.latents.volume_ml);
                labels.push(case.expands);
            }
            let bayes = auc(&Scored::new(&scores, &labels).unwrap());
            let off = bayes.value - cohort.bayes_auc();
            assert!(off.abs() < 2.5 * bayes.standard_error, "{bayes:?}");
            let volume = auc(&Scored::new(&volumes, &labels).unwrap());
            assert!((0.70..0.75).contains(&volume.value), "{volume:?}");
        }
    }

    #[test]
    fn a_follow_up_has_grown_and_nothing_grows_out_of_nothing() {
        let case = Cohort::clinical(1, 3).case(0);
        let later = case.follow_up();
        let grown = later.latents.volume_ml - case.latents.volume_ml;
        assert!((grown - case.growth_ml).abs() < 1e-9);
        let empty = case.without_bleed();
        assert_eq!(
            (empty.latents.volume_ml, empty.expands, empty.growth_ml),
            (0.0, false, 0.0)
        );
        assert!(empty.follow_up().latents.volume_ml <= 0.0);
    }
}
