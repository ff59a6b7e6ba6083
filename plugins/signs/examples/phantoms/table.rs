//! Sensitivity and specificity of each sign against what was drawn.

use std::error::Error;

use ichor_study::phantom::{Cohort, Latents};
use ichor_study::stats::{Scored, auc, wilson};

use crate::cases::Described;

/// A sign, what it measures, and what of a phantom it is held against.
struct Row {
    sign: &'static str,
    measured: &'static str,
    drawn: &'static str,
    truth: fn(&Latents) -> bool,
}

/// Heterogeneity and irregularity are drawn on a scale: above the middle of a 14 ml hematoma they
/// count as there. Hypodensity is drawn as hole or swirl. A satellite is not drawn for its own.
const ROWS: [Row; 9] = [
    row("blend", "blend_hu", "blend", |l| l.blend),
    row("black_hole", "black_hole_hu", "black_hole", |l| l.black_hole),
    row("swirl", "swirl_share", "swirl", |l| l.swirl),
    row("hypodensity", "hypodensity_hu", "black_hole or swirl", |l| l.black_hole || l.swirl),
    row("heterogeneous", "heterogeneous_grade", "heterogeneity >= 0.42", |l| {
        l.heterogeneity >= 0.42
    }),
    row("irregular", "irregular_grade", "irregularity >= 0.50", |l| l.irregularity >= 0.50),
    row("island", "island_count", "island", |l| l.island),
    row("satellite", "satellite_count", "island", |l| l.island),
    row("fluid_level", "fluid_level_hu", "fluid_level", |l| l.fluid_level),
];

const fn row(
    sign: &'static str,
    measured: &'static str,
    drawn: &'static str,
    truth: fn(&Latents) -> bool,
) -> Row {
    Row { sign, measured, drawn, truth }
}

/// Prints the table, in Markdown.
pub(crate) fn print(cases: &[Described], cohort: &Cohort) -> Result<(), Box<dyn Error>> {
    println!(
        "{} phantoms of at least 3 ml of {} ({} cohort, seed {}), simulated, masks as drawn; 95 % intervals by Wilson, of the area by DeLong.\n",
        cases.len(),
        cohort.len(),
        cohort.name(),
        cohort.seed()
    );
    println!("|sign|drawn as|drawn|found|sensitivity|specificity|area under the curve, of|");
    println!("|-|-|-|-|-|-|-|");
    for row in ROWS {
        println!("{}", line(cases, &row)?);
    }
    Ok(())
}

fn line(cases: &[Described], row: &Row) -> Result<String, Box<dyn Error>> {
    let name = format!("sign.{}", row.sign);
    let found: Vec<bool> = cases.iter().map(|case| case.feature(&name) > 0.5).collect();
    let truth: Vec<bool> = cases.iter().map(|c| (row.truth)(&c.case.latents)).collect();
    let count = |drawn: bool, found_too: bool| {
        let both = truth.iter().zip(&found);
        both.filter(|&(&t, &f)| t == drawn && f == found_too).count() as u32
    };
    let n_drawn = count(true, true) + count(true, false);
    let n_other = count(false, true) + count(false, false);
    let share = |k: u32, n: u32| {
        let share = wilson(k, n);
        format!("{:.3} ({:.3}-{:.3})", share.value, share.low, share.high)
    };
    let measured = format!("sign.{}", row.measured);
    // Where nothing could be measured there is less of the sign than anywhere else.
    let least = |value: f64| if value.is_nan() { -1e9 } else { value };
    let values: Vec<f64> = cases.iter().map(|case| least(case.feature(&measured))).collect();
    let area = auc(&Scored::new(&values, &truth)?);
    let sure = area.interval.map(|i| format!(" ({:.3}-{:.3})", i.low, i.high));
    Ok(format!(
        "|{}|{}|{n_drawn}|{}|{}|{}|{:.3}{} `{measured}`|",
        row.sign,
        row.drawn,
        count(true, true) + count(false, true),
        share(count(true, true), n_drawn),
        share(count(false, false), n_other),
        area.value,
        sure.unwrap_or_default(),
    ))
}
