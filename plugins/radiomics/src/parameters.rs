//! What to extract and how: the settings of the extractor, resolved.
//!
//! Names in the TOML text are ours; `parameter_file` reads pyradiomics' own.

use ichor_plugin::{Refused, Settings};

use crate::bins::Binning;
use crate::derived::Filter;
use crate::wavelet::Wavelet;

/// A group of features that are computed from one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 14 features of the mask.
    Shape,
    /// 18 of the grey values.
    FirstOrder,
    /// 24 of pairs of neighbours; 22 in the set `teng2021`.
    Glcm,
    /// 16 of runs.
    Glrlm,
    /// 16 of zones.
    Glszm,
    /// 14 of equal neighbours.
    Gldm,
    /// 5 of neighbours' means.
    Ngtdm,
}

/// All classes, by pyradiomics' names, in the order in which features are given.
pub(crate) const CLASSES: [(&str, Class); 7] = [
    ("shape", Class::Shape),
    ("firstorder", Class::FirstOrder),
    ("glcm", Class::Glcm),
    ("glrlm", Class::Glrlm),
    ("glszm", Class::Glszm),
    ("gldm", Class::Gldm),
    ("ngtdm", Class::Ngtdm),
];

/// Whose definitions hold where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// pyradiomics 3.0.1.
    Pyradiomics,
    /// The reference manual of the Image Biomarker Standardisation Initiative: kurtosis is excess,
    /// axes divide by `N - 1`, bins of a width begin at the smallest value.
    Ibsi,
}

/// Everything that an extraction hangs on besides the scan.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Images, in the order in which their features are given.
    pub filters: Vec<Filter>,
    /// Classes and their features, by name, in the order in which they are given; those of the
    /// shape come before all others.
    pub features: Vec<(Class, Vec<&'static str>)>,
    /// How grey values become levels.
    pub binning: Binning,
    /// Whose definitions hold.
    pub mode: Mode,
    /// Distance between voxel centres to resample to, `(z, y, x)`; 0 keeps an axis as it is.
    pub resampled_mm: Option<[f64; 3]>,
    /// Whether the scan is cut to the mask before filtering when it is not resampled.
    pub pre_crop: bool,
    /// Voxels that resampling and pre-cropping leave around the mask.
    pub pad: usize,
    /// The value in the mask that is the hematoma; all that is not 0 when not given.
    pub label: Option<u8>,
    /// Threads; the features do not hang on it.
    pub threads: usize,
}

impl Default for Parameters {
    /// The set `teng2021`: 1379 features.
    fn default() -> Self {
        let sigmas = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(Filter::Log);
        let ends = [Filter::Original, Filter::Wavelet("coif1".to_owned())];
        let [first, last] = ends;
        Self {
            filters: std::iter::once(first).chain(sigmas).chain([last]).collect(),
            features: CLASSES.map(|(_, class)| (class, class.in_set())).to_vec(),
            binning: Binning::Width(25.0),
            mode: Mode::Pyradiomics,
            resampled_mm: None,
            pre_crop: false,
            pad: 5,
            label: None,
            threads: 1,
        }
    }
}

