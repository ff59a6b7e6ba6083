//! One path after the other: a whole slice, the heads, and how far it agrees with f32.

use ichor_net::{Bench, NetError, Network, Path, StepTime};
use ichor_study::stats;
use ndarray::Array2;

use super::agreement::{Agreement, same_bits, spread};
use super::heads::Subject;
use super::{machine, on};
use crate::command::progress::Progress;
use crate::{Settings, TriageError};

/// Heads run so often at most.
const MOST_HEAD_RUNS: usize = 3;
/// Slices of each head that are also computed whole.
const WHOLE_SLICES: usize = 3;

/// All that was measured.
pub(super) struct Measured {
    pub(super) network: String,
    pub(super) sha256: String,
    pub(super) runs: usize,
    /// Operations of a whole slice by plain convolutions.
    pub(super) flop: f64,
    /// Share of them that the heads need, mean over their slices; none without heads.
    pub(super) share: Option<f64>,
    /// The path that the others are compared with.
    pub(super) reference: Path,
    pub(super) heads: Vec<Subject>,
    pub(super) rows: Vec<Row>,
}

impl Measured {
    /// Slices of all heads.
    pub(super) fn n_slices(&self) -> usize {
        self.heads.iter().map(|head| head.slices.n_slices()).sum()
    }
}

/// One path.
pub(super) struct Row {
    pub(super) path: Path,
    /// CPU and wall seconds of the whole slice.
    pub(super) whole_core_s: f64,
    pub(super) whole_wall_s: f64,
    /// Steps of the whole slice, where they were asked for and can be told apart.
    pub(super) layers: Option<Vec<StepTime>>,
    /// FLOP/s of one core's multiply-adds.
    pub(super) peak: Option<f64>,
    /// None without heads.
    pub(super) heads: Option<OfHeads>,
    pub(super) bytes_a_thread: Option<usize>,
    pub(super) peak_rss: Option<u64>,
}

/// The heads on one path.
pub(super) struct OfHeads {
    /// CPU seconds of a slice, mean over the slices.
    pub(super) core_s: f64,
    /// The same, of that of a whole slice.
    pub(super) of_whole: f64,
    /// Slices that were also computed whole, and those that had the same bits.
    pub(super) n_checked: usize,
    pub(super) n_same: usize,
    /// Against the reference.
    pub(super) agreement: Agreement,
}

impl Row {
    /// FLOP/s of a core on a whole slice of `flop` operations.
    pub(super) fn rate(&self, flop: f64) -> f64 {
        flop / self.whole_core_s
    }
}

/// Measures every path of `paths` on a whole slice and on `heads`.
pub(super) fn measure(
    site: &Settings,
    paths: &[Path],
    heads: Vec<Subject>,
    runs: usize,
    layers: bool,
) -> Result<Measured, TriageError> {
    let mut progress = Progress::new("measuring path");
    progress.at(0, paths.len());
    let fastest = on(site, Path::fastest()).network()?;
    let (flop, share) = work(&fastest, &heads)?;
    let (network, sha256) = (fastest.name().to_owned(), fastest.sha256().to_owned());
    drop(fastest);
    let reference = Path::fastest_f32();
    let expected = if heads.is_empty() {
        Vec::new()
    } else {
        outputs(&on(site, reference).network()?, &heads)?
    };
    let mut rows = Vec::new();
    for (done, &path) in paths.iter().enumerate() {
        progress.at(done, paths.len());
        machine::forget_peak();
        let network = on(site, path).network()?;
        rows.push(row(&network, path, &heads, &expected, (runs, layers))?);
    }
    progress.end();
    Ok(Measured { network, sha256, runs, flop, share, reference, heads, rows })
}

