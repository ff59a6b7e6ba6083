//! What is drawn for one case before anything is rendered.
//!
//! Distributions after Teng et al. 2021 (table 1: location, volume, inclusion within 6 h, IVH),
//! Morotti et al. 2020 and Li et al. (prevalences of the signs), Selariu et al. 2012 (swirl) and
//! Al-Shahi Salman et al. 2018 (anticoagulants); spreads are a designer's choice. Simulated: no
//! figure obtained on these is clinical evidence.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Volume in millilitres at which every logarithm of volume is 0.
pub(super) const REFERENCE_ML: f64 = 14.0;

/// Where the hematoma lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// Putamen and around it.
    BasalGanglia,
    /// Thalamus.
    Thalamus,
    /// Under the cortex of a lobe.
    Lobar,
    /// Cerebellum.
    Cerebellum,
}

/// The patient's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Left, on the right of a radiological picture.
    Left,
    /// Right.
    Right,
}

/// The hidden causes of one case: what it looks like, and what it will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign that is there or is not")]
pub struct Latents {
    /// Location of the hematoma.
    pub location: Location,
    /// Side of the hematoma.
    pub side: Side,
    /// Volume of the hematoma; 0: none.
    pub volume_ml: f64,
    /// Hours from onset to the scan.
    pub onset_h: f64,
    /// Amplitude of the lobulation, 0.05 to 1.3.
    pub irregularity: f64,
    /// Amplitude of the mottling, 0.02 to 1.3.
    pub heterogeneity: f64,
    /// Blend sign: a lighter and a darker part with a sharp border.
    pub blend: bool,
    /// Black hole sign: a dark core that does not touch the edge.
    pub black_hole: bool,
    /// Swirl sign: dark regions without a border.
    pub swirl: bool,
    /// Island sign: small hematomas beside the main one.
    pub island: bool,
    /// Fluid level: plasma above, cells below.
    pub fluid_level: bool,
    /// Blood in the ventricles.
    pub ivh: bool,
    /// Age in years; widens sulci and ventricles.
    pub age_years: f64,
    /// Density of the solid clot.
    pub clot_hu: f64,
    /// Width of the oedema.
    pub oedema_mm: f64,
    /// On anticoagulants; not visible.
    pub anticoagulant: bool,
    /// Spot sign on CT angiography; not visible without contrast.
    pub spot: bool,
}

impl Latents {
    /// Draws one case.
    pub(super) fn draw(random: &mut Random) -> Self {
        let location = location(random.uniform());
        let side = if random.chance(0.5) { Side::Left } else { Side::Right };
        let (median, spread, ivh_rate) = of_location(location);
        let volume_ml = (median * libm::exp(spread * random.normal())).clamp(0.6, 110.0);
        let onset_h = (2.4 * libm::exp(0.55 * random.normal())).clamp(0.4, 6.0);
        let size = libm::log(volume_ml / REFERENCE_ML);
        let late = onset_h - 2.4;
        let irregularity = random.around(0.50 + 0.16 * size, 0.24).clamp(0.05, 1.3);
        let heterogeneity =
            random.around(0.42 + 0.13 * size - 0.05 * late, 0.22).clamp(0.02, 1.3);
        let mottled = heterogeneity - 0.4;
        let mut sign = |log_odds: f64| random.chance(logistic(log_odds));
        let blend = sign(-2.25 + 1.1 * mottled + 0.45 * size);
        let black_hole = sign(-2.35 + 1.2 * mottled + 0.45 * size);
        let swirl = sign(-1.05 + 1.6 * mottled + 0.5 * size);
        let island = sign(-2.25 + 2.0 * (irregularity - 0.5) + 0.6 * size);
        let ivh = sign(libm::log(ivh_rate / (1.0 - ivh_rate)) + 0.35 * size);
        let spot = sign(spot_log_odds(volume_ml, onset_h));
        Self {
            location,
            side,
            volume_ml,
            onset_h,
            irregularity,
            heterogeneity,
            blend,
            black_hole,
            swirl,
            island,
            fluid_level: random.chance(0.025),
            ivh,
            age_years: random.around(58.0, 12.0).clamp(25.0, 92.0),
            clot_hu: random.around(61.0, 3.0).clamp(52.0, 72.0),
            oedema_mm: random
                .around(0.6 + 0.35 * onset_h + 0.25 * libm::cbrt(volume_ml), 0.35)
                .clamp(0.3, 5.0),
            anticoagulant: random.chance(super::label::ANTICOAGULANT_RATE),
            spot,
        }
    }

    /// Without any bleeding: a head like the case's own, and nothing in it.
    pub(super) fn without_bleed(self) -> Self {
        Self {
            volume_ml: 0.0,
            oedema_mm: 0.0,
            blend: false,
            black_hole: false,
            swirl: false,
            island: false,
            fluid_level: false,
            ivh: false,
            spot: false,
            ..self
        }
    }
}

/// Log-odds of a spot sign.
pub(super) fn spot_log_odds(volume_ml: f64, onset_h: f64) -> f64 {
    -1.6 + 0.5 * libm::log(volume_ml / REFERENCE_ML) - 0.25 * (onset_h - 2.4)
}

/// `1 / (1 + exp(-x))`.
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Teng et al. 2021, table 1: 50, 26, 30 and 12 of 118.
fn location(uniform: f64) -> Location {
    match uniform * 118.0 {
        ..50.0 => Location::BasalGanglia,
        ..76.0 => Location::Thalamus,
        ..106.0 => Location::Lobar,
        _ => Location::Cerebellum,
    }
}

/// Median volume in millilitres, spread of its logarithm, and share with blood in the ventricles.
fn of_location(location: Location) -> (f64, f64, f64) {
    match location {
        Location::BasalGanglia => (15.0, 0.80, 0.45),
        Location::Thalamus => (9.0, 0.65, 0.78),
        Location::Lobar => (26.0, 0.85, 0.32),
        Location::Cerebellum => (11.0, 0.70, 0.50),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many() -> Vec<Latents> {
        let mut random = Random::keyed(&[11]);
        (0..40_000).map(|_| Latents::draw(&mut random)).collect()
    }

    #[test]
    fn prevalences_are_those_of_the_literature() {
        let all = many();
        let check = |share: fn(&Latents) -> bool, expected: f64| {
            let found = all.iter().filter(|l| share(l)).count() as f64 / all.len() as f64;
            assert!((found - expected).abs() < 0.01, "{found:.3} for {expected:.3}");
        };
        check(|l| l.blend, 0.109);
        check(|l| l.black_hole, 0.102);
        check(|l| l.swirl, 0.29);
        check(|l| l.island, 0.129);
        check(|l| l.fluid_level, 0.025);
        check(|l| l.ivh, 0.501);
        check(|l| l.spot, 0.177);
        check(|l| l.anticoagulant, 0.05);
        check(|l| l.location == Location::BasalGanglia, 0.424);
        check(|l| l.location == Location::Cerebellum, 0.102);
        check(|l| l.volume_ml < 3.0, 0.024);
    }

    #[test]
    fn volumes_have_the_median_and_quartiles_of_the_design() {
        let mut volumes: Vec<f64> = many().iter().map(|l| l.volume_ml).collect();
        volumes.sort_by(f64::total_cmp);
        for (quarter, expected) in [(1, 8.2), (2, 14.4), (3, 26.3)] {
            let found = volumes[volumes.len() * quarter / 4];
            assert!((found / expected - 1.0).abs() < 0.03, "{found} for {expected}");
        }
    }
}
