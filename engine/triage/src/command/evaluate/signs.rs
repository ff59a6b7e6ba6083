//! The signs of expansion on phantoms, whose signs are known because they were drawn.

use clap::Args;
use ichor_core::Proportion;
use ichor_study::phantom::Latents;
use ichor_study::stats::{Auc, Scored, StatsError, auc, wilson};
use serde_json::{Value, json};

use super::described::Described;
use crate::cohort::Table;
use crate::command::score::print;
use crate::{Settings, TriageError};

/// The extractor that looks for them.
const EXTRACTOR: &str = "org.ichor.signs/signs";

/// Signs of expansion on a phantom cohort. Everything here is simulated.
///
/// Of each sign of `org.ichor.signs`: sensitivity and specificity against what was drawn, with
/// Wilson's intervals of 95 %, and the area under the curve of what it measures, with `DeLong`'s.
/// What cannot be said counts as not found; what cannot be measured, as less than anything.
#[derive(Args)]
pub(crate) struct Signs {
    #[command(flatten)]
    on: Described,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Signs {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let extractors = &settings.config.score.extractors;
        if !extractors.iter().any(|unit| unit.to_string() == EXTRACTOR) {
            return Err(TriageError::Input(format!(
                "score.extractors does not name {EXTRACTOR}, which finds the signs: add it to the configuration; nothing else of the list is needed here"
            )));
        }
        let (cohort, table) = self.on.table(settings)?;
        let latents: Vec<Latents> =
            table.index.iter().map(|&index| cohort.case(index).latents).collect();
        let figures = SIGNS
            .iter()
            .map(|sign| Figures::of(sign, &table, &latents))
            .collect::<Result<Vec<_>, _>>()?;
        if self.json {
            let signs: Vec<Value> = figures.iter().map(Figures::json).collect();
            return print(&format!(
                "{:#}",
                json!({ "on": self.on.json(&table), "signs": signs })
            ));
        }
        print(&format!("{}; simulated\n", self.on.heading(&table)))?;
        print(HEADER)?;
        for of_sign in &figures {
            print(&of_sign.line())?;
        }
        Ok(())
    }
}

/// A sign, what it measures, and what of a phantom it is held against.
struct Sign {
    name: &'static str,
    measured: &'static str,
    drawn_as: &'static str,
    truth: fn(&Latents) -> bool,
}

/// Heterogeneity and irregularity are drawn on a scale: above the middle of a 14 ml hematoma they
/// count as there. Hypodensity is drawn as hole or swirl, a satellite as an island.
const SIGNS: [Sign; 9] = [
    sign("blend", "blend_hu", "blend", |l| l.blend),
    sign("black_hole", "black_hole_hu", "black_hole", |l| l.black_hole),
    sign("swirl", "swirl_share", "swirl", |l| l.swirl),
    sign("hypodensity", "hypodensity_hu", "black_hole or swirl", |l| l.black_hole || l.swirl),
    sign("heterogeneous", "heterogeneous_grade", "heterogeneity >= 0.42", |l| {
        l.heterogeneity >= 0.42
    }),
    sign("irregular", "irregular_grade", "irregularity >= 0.50", |l| l.irregularity >= 0.50),
    sign("island", "island_count", "island", |l| l.island),
    sign("satellite", "satellite_count", "island", |l| l.island),
    sign("fluid_level", "fluid_level_hu", "fluid_level", |l| l.fluid_level),
];

const fn sign(
    name: &'static str,
    measured: &'static str,
    drawn_as: &'static str,
    truth: fn(&Latents) -> bool,
) -> Sign {
    Sign { name, measured, drawn_as, truth }
}

/// Of Markdown, in columns that can be read as they are.
const HEADER: &str = "\
| sign          | drawn as              | drawn | found | sensitivity         | specificity         | area under the curve, of
|---------------|-----------------------|-------|-------|---------------------|---------------------|-";

/// What was counted of a sign.
struct Figures<'a> {
    sign: &'a Sign,
    drawn: u32,
    found: u32,
    sensitivity: Proportion,
    specificity: Proportion,
    /// None where it was drawn in every case or in none.
    area: Option<Auc>,
}

