//! The second branch on GPUs: the means of its last maps, crop by crop, with the CPU behind them.

use std::sync::{Arc, Mutex, PoisonError};

use ndarray::s;

use super::check::known_slice;
use super::describe::{bytes_an_image, describe};
use super::devices::Gpus;
use super::pool::{Image, Output, Pool, Task};
use crate::cnn::crop::{Crop, SIDE};
use crate::cnn::shape::CnnShape;
use crate::plan::Plan;

/// The CNN's convolutions on the GPUs of a process.
#[derive(Debug)]
pub(crate) struct Means {
    pool: Result<Arc<Pool>, String>,
    /// Why the devices were last left.
    failed: Mutex<Option<String>>,
}

impl Means {
    /// Puts a network of `shape` with its `parameters`, by its name and hash, on `gpus`; `exact` gives
    /// the same of one crop on the CPU, which devices are held against.
    pub(crate) fn new(
        gpus: &Gpus,
        key: (&str, &str),
        (shape, parameters): (CnnShape, &[f32]),
        exact: &dyn Fn(&Crop) -> Vec<f64>,
    ) -> Self {
        let plan = Plan::cnn(shape);
        let known = known_crop();
        let pool = gpus.pool(key, |precision, patience| Task {
            patience,
            network: describe(&plan, &shape.tensors(), parameters.to_vec()),
            output: Output::Means(shape.n_maps()),
            precision,
            bytes_an_image: bytes_an_image(&plan, (SIDE, SIDE), precision.bytes()),
            expected: exact(&known).into_iter().map(|mean| mean as f32).collect(),
            known: image(&known),
        });
        Self { pool, failed: Mutex::default() }
    }

    /// The means of every crop; none where the CPU is to compute them.
    pub(crate) fn of(&self, crops: &[Crop]) -> Option<Vec<Vec<f64>>> {
        let pool = self.pool.as_ref().ok()?;
        let name = pool.name();
        let computed = pool.run(crops.len(), &|index| image(&crops[index]));
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match computed {
            Ok(means) => {
                *failed = None;
                let wide = |means: Vec<f32>| means.into_iter().map(f64::from).collect();
                Some(means.into_iter().map(wide).collect())
            }
            Err(why) => {
                *failed = Some(format!("{name} failed: {why}"));
                None
            }
        }
    }

    /// What computes, or why no GPU does.
    pub(crate) fn device(&self) -> Result<String, String> {
        let pool = self.pool.as_ref().map_err(Clone::clone)?;
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone().map_or_else(|| Ok(pool.name()), Err)
    }
}

/// A crop as devices are shown it: pixels, then mask.
pub(crate) fn image(crop: &Crop) -> Image {
    let pixels = crop.pixels.iter().chain(&crop.blood).copied().collect();
    Image { pixels, dim: crop.pixels.dim() }
}

/// The known slice around its larger bleed.
fn known_crop() -> Crop {
    let (row, column) = (220 - SIDE / 2, 320 - SIDE / 2);
    let pixels = known_slice().slice_move(s![row..row + SIDE, column..column + SIDE]);
    let blood = pixels.mapv(|pixel| f32::from(u8::from((0.55..0.9).contains(&pixel))));
    Crop { pixels, blood }
}