impl Parameters {
    /// Reads the extractor's settings; what they leave out is as in [`Parameters::default`].
    pub fn read(config: &str) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        let mut parameters = Self::default();
        if settings.has("mode") {
            parameters.mode = match settings.text("mode")?.as_str() {
                "pyradiomics" => Mode::Pyradiomics,
                "ibsi" => Mode::Ibsi,
                other => return Err(unknown("mode", other, "pyradiomics or ibsi")),
            };
        }
        if settings.has("images") {
            parameters.filters = filters(&mut settings)?;
        }
        if settings.has("classes") {
            let names = settings.text("classes")?;
            let chosen: Result<Vec<Class>, Refused> =
                names.split_whitespace().map(|name| Class::named("classes", name)).collect();
            let chosen = chosen?;
            parameters.features.retain(|(class, _)| chosen.contains(class));
        }
        if settings.has("glcm") {
            let all = match settings.text("glcm")?.as_str() {
                "set" => false,
                "all" => true,
                other => return Err(unknown("glcm", other, "set or all")),
            };
            let glcm = parameters.features.iter_mut().find(|(class, _)| *class == Class::Glcm);
            if let Some((class, names)) = glcm.filter(|_| all) {
                *names = class.all();
            }
        }
        parameters.binning = binning(&mut settings, parameters.mode)?;
        if settings.has("resampled_mm") {
            let steps = numbers("resampled_mm", &settings.text("resampled_mm")?)?;
            let steps = <[f64; 3]>::try_from(steps).map_err(|steps| {
                let n = steps.len();
                Refused::config(format!("resampled_mm has {n} numbers, not 3: z, y and x"))
            })?;
            parameters.resampled_mm = Some(steps);
        }
        if settings.has("pre_crop_voxels") {
            parameters.pre_crop = true;
            parameters.pad = whole(&mut settings, "pre_crop_voxels", 10_000)?;
        }
        if settings.has("label") {
            parameters.label = Some(whole(&mut settings, "label", 255)? as u8);
        }
        if settings.has("threads") {
            parameters.threads = whole(&mut settings, "threads", 256)?;
        }
        settings.finish()?;
        parameters.check()?;
        Ok(parameters)
    }

    /// Fails on numbers that no extraction can work with.
    pub fn check(&self) -> Result<(), Refused> {
        let refuse = |name: &str, value: f64, needed: &str| {
            Err(Refused::config(format!("{name} = {value}: {needed}")))
        };
        match self.binning {
            Binning::Width(width) | Binning::WidthFromLowest(width) => {
                if !(width.is_finite() && width > 0.0) {
                    return refuse("bin_width_hu", width, "a bin is wider than 0 HU");
                }
            }
            Binning::Count(count) if !(1..=2048).contains(&count) => {
                return refuse("bin_count", count as f64, "1 to 2048 bins are possible");
            }
            Binning::Count(_) => {}
        }
        for filter in &self.filters {
            match filter {
                Filter::Log(sigma) if !(sigma.is_finite() && *sigma > 0.0) => {
                    return refuse("sigmas_mm", *sigma, "a sigma is above 0 mm");
                }
                Filter::Wavelet(name) if Wavelet::named(name).is_none() => {
                    let known: Vec<&str> = Wavelet::names().collect();
                    return Err(unknown("wavelet", name, &known.join(", ")));
                }
                _ => {}
            }
        }
        let steps = self.resampled_mm.unwrap_or([1.0; 3]);
        if let Some(step) = steps.into_iter().find(|step| !(step.is_finite() && *step >= 0.0)) {
            return refuse("resampled_mm", step, "a distance is 0 or above");
        }
        if self.threads == 0 {
            return refuse("threads", 0.0, "one thread at least does the work");
        }
        Ok(())
    }
}

pub(crate) fn unknown(name: &str, value: &str, known: &str) -> Refused {
    Refused::config(format!("{name} = \"{value}\" is not one of {known}"))
}

/// `sigmas_mm` and `wavelet` say which images `log` and `wavelet` are.
fn filters(settings: &mut Settings) -> Result<Vec<Filter>, Refused> {
    let names = settings.text("images")?;
    let sigmas = if settings.has("sigmas_mm") {
        numbers("sigmas_mm", &settings.text("sigmas_mm")?)?
    } else {
        vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    };
    let wavelet =
        if settings.has("wavelet") { settings.text("wavelet")? } else { "coif1".to_owned() };
    let mut filters = Vec::new();
    for name in names.split_whitespace() {
        match name {
            "original" => filters.push(Filter::Original),
            "log" => filters.extend(sigmas.iter().copied().map(Filter::Log)),
            "wavelet" => filters.push(Filter::Wavelet(wavelet.clone())),
            "square" => filters.push(Filter::Square),
            "squareroot" => filters.push(Filter::SquareRoot),
            "logarithm" => filters.push(Filter::Logarithm),
            "exponential" => filters.push(Filter::Exponential),
            "gradient" => filters.push(Filter::Gradient),
            other => {
                let known = "original, log, wavelet, square, squareroot, logarithm, exponential, \
                             gradient";
                return Err(unknown("images", other, known));
            }
        }
    }
    Ok(filters)
}

