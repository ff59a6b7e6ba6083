//! Masks and guards on phantoms, whose truth is known to the voxel. All of it is simulated.
//!
//! Case by case there are four: the head without its bleed, the bleed as the clinical cohort has
//! it, the same bleed made small, and the first bleed in a head that moves.

mod counts;

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use ichor_core::{Guards, Head, Mask, Withheld, guard, motion_index};
use ichor_study::phantom::{Case, Cohort, Phantom, Scan};
use ichor_study::stats::Overlap;
use ndarray::Zip;

use self::counts::Counts;
use super::differences::{Compared, Differences};
use crate::command::progress::Progress;
use crate::command::score::print;
use crate::command::train::in_order::in_order;
use crate::pipeline::Imaging;
use crate::{Settings, TriageError};

/// Volumes of the small bleeds in millilitres, around the guard.
const SMALL_ML: std::ops::Range<f64> = 0.5..6.0;
/// Motion in millimetres, case after case.
const MOTION_MM: [f64; 3] = [1.0, 2.0, 3.0];

/// Masks and guards on phantoms of the clinical cohort. Everything here is simulated.
///
/// Of each case four phantoms are made: without the bleed, as drawn, with a bleed of 0.5 to 6 ml,
/// and as drawn with motion of 1, 2 or 3 mm. Blood in the ventricles is no hematoma: it is left
/// out of IoU and volume error and counted apart.
#[derive(Args)]
pub(crate) struct Phantoms {
    /// Cases
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    n: u16,
    /// Seed of the cohort; training uses others
    #[arg(long, default_value_t = 23)]
    seed: u64,
    /// Folder that gets pictures of the slices where the mask differs most from what was drawn, three a phantom
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a phantom is made to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Clean,
    Drawn,
    Small,
    Moved,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Clean, Self::Drawn, Self::Small, Self::Moved];

    fn name(self) -> &'static str {
        match self {
            Self::Clean => "no-bleed",
            Self::Drawn => "as-drawn",
            Self::Small => "small",
            Self::Moved => "moved",
        }
    }
}

/// One phantom, measured.
#[derive(Debug, Clone)]
struct Measured {
    id: String,
    kind: Kind,
    motion_mm: f64,
    /// Hematoma that was drawn, without blood in the ventricles.
    truth_ml: f64,
    /// Blood in the ventricles that was drawn, and what of it is called hematoma.
    ivh_ml: f64,
    ivh_found_ml: f64,
    /// What the network calls hematoma outside of the ventricles' blood; none when it was not
    /// asked, as the engine does not ask it on a scan that moved.
    found_ml: Option<f64>,
    iou: Option<f64>,
    motion: f64,
    withheld: Option<Withheld>,
}

impl Phantoms {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let imaging = Imaging::open(settings)?;
        let cohort = Cohort::clinical(usize::from(self.n), self.seed);
        let jobs: Vec<(Case, Kind)> = cohort
            .cases()
            .flat_map(|case| Kind::ALL.map(|kind| (case.clone(), kind)))
            .collect();
        let pictures = self.pictures.as_deref().map(Differences::open).transpose()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut progress = Progress::new("phantom");
        let measured =
            in_order(&jobs, threads, &mut |done, of| progress.at(done, of), |job| {
                measure(&imaging, &job.0, job.1, pictures.as_ref())
            })?;
        progress.end();
        let counts = Counts::of(&measured, imaging.guards());
        if self.json {
            return print(&counts.json(&measured, self.seed));
        }
        print(
            "phantom (simulated)     kind       truth ml   found ml     IoU   IVH ml   called   motion   withheld",
        )?;
        for phantom in &measured {
            print(&line(phantom))?;
        }
        print(&counts.words(self.seed))
    }
}

