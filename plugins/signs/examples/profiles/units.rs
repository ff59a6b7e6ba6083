//! The scorers that count points, and their profiles.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use ichor_core::{Profile, Threshold, UnitId};
use ichor_plugin::{Call, Scorer};
use ichor_signs::{Bat, Brain};
use ichor_study::phantom::Cohort;
use ichor_study::stats::{Confusion, Criterion, Scored, auc, choose_threshold};
use sha2::{Digest, Sha256};

use crate::cases::{Described, described};

/// A published cut-off in points, with who gave it.
type Published = (f64, &'static str);

/// Chooses, reports, writes.
pub(crate) fn write(
    chosen_on: &Cohort,
    reported_on: &Cohort,
    date: &str,
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let (choose, report) = (described(chosen_on)?, described(reported_on)?);
    let open = |config| Bat::open(config, Path::new(""));
    let bat = Unit {
        id: "bat",
        config: include_str!("../../bat.toml"),
        published: (3.0, "BAT >= 3 (Morotti et al. 2018)"),
    };
    bat.write(&open(bat.config)?, [&choose, &report], date, out)?;
    let brain = Unit {
        id: "brain",
        config: include_str!("../../brain.toml"),
        published: (6.0, "BRAIN >= 6 (Neurocrit. Care 2020, 32:804)"),
    };
    brain.write(&Brain::open(brain.config, Path::new(""))?, [&choose, &report], date, out)
}

/// One scorer of the plugin.
struct Unit {
    id: &'static str,
    config: &'static str,
    published: Published,
}

impl Unit {
    fn write(
        &self,
        scorer: &impl Scorer,
        [choose, report]: [&[Described]; 2],
        date: &str,
        out: &Path,
    ) -> Result<(), Box<dyn Error>> {
        let chosen = Scored::new(&risks(scorer, choose)?, &labels(choose))?;
        let reported = Scored::new(&risks(scorer, report)?, &labels(report))?;
        println!("{} (simulated): area {:.3}", self.id, auc(&reported).value);
        let grew = choose.iter().filter(|case| case.case.expands).count() as f64;
        let tuned_on = format!(
            "phantom development cohort, seed 2, n {}, HE {:.1} %, simulated labels; reported on the phantom clinical cohort, seed 3",
            choose.len(),
            100.0 * grew / choose.len() as f64
        );
        let mut thresholds = vec![("published", self.published.1.to_owned(), self.cut_off()?)];
        for (name, criterion) in [
            ("youden", Criterion::Youden),
            ("rule-out", Criterion::Sensitivity(0.95)),
            ("rule-in", Criterion::Specificity(0.90)),
        ] {
            let threshold = choose_threshold(&chosen, criterion)?;
            thresholds.push((name, criterion.to_string(), threshold));
        }
        let folder = out.join("org.ichor.signs").join(self.id);
        fs::create_dir_all(&folder)?;
        for (name, criterion, threshold) in thresholds {
            let at = Confusion::at(&reported, threshold);
            let of_points = name == "published";
            let profile = Profile {
                name: name.to_owned(),
                scorer: UnitId {
                    plugin: "org.ichor.signs".to_owned(),
                    unit: self.id.to_owned(),
                },
                plugin_version: env!("CARGO_PKG_VERSION").to_owned(),
                weights_sha256: self.weights_sha256(),
                threshold: Threshold::new(threshold)?,
                criterion,
                tuned_on: if of_points {
                    "published cut-off; reported on the phantom clinical cohort, seed 3, simulated labels".to_owned()
                } else {
                    tuned_on.clone()
                },
                simulated_labels: true,
                apparent: false,
                prevalence: labels(report).iter().filter(|&&grew| grew).count() as f64
                    / report.len() as f64,
                sensitivity: at.sensitivity(),
                specificity: at.specificity(),
                date: date.to_owned(),
            };
            fs::write(folder.join(format!("{name}.toml")), profile.to_toml()?)?;
            println!(
                "{name:<9} {:.4}  sensitivity {:.3}  specificity {:.3}",
                threshold, profile.sensitivity.value, profile.specificity.value
            );
        }
        Ok(())
    }

    /// The risk at the published number of points, less what rounding may take.
    fn cut_off(&self) -> Result<f64, Box<dyn Error>> {
        let number = |name: &str| -> Result<f64, Box<dyn Error>> {
            let line = self.config.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|rest| rest.trim().strip_prefix('='));
            Ok(value.ok_or_else(|| format!("{name} is missing"))?.trim().parse()?)
        };
        let log_odds =
            number("log_odds_at_0")? + self.published.0 * number("log_odds_a_point")? - 1e-9;
        Ok(1.0 / (1.0 + (-log_odds).exp()))
    }

    /// As the host has it: the hash of a list with the hash of the unit's one file.
    fn weights_sha256(&self) -> String {
        let hex = |bytes: &[u8]| {
            let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
            let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
            Sha256::digest(bytes).iter().flat_map(digits).collect::<String>()
        };
        hex(format!("{}  {}.toml\n", hex(self.config.as_bytes()), self.id).as_bytes())
    }
}

fn labels(cases: &[Described]) -> Vec<bool> {
    cases.iter().map(|case| case.case.expands).collect()
}

fn risks(scorer: &impl Scorer, cases: &[Described]) -> Result<Vec<f64>, String> {
    let risk = |case: &Described| {
        let inputs: Vec<f64> = scorer.inputs().iter().map(|name| input(case, name)).collect();
        let mut poll = |_: f32| ControlFlow::Continue(());
        let mut contributions = vec![0.0; inputs.len()];
        let score = scorer.score(&inputs, &mut contributions, &mut Call::new(&mut poll));
        score.map(|score| score.risk).map_err(|refused| refused.to_string())
    };
    cases.iter().map(risk).collect()
}

/// What staff would have entered, and what the extractor found. The onset is unknown in every
/// second case, as it often is at night; whether a phantom bled before is never known.
fn input(case: &Described, name: &str) -> f64 {
    let latents = &case.case.latents;
    let yes = |is: bool| if is { 1.0 } else { 0.0 };
    match name {
        "hematoma.volume_ml" => case.volume_ml,
        "clinical.onset_to_ct_h" if (case.case.seed / 32).is_multiple_of(2) => latents.onset_h,
        "clinical.anticoagulant" => yes(latents.anticoagulant),
        "clinical.ivh" => yes(latents.ivh),
        other => case.feature(other),
    }
}
