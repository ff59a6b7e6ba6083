//! Boosting: one tree after the other, each on what the others left.

use std::ops::ControlFlow;

use crate::bins::Binned;
use crate::error::BoostingError;
use crate::forest::{Convention, Forest};
use crate::grow::Ground;
use crate::histogram::{MOST_ROWS, Rules, Scale};
use crate::model::{Model, Trained};
use crate::random::Random;
use crate::xgboost::logit;

/// The deepest tree that is trained.
const DEEPEST: usize = 10;

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainSettings {
    /// Number of trees, 1 to 10000.
    pub trees: usize,
    /// Splits from root to leaf, 1 to 10.
    pub depth: usize,
    /// Share of every step that is taken, above 0 and at most 1.
    pub rate: f64,
    /// Share of the rows drawn for each tree, above 0 and at most 1.
    pub row_share: f64,
    /// Share of the columns drawn for each tree, above 0 and at most 1.
    pub column_share: f64,
    /// Penalty on the square of a leaf's log-odds, 0 or more.
    pub l2: f64,
    /// Least sum of `p (1 - p)` over the drawn rows of a leaf, 0 or more; 5 is at least 20 rows.
    pub least_hessian: f64,
    /// What the draws start from.
    pub seed: u64,
}

impl Default for TrainSettings {
    /// For some two thousand cases with some dozens of columns.
    fn default() -> Self {
        Self {
            trees: 300,
            depth: 3,
            rate: 0.05,
            row_share: 0.8,
            column_share: 0.5,
            l2: 1.0,
            least_hessian: 5.0,
            seed: 20_210_526,
        }
    }
}

/// Trains on one row of values for each case, in the order of `names`; NaN is missing, and which
/// side of a split it takes is learnt.
///
/// `progress` is told the number of trees grown and the mean log-loss over the training rows
/// before the last of them, and breaks to stop. The same rows and settings give the same bits.
pub fn train(
    names: &[String],
    rows: &[Vec<f64>],
    labels: &[bool],
    settings: &TrainSettings,
    progress: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
) -> Result<Model, BoostingError> {
    settings.check()?;
    check(names, rows, labels)?;
    let binned = Binned::new(rows, names.len());
    let positives = labels.iter().filter(|grew| **grew).count();
    let mut forest = Forest::new(Convention::XGBoost);
    let base = logit((positives as f64 / rows.len() as f64) as f32);
    forest.base = f64::from(base);
    let mut log_odds = vec![base; rows.len()];
    let scale = Scale::new(rows.len());
    let rules = Rules { scale, l2: settings.l2, least_hessian: settings.least_hessian };
    let mut random = Random::new(settings.seed);
    for tree_idx in 0..settings.trees {
        let (words, loss) = gradients(&log_odds, labels, scale);
        let drawn = random.sample(binned.n_rows, settings.row_share);
        let columns = random.sample(names.len(), settings.column_share);
        let ground = Ground {
            binned: &binned,
            words: &words,
            columns: &columns,
            rules,
            depth: settings.depth,
            rate: settings.rate,
        };
        forest.plant(&ground.grow(drawn, &mut log_odds), names.len(), 0)?;
        if progress(tree_idx + 1, loss).is_break() {
            return Err(BoostingError::Stopped { trees: tree_idx + 1 });
        }
    }
    let trained = Trained { rows: rows.len(), positives, seed: settings.seed };
    Model::new(names.to_vec(), forest, Some(trained))
}

/// A word for every row, and the mean log-loss.
fn gradients(log_odds: &[f32], labels: &[bool], scale: Scale) -> (Vec<i64>, f64) {
    let mut loss = 0.0;
    let of_row = |(&log_odds, &grew): (&f32, &bool)| {
        let risk = 1.0 / (1.0 + (-f64::from(log_odds)).exp());
        loss -= if grew { risk.ln() } else { (-risk).ln_1p() };
        scale.pack(risk - f64::from(u8::from(grew)), risk * (1.0 - risk))
    };
    let words = log_odds.iter().zip(labels).map(of_row).collect();
    (words, loss / labels.len() as f64)
}

impl TrainSettings {
    fn check(&self) -> Result<(), BoostingError> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let weight = |value: f64| value.is_finite() && value >= 0.0;
        let checks = [
            ("trees", self.trees as f64, (1..=10_000).contains(&self.trees)),
            ("depth", self.depth as f64, (1..=DEEPEST).contains(&self.depth)),
            ("rate", self.rate, share(self.rate)),
            ("row_share", self.row_share, share(self.row_share)),
            ("column_share", self.column_share, share(self.column_share)),
            ("l2", self.l2, weight(self.l2)),
            ("least_hessian", self.least_hessian, weight(self.least_hessian)),
        ];
        match checks.into_iter().find(|(_, _, allowed)| !allowed) {
            None => Ok(()),
            Some((name, value, _)) => Err(BoostingError::Setting { name, value }),
        }
    }
}

