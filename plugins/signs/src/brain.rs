//! The scorer `brain`: the BRAIN score.
//!
//! Wang et al. 2015, Stroke 46:376: baseline volume (to 10 ml 0, to 20 ml 5, more 7), recurrent
//! hemorrhage 4, anticoagulation with warfarin 6, intraventricular extension 2, hours from onset
//! to scan (to 1 h 5, to 2 h 4, to 3 h 3, to 4 h 2, to 5 h 1, later 0). The risk of growth by 6 ml
//! and more runs from 3.4 % at 0 points to 85.8 % at 24; the line in `brain.toml` joins these two
//! in log-odds, as a score made from the coefficients of a logistic regression has it. Any
//! anticoagulant counts as warfarin: the site's list of clinical values knows no more.

use crate::points::{Counted, Item, Published};

/// The items of the BRAIN score.
#[derive(Debug)]
pub enum BrainItems {}

impl Published for BrainItems {
    const ITEMS: &'static [Item] = &[
        Item::quantity("hematoma.volume_ml", 7, of_volume),
        Item::yes_or_no("clinical.recurrent_ich", 4),
        Item::yes_or_no("clinical.anticoagulant", 6),
        Item::yes_or_no("clinical.ivh", 2),
        Item::quantity("clinical.onset_to_ct_h", 5, of_onset),
    ];
}

/// Scores by BRAIN points.
pub type Brain = Counted<BrainItems>;

fn of_volume(volume_ml: f64) -> u8 {
    match volume_ml {
        ..=10.0 => 0,
        ..=20.0 => 5,
        _ => 7,
    }
}

fn of_onset(hours: f64) -> u8 {
    match hours {
        ..=1.0 => 5,
        ..=2.0 => 4,
        ..=3.0 => 3,
        ..=4.0 => 2,
        ..=5.0 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ichor_plugin::{Score, Scorer};

    use super::*;
    use crate::interval;
    use crate::testing::call;

    fn score(inputs: [f64; 5]) -> (Score, [f64; 5]) {
        let brain = Brain::open(include_str!("../brain.toml"), Path::new("")).unwrap();
        let mut contributions = [0.0; 5];
        let score = call(|call| brain.score(&inputs, &mut contributions, call)).unwrap();
        (score, contributions)
    }

    #[test]
    fn the_ends_of_the_score_have_the_published_risks() {
        let check = |inputs, expected: f64| {
            let risk = score(inputs).0.risk;
            assert!((risk - expected).abs() < 1e-4, "{inputs:?}: {risk}");
        };
        check([10.0, 0.0, 0.0, 0.0, 5.1], 0.034);
        check([20.1, 1.0, 1.0, 1.0, 1.0], 0.858);
        // 5 + 2 + 3 points.
        check([10.1, 0.0, 0.0, 1.0, 2.1], 0.231);
    }

    #[test]
    fn every_hour_to_the_scan_takes_a_point() {
        let points = [0.5, 1.0, 1.5, 2.5, 3.5, 4.5, 5.0, 5.5].map(of_onset);
        assert_eq!(points, [5, 5, 4, 3, 2, 1, 1, 0]);
    }

    #[test]
    fn with_nothing_known_the_interval_is_the_whole_score() {
        let inputs = [f64::NAN; 5];
        let (unknown, contributions) = score(inputs);
        let [low, high] = interval(unknown, &inputs, &contributions);
        assert!((low - 0.034).abs() < 5e-5 && (high - 0.858).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn a_line_that_falls_is_refused() {
        for config in ["log_odds_at_0 = -3\nlog_odds_a_point = -1", "log_odds_at_0 = -3", ""] {
            assert!(Brain::open(config, Path::new("")).is_err(), "{config}");
        }
    }
}