impl Class {
    /// The class that pyradiomics calls `name`; `setting` is where that stands.
    pub(crate) fn named(setting: &str, name: &str) -> Result<Self, Refused> {
        let known = CLASSES.iter().find(|(known, _)| *known == name);
        let all = CLASSES.map(|(known, _)| known).join(", ");
        known.map(|(_, class)| *class).ok_or_else(|| unknown(setting, name, &all))
    }
}

fn binning(settings: &mut Settings, mode: Mode) -> Result<Binning, Refused> {
    if settings.has("bin_count") {
        if settings.has("bin_width_hu") {
            let both = "bin_count and bin_width_hu are both set: bins have one of them";
            return Err(Refused::config(both));
        }
        return Ok(Binning::Count(whole(settings, "bin_count", 1 << 20)?));
    }
    let width =
        if settings.has("bin_width_hu") { settings.number("bin_width_hu")? } else { 25.0 };
    Ok(match mode {
        Mode::Pyradiomics => Binning::Width(width),
        Mode::Ibsi => Binning::WidthFromLowest(width),
    })
}

fn numbers(name: &str, text: &str) -> Result<Vec<f64>, Refused> {
    let number = |word: &str| {
        word.parse::<f64>().map_err(|_| Refused::config(format!("{name}: {word} is no number")))
    };
    text.split_whitespace().map(number).collect()
}

fn whole(settings: &mut Settings, name: &str, most: usize) -> Result<usize, Refused> {
    let value = settings.number(name)?;
    if value.fract() == 0.0 && (0.0..=most as f64).contains(&value) {
        return Ok(value as usize);
    }
    Err(Refused::config(format!("{name} = {value}: a whole number up to {most} is needed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(config: &str, expected: &str) {
        assert_eq!(Parameters::read(config).unwrap_err().text, expected);
    }

    #[test]
    fn an_empty_text_stands_for_the_set_of_teng_2021() {
        assert_eq!(Parameters::read(""), Ok(Parameters::default()));
        assert_eq!(Parameters::read("bin_width_hu = 25"), Ok(Parameters::default()));
    }

    #[test]
    fn every_setting_is_read() {
        let read = Parameters::read(
            "images = 'original log gradient'\nsigmas_mm = '1.5 3'\nclasses = 'glcm shape'\n\
             glcm = 'all'\nbin_count = 32\nresampled_mm = '0 1 1'\npre_crop_voxels = 20\n\
             label = 2\nthreads = 2\n",
        );
        let expected = Parameters {
            filters: vec![
                Filter::Original,
                Filter::Log(1.5),
                Filter::Log(3.0),
                Filter::Gradient,
            ],
            features: vec![
                (Class::Shape, Class::Shape.all()),
                (Class::Glcm, Class::Glcm.all()),
            ],
            binning: Binning::Count(32),
            mode: Mode::Pyradiomics,
            resampled_mm: Some([0.0, 1.0, 1.0]),
            pre_crop: true,
            pad: 20,
            label: Some(2),
            threads: 2,
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words() {
        check_refused("bin_width_hu = 0", "bin_width_hu = 0: a bin is wider than 0 HU");
        check_refused(
            "bin_width_hu = 5\nbin_count = 8",
            "bin_count and bin_width_hu are both set: bins have one of them",
        );
        check_refused("threads = 0", "threads = 0: one thread at least does the work");
        check_refused(
            "images = 'log'\nsigmas_mm = '0'",
            "sigmas_mm = 0: a sigma is above 0 mm",
        );
        check_refused("label = 1.5", "label = 1.5: a whole number up to 255 is needed");
        check_refused("mode = 'mirp'", "mode = \"mirp\" is not one of pyradiomics or ibsi");
        assert!(Parameters::read("images = 'wavelet'\nwavelet = 'coif9'").is_err());
    }
}