fn check(names: &[String], rows: &[Vec<f64>], labels: &[bool]) -> Result<(), BoostingError> {
    if rows.len() != labels.len() {
        let (row, expected) = (rows.len().min(labels.len()), rows.len());
        return Err(BoostingError::Shape { row, expected, found: labels.len() });
    }
    for (row_idx, row) in rows.iter().enumerate() {
        if row.len() != names.len() {
            let (expected, found) = (names.len(), row.len());
            return Err(BoostingError::Shape { row: row_idx, expected, found });
        }
        if let Some(at) = row.iter().position(|value| (*value as f32).is_infinite()) {
            return Err(BoostingError::Infinite { name: names[at].clone(), row: row_idx });
        }
    }
    if rows.len() > MOST_ROWS {
        return Err(BoostingError::TooMany { rows: rows.len(), most: MOST_ROWS });
    }
    let positives = labels.iter().filter(|grew| **grew).count();
    if positives == 0 || positives == labels.len() {
        return Err(BoostingError::OneClass { rows: labels.len(), positives });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Task;

    #[test]
    fn steps_interactions_and_missing_values_are_learnt() {
        let (task, fresh) = (Task::new(2000, 1), Task::new(4000, 2));
        let model = task.train(&TrainSettings::default()).unwrap();
        // A judge who knew the true log-odds, missing values included, would reach about 0.81.
        let auc = fresh.auc(&model);
        assert!((0.74..0.82).contains(&auc), "{auc}");
    }

    #[test]
    fn bins_and_thresholds_send_every_row_the_same_way() {
        let task = Task::new(500, 3);
        let model =
            task.train(&TrainSettings { trees: 50, ..TrainSettings::default() }).unwrap();
        let n = task.rows.len() as f64;
        let mean = task.rows.iter().map(|row| model.log_odds(row)).sum::<f64>() / n;
        // The model's own mean comes from the rows counted by bins in training; what is left is
        // the rounding of sums in single precision.
        assert!((mean - model.expected_log_odds()).abs() < 1e-6);
    }

    #[test]
    fn the_same_rows_and_settings_give_the_same_bits_and_another_seed_does_not() {
        let task = Task::new(300, 4);
        let settings = TrainSettings { trees: 20, ..TrainSettings::default() };
        let first = task.train(&settings).unwrap().to_ubj().unwrap();
        assert_eq!(task.train(&settings).unwrap().to_ubj().unwrap(), first);
        let other = TrainSettings { seed: 1, ..settings };
        assert_ne!(task.train(&other).unwrap().to_ubj().unwrap(), first);
    }

    #[test]
    fn the_loss_falls_and_the_caller_can_stop() {
        let task = Task::new(400, 5);
        let mut losses = Vec::new();
        let mut progress = |trees: usize, loss: f64| {
            losses.push(loss);
            if trees == 30 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let settings = TrainSettings { row_share: 1.0, ..TrainSettings::default() };
        let stopped = train(&task.names, &task.rows, &task.labels, &settings, &mut progress);
        assert_eq!(stopped.unwrap_err(), BoostingError::Stopped { trees: 30 });
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    }

    #[test]
    fn which_side_a_missing_value_takes_is_learnt() {
        let names = ["x".to_owned()];
        let settings = TrainSettings { row_share: 1.0, ..TrainSettings::default() };
        for missing_grew in [true, false] {
            let row = |at: i32| vec![if at % 3 == 0 { f64::NAN } else { f64::from(at % 3) }];
            let rows: Vec<Vec<f64>> = (0..300).map(row).collect();
            let labels: Vec<bool> = (0..300)
                .map(|at| if at % 3 == 0 { missing_grew } else { at % 3 == 1 })
                .collect();
            let model =
                train(&names, &rows, &labels, &settings, &mut |_, _| ControlFlow::Continue(()));
            let model = model.unwrap();
            assert!(model.log_odds(&[1.0]) > 2.0 && model.log_odds(&[2.0]) < -2.0);
            assert!(model.log_odds(&[f64::NAN]).is_sign_positive() == missing_grew);
        }
    }

    fn check_refused(settings: &TrainSettings, task: &Task, expected: &str) {
        assert_eq!(task.train(settings).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_cannot_be_trained_on_is_refused_in_words() {
        let settings = TrainSettings::default();
        let broken = |change: fn(&mut Task)| {
            let mut task = Task::new(10, 6);
            change(&mut task);
            task
        };
        check_refused(
            &TrainSettings { rate: 0.0, ..settings },
            &Task::new(10, 6),
            "rate = 0 is out of its range, see TrainSettings",
        );
        check_refused(
            &settings,
            &broken(|task| task.rows[3][1] = f64::INFINITY),
            "a of case 3 is beyond 3.4e38; a missing value is NaN",
        );
        check_refused(
            &settings,
            &broken(|task| task.rows[7].truncate(2)),
            "case 7 has 2 values or labels where 5 are needed",
        );
        check_refused(
            &settings,
            &broken(|task| task.labels.fill(false)),
            "0 of 10 cases grew: training needs cases that grew and cases that did not",
        );
    }

    #[test]
    fn columns_without_any_value_or_change_are_left_alone() {
        let mut task = Task::new(200, 7);
        for row in &mut task.rows {
            row[3] = f64::NAN;
            row[4] = 7.0;
        }
        let model =
            task.train(&TrainSettings { trees: 30, ..TrainSettings::default() }).unwrap();
        let mut contributions = [0.0; 5];
        model.contributions(&task.rows[0], &mut contributions).unwrap();
        assert_eq!(contributions[3..].iter().filter(|part| **part != 0.0).count(), 0);
    }
}
