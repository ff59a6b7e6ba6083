//! The update: `AdamW` on one flat vector (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm
//! 2, with the decay times the rate as in PyTorch), its rate over time, the gradient's largest
//! norm, and the running average of the weights.

use super::schedule::Schedule;

/// Decay of the first moment.
const FIRST: f64 = 0.9;
/// Decay of the second moment.
const SECOND: f64 = 0.999;
/// Keeps the division finite.
const EPSILON: f32 = 1e-8;
/// Share of the rate that is left at the end.
const LAST: f64 = 0.01;
/// Steps after which the running average begins to forget its start in earnest.
const YOUNG: f64 = 20.0;

/// Running means of the gradient and of its square.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
}

impl Moments {
    pub(super) fn new(n_parameters: usize) -> Self {
        Self { first: vec![0.0; n_parameters], second: vec![0.0; n_parameters] }
    }

    /// Moves `parameters` against `gradient`; `step` is 1 for the first update.
    pub(super) fn update(
        &mut self,
        parameters: &mut [f32],
        gradient: &[f32],
        rate: f64,
        weight_decay: f64,
        step: usize,
    ) {
        let power = |decay: f64| decay.powf(step as f64);
        let pull = (rate / (1.0 - power(FIRST))) as f32;
        let spread = (1.0 / (1.0 - power(SECOND))) as f32;
        let kept = (1.0 - rate * weight_decay) as f32;
        let (first, second) = (FIRST as f32, SECOND as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, &gradient), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments)
        {
            *m = first * *m + (1.0 - first) * gradient;
            *v = second * *v + (1.0 - second) * gradient * gradient;
            *parameter = kept * *parameter - pull * *m / ((spread * *v).sqrt() + EPSILON);
        }
    }
}

/// The rate of the update after `step` updates: up in a line, down in a cosine.
pub(super) fn rate(schedule: &Schedule, step: usize) -> f64 {
    let warm = ((step + 1) as f64 / schedule.warm_up as f64).min(1.0);
    let turned = (std::f64::consts::PI * step as f64 / schedule.steps as f64).cos();
    schedule.rate * warm * (LAST + (1.0 - LAST) * 0.5 * (1.0 + turned))
}

/// Scales `gradient` down to a norm of at most `largest`; gives the norm it had.
pub(super) fn clip(gradient: &mut [f32], largest: f64) -> f64 {
    let norm = gradient.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if norm > largest {
        let scale = (largest / norm) as f32;
        for value in gradient {
            *value *= scale;
        }
    }
    norm
}

/// Moves `average` towards `parameters` after `step` updates; it keeps `most` of itself at most,
/// and less while it is young.
pub(super) fn follow(average: &mut [f32], parameters: &[f32], most: f64, step: usize) {
    let kept = most.min(step as f64 / (step as f64 + YOUNG));
    let taken = (1.0 - kept) as f32;
    for (average, &parameter) in average.iter_mut().zip(parameters) {
        *average += taken * (parameter - *average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::examples::tests::recipe;

    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    }

    #[test]
    fn two_updates_by_hand() {
        // Rate 0.1, decay 0.01, start 1, gradients 0.5 and -0.25.
        let (mut moments, mut parameters) = (Moments::new(1), vec![1.0]);
        moments.update(&mut parameters, &[0.5], 0.1, 0.01, 1);
        // m = 0.05, v = 0.00025; corrected 0.5 and 0.25: 1 * 0.999 - 0.1 * 0.5 / 0.5.
        check(parameters[0].into(), 0.899);
        moments.update(&mut parameters, &[-0.25], 0.1, 0.01, 2);
        // m = 0.045 - 0.025 = 0.02, corrected by 0.19: 0.105263; v = 0.00024975 + 0.0000625 =
        // 0.00031225, corrected by 0.001999: 0.156203, root 0.395225.
        // 0.899 * 0.999 - 0.1 * 0.105263 / 0.395225 = 0.898101 - 0.026634.
        check(parameters[0].into(), 0.871_467_4);
    }

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_a_hundredth() {
        let schedule = recipe("rate = 1.0\nwarm_up = 10\nsteps = 1000").schedule();
        check(rate(&schedule, 0), 0.1);
        check(rate(&schedule, 500), 0.01 + 0.99 * 0.5);
        check(rate(&schedule, 1000), 0.01);
    }

    #[test]
    fn a_long_gradient_is_cut_and_a_short_one_is_not() {
        let mut long = [3.0, 4.0];
        check(clip(&mut long, 1.0), 5.0);
        check(long[0].into(), 0.6);
        check(long[1].into(), 0.8);
        let mut short = [0.3, 0.4];
        clip(&mut short, 1.0);
        check(short[1].into(), 0.4);
    }

    #[test]
    fn the_average_is_young_at_first() {
        let mut average = [0.0];
        follow(&mut average, &[21.0], 0.998, 1);
        // It keeps 1 / 21 of itself.
        check(average[0].into(), 20.0);
        follow(&mut average, &[0.0], 0.998, 1_000_000);
        check(average[0].into(), 20.0 * 0.998);
    }
}
