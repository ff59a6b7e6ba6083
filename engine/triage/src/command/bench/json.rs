//! The figures of a bench as JSON; its keys are a contract.

use ichor_net::StepTime;
use serde_json::{Value, json};

use super::machine;
use super::paths::{Measured, OfHeads, Row};
use super::{step, study};

/// A whole slice and heads, by path.
pub(super) fn paths(measured: &Measured) -> String {
    let heads: Vec<Value> = measured
        .heads
        .iter()
        .map(|head| {
            json!({
                "name": head.name, "simulated": head.simulated, "slices": head.slices.n_slices(),
            })
        })
        .collect();
    let rows: Vec<Value> = measured.rows.iter().map(|row| path(row, measured)).collect();
    with_machine(json!({
        "network": { "name": measured.network, "sha256": measured.sha256 },
        "runs": measured.runs, "whole_gflop": measured.flop * 1e-9,
        "reference": measured.reference.name(), "heads": heads, "head_share_of_work": measured.share,
        "paths": rows,
    }))
}

fn path(row: &Row, measured: &Measured) -> Value {
    let rate = row.rate(measured.flop);
    json!({
        "path": row.path.name(),
        "whole": {
            "core_ms": row.whole_core_s * 1e3, "wall_ms": row.whole_wall_s * 1e3,
            "gflops_a_core": rate * 1e-9, "peak_gflops": row.peak.map(|peak| peak * 1e-9),
            "share_of_peak": row.peak.map(|peak| rate / peak),
        },
        "heads": row.heads.as_ref().map(of_heads),
        "bytes_a_thread": row.bytes_a_thread, "peak_rss_bytes": row.peak_rss,
        "layers": row.layers.as_ref().map(|steps| steps.iter().map(layer).collect::<Vec<_>>()),
    })
}

fn of_heads(heads: &OfHeads) -> Value {
    json!({
        "core_ms_a_slice": heads.core_s * 1e3, "share_of_whole": heads.of_whole,
        "slices_checked": heads.n_checked, "slices_with_the_same_bits": heads.n_same,
        "largest_difference": heads.agreement.largest(),
        "difference_p999": heads.agreement.quantile(0.999),
        "volume_ratio": heads.agreement.volume_ratio(),
    })
}

fn layer(step: &StepTime) -> Value {
    json!({
        "name": step.name, "level": step.level, "gflop": step.flop * 1e-9,
        "core_ms": step.cpu_s * 1e3,
    })
}

/// A study, by path.
pub(super) fn study(timed: &study::Timed) -> String {
    let row = |row: &study::Row| {
        json!({
            "path": row.path.name(), "slices": row.n_slices, "open_s": row.open_s,
            "head_s": row.head_s, "mask_s": row.mask_s, "wall_s": row.wall_s,
            "core_s": row.core_s, "volume_ml": row.volume_ml, "peak_rss_bytes": row.peak_rss,
        })
    };
    with_machine(json!({
        "network": { "name": timed.network }, "study": timed.folder, "runs": timed.runs,
        "paths": timed.rows.iter().map(row).collect::<Vec<_>>(),
    }))
}

/// A step of a training.
pub(super) fn step(timed: &step::Timed) -> String {
    let step = timed.step;
    with_machine(json!({
        "training_step": {
            "device": timed.device, "width": step.width, "size": step.size, "batch": step.batch,
            "threads": step.threads, "core_ms": timed.core_s * 1e3, "wall_ms": timed.wall_s * 1e3,
        },
        "runs": timed.runs,
    }))
}

/// The figures with the machine that they are of.
pub(super) fn with_machine(mut value: Value) -> String {
    let (cpu, cores) = machine::named();
    value["cpu"] = cpu.into();
    value["cores"] = cores.into();
    format!("{value:#}")
}
