//! What many phantoms add up to: false blood, IoU and volume, and where the guards stand.

use ichor_core::{Guards, Proportion, Withheld};
use ichor_study::stats::{self, wilson};
use serde_json::{Value, json};

use super::{Kind, MOTION_MM, Measured};

/// More than this where nothing bleeds is false blood.
const FALSE_ML: f64 = 1.0;

/// The figures of a set of phantoms.
pub(super) struct Counts {
    least_ml: f64,
    /// Phantoms without a bleed that got more than [`FALSE_ML`].
    false_blood: Share,
    most_false_ml: f64,
    bleeding: Bleeding,
    /// Still phantoms withheld as too small or without a hematoma: without a bleed, with less than
    /// the smallest volume, with at least that.
    small: [Share; 3],
    /// Phantoms withheld for motion: those that lay still, and by millimetres those that did not.
    still: Share,
    moved: Vec<(f64, Share)>,
}

/// `k` of `n`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    k: u32,
    n: u32,
}

/// Bleeds as drawn of at least the smallest volume.
struct Bleeding {
    n: usize,
    iou_mean: f64,
    iou_median: f64,
    iou_worst: f64,
    error_median: f64,
    error_largest: f64,
    ivh_ml: f64,
    ivh_found_ml: f64,
}

impl Share {
    /// Counts the phantoms of which `is` holds.
    fn of<'a>(
        among: impl Iterator<Item = &'a Measured>,
        is: impl Fn(&Measured) -> bool,
    ) -> Self {
        among.fold(Self::default(), |share, m| Self {
            k: share.k + u32::from(is(m)),
            n: share.n + 1,
        })
    }

    fn words(self) -> String {
        if self.n == 0 {
            return "0 of 0".to_owned();
        }
        let Proportion { low, high, .. } = wilson(self.k, self.n);
        format!("{} of {} (95 % CI {:.0}-{:.0} %)", self.k, self.n, low * 100.0, high * 100.0)
    }

    fn json(self) -> Value {
        json!({ "k": self.k, "n": self.n })
    }
}

impl Counts {
    pub(super) fn of(measured: &[Measured], guards: &Guards) -> Self {
        let least_ml = guards.min_volume.ml();
        let of_kind = |kind| measured.iter().filter(move |m: &&Measured| m.kind == kind);
        let still = || measured.iter().filter(|m| m.kind != Kind::Moved);
        let bleeding = || still().filter(|m| m.kind != Kind::Clean);
        let called = |m: &Measured| m.found_ml.unwrap_or(0.0) + m.ivh_found_ml;
        let too_small = |m: &Measured| {
            matches!(m.withheld, Some(Withheld::NoHematoma | Withheld::TooSmall { .. }))
        };
        let moving = |m: &Measured| matches!(m.withheld, Some(Withheld::Motion { .. }));
        let at =
            |mm: f64| of_kind(Kind::Moved).filter(move |m| (m.motion_mm - mm).abs() < 1e-9);
        Self {
            least_ml,
            false_blood: Share::of(of_kind(Kind::Clean), |m| called(m) > FALSE_ML),
            most_false_ml: of_kind(Kind::Clean).map(called).fold(0.0, f64::max),
            bleeding: Bleeding::of(
                of_kind(Kind::Drawn).filter(|m| m.truth_ml >= least_ml).collect(),
            ),
            small: [
                Share::of(of_kind(Kind::Clean), too_small),
                Share::of(bleeding().filter(|m| m.truth_ml < least_ml), too_small),
                Share::of(bleeding().filter(|m| m.truth_ml >= least_ml), too_small),
            ],
            still: Share::of(still(), moving),
            moved: MOTION_MM.map(|mm| (mm, Share::of(at(mm), moving))).into(),
        }
    }

    pub(super) fn words(&self, seed: u64) -> String {
        let (b, least) = (&self.bleeding, self.least_ml);
        let [none, under, over] = self.small.map(Share::words);
        let moved: Vec<String> = self
            .moved
            .iter()
            .map(|(mm, share)| format!("{} of {} at {mm} mm", share.k, share.n))
            .collect();
        [
            format!("simulated phantoms of the clinical cohort, seed {seed}"),
            format!(
                "without a bleed: over {FALSE_ML} ml of false blood in {}; most {:.1} ml",
                self.false_blood.words(),
                self.most_false_ml
            ),
            format!(
                "bleeds as drawn of at least {least} ml: {}; IoU mean {:.3}, median {:.3}, worst {:.3}; volume error median {:.1} %, largest {:.1} %",
                b.n,
                b.iou_mean,
                b.iou_median,
                b.iou_worst,
                b.error_median * 100.0,
                b.error_largest * 100.0
            ),
            format!(
                "blood in their ventricles: {:.1} ml, of which {:.1} ml are called hematoma",
                b.ivh_ml, b.ivh_found_ml
            ),
            format!(
                "withheld for volume: no bleed {none}; under {least} ml {under}; at least {least} ml {over}"
            ),
            format!(
                "withheld for motion: still {}; moved {}",
                self.still.words(),
                moved.join(", ")
            ),
        ]
        .join("\n")
    }

