//! The scorer `bat`: the BAT score.
//!
//! Morotti et al. 2018, Stroke 49:1163: blend sign 1 point, any hypodensity 2, less than 2.5 h
//! from onset to scan 2. No risk for each number of points was available to us. The line in
//! `bat.toml` goes through what Yu et al. 2019, World Neurosurg. 126:e694, report of 225 patients
//! (56 grew; sensitivity .41, specificity .93 at 3 points; 34 patients with 3 points or more):
//! 33 of 191 grew under 3 points, 23 of 34 from 3 points on, taken at 1 and at 4 points. The
//! score was made for patients without coagulopathy.

use crate::points::{Counted, Item, Published};

/// An earlier scan gives points.
const EARLY_H: f64 = 2.5;

/// The items of the BAT score.
#[derive(Debug)]
pub enum BatItems {}

impl Published for BatItems {
    const ITEMS: &'static [Item] = &[
        Item::yes_or_no("sign.blend", 1),
        Item::yes_or_no("sign.hypodensity", 2),
        Item::quantity(
            "clinical.onset_to_ct_h",
            2,
            |hours| if hours < EARLY_H { 2 } else { 0 },
        ),
    ];
}

/// Scores by BAT points.
pub type Bat = Counted<BatItems>;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ichor_plugin::{Refused, Score, Scorer};

    use super::*;
    use crate::interval;
    use crate::testing::call;

    fn score(inputs: [f64; 3]) -> Result<(Score, [f64; 3]), Refused> {
        let bat = Bat::open(include_str!("../bat.toml"), Path::new(""))?;
        let mut contributions = [0.0; 3];
        let score = call(|call| bat.score(&inputs, &mut contributions, call))?;
        Ok((score, contributions))
    }

    fn check(inputs: [f64; 3], expected: f64) {
        let (score, contributions) = score(inputs).unwrap();
        assert!((score.risk - expected).abs() < 5e-4, "{inputs:?}: {}", score.risk);
        let log_odds = score.base + contributions.iter().sum::<f64>();
        assert!(((score.risk / (1.0 - score.risk)).ln() - log_odds).abs() < 1e-12);
        let [low, high] = interval(score, &inputs, &contributions);
        assert!((low - score.risk).abs() < 1e-12 && (high - score.risk).abs() < 1e-12);
    }

    #[test]
    fn points_give_the_risks_that_they_were_fitted_to() {
        check([0.0, 0.0, 2.5], 0.0883);
        check([1.0, 0.0, 4.0], 33.0 / 191.0);
        check([0.0, 1.0, 2.4], 23.0 / 34.0);
        check([1.0, 1.0, 0.0], 0.8181);
    }

    #[test]
    fn an_unknown_onset_gives_the_interval_between_both_answers() {
        let inputs = [1.0, 0.0, f64::NAN];
        let (unknown, contributions) = score(inputs).unwrap();
        let [low, high] = interval(unknown, &inputs, &contributions);
        let (late, _) = score([1.0, 0.0, 6.0]).unwrap();
        let (early, _) = score([1.0, 0.0, 1.0]).unwrap();
        assert!((low - late.risk).abs() < 1e-12 && (high - early.risk).abs() < 1e-12);
        assert!(low < unknown.risk && unknown.risk < high);
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_by_name() {
        let text = |inputs| score(inputs).unwrap_err().text;
        assert_eq!(text([0.5, 0.0, 1.0]), "sign.blend = 0.5: 0 for no or 1 for yes is needed");
        assert_eq!(
            text([0.0, 0.0, -1.0]),
            "clinical.onset_to_ct_h = -1: a number from 0 on is needed"
        );
        assert!(score([0.0, 0.0, f64::INFINITY]).is_err());
    }
}