/// Operations of a whole slice, and the share of them that the heads need.
pub(super) fn work(
    network: &Network,
    heads: &[Subject],
) -> Result<(f64, Option<f64>), TriageError> {
    let sum = |steps: Option<Vec<StepTime>>| {
        let steps = steps.unwrap_or_default();
        let done: f64 = steps.iter().map(|step| step.flop).sum();
        (done, steps.iter().map(|step| step.whole_flop).sum::<f64>())
    };
    let (flop, _) = sum(Bench::whole_slice().steps(network)?);
    let (mut done, mut whole) = (0.0, 0.0);
    for head in heads {
        let of_head = sum(head.slices.steps(network)?);
        done += of_head.0;
        whole += of_head.1;
    }
    Ok((flop, (whole > 0.0).then(|| done / whole)))
}

/// Probabilities of every slice of every head.
fn outputs(network: &Network, heads: &[Subject]) -> Result<Vec<Vec<Array2<f32>>>, TriageError> {
    heads.iter().map(|head| Ok(head.slices.run(network)?.2)).collect()
}

fn row(
    network: &Network,
    path: Path,
    heads: &[Subject],
    expected: &[Vec<Array2<f32>>],
    (runs, layers): (usize, bool),
) -> Result<Row, TriageError> {
    let whole = Bench::whole_slice();
    // Once unmeasured: it touches the memory.
    whole.run(network)?;
    let (core_s, wall_s) =
        medians(runs, || whole.run(network).map(|(wall, core, _)| (core, wall)))?;
    let layers = if layers { whole.steps(network)? } else { None };
    let heads = match heads {
        [] => None,
        heads => Some(of_heads(network, heads, expected, core_s, runs)?),
    };
    Ok(Row {
        path,
        whole_core_s: core_s,
        whole_wall_s: wall_s,
        layers,
        peak: network.peak(),
        heads,
        bytes_a_thread: network.bytes_a_slice(),
        peak_rss: machine::peak_bytes(),
    })
}

fn of_heads(
    network: &Network,
    heads: &[Subject],
    expected: &[Vec<Array2<f32>>],
    whole_core_s: f64,
    runs: usize,
) -> Result<OfHeads, TriageError> {
    let (mut agreement, mut n_checked, mut n_same) = (Agreement::new(), 0, 0);
    for (head, expected) in heads.iter().zip(expected) {
        let (_, _, found) = head.slices.run(network)?;
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            agreement.add(found, expected, head.slices.wanted(index));
        }
        for index in spread(found.len(), WHOLE_SLICES) {
            let (_, _, whole) = head.slices.all_of(index).run(network)?;
            let wanted = head.slices.wanted(index);
            n_checked += 1;
            n_same += usize::from(same_bits(&found[index], &whole[0], wanted));
        }
    }
    let n_slices: usize = heads.iter().map(|head| head.slices.n_slices()).sum();
    let (all_core_s, _) = medians(runs.min(MOST_HEAD_RUNS), || {
        heads.iter().try_fold((0.0, 0.0), |(core_s, wall_s), head| {
            let (wall, core, _) = head.slices.run(network)?;
            Ok((core_s + core, wall_s + wall))
        })
    })?;
    let core_s = all_core_s / n_slices as f64;
    Ok(OfHeads { core_s, of_whole: core_s / whole_core_s, n_checked, n_same, agreement })
}

/// Median of each of the two figures that `once` gives, over `runs` runs.
fn medians(
    runs: usize,
    once: impl Fn() -> Result<(f64, f64), NetError>,
) -> Result<(f64, f64), NetError> {
    let (first, second): (Vec<f64>, Vec<f64>) =
        (0..runs).map(|_| once()).collect::<Result<Vec<_>, NetError>>()?.into_iter().unzip();
    let median = |values: &[f64]| stats::median(values).unwrap_or(f64::NAN);
    Ok((median(&first), median(&second)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn both_figures_have_their_own_median() {
        let runs = [(5.0, 1.0), (1.0, 9.0), (3.0, 2.0)];
        let next = Cell::new(0);
        let once = || {
            next.set(next.get() + 1);
            Ok(runs[next.get() - 1])
        };
        assert_eq!(medians(3, once).unwrap(), (3.0, 2.0));
    }
}
