//! One study from its DICOM files to its mask, with the weights loaded and the maps not touched.

use std::ops::ControlFlow;
use std::path::Path as FilePath;
use std::time::Instant;

use ichor_core::{Head, Mask};
use ichor_dicom::Opened;
use ichor_net::{Path, process_cpu_s};
use ichor_study::stats;

use super::{machine, on};
use crate::command::progress::Progress;
use crate::pipeline::Imaging;
use crate::{Settings, TriageError, folder};

/// Runs at most.
const MOST_RUNS: usize = 3;

/// A study on every path.
pub(super) struct Timed {
    pub(super) network: String,
    pub(super) folder: String,
    pub(super) runs: usize,
    pub(super) rows: Vec<Row>,
}

/// A study on one path, each the median of the runs.
pub(super) struct Row {
    pub(super) path: Path,
    /// Files to volume, wall seconds.
    pub(super) open_s: f64,
    /// Volume to head.
    pub(super) head_s: f64,
    /// Head to mask: the network, then the mask that its probabilities stand for.
    pub(super) mask_s: f64,
    /// All of it.
    pub(super) wall_s: f64,
    pub(super) core_s: f64,
    pub(super) n_slices: usize,
    pub(super) volume_ml: f64,
    pub(super) peak_rss: Option<u64>,
}

/// Times `folder` on every path of `paths`.
pub(super) fn time(
    site: &Settings,
    paths: &[Path],
    folder: &FilePath,
    runs: usize,
) -> Result<Timed, TriageError> {
    let runs = runs.min(MOST_RUNS);
    let mut progress = Progress::new("measuring path");
    let mut rows = Vec::new();
    for (done, &path) in paths.iter().enumerate() {
        progress.at(done, paths.len());
        machine::forget_peak();
        let once = |_| run(&Imaging::open(&on(site, path))?, path, folder);
        rows.push(middle((0..runs).map(once).collect::<Result<_, _>>()?));
    }
    progress.end();
    let network = site.config.score.network.clone();
    Ok(Timed {
        network,
        folder: folder.display().to_string(),
        runs,
        rows: rows.into_iter().flatten().collect(),
    })
}

fn run(imaging: &Imaging, path: Path, folder: &FilePath) -> Result<Row, TriageError> {
    let (start, cpu) = (Instant::now(), process_cpu_s());
    let volume = match ichor_dicom::open_study(&folder::files(&[folder.to_owned()])?)? {
        Opened::Volume { volume, .. } => volume,
        Opened::Withheld { withheld, .. } => {
            return Err(TriageError::Input(format!("{}: {withheld}", folder.display())));
        }
    };
    let opened = Instant::now();
    let head = Head::find(&volume);
    let found = Instant::now();
    let mask: Mask = imaging.segment(&volume, &head, &mut |_| ControlFlow::Continue(()))?;
    let end = Instant::now();
    let seconds = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64();
    Ok(Row {
        path,
        open_s: seconds(start, opened),
        head_s: seconds(opened, found),
        mask_s: seconds(found, end),
        wall_s: seconds(start, end),
        core_s: process_cpu_s() - cpu,
        n_slices: volume.dim().0,
        volume_ml: mask.volume().ml(),
        peak_rss: machine::peak_bytes(),
    })
}

/// The median of every time; none of no runs.
fn middle(runs: Vec<Row>) -> Option<Row> {
    let median = |of: fn(&Row) -> f64| {
        stats::median(&runs.iter().map(of).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    let (open_s, head_s, mask_s) =
        (median(|run| run.open_s), median(|run| run.head_s), median(|run| run.mask_s));
    let (wall_s, core_s) = (median(|run| run.wall_s), median(|run| run.core_s));
    runs.into_iter().last().map(|last| Row { open_s, head_s, mask_s, wall_s, core_s, ..last })
}
