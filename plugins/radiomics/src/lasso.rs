//! Sparse logistic regression: coordinate descent down a path of penalties.
//!
//! Friedman, Hastie & Tibshirani 2010, J. Stat. Softw. 33:1 (`glmnet`): the log-likelihood is
//! replaced by its second-order expansion, whose penalised maximum is found one weight at a time,
//! and expanded again there. The path goes from the least penalty that leaves every weight at 0 to
//! the one that is asked for; each step starts from the last.

/// Steps of the path.
const STEPS: usize = 24;
/// Expansions at one penalty, and passes over the weights in one expansion.
const MOST_EXPANSIONS: usize = 100;
const MOST_PASSES: usize = 20_000;
/// A weight that moves the mean log-likelihood less than this stands still.
const STILL: f64 = 1e-11;

/// Standardised inputs with their labels; `columns` holds one value a case for each input.
pub(crate) struct Lasso<'a> {
    pub(crate) columns: &'a [Vec<f64>],
    pub(crate) labels: &'a [bool],
}

/// Intercept and weights.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) intercept: f64,
    pub(crate) of: Vec<f64>,
}

impl Lasso<'_> {
    /// What maximises the mean log-likelihood less `l1` times the sum of the weights' sizes; none
    /// where that does not settle.
    pub(crate) fn fit(&self, l1: f64) -> Option<Weights> {
        let n = self.labels.len() as f64;
        let share = self.labels.iter().filter(|grew| **grew).count() as f64 / n;
        let mut weights = Weights {
            intercept: (share / (1.0 - share)).ln(),
            of: vec![0.0; self.columns.len()],
        };
        let residual = |grew: &bool| f64::from(u8::from(*grew)) - share;
        let most = self.columns.iter().fold(0.0_f64, |most, column| {
            let slope: f64 = column.iter().zip(self.labels).map(|(x, g)| x * residual(g)).sum();
            most.max(slope.abs() / n)
        });
        if l1 < most {
            for step in 1..=STEPS {
                let along = step as f64 / STEPS as f64;
                self.settle(most * (l1 / most).powf(along), &mut weights)?;
            }
        }
        Some(weights)
    }

    fn settle(&self, l1: f64, weights: &mut Weights) -> Option<()> {
        for _ in 0..MOST_EXPANSIONS {
            let mut expansion = Expansion::at(self, weights);
            let moved = expansion.descend(l1, weights)?;
            if moved <= STILL {
                return Some(());
            }
        }
        None
    }
}

/// The log-likelihood around some weights, to second order.
struct Expansion<'a> {
    columns: &'a [Vec<f64>],
    /// `p (1 - p)` of each case over the number of cases.
    certainty: Vec<f64>,
    total: f64,
    /// What each case's log-odds are short of the expansion's optimum.
    short: Vec<f64>,
    /// The curvature along each weight.
    curvature: Vec<f64>,
}

impl<'a> Expansion<'a> {
    fn at(lasso: &Lasso<'a>, weights: &Weights) -> Self {
        let n = lasso.labels.len();
        let mut log_odds = vec![weights.intercept; n];
        for (column, weight) in lasso.columns.iter().zip(&weights.of) {
            if *weight != 0.0 {
                log_odds.iter_mut().zip(column).for_each(|(sum, x)| *sum += weight * x);
            }
        }
        let (mut certainty, mut short) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (log_odds, grew) in log_odds.iter().zip(lasso.labels) {
            let risk = 1.0 / (1.0 + (-log_odds).exp());
            // A case that is all but sure would divide by next to nothing.
            let sure = (risk * (1.0 - risk)).max(1e-5);
            certainty.push(sure / n as f64);
            short.push((f64::from(u8::from(*grew)) - risk) / sure);
        }
        let curvature = |column: &Vec<f64>| -> f64 {
            column.iter().zip(&certainty).map(|(x, c)| c * x * x).sum()
        };
        Self {
            columns: lasso.columns,
            total: certainty.iter().sum(),
            curvature: lasso.columns.iter().map(curvature).collect(),
            certainty,
            short,
        }
    }