    pub(super) fn json(&self, measured: &[Measured], seed: u64) -> String {
        let b = &self.bleeding;
        let moved: Vec<Value> = self
            .moved
            .iter()
            .map(|(mm, share)| json!({ "motion_mm": mm, "k": share.k, "n": share.n }))
            .collect();
        let value = json!({
            "simulated": true, "cohort": "clinical", "seed": seed, "least_ml": self.least_ml,
            "false_blood_over_1_ml": self.false_blood.json(), "false_blood_most_ml": self.most_false_ml,
            "bleeding": {
                "n": b.n, "iou_mean": b.iou_mean, "iou_median": b.iou_median,
                "iou_worst": b.iou_worst, "volume_error_median": b.error_median,
                "volume_error_largest": b.error_largest, "ivh_ml": b.ivh_ml,
                "ivh_found_ml": b.ivh_found_ml,
            },
            "withheld_for_volume": {
                "no_bleed": self.small[0].json(), "under_least": self.small[1].json(),
                "at_least": self.small[2].json(),
            },
            "withheld_for_motion": { "still": self.still.json(), "moved": moved },
            "phantoms": measured.iter().map(row).collect::<Vec<_>>(),
        });
        format!("{value:#}")
    }
}

impl Bleeding {
    fn of(large: Vec<&Measured>) -> Self {
        let ious: Vec<f64> = large.iter().map(|m| m.iou.unwrap_or(0.0)).collect();
        let error = |m: &&Measured| (m.found_ml.unwrap_or(0.0) - m.truth_ml).abs() / m.truth_ml;
        let errors: Vec<f64> = large.iter().map(error).collect();
        let none = f64::NAN;
        Self {
            n: large.len(),
            iou_mean: stats::mean(&ious).unwrap_or(none),
            iou_median: stats::median(&ious).unwrap_or(none),
            iou_worst: ious.iter().copied().fold(none, f64::min),
            error_median: stats::median(&errors).unwrap_or(none),
            error_largest: errors.iter().copied().fold(none, f64::max),
            ivh_ml: large.iter().map(|m| m.ivh_ml).sum(),
            ivh_found_ml: large.iter().map(|m| m.ivh_found_ml).sum(),
        }
    }
}

fn row(m: &Measured) -> Value {
    json!({
        "phantom": m.id, "kind": m.kind.name(), "motion_mm": m.motion_mm, "truth_ml": m.truth_ml,
        "found_ml": m.found_ml, "iou": m.iou, "ivh_ml": m.ivh_ml, "ivh_found_ml": m.ivh_found_ml,
        "motion": m.motion, "withheld": m.withheld.as_ref().map(Withheld::code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ichor_core::{Config, Millilitres, MotionIndex};

    fn phantom(
        kind: Kind,
        truth_ml: f64,
        found_ml: f64,
        withheld: Option<Withheld>,
    ) -> Measured {
        Measured {
            id: "PHANTOM-clinical-1-0".to_owned(),
            kind,
            motion_mm: if kind == Kind::Moved { 2.0 } else { 0.0 },
            truth_ml,
            ivh_ml: 1.0,
            ivh_found_ml: 0.25,
            found_ml: Some(found_ml),
            iou: Some(0.5),
            motion: 0.3,
            withheld,
        }
    }

    #[test]
    fn every_phantom_counts_where_it_belongs() {
        let too_small =
            || Some(Withheld::TooSmall { volume_ml: Millilitres::new(1.0).unwrap() });
        let motion = || Some(Withheld::Motion { motion: MotionIndex::new(0.6).unwrap() });
        let measured = [
            phantom(Kind::Clean, 0.0, 0.0, Some(Withheld::NoHematoma)),
            phantom(Kind::Clean, 0.0, 2.0, too_small()),
            phantom(Kind::Drawn, 10.0, 9.0, None),
            phantom(Kind::Drawn, 20.0, 26.0, motion()),
            phantom(Kind::Small, 1.0, 1.0, too_small()),
            phantom(Kind::Small, 2.5, 3.5, None),
            phantom(Kind::Moved, 10.0, 0.0, motion()),
            phantom(Kind::Moved, 20.0, 18.0, None),
        ];
        let counts = Counts::of(&measured, &Config::parse("").unwrap().guards);
        let share = |k, n| Share { k, n };
        assert_eq!(counts.false_blood, share(1, 2));
        assert!((counts.most_false_ml - 2.25).abs() < 1e-12);
        assert_eq!(counts.small, [share(2, 2), share(1, 2), share(0, 2)]);
        assert_eq!(counts.still, share(1, 6));
        assert_eq!(counts.moved[1], (2.0, share(1, 2)));
        assert_eq!(counts.bleeding.n, 2);
        assert!((counts.bleeding.error_median - 0.2).abs() < 1e-12);
        assert!((counts.bleeding.error_largest - 0.3).abs() < 1e-12);
        assert!((counts.bleeding.ivh_found_ml - 0.5).abs() < 1e-12);
    }
}
