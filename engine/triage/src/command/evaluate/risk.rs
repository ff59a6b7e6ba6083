//! Scorers on a phantom cohort that training never saw.

use clap::Args;
use ichor_core::Features;
use ichor_study::stats::{self, Confusion, Scored};
use serde_json::{Value, json};

use super::described::Described;
use crate::cohort::Table;
use crate::command::score::print;
use crate::scorers::Scorers;
use crate::{Settings, TriageError};

/// Scorers on a phantom cohort that training never saw. The labels are simulated.
///
/// Beside each scorer stands the Bayes score: the most that anything visible can give. A scorer
/// that beats it by more than two standard errors has seen the label.
#[derive(Args)]
pub(crate) struct Risk {
    #[command(flatten)]
    on: Described,
    /// Threshold profile of each scorer
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Risk {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let (_, table) = self.on.table(settings)?;
        let mut scorers = Scorers::open(settings)?;
        let profile = self.profile.as_ref().unwrap_or(&settings.config.score.profile);
        let mut rows = vec![self.row("bayes (visible)", &table, &table.bayes, None)?];
        for unit in scorers.scoring().cloned().collect::<Vec<_>>() {
            let risks = table
                .rows
                .iter()
                .map(|row| {
                    let inputs = Features::new(table.names.clone(), row.clone())?;
                    Ok(scorers.risk(&unit, &inputs)?.probability())
                })
                .collect::<Result<Vec<f64>, TriageError>>()?;
            let threshold = scorers.profile(&unit, profile)?.threshold.probability();
            rows.push(self.row(&unit.to_string(), &table, &risks, Some(threshold))?);
        }
        if self.json {
            return print(&format!(
                "{:#}",
                json!({ "simulated_labels": true, "on": self.on.json(&table), "scorers": rows })
            ));
        }
        print(&format!(
            "{}, {} expand; labels are simulated",
            self.on.heading(&table),
            table.expands.iter().filter(|&&expands| expands).count()
        ))?;
        print(
            "scorer                            AUC (95 % CI, DeLong)   threshold   sensitivity          specificity",
        )?;
        for row in &rows {
            print(&line(row))?;
        }
        Ok(())
    }

    fn row(
        &self,
        name: &str,
        table: &Table,
        risks: &[f64],
        threshold: Option<f64>,
    ) -> Result<Value, TriageError> {
        let scored = Scored::new(risks, &table.expands)?;
        let auc = stats::auc(&scored);
        let at = threshold.map(|threshold| {
            let hits = Confusion::at(&scored, threshold);
            json!({
                "threshold": threshold, "profile": self.profile,
                "sensitivity": hits.sensitivity(), "specificity": hits.specificity(),
            })
        });
        Ok(json!({
            "scorer": name, "n": risks.len(), "auc": auc.value,
            "auc_ci95": auc.interval.map(|interval| [interval.low, interval.high]),
            "auc_se": auc.standard_error, "at": at,
        }))
    }
}

fn line(row: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let share = |value: &Value| {
        format!(
            "{:.3} ({:.3}-{:.3})",
            number(&value["value"]),
            number(&value["low"]),
            number(&value["high"])
        )
    };
    let at = if row["at"].is_null() {
        String::new()
    } else {
        format!(
            "{:>9.3}   {:<20} {}",
            number(&row["at"]["threshold"]),
            share(&row["at"]["sensitivity"]),
            share(&row["at"]["specificity"])
        )
    };
    format!(
        "{:<33} {:.3} ({:.3}-{:.3})  {at}",
        row["scorer"].as_str().unwrap_or_default(),
        number(&row["auc"]),
        number(&row["auc_ci95"][0]),
        number(&row["auc_ci95"][1])
    )
}
