//! The extractor `features`.

use std::path::Path;

use ichor_plugin::{Call, Extractor, Refused, Settings, VolumeView};

use crate::parameters::Parameters;

/// Parameter files are a page long.
const LARGEST_FILE: u64 = 1 << 16;

/// Describes the shape of a hematoma, its grey values and its texture.
///
/// Names, order and values are those of pyradiomics 3.0.1. A value that its formula does not
/// give, such as the surface to volume ratio of a mesh that encloses nothing, is missing. Slices
/// count as evenly stacked by the median step along their normal, as pyradiomics has it.
#[derive(Debug)]
pub struct Features {
    parameters: Parameters,
    names: Vec<String>,
}

impl Features {
    /// An extractor of what `parameters` say.
    pub fn new(parameters: Parameters) -> Result<Self, Refused> {
        parameters.check()?;
        let names = parameters.names();
        Ok(Self { parameters, names })
    }
}

impl Extractor for Features {
    /// `config` is read by [`Parameters::read`], unless it names a parameter file of pyradiomics in
    /// `folder` as its `parameters`; beside that only `threads` may stand.
    fn open(config: &str, folder: &Path) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        if !settings.has("parameters") {
            return Self::new(Parameters::read(config)?);
        }
        let text = settings.file("parameters", folder, LARGEST_FILE)?;
        let threads = if settings.has("threads") { settings.number("threads")? } else { 1.0 };
        settings.finish()?;
        let threads = Parameters::read(&format!("threads = {threads}"))?.threads;
        Self::new(Parameters { threads, ..Parameters::from_parameter_file(&text)? })
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
        self.parameters.extract(volume, features, call)
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
    fn any_small_mask_gives_features_or_a_refusal_and_never_infinity() {
        let mut noise = Noise::new(5);
        let mut refused = 0;
        for _ in 0..1000 {
            let (mask, shape) = noise.mask(6);
            let extremes = [i16::MIN, i16::MAX, -1024, 3071, 0, 60];
            let hu: Vec<i16> = mask.iter().map(|_| extremes[noise.below(6)]).collect();
            match extract(&hu, &mask, shape) {
                Ok(features) => assert!(features.iter().all(|value| !value.is_infinite())),
                Err(_) => refused += 1,
            }
        }
        assert!((1..1000).contains(&refused));
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
            let stopped = extractor.extract(&volume, &[], &mut [0.0; 1379], &mut call);
            assert_eq!(stopped, Err(Refused::cancelled()));
        }
    }
}
