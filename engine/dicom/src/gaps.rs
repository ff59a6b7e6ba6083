//! Is a slice missing, or did the gantry step unevenly?
//!
//! Head protocols change their step on purpose: thin slices through the posterior fossa, thick
//! ones above. A wide step is a missing slice when it interrupts an even run, that is, when it is
//! about twice (three times, …) the steps on both its sides, or when the instance numbers jump
//! by just as many slices as the step is too wide.

/// A hole in a stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gap {
    /// Its width.
    pub(crate) gap_mm: f64,
    /// The step beside it.
    pub(crate) step_mm: f64,
}

/// Steps differ when they differ by more than this share.
const SAME_STEP: f64 = 0.1;
/// How far from a whole multiple of its neighbours a gap may lie, in steps.
const NEAR_WHOLE: f64 = 0.15;
/// A run of wide steps longer than this was planned.
const LONGEST_RUN: usize = 2;

/// The widest hole among `positions` (rising, at least 0.01 mm apart); `instances` are the
/// instance numbers in the same order, where all slices have one.
pub(crate) fn missing_slice(positions: &[f64], instances: Option<&[i64]>) -> Option<Gap> {
    let steps: Vec<f64> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let by_steps = interruptions(&steps);
    let by_numbers = instances.map(|numbers| jumps(&steps, numbers)).unwrap_or_default();
    by_steps.into_iter().chain(by_numbers).max_by(|a, b| a.gap_mm.total_cmp(&b.gap_mm))
}

/// Steps wider than 1.5 times the median, which are worth a word even where nothing is missing.
pub(crate) fn is_uneven(positions: &[f64]) -> bool {
    let mut steps: Vec<f64> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (steps.first(), steps.last()) else { return false };
    most / least > 1.0 + SAME_STEP
}

/// Short runs of wide steps between narrow ones, each a whole multiple of both.
fn interruptions(steps: &[f64]) -> Vec<Gap> {
    let runs = runs(steps);
    let step_of = |run: Option<&(usize, usize)>| run.map(|&(start, _)| steps[start]);
    let mut found = Vec::new();
    for (index, &(start, length)) in runs.iter().enumerate() {
        let before = step_of(index.checked_sub(1).and_then(|i| runs.get(i)));
        let after = step_of(runs.get(index + 1));
        let gap_mm = steps[start];
        let holds = match (before, after) {
            (Some(before), Some(after)) => {
                length <= LONGEST_RUN
                    && is_multiple(gap_mm, before)
                    && is_multiple(gap_mm, after)
            }
            // At an end only one side can tell: the run there must be a single step, and an even
            // run of two or more must lie beside it.
            (Some(step), None) => {
                length == 1 && runs[index - 1].1 >= 2 && is_multiple(gap_mm, step)
            }
            (None, Some(step)) => {
                length == 1 && runs[index + 1].1 >= 2 && is_multiple(gap_mm, step)
            }
            (None, None) => false,
        };
        if let (true, Some(step_mm)) = (holds, before.or(after)) {
            found.push(Gap { gap_mm, step_mm });
        }
    }
    found
}

/// Runs of like steps as `(start, length)`.
fn runs(steps: &[f64]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (index, &step) in steps.iter().enumerate() {
        match runs.last_mut() {
            Some((start, length)) if (step / steps[*start] - 1.0).abs() <= SAME_STEP => {
                *length += 1;
            }
            _ => runs.push((index, 1)),
        }
    }
    runs
}

/// Whether `gap` is two or more whole `step`s wide.
fn is_multiple(gap: f64, step: f64) -> bool {
    let times = gap / step;
    times > 1.5 && (times - times.round()).abs() <= NEAR_WHOLE
}

/// Where instance numbers that else rise or fall by one jump by `n`, and the step is about `n`
/// times one of its neighbours.
fn jumps(steps: &[f64], instances: &[i64]) -> Vec<Gap> {
    let differences: Vec<i64> = instances.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let direction = differences.iter().map(|d| d.signum()).sum::<i64>().signum();
    let regular = differences.iter().filter(|&&d| d == direction).count();
    if direction == 0 || regular * 2 < differences.len() {
        return Vec::new();
    }
    let wide = |index: usize| {
        let times = (differences[index] * direction) as f64;
        let near = [index.checked_sub(1), Some(index + 1)];
        let neighbours = near.into_iter().flatten().filter_map(|i| steps.get(i));
        let fits = |step: &&f64| (steps[index] / *step / times - 1.0).abs() <= SAME_STEP;
        let step = *neighbours.into_iter().find(fits)?;
        (times >= 2.0).then_some(Gap { gap_mm: steps[index], step_mm: step })
    };
    (0..differences.len()).filter_map(wide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(steps: &[f64]) -> Vec<f64> {
        let mut at = 0.0;
        let rest = steps.iter().map(|step| {
            at += step;
            at
        });
        std::iter::once(0.0).chain(rest).collect()
    }

    fn check(steps: &[f64], instances: Option<&[i64]>, expected: Option<(f64, f64)>) {
        let found = missing_slice(&positions(steps), instances);
        let expected = expected.map(|(gap_mm, step_mm)| Gap { gap_mm, step_mm });
        assert_eq!(found.is_some(), expected.is_some(), "{steps:?}");
        if let (Some(found), Some(expected)) = (found, expected) {
            assert!((found.gap_mm - expected.gap_mm).abs() < 1e-9, "{found:?}");
            assert!((found.step_mm - expected.step_mm).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn a_planned_change_of_step_is_no_hole() {
        check(&[4.0; 13], None, None);
        check(&[4.0, 4.0, 4.0, 4.0, 1.08, 7.0, 7.0, 7.0, 7.0], None, None);
        check(&[2.5, 2.5, 2.5, 2.5, 5.0, 5.0, 5.0, 5.0], None, None);
        check(&[5.0, 5.0, 5.0, 7.5, 10.0, 10.0, 10.0], None, None);
        check(&[2.5, 5.0], None, None);
    }

    #[test]
    fn a_hole_in_an_even_run_is_found() {
        check(&[5.0, 5.0, 10.0, 5.0, 5.0], None, Some((10.0, 5.0)));
        check(&[5.0, 5.0, 15.1, 5.0], None, Some((15.1, 5.0)));
        check(&[4.0, 4.0, 8.0, 4.0, 1.08, 7.0, 7.0], None, Some((8.0, 4.0)));
        check(&[5.0, 10.0, 10.0, 5.0, 5.0], None, Some((10.0, 5.0)));
        check(&[10.0, 5.0, 5.0, 5.0], None, Some((10.0, 5.0)));
        check(&[5.0, 5.0, 5.0, 10.0], None, Some((10.0, 5.0)));
    }

    #[test]
    fn instance_numbers_tell_where_steps_cannot() {
        let numbers = [1, 2, 3, 5, 6, 7];
        check(&[5.0, 5.0, 10.0, 10.0, 10.0], Some(&numbers), Some((10.0, 5.0)));
        let falling = [7, 6, 5, 3, 2, 1];
        check(&[5.0, 5.0, 10.0, 10.0, 10.0], Some(&falling), Some((10.0, 5.0)));
        // Numbers that jump without a wide step: an image of another kind was in between.
        check(&[5.0; 5], Some(&numbers), None);
        // Interleaved numbering tells nothing.
        check(&[5.0; 5], Some(&[1, 4, 2, 5, 3, 6]), None);
    }
}
