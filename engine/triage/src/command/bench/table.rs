//! The figures of a bench as text.

use ichor_net::StepTime;

use super::machine;
use super::paths::{Measured, OfHeads, Row};
use super::{step, study};

/// A whole slice and heads, by path.
pub(super) fn paths(measured: &Measured) -> String {
    let flop = measured.flop;
    let mut lines = vec![
        header(&format!("{} ({})", measured.network, &measured.sha256[..12])),
        format!(
            "whole slice of 512 x 512, {:.2} GFLOP; median of {}",
            flop * 1e-9,
            measured.runs
        ),
        "path            core-ms   wall ms   GFLOP/s a core   of the peak   MiB a thread   peak RSS MiB"
            .to_owned(),
    ];
    lines.extend(measured.rows.iter().map(|row| whole(row, flop)));
    lines.extend(measured.share.map(|share| heads(measured, share)));
    for row in &measured.rows {
        if let Some(steps) = &row.layers {
            lines.push(format!("layers of a whole slice on {}", row.path));
            lines
                .push("name       level    GFLOP        ms   GFLOP/s   of the peak".to_owned());
            lines.extend(steps.iter().map(|step| layer(step, row.peak)));
        }
    }
    lines.join("\n")
}

/// The part about the heads, which need `share` of the work.
fn heads(measured: &Measured, share: f64) -> String {
    let names: Vec<String> = measured
        .heads
        .iter()
        .map(|head| {
            format!("{}{}", head.name, if head.simulated { " (simulated)" } else { "" })
        })
        .collect();
    let mut lines = vec![
        format!(
            "heads: {}; {} slices, which need {:.0} % of the work of whole ones",
            names.join(", "),
            measured.n_slices(),
            share * 100.0
        ),
        format!(
            "path            core-ms a slice   of a whole one   bits of the whole   off {}: most   99.9 %   volume",
            measured.reference
        ),
    ];
    let of_row = |row: &Row| row.heads.as_ref().map(|heads| head(row, heads));
    lines.extend(measured.rows.iter().filter_map(of_row));
    lines.join("\n")
}

fn whole(row: &Row, flop: f64) -> String {
    let rate = row.rate(flop);
    format!(
        "{:<13}{:>10.1}{:>10.1}{:>17.1}{:>14}{:>15}{:>15}",
        row.path,
        row.whole_core_s * 1e3,
        row.whole_wall_s * 1e3,
        rate * 1e-9,
        percent(row.peak.map(|peak| rate / peak)),
        mib(row.bytes_a_thread.map(|bytes| bytes as u64)),
        mib(row.peak_rss)
    )
}

fn head(row: &Row, heads: &OfHeads) -> String {
    let volume = heads.agreement.volume_ratio();
    format!(
        "{:<13}{:>18.1}{:>17.2}{:>20}{:>23.1e}{:>9}{:>9}",
        row.path,
        heads.core_s * 1e3,
        heads.of_whole,
        format!("{} of {} slices", heads.n_same, heads.n_checked),
        heads.agreement.largest(),
        or_dash(heads.agreement.quantile(0.999).map(|quantile| format!("{quantile:.1e}"))),
        or_dash(volume.map(|ratio| format!("{ratio:.4}")))
    )
}

/// Pooling multiplies nothing: it has no rate.
fn layer(step: &StepTime, peak: Option<f64>) -> String {
    let rate = (step.flop > 0.0).then(|| step.flop / step.cpu_s);
    format!(
        "{:<11}{:>5}{:>9.3}{:>10.2}{:>10}{:>14}",
        step.name,
        step.level,
        step.flop * 1e-9,
        step.cpu_s * 1e3,
        or_dash(rate.map(|rate| format!("{:.1}", rate * 1e-9))),
        percent(rate.zip(peak).map(|(rate, peak)| rate / peak))
    )
}

/// A study, by path.
pub(super) fn study(timed: &study::Timed) -> String {
    let mut lines = vec![
        header(&timed.network),
        format!(
            "{}, from DICOM files to mask with the weights loaded; seconds, median of {}",
            timed.folder, timed.runs
        ),
        "path          slices     open     head     mask      all   core-s   volume ml   peak RSS MiB"
            .to_owned(),
    ];
    lines.extend(timed.rows.iter().map(|row| {
        format!(
            "{:<13}{:>7}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>12.1}{:>15}",
            row.path,
            row.n_slices,
            row.open_s,
            row.head_s,
            row.mask_s,
            row.wall_s,
            row.core_s,
            row.volume_ml,
            mib(row.peak_rss)
        )
    }));
    lines.join("\n")
}

/// A step of a training.
pub(super) fn step(timed: &step::Timed) -> String {
    let step = timed.step;
    format!(
        "{}\na step on {} slices of {} x {} on {} threads: {:.0} core-ms, {:.0} ms of wall; median of {}",
        header(&format!("training at width {} on the {}, in f32", step.width, timed.device)),
        step.batch,
        step.size,
        step.size,
        step.threads,
        timed.core_s * 1e3,
        timed.wall_s * 1e3,
        timed.runs
    )
}

fn header(what: &str) -> String {
    let (cpu, cores) = machine::named();
    format!("{cpu}, {cores} cores; {what}")
}

fn mib(bytes: Option<u64>) -> String {
    or_dash(bytes.map(|bytes| format!("{:.0}", bytes as f64 / 1_048_576.0)))
}

fn percent(share: Option<f64>) -> String {
    or_dash(share.map(|share| format!("{:.0} %", share * 100.0)))
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_has_its_rate_and_pooling_has_none() {
        let step = |name: &str, flop| StepTime {
            name: name.to_owned(),
            level: 1,
            flop,
            whole_flop: flop,
            cpu_s: 0.02,
        };
        assert_eq!(
            layer(&step("d.1.c1", 2.4e9), Some(2e11)),
            "d.1.c1         1    2.400     20.00     120.0          60 %"
        );
        assert_eq!(
            layer(&step("pool", 0.0), Some(2e11)),
            "pool           1    0.000     20.00         -             -"
        );
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        assert_eq!((mib(None), percent(None)), ("-".to_owned(), "-".to_owned()));
        assert_eq!(
            (mib(Some(3 << 20)), percent(Some(1.234))),
            ("3".to_owned(), "123 %".to_owned())
        );
    }
}
