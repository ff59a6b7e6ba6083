//! Phantoms, rendered and described by the extractor.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ichor_plugin::{Call, Extractor, VolumeView};
use ichor_signs::Signs;
use ichor_study::phantom::{Case, Cohort, Scan};

/// The guard under which no study is scored.
const LEAST_ML: f64 = 3.0;

/// One case with what the extractor says of it.
pub(crate) struct Described {
    pub(crate) case: Case,
    /// Volume of the mask in millilitres.
    pub(crate) volume_ml: f64,
    features: Vec<f64>,
}

impl Described {
    /// The feature called `name`; NaN where it is missing.
    pub(crate) fn feature(&self, name: &str) -> f64 {
        let at = Signs::names().position(|known| known == name);
        at.and_then(|at| self.features.get(at)).copied().unwrap_or(f64::NAN)
    }
}

/// Every case of `cohort` with at least 3 ml, on all cores.
pub(crate) fn described(cohort: &Cohort) -> Result<Vec<Described>, String> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= cohort.len() {
                        break;
                    }
                    let described = describe(cohort.case(index));
                    if let Ok(mut done) = done.lock() {
                        done.push((index, described));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().map_err(|error| error.to_string())?;
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().filter_map(|(_, described)| described.transpose()).collect()
}

fn describe(case: Case) -> Result<Option<Described>, String> {
    let phantom = case.render(&Scan::of(&case)).map_err(|error| error.to_string())?;
    let volume_ml = phantom.hematoma.volume().ml();
    if volume_ml < LEAST_ML {
        return Ok(None);
    }
    let (nz, ny, nx) = phantom.volume.dim();
    let grid = phantom.volume.grid();
    let hu: Vec<i16> = phantom.volume.hu().iter().copied().collect();
    let mask: Vec<u8> =
        phantom.hematoma.voxels().iter().map(|&blood| u8::from(blood)).collect();
    let slice_pos_mm: Vec<f64> = (0..nz).map(|z| z as f64 * grid.step_mm()).collect();
    let view = VolumeView {
        hu: &hu,
        mask: &mask,
        shape: [nz, ny, nx],
        spacing_mm: [grid.step_mm(), grid.pixel().y, grid.pixel().x],
        direction: [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
        slice_origins_mm: &vec![[0.0; 3]; nz],
        slice_pos_mm: &slice_pos_mm,
    };
    let signs = Signs::open(include_str!("../../signs.toml"), Path::new(""))
        .map_err(|refused| refused.to_string())?;
    let mut features = vec![f64::NAN; signs.outputs().len()];
    let mut poll = |_: f32| ControlFlow::Continue(());
    signs
        .extract(&view, &[], &mut features, &mut Call::new(&mut poll))
        .map_err(|refused| refused.to_string())?;
    Ok(Some(Described { case, volume_ml, features }))
}
