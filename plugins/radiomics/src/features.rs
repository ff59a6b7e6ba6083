//! The extractor `features`: 14 shape and 18 first-order features of the original image.

use std::path::Path;

use ichor_plugin::{Call, Extractor, Refused, Settings, VolumeView};

use crate::firstorder::{FIRST_ORDER, FirstOrder};
use crate::region::Region;
use crate::shape::{SHAPE, Shape};

/// Describes the shape of a hematoma and its grey values.
///
/// Names, order and values are those of pyradiomics 3.0.1. A value that its formula does not
/// give, such as the surface to volume ratio of a mesh that encloses nothing, is missing. Slices
/// count as evenly stacked by the median step along their normal, as pyradiomics has it.
#[derive(Debug)]
pub struct Features {
    /// Width of a bin for entropy and uniformity, in HU.
    bin_width_hu: f64,
    names: Vec<String>,
}

impl Features {
    /// Names of the features, in the order in which they are given.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let shape = SHAPE.iter().map(|(name, _)| *name);
        shape.chain(FIRST_ORDER.iter().map(|(name, _)| *name))
    }
}

impl Extractor for Features {
    /// `config` holds `bin_width_hu`, a number above 0.
    fn open(config: &str, _folder: &Path) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        let bin_width_hu = settings.number("bin_width_hu")?;
        settings.finish()?;
        if bin_width_hu.is_finite() && bin_width_hu > 0.0 {
            return Ok(Self {
                bin_width_hu,
                names: Self::names().map(str::to_owned).collect(),
            });
        }
        Err(Refused::config(format!("bin_width_hu = {bin_width_hu}: a bin is wider than 0 HU")))
    }

    fn outputs(&self) -> &[String] {
        &self.names
    }

    fn extract(
        &self,
        volume: &VolumeView<'_>,
        _inputs: &[f64],
        features: &mut [f64],
        call: &mut Call<'_>,
    ) -> Result<(), Refused> {
        call.progress(0.0)?;
        let region = Region::cut(volume)?;
        call.progress(0.1)?;
        let shape = Shape::measure(&region, call)?;
        call.progress(0.8)?;
        let grey = FirstOrder::measure(&region.hu, region.voxel_mm3(), self.bin_width_hu)
            .ok_or_else(|| Refused::internal("a mask without voxels was measured"))?;
        let values = SHAPE.iter().map(|(_, formula)| formula(&shape));
        let values = values.chain(FIRST_ORDER.iter().map(|(_, formula)| formula(&grey)));
        for (slot, value) in features.iter_mut().zip(values) {
            *slot = if value.is_finite() { value } else { f64::NAN };
        }
        call.progress(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, unhurried, view};

    fn extract(hu: &[i16], mask: &[u8], shape: [usize; 3]) -> Result<Vec<f64>, Refused> {
        let slices: Vec<f64> = (0..shape[0]).map(|z| z as f64).collect();
        let origins = vec![[0.0; 3]; shape[0]];
        let volume = view(hu, mask, shape, [5.0, 0.45, 0.45], &slices, &origins);
        let extractor = Features::open("bin_width_hu = 25", Path::new(""))?;
        let mut features = vec![f64::NAN; extractor.outputs().len()];
        unhurried(|call| extractor.extract(&volume, &[], &mut features, call))?;
        Ok(features)
    }

    fn check_refused(mask: &[u8], shape: [usize; 3], expected: &str) {
        let hu = vec![60; mask.len()];
        assert_eq!(extract(&hu, mask, shape).unwrap_err().text, expected);
    }

    #[test]
    fn a_mask_too_small_to_have_a_shape_is_refused_in_words() {
        check_refused(
            &[0; 8],
            [2, 2, 2],
            "the mask is empty: there is no hematoma to describe",
        );
        check_refused(
            &[0, 1, 1, 0, 0, 0],
            [1, 2, 3],
            "the mask spans 1 x 1 x 2 voxels (slices, rows, columns): \
             features need more than one voxel in at least two directions",
        );
    }

    #[test]
    fn a_volume_that_is_not_as_large_as_it_says_is_refused() {
        let refused = extract(&[60; 7], &[1; 8], [2, 2, 2]).unwrap_err();
        assert_eq!(
            refused.text,
            "2 x 2 x 2 voxels were announced, 7 grey values and 8 mask values came"
        );
        assert!(extract(&[], &[], [0, 0, 0]).is_err());
        assert!(extract(&[], &[], [2, usize::MAX, usize::MAX]).is_err());
    }

    #[test]
    fn a_bin_of_no_width_is_refused() {
        for config in ["bin_width_hu = 0", "bin_width_hu = -25", "bin_width_hu = inf", ""] {
            assert!(Features::open(config, Path::new("")).is_err(), "{config}");
        }
    }

    #[test]
    fn any_small_mask_gives_features_or_a_refusal_and_never_infinity() {
        let mut noise = Noise::new(5);
        let mut refused = 0;
        for _ in 0..3000 {
            let (mask, shape) = noise.mask(6);
            let extremes = [i16::MIN, i16::MAX, -1024, 3071, 0, 60];
            let hu: Vec<i16> = mask.iter().map(|_| extremes[noise.below(6)]).collect();
            match extract(&hu, &mask, shape) {
                Ok(features) => assert!(features.iter().all(|value| !value.is_infinite())),
                Err(_) => refused += 1,
            }
        }
        assert!((1..3000).contains(&refused));
    }

    #[test]
    fn the_extractor_stops_when_it_is_asked_to() {
        let extractor = Features::open("bin_width_hu = 25", Path::new("")).unwrap();
        let volume =
            view(&[60; 27], &[1; 27], [3; 3], [1.0; 3], &[0.0, 1.0, 2.0], &[[0.0; 3]; 3]);
        for patience in 0..5 {
            let mut asked = 0;
            let mut poll = |_| {
                asked += 1;
                if asked > patience {
                    std::ops::ControlFlow::Break(())
                } else {
                    std::ops::ControlFlow::Continue(())
                }
            };
            let mut call = Call::new(&mut poll);
            let stopped = extractor.extract(&volume, &[], &mut [0.0; 32], &mut call);
            assert_eq!(stopped, Err(Refused::cancelled()));
        }
    }
}