    /// Passes over all weights until none moves, in between over those that are not 0; gives the
    /// largest gain of the first pass. None where the passes do not end.
    fn descend(&mut self, l1: f64, weights: &mut Weights) -> Option<f64> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let first = self.pass(&all, l1, weights);
        let mut gain = first;
        let mut passes = 0;
        while gain > STILL {
            let used: Vec<usize> =
                all.iter().copied().filter(|&at| weights.of[at] != 0.0).collect();
            while self.pass(&used, l1, weights) > STILL {
                passes += 1;
                if passes > MOST_PASSES {
                    return None;
                }
            }
            gain = self.pass(&all, l1, weights);
        }
        Some(first)
    }

    /// One step along the intercept and each weight of `inputs`; the largest gain of any.
    fn pass(&mut self, inputs: &[usize], l1: f64, weights: &mut Weights) -> f64 {
        let sum: f64 = self.short.iter().zip(&self.certainty).map(|(s, c)| s * c).sum();
        let step = sum / self.total;
        weights.intercept += step;
        self.short.iter_mut().for_each(|short| *short -= step);
        let mut gain = self.total * step * step;
        for &at in inputs {
            let (column, curvature) = (&self.columns[at], self.curvature[at]);
            let products = column.iter().zip(&self.short).zip(&self.certainty);
            let slope: f64 = products.map(|((x, s), c)| x * s * c).sum();
            let free = slope + curvature * weights.of[at];
            let weight = free.signum() * (free.abs() - l1).max(0.0) / curvature;
            let step = weight - weights.of[at];
            if step != 0.0 {
                weights.of[at] = weight;
                self.short.iter_mut().zip(column).for_each(|(s, x)| *s -= step * x);
                gain = gain.max(curvature * step * step);
            }
        }
        gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    #[test]
    fn at_the_maximum_the_slope_is_the_penalty_where_a_weight_is_and_below_it_elsewhere() {
        let mut noise = Noise::new(5);
        let mut number = || noise.below(2001) as f64 / 1000.0 - 1.0;
        let shared: Vec<f64> = (0..300).map(|_| number()).collect();
        let columns: Vec<Vec<f64>> = (0..40)
            .map(|_| shared.iter().map(|x| 0.8 * x + 0.2 * number()).collect())
            .collect();
        let labels: Vec<bool> = (0..300).map(|at| columns[3][at] + number() > 0.2).collect();
        let lasso = Lasso { columns: &columns, labels: &labels };
        let l1 = 0.01;
        let weights = lasso.fit(l1).unwrap();
        let n_used = weights.of.iter().filter(|weight| **weight != 0.0).count();
        assert!((1..30).contains(&n_used), "{n_used}");
        let mut residuals = Vec::new();
        for at in 0..300 {
            let parts = columns.iter().zip(&weights.of).map(|(column, w)| w * column[at]);
            let log_odds = weights.intercept + parts.sum::<f64>();
            residuals.push(f64::from(u8::from(labels[at])) - 1.0 / (1.0 + (-log_odds).exp()));
        }
        assert!(residuals.iter().sum::<f64>().abs() < 1e-3);
        for (column, weight) in columns.iter().zip(&weights.of) {
            let slope = column.iter().zip(&residuals).map(|(x, r)| x * r).sum::<f64>() / 300.0;
            if *weight == 0.0 {
                assert!(slope.abs() <= l1 + 1e-5, "{slope}");
            } else {
                assert!((slope - l1 * weight.signum()).abs() < 1e-5, "{slope}");
            }
        }
    }

    #[test]
    fn a_penalty_that_no_input_is_worth_leaves_the_intercept() {
        let columns = [vec![-1.0, 1.0, -1.0, 1.0]];
        let labels = [true, true, false, true];
        let weights = Lasso { columns: &columns, labels: &labels }.fit(1.0).unwrap();
        assert_eq!(weights.of, [0.0]);
        assert!((weights.intercept - 3.0_f64.ln()).abs() < 1e-12);
    }
}
