//! From a scan and its mask to all features: the filters' work, shared out among threads.
//!
//! Every filter is one piece of work that hangs on no other, and its features go to their own
//! places, so that the number of threads changes nothing but the time.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use ichor_plugin::{Call, Refused, VolumeView};

use crate::crop::cropped;
use crate::derived::Filter;
use crate::laplacian::thick_enough;
use crate::pace::{Flagged, Hosted, Pace};
use crate::parameters::{Mode, Parameters};
use crate::region::Region;
use crate::resample::resampled;
use crate::scan::Scan;
use crate::shape::{SHAPE, Shape};
use crate::textures::{describe, pick};

/// How often the thread that the host called asks it, while others work.
const ASKING: Duration = Duration::from_millis(10);

impl Parameters {
    /// Names of the features, in the order in which they are given.
    ///
    /// Those in IBSI's way have names of their own, so that no model takes one for the other.
    pub fn names(&self) -> Vec<String> {
        let prefix = if self.mode == Mode::Ibsi { "ibsi-" } else { "" };
        let of_shape = self.of_shape().map(|name| format!("{prefix}original_shape_{name}"));
        let mut names: Vec<String> = of_shape.collect();
        for image in self.filters.iter().flat_map(Filter::images) {
            let of_image = self.of_image();
            names.extend(
                of_image
                    .map(|(class, name)| format!("{prefix}{image}_{}_{name}", class.name())),
            );
        }
        names
    }

    /// Writes the features of `volume` into `features`, in the order of [`Parameters::names`];
    /// one that its formula does not give is NaN.
    pub fn extract(
        &self,
        volume: &VolumeView<'_>,
        features: &mut [f64],
        call: &mut Call<'_>,
    ) -> Result<(), Refused> {
        let pace = Hosted::new(call);
        pace.check()?;
        let (scan, mask) = self.prepared(volume, &pace)?;
        let region = Region::cut(&scan, &mask, &pace)?;
        self.warn(&scan);
        let of_shape: Vec<&str> = self.of_shape().collect();
        let (slots, rest) = features.split_at_mut(of_shape.len().min(features.len()));
        if !of_shape.is_empty() {
            let shape = Shape::measure(&region, self.mode, &pace)?;
            put(slots, &pick(&SHAPE, &of_shape, |row| Ok((row.of)(&shape)))?);
        }
        pace.report(0.1)?;
        let work = Work { parameters: self, scan: &scan, region: &region };
        let width = self.of_image().count();
        let mut place = |at: usize, values: Vec<f64>| {
            let before: usize = self.filters[..at].iter().map(|f| f.images().len()).sum();
            put(&mut rest[before * width..], &values);
        };
        if self.threads == 1 || self.filters.len() < 2 {
            for at in 0..self.filters.len() {
                place(at, work.features(at, &pace)?);
                pace.report(0.1 + 0.9 * (at + 1) as f32 / self.filters.len() as f32)?;
            }
            return Ok(());
        }
        work.shared_out(self.threads, &pace, place)
    }

    /// Says on stderr which images the scan is too thin for.
    fn warn(&self, scan: &Scan<'_>) {
        let thin = |filter: &&Filter| match filter {
            Filter::Log(sigma_mm) => !thick_enough(scan, *sigma_mm),
            _ => false,
        };
        let thin: Vec<String> =
            self.filters.iter().filter(thin).flat_map(Filter::images).collect();
        if !thin.is_empty() {
            let [z, y, x] = scan.shape;
            eprintln!(
                "warning: {z} x {y} x {x} voxels are too few for {}: their features are missing",
                thin.join(", ")
            );
        }
    }

    /// The scan and mask that features are computed from.
    fn prepared<'a>(
        &self,
        volume: &VolumeView<'a>,
        pace: &dyn Pace,
    ) -> Result<(Scan<'a>, Cow<'a, [u8]>), Refused> {
        let scan = Scan::of(volume)?;
        let mask: Cow<'a, [u8]> = match self.label {
            None => volume.mask.into(),
            Some(label) => volume.mask.iter().map(|&voxel| u8::from(voxel == label)).collect(),
        };
        if let Some(spacing_mm) = self.resampled_mm {
            let (scan, mask) = resampled(&scan, &mask, spacing_mm, self.pad, pace)?;
            return Ok((scan, mask.into()));
        }
        if self.pre_crop {
            let (scan, mask) = cropped(&scan, &mask, self.pad)?;
            return Ok((scan, mask.into()));
        }
        Ok((scan, mask))
    }
}

fn put(slots: &mut [f64], values: &[f64]) {
    for (slot, value) in slots.iter_mut().zip(values) {
        *slot = if value.is_finite() { *value } else { f64::NAN };
    }
}

/// What every thread needs to see.
struct Work<'a> {
    parameters: &'a Parameters,
    scan: &'a Scan<'a>,
    region: &'a Region,
}

impl Work<'_> {
    /// The features of all images of one filter; NaN where the scan is too thin for it.
    fn features(&self, at: usize, pace: &dyn Pace) -> Result<Vec<f64>, Refused> {
        let filter = &self.parameters.filters[at];
        let images = filter.apply(self.scan, self.region, pace)?;
        if images.is_empty() {
            let width = self.parameters.of_image().count();
            return Ok(vec![f64::NAN; width]);
        }
        let mut features = Vec::new();
        for image in &images {
            features.extend(describe(image, self.region, self.parameters, pace)?);
        }
        Ok(features)
    }

    /// Lets `threads` take one filter after the other, the last ones first: these take longest.
    fn shared_out(
        &self,
        threads: usize,
        pace: &Hosted<'_, '_>,
        mut place: impl FnMut(usize, Vec<f64>),
    ) -> Result<(), Refused> {
        let n = self.parameters.filters.len();
        let (taken, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 0..threads.min(n) {
                let sender = sender.clone();
                let (taken, stop) = (&taken, &stop);
                let work = move || {
                    loop {
                        let nth = taken.fetch_add(1, Ordering::Relaxed);
                        if nth >= n {
                            return;
                        }
                        let at = n - 1 - nth;
                        let result = self.features(at, &Flagged(stop));
                        // Nobody listens any more when another filter has failed.
                        let failed = result.is_err();
                        if sender.send((at, result)).is_err() || failed {
                            return;
                        }
                    }
                };
                let started = std::thread::Builder::new().spawn_scoped(scope, work);
                started
                    .map_err(|e| Refused::internal(format!("no thread could start: {e}")))?;
            }
            drop(sender);
            let mut n_done = 0;
            let outcome = loop {
                match results.recv_timeout(ASKING) {
                    Ok((at, Ok(values))) => {
                        place(at, values);
                        n_done += 1;
                        let share = 0.1 + 0.9 * n_done as f32 / n as f32;
                        if let Err(refused) = pace.report(share) {
                            break Err(refused);
                        }
                    }
                    Ok((_, Err(refused))) => break Err(refused),
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(refused) = pace.check() {
                            break Err(refused);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) if n_done == n => break Ok(()),
                    Err(RecvTimeoutError::Disconnected) => {
                        break Err(Refused::internal("a thread ended without its features"));
                    }
                }
            };
            stop.store(true, Ordering::Relaxed);
            outcome
        })
    }
}