impl<'a> Figures<'a> {
    /// `latents` are those of the table's rows.
    fn of(sign: &'a Sign, table: &Table, latents: &[Latents]) -> Result<Self, TriageError> {
        let truth: Vec<bool> = latents.iter().map(sign.truth).collect();
        let found = column(table, sign.name)?.map(|value| value > 0.5);
        let (mut hits, mut others) = ([0, 0], [0, 0]);
        for (&drawn, found) in truth.iter().zip(found) {
            let counts = if drawn { &mut hits } else { &mut others };
            counts[usize::from(found)] += 1;
        }
        let [missed, hit] = hits;
        let [left, false_alarm] = others;
        let least = |value: f64| if value.is_nan() { f64::NEG_INFINITY } else { value };
        let values: Vec<f64> = column(table, sign.measured)?.map(least).collect();
        let area = match Scored::new(&values, &truth) {
            Ok(scored) => Some(auc(&scored)),
            Err(StatsError::OneClass { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            sign,
            drawn: hit + missed,
            found: hit + false_alarm,
            sensitivity: wilson(hit, hit + missed),
            specificity: wilson(left, left + false_alarm),
            area,
        })
    }

    fn json(&self) -> Value {
        json!({
            "sign": self.sign.name, "measured": self.sign.measured,
            "drawn_as": self.sign.drawn_as, "drawn": self.drawn, "found": self.found,
            "sensitivity": self.sensitivity, "specificity": self.specificity,
            "auc": self.area.map(|area| area.value),
            "auc_ci95": self.area.and_then(|area| area.interval).map(|i| [i.low, i.high]),
            "auc_se": self.area.map(|area| area.standard_error),
        })
    }

    fn line(&self) -> String {
        let share = |share: Proportion| match share.n {
            0 => "-".to_owned(),
            _ => format!("{:.3} ({:.3}-{:.3})", share.value, share.low, share.high),
        };
        let sure = self.area.and_then(|area| area.interval);
        let sure = sure.map(|i| format!(" ({:.3}-{:.3})", i.low, i.high)).unwrap_or_default();
        let area =
            self.area.map_or_else(|| "-".to_owned(), |a| format!("{:.3}{sure}", a.value));
        format!(
            "| {:<13} | {:<21} | {:>5} | {:>5} | {:<19} | {:<19} | {area} `{}`",
            self.sign.name,
            self.sign.drawn_as,
            self.drawn,
            self.found,
            share(self.sensitivity),
            share(self.specificity),
            self.sign.measured,
        )
    }
}

/// The values of `sign.NAME`, row by row.
fn column<'a>(
    table: &'a Table,
    name: &str,
) -> Result<impl Iterator<Item = f64> + 'a, TriageError> {
    let name = format!("sign.{name}");
    let at = table.names.iter().position(|known| *known == name).ok_or_else(|| {
        TriageError::Input(format!(
            "{EXTRACTOR} gives no {name}: install the plugin that belongs to this program"
        ))
    })?;
    Ok(table.rows.iter().map(move |row| row[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ichor_study::phantom::Cohort;

    /// Five cases, of which the first two have a blend: `found` and `measured` of each.
    fn figures(found: [f64; 5], measured: [f64; 5]) -> (String, Value) {
        let table = Table {
            names: vec!["sign.blend".to_owned(), "sign.blend_hu".to_owned()],
            rows: found.into_iter().zip(measured).map(|(f, m)| vec![f, m]).collect(),
            ..Table::default()
        };
        let latents: Vec<Latents> = Cohort::clinical(5, 1)
            .cases()
            .map(|case| Latents { blend: case.index < 2, ..case.latents })
            .collect();
        let of_sign = Figures::of(&SIGNS[0], &table, &latents).unwrap();
        (of_sign.line(), of_sign.json())
    }

    #[test]
    fn what_cannot_be_said_counts_as_not_found_and_what_cannot_be_measured_as_least() {
        let nan = f64::NAN;
        let (line, json) = figures([1.0, nan, 0.0, 1.0, nan], [30.0, nan, -5.0, 25.0, nan]);
        assert_eq!(
            line,
            "| blend         | blend                 |     2 |     2 | 0.500 (0.095-0.905) | 0.667 (0.208-0.939) | 0.583 (0.000-1.000) `blend_hu`"
        );
        assert_eq!((&json["drawn"], &json["found"]), (&json!(2), &json!(2)));
        assert_eq!(json["specificity"]["n"], 3);
    }

    #[test]
    fn a_sign_that_nobody_has_gets_a_dash() {
        let sign = sign("blend", "blend_hu", "nothing", |_| false);
        let table = Table {
            names: vec!["sign.blend".to_owned(), "sign.blend_hu".to_owned()],
            rows: vec![vec![0.0, 1.0], vec![1.0, 2.0]],
            ..Table::default()
        };
        let latents: Vec<Latents> =
            Cohort::clinical(2, 1).cases().map(|case| case.latents).collect();
        let of_sign = Figures::of(&sign, &table, &latents).unwrap();
        assert!(of_sign.line().contains("|     0 |     1 | -  "), "{}", of_sign.line());
        assert!(of_sign.line().ends_with("| - `blend_hu`"), "{}", of_sign.line());
        assert_eq!(of_sign.json()["auc"], Value::Null);
    }

    #[test]
    fn a_plugin_without_the_sign_is_an_error() {
        let said = Figures::of(&SIGNS[1], &Table::default(), &[]).err().unwrap().to_string();
        assert!(said.contains("gives no sign.black_hole:"), "{said}");
    }
}