/// The case as `kind` shows it, and how it is scanned.
fn varied(case: &Case, kind: Kind) -> (Case, Scan) {
    let still = Scan::of(case);
    match kind {
        Kind::Clean => (case.without_bleed(), still),
        Kind::Drawn => (case.clone(), still),
        Kind::Small => {
            // In 0.0..1.0, from bits that no other choice uses.
            let luck = ((case.seed >> 16) % 1024) as f64 / 1024.0;
            (case.with_volume(SMALL_ML.start + luck * (SMALL_ML.end - SMALL_ML.start)), still)
        }
        Kind::Moved => {
            let motion_mm = MOTION_MM[case.index % MOTION_MM.len()];
            (case.clone(), Scan { motion_mm, ..still })
        }
    }
}

fn measure(
    imaging: &Imaging,
    case: &Case,
    kind: Kind,
    pictures: Option<&Differences>,
) -> Result<Measured, TriageError> {
    let (varied, scan) = varied(case, kind);
    let phantom = varied.render(&scan)?;
    let head = Head::find(&phantom.volume);
    let motion = motion_index(&phantom.volume, &head);
    let mut measured = Measured {
        id: case.patient_id(),
        kind,
        motion_mm: scan.motion_mm,
        truth_ml: phantom.hematoma.volume().ml(),
        ivh_ml: phantom.ivh.volume().ml(),
        ivh_found_ml: 0.0,
        found_ml: None,
        iou: None,
        motion: motion.share(),
        withheld: None,
    };
    let guards: &Guards = imaging.guards();
    if kind == Kind::Moved && motion > guards.max_motion {
        measured.withheld = Some(Withheld::Motion { motion });
        return Ok(measured);
    }
    let found = imaging.segment(&phantom.volume, &head, &mut |_| ControlFlow::Continue(()))?;
    measured.withheld = guard(found.volume(), motion, guards);
    measured.hold_against(&phantom, &found)?;
    if let Some(pictures) = pictures {
        let name = format!("{}-{}", measured.id, kind.name());
        let (reference, found) = (phantom.hematoma.voxels().view(), found.voxels().view());
        pictures.draw(
            &name,
            &Compared { volume: &phantom.volume, head: &head, reference, found },
        )?;
    }
    Ok(measured)
}

impl Measured {
    /// Fills in what `found` has of the truth, blood in the ventricles apart.
    fn hold_against(&mut self, phantom: &Phantom, found: &Mask) -> Result<(), TriageError> {
        let grid = phantom.volume.grid();
        let (mut outside, mut inside) = (found.voxels().clone(), found.voxels().clone());
        Zip::from(&mut outside).and(&mut inside).and(phantom.ivh.voxels()).for_each(
            |outside, inside, &ivh| {
                *outside &= !ivh;
                *inside &= ivh;
            },
        );
        let truth = phantom.hematoma.voxels().view();
        self.iou = Overlap::count(truth, outside.view()).and_then(Overlap::iou);
        self.found_ml = Some(Mask::new(outside, grid)?.volume().ml());
        self.ivh_found_ml = Mask::new(inside, grid)?.volume().ml();
        Ok(())
    }
}

fn line(m: &Measured) -> String {
    let dash = || "-".to_owned();
    format!(
        "{:<24}{:<9}{:>10.1}{:>11}{:>8}{:>9.1}{:>9.1}{:>9.2}   {}",
        m.id,
        m.kind.name(),
        m.truth_ml,
        m.found_ml.map_or_else(dash, |ml| format!("{ml:.1}")),
        m.iou.map_or_else(dash, |iou| format!("{iou:.3}")),
        m.ivh_ml,
        m.ivh_found_ml,
        m.motion,
        m.withheld.as_ref().map_or("-", Withheld::code)
    )
    .trim_end()
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_shown_in_four_ways() {
        let case = Cohort::clinical(3, 23).case(1);
        let volume = |kind| varied(&case, kind).0.latents.volume_ml;
        assert!(volume(Kind::Clean) <= 0.0);
        assert!(SMALL_ML.contains(&volume(Kind::Small)));
        assert_eq!(varied(&case, Kind::Drawn).0, case);
        let moved = varied(&case, Kind::Moved);
        assert_eq!((moved.0, moved.1.motion_mm), (case.clone(), 2.0));
    }
}
