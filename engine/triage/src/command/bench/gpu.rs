//! Heads on the GPUs that `--device` names: wall time of a slice, and how far they agree with f32
//! on the CPU.

use ichor_net::Path;
use ichor_study::stats;
use serde_json::json as object;

use super::agreement::Agreement;
use super::heads::Subject;
use super::paths::work;
use super::{json, on};
use crate::{Settings, TriageError};

/// Times `heads` on the site's GPUs, median of `runs`; as text or JSON.
///
/// Fails with the reason where they do not compute: the CPU is not measured in their place.
pub(super) fn time(
    site: &Settings,
    heads: &[Subject],
    runs: usize,
    as_json: bool,
) -> Result<String, TriageError> {
    let network = site.network()?;
    let refused = |device: String| TriageError::Input(format!("nothing to measure: {device}"));
    if !network.device().starts_with("cuda ") {
        return Err(refused(network.device()));
    }
    let exact = on(site, Path::fastest_f32()).network()?;
    let mut agreement = Agreement::new();
    for head in heads {
        let (found, expected) = (head.slices.run(&network)?.2, head.slices.run(&exact)?.2);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            agreement.add(found, expected, head.slices.wanted(index));
        }
    }
    let n_slices: usize = heads.iter().map(|head| head.slices.n_slices()).sum();
    let mut walls = Vec::with_capacity(runs);
    for _ in 0..runs {
        let walled = heads.iter().try_fold(0.0, |sum, head| {
            head.slices.run(&network).map(|(wall, ..)| sum + wall)
        })?;
        walls.push(walled * 1e3 / n_slices.max(1) as f64);
    }
    // A device that failed on the way has handed over to the CPU.
    if !network.device().starts_with("cuda ") {
        return Err(refused(network.device()));
    }
    let (wall_ms, device) = (stats::median(&walls).unwrap_or(f64::NAN), network.device());
    let (most, p999) = (agreement.largest(), agreement.quantile(0.999));
    let volume = agreement.volume_ratio();
    // What plain convolutions of whole slices take, whatever of them a device leaves out.
    let (flop, _) = work(&exact, &[])?;
    if as_json {
        return Ok(json::with_machine(object!({
            "device": device, "network": network.name(), "sha256": network.sha256(),
            "runs": runs, "slices": n_slices, "wall_ms_a_slice": wall_ms, "whole_gflop": flop * 1e-9,
            "reference": exact.device(), "largest_difference": most, "difference_p999": p999,
            "volume_ratio": volume,
        })));
    }
    let shown =
        |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3e}"));
    Ok(format!(
        "{} on {device}: {wall_ms:.2} ms a slice of {:.0} GFLOP, {n_slices} slices, median of {runs}\noff {}: most {most:.1e}, 99.9 % {}, volume x {}",
        network.name(),
        flop * 1e-9,
        exact.device(),
        shown(p999),
        volume.map_or("-".to_owned(), |ratio| format!("{ratio:.4}")),
    ))
}
