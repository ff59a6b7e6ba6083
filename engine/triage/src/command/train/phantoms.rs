//! Phantoms for the network: the development cohort, with what real slices lack brought in.
//!
//! The real set holds middle-sized bleeds of the basal ganglia, still heads and no label in the
//! ventricles. Every twelfth phantom is therefore of each kind below; the others are as drawn.

use ichor_core::Head;
use ichor_net::{Example, Origin, Recipe, Slice};
use ichor_study::phantom::{Case, Cohort, Kernel, Location, Scan};
use ndarray::Axis;

use super::in_order::in_order;
use crate::TriageError;

/// Seed of the cohort; no other command uses it.
pub(super) const SEED: u64 = 1100;

/// The slices of `n` phantoms that show a head.
pub(super) fn examples(
    n: usize,
    recipe: &Recipe,
    threads: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Example>, TriageError> {
    let cases: Vec<Case> = Cohort::development(n, SEED).cases().collect();
    let of = |case: &Case| slices(case, recipe);
    Ok(in_order(&cases, threads, progress, of)?.into_iter().flatten().collect())
}

fn slices(case: &Case, recipe: &Recipe) -> Result<Vec<Example>, TriageError> {
    let (case, scan) = varied(case);
    let phantom = case.render(&scan)?;
    let head = Head::find(&phantom.volume);
    let subject = case.patient_id();
    let mut examples = Vec::new();
    for z in 0..phantom.volume.dim().0 {
        let Some(head) = head.slice_box(z) else { continue };
        let hu = phantom.volume.slice(z).mapv(f32::from);
        let slice = Slice {
            subject: &subject,
            origin: Origin::Phantom,
            hu: hu.view(),
            blood: phantom.hematoma.voxels().index_axis(Axis(0), z),
            ivh: Some(phantom.ivh.voxels().index_axis(Axis(0), z)),
            head,
        };
        examples.extend(Example::cut(&slice, recipe)?);
    }
    Ok(examples)
}

/// The case as it trains, and how it is scanned; both follow from the case.
fn varied(case: &Case) -> (Case, Scan) {
    let mut scan = Scan { kernel: kernel(case), dose: dose(case), ..Scan::default() };
    // In 0.0..1.0, from bits that neither kernel nor dose use.
    let luck = ((case.seed >> 16) % 1024) as f64 / 1024.0;
    let mut varied = case.clone();
    match case.index % 12 {
        1 => varied = case.with_volume(0.5 + 3.5 * luck),
        3 => {
            varied = case.with_volume(2.0 + 18.0 * luck);
            varied.latents.location = Location::Cerebellum;
        }
        5 => varied.latents.ivh = true,
        7 => scan.motion_mm = 0.5 + 1.5 * luck,
        9 => {
            varied = case.with_volume(30.0 + 60.0 * luck);
            varied.latents.location = Location::Lobar;
        }
        11 => varied = case.without_bleed(),
        _ => {}
    }
    (varied, scan)
}

fn kernel(case: &Case) -> Kernel {
    match case.seed % 3 {
        0 => Kernel::Soft,
        1 => Kernel::Standard,
        _ => Kernel::Sharp,
    }
}

/// 0.6 to 1.3 of a usual head CT.
fn dose(case: &Case) -> f64 {
    0.6 + 0.1 * ((case.seed / 4) % 8) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_phantoms_hold_every_kind() {
        let kinds: Vec<(Case, Scan)> =
            Cohort::development(12, SEED).cases().map(|case| varied(&case)).collect();
        let volume = |index: usize| kinds[index].0.latents.volume_ml;
        assert!((0.5..4.0).contains(&volume(1)));
        assert_eq!(kinds[3].0.latents.location, Location::Cerebellum);
        assert!(kinds[5].0.latents.ivh && kinds[7].1.motion_mm >= 0.5);
        assert!(volume(9) >= 30.0 && volume(11) <= 0.0);
    }
}
