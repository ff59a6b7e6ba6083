//! What an extractor is tried with: a phantom's hematoma, and masks that no hematoma has.

use std::ops::ControlFlow;
use std::time::Instant;

use ichor_core::{Features, Grid, Mask, PixelSpacing, Volume};
use ichor_host::{HostError, SharedVolume, Worker};
use ichor_study::phantom::{Cohort, Phantom, Scan};
use ndarray::{Array3, Axis};

use super::scorer::tolerated;
use super::{Bench, answered, compared};
use crate::TriageError;

/// Seed of the phantom (simulated), which no training uses.
const SEED: u64 = 29;
/// Longest that a plugin may go on after it was asked to stop.
const STOP_MS: u128 = 150;

pub(super) fn try_all(
    bench: &Bench,
    unit: &str,
    add: &mut dyn FnMut(&'static str, Result<String, String>),
) -> Result<(), TriageError> {
    let case = Cohort::clinical(1, SEED).case(0);
    let Phantom { volume, hematoma: mask, .. } = case.render(&Scan::of(&case))?;
    let mut worker = bench.spawn()?;
    let deterministic = worker.describe(unit)?.deterministic;
    let inputs = Features::default();
    let extract = |worker: &mut Worker, volume: &Volume, mask: &Mask| {
        let shared = SharedVolume::new(volume, mask)?;
        worker.extract(unit, &shared, &inputs, &mut |_| ControlFlow::Continue(()))
    };
    let values = |features: &Features| {
        let missing = features.values().iter().filter(|value| value.is_nan()).count();
        format!("{} features, {missing} missing", features.values().len())
    };

    let first = extract(&mut worker, &volume, &mask);
    let again = extract(&mut worker, &volume, &mask);
    let elsewhere = extract(&mut bench.spawn()?, &volume, &mask);
    let bits = |features: &Features| -> Vec<u64> {
        features.values().iter().map(|value| value.to_bits()).collect()
    };
    let seen = answered(&first, values);
    let others = [again, elsewhere].map(|answer| answer.map(|features| bits(&features)));
    let same = compared(deterministic, &first.map(|features| bits(&features)), &others);
    add("describes", seen);
    add("same bits", same);

    for (what, volume, mask) in odd(&volume, &mask)? {
        let seen = answered(&extract(&mut worker, &volume, &mask), values);
        if seen.is_err() {
            worker = bench.spawn()?;
        }
        add(what, seen);
    }
    let shared = SharedVolume::new(&volume, &mask)?;
    add("stops when asked", stops(&mut worker, unit, &shared));
    let (small, small_mask) = small()?;
    let small = SharedVolume::new(&small, &small_mask)?;
    bench.many(add, |worker| {
        let answer = worker.extract(unit, &small, &inputs, &mut |_| ControlFlow::Continue(()));
        tolerated(answer)
    })
}

/// Masks and volumes at the edge of what there is.
fn odd(volume: &Volume, mask: &Mask) -> Result<Vec<(&'static str, Volume, Mask)>, TriageError> {
    let dim = volume.dim();
    let middle = (dim.0 / 2, dim.1 / 2, dim.2 / 2);
    let of = |inside: &dyn Fn((usize, usize, usize)) -> bool| {
        Mask::new(Array3::from_shape_fn(dim, inside), volume.grid())
    };
    let widest = mask
        .voxels()
        .axis_iter(Axis(0))
        .map(|slice| slice.iter().filter(|&&inside| inside).count())
        .enumerate()
        .max_by_key(|&(_, n)| n)
        .map_or(0, |(z, _)| z);
    let extremes = volume.hu().mapv(|hu| if hu % 2 == 0 { i16::MAX } else { i16::MIN });
    let extremes = Volume::new(extremes, volume.grid().clone())
        .map_err(|error| TriageError::Input(error.to_string()))?;
    let (small, _) = small()?;
    let all_of_small = Mask::new(Array3::from_elem(small.dim(), true), small.grid())?;
    Ok(vec![
        ("an empty mask", volume.clone(), of(&|_| false)?),
        ("one voxel", volume.clone(), of(&|at| at == middle)?),
        ("one slice", volume.clone(), of(&|at| at.0 == widest && mask.voxels()[at])?),
        ("a corner of the volume", volume.clone(), of(&|at| at.0 < 2 && at.1 < 8 && at.2 < 8)?),
        ("the extremes of 16 bits", extremes, mask.clone()),
        ("a mask of all voxels", small, all_of_small),
    ])
}

/// A cube of 8 x 24 x 24 voxels with a ball of blood.
fn small() -> Result<(Volume, Mask), TriageError> {
    let grid = Grid::axial(8, 5.0, PixelSpacing { y: 0.5, x: 0.5 })
        .map_err(|error| TriageError::Input(error.to_string()))?;
    let inside = |(z, y, x): (usize, usize, usize)| {
        let square =
            |at: usize, middle: f64, radius: f64| ((at as f64 - middle) / radius).powi(2);
        square(z, 3.5, 2.5) + square(y, 11.5, 7.0) + square(x, 11.5, 7.0) < 1.0
    };
    let dim = (8, 24, 24);
    let hu = Array3::from_shape_fn(dim, |at| {
        let grain = ((at.0 * 7 + at.1 * 5 + at.2 * 3) % 11) as u8;
        i16::from(grain) + if inside(at) { 60 } else { 30 }
    });
    let mask = Mask::new(Array3::from_shape_fn(dim, inside), &grid)?;
    let volume =
        Volume::new(hu, grid).map_err(|error| TriageError::Input(error.to_string()))?;
    Ok((volume, mask))
}

/// Asks to stop at the first sign of progress.
fn stops(worker: &mut Worker, unit: &str, shared: &SharedVolume<'_>) -> Result<String, String> {
    let mut asked = None;
    let answer = worker.extract(unit, shared, &Features::default(), &mut |_| {
        asked.get_or_insert_with(Instant::now);
        ControlFlow::Break(())
    });
    let after = asked.map(|asked| asked.elapsed().as_millis());
    match (answer, after) {
        (Ok(_) | Err(HostError::Refused { .. }), _) => {
            Ok("it was done before it could be asked".to_owned())
        }
        (Err(HostError::Cancelled { .. }), Some(ms)) if worker.is_alive() => {
            let seen = format!("{ms} ms after it was asked");
            if ms <= STOP_MS { Ok(seen) } else { Err(seen) }
        }
        (Err(HostError::Cancelled { .. }), _) => {
            Err("it went on, and its worker had to be ended".to_owned())
        }
        (Err(error), _) => Err(error.to_string()),
    }
}
