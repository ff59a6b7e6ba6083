//! pyradiomics' parameter files, as they are.
//!
//! Whatever would change a feature and cannot be done here is refused by name; what changes none
//! (logging, tolerances, provenance) is passed over.

use ichor_plugin::Refused;

use crate::bins::Binning;
use crate::derived::Filter;
use crate::parameters::{CLASSES, Class, Parameters, unknown};
use crate::yaml::Yaml;

/// Settings that change no feature.
const IDLE: [&str; 12] = [
    "additionalInfo",
    "correctMask",
    "geometryTolerance",
    "initValue",
    "kernelRadius",
    "label_channel",
    "maskedKernel",
    "minimumROISize",
    "removeOutliers",
    "resegmentMode",
    "resegmentShape",
    "voxelBatch",
];

/// Settings that may only stand there with the value that they have here.
const FIXED: [(&str, &str); 13] = [
    ("normalize", "false"),
    ("normalizeScale", "1"),
    ("resegmentRange", ""),
    ("force2D", "false"),
    ("force2Ddimension", "0"),
    ("distances", "1"),
    ("voxelArrayShift", "0"),
    ("symmetricalGLCM", "true"),
    ("weightingNorm", ""),
    ("gldm_a", "0"),
    ("minimumROIDimensions", "2"),
    ("interpolator", "sitkbspline"),
    ("gradientUseSpacing", "true"),
];

impl Parameters {
    /// What a parameter file of pyradiomics asks for.
    pub fn from_parameter_file(text: &str) -> Result<Self, Refused> {
        let mut parameters = Self {
            filters: vec![Filter::Original],
            features: CLASSES.map(|(_, class)| (class, sorted(class))).to_vec(),
            ..Self::default()
        };
        for (part, value) in pairs("the parameter file", Yaml::read(text)?)? {
            match part.as_str() {
                "setting" => settings(&mut parameters, value)?,
                "imageType" => parameters.filters = filters(value)?,
                "featureClass" => parameters.features = features(value)?,
                other => {
                    return Err(unknown(
                        "part",
                        other,
                        "setting, imageType or featureClass, which extraction of a mask knows",
                    ));
                }
            }
        }
        parameters.check()?;
        Ok(parameters)
    }
}

/// All features of a class, as pyradiomics sorts them: by the names of its methods.
fn sorted(class: Class) -> Vec<&'static str> {
    let mut names = class.all();
    names.sort_by_key(|name| format!("{name}FeatureValue"));
    names
}

fn pairs(name: &str, value: Yaml) -> Result<Vec<(String, Yaml)>, Refused> {
    match value {
        Yaml::Map(pairs) => Ok(pairs),
        Yaml::Null => Ok(Vec::new()),
        _ => Err(Refused::config(format!("{name} is no map of names and values"))),
    }
}

fn numbers(name: &str, value: &Yaml) -> Result<Vec<f64>, Refused> {
    let list = match value {
        Yaml::List(list) => &list[..],
        one => std::slice::from_ref(one),
    };
    let number = |item: &Yaml| match item {
        Yaml::Scalar(text) => text.parse::<f64>().ok(),
        _ => None,
    };
    let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
    numbers.ok_or_else(|| Refused::config(format!("{name} is no number or list of numbers")))
}

fn whole(name: &str, value: &Yaml, most: f64) -> Result<usize, Refused> {
    match numbers(name, value)?[..] {
        [number] if number.fract() == 0.0 && (0.0..=most).contains(&number) => {
            Ok(number as usize)
        }
        _ => Err(Refused::config(format!("{name} is no whole number up to {most}"))),
    }
}

fn settings(parameters: &mut Parameters, value: Yaml) -> Result<(), Refused> {
    for (name, value) in pairs("setting", value)? {
        if value == Yaml::Null || IDLE.contains(&name.as_str()) {
            continue;
        }
        match name.as_str() {
            "binWidth" => {
                let width = numbers(&name, &value)?.first().copied().unwrap_or(f64::NAN);
                // A number of bins wins over a width, wherever it stands.
                if !matches!(parameters.binning, Binning::Count(_)) {
                    parameters.binning = Binning::Width(width);
                }
            }
            "binCount" => parameters.binning = Binning::Count(whole(&name, &value, 1e6)?),
            "label" => parameters.label = Some(whole(&name, &value, 255.0)? as u8),
            "padDistance" => parameters.pad = whole(&name, &value, 10_000.0)?,
            "preCrop" => parameters.pre_crop = plain(&value) == "true",
            "resampledPixelSpacing" => {
                let Ok([x, y, z]) = <[f64; 3]>::try_from(numbers(&name, &value)?) else {
                    return Err(Refused::config("resampledPixelSpacing has not 3 numbers"));
                };
                parameters.resampled_mm = Some([z, y, x]);
            }
            "sigma" | "wavelet" | "level" | "start_level" => {
                return Err(Refused::config(format!("{name} belongs to its image type")));
            }
            _ => {
                let Some((_, only)) = FIXED.iter().find(|(known, _)| *known == name) else {
                    return Err(Refused::config(format!("there is no setting called {name}")));
                };
                if plain(&value) != *only {
                    let found = plain(&value);
                    return Err(Refused::unsupported(format!(
                        "{name}: {found} is not done here"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// A scalar, or the one item of a list, in small letters.
fn plain(value: &Yaml) -> String {
    match value {
        Yaml::Scalar(text) => text.to_lowercase(),
        Yaml::List(list) => match &list[..] {
            [one] => plain(one),
            _ => "a list".to_owned(),
        },
        Yaml::Map(_) => "a map".to_owned(),
        Yaml::Null => String::new(),
    }
}

fn filters(value: Yaml) -> Result<Vec<Filter>, Refused> {
    let mut filters = Vec::new();
    for (name, custom) in pairs("imageType", value)? {
        let custom = pairs(&name, custom)?;
        let own = |wanted: &str| custom.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
        let known: &[&str] = match name.as_str() {
            "LoG" => &["sigma"],
            "Wavelet" => &["wavelet"],
            _ => &[],
        };
        let unset = |level: &str, value: &Yaml| {
            name == "Wavelet" && (level == "level" && plain(value) == "1")
                || (level == "start_level" && plain(value) == "0")
        };
        let odd = custom.iter().find(|(n, v)| !known.contains(&n.as_str()) && !unset(n, v));
        if let Some((setting, _)) = odd {
            return Err(Refused::unsupported(format!("{setting} of {name} is not done here")));
        }
        match name.as_str() {
            "Original" => filters.push(Filter::Original),
            "LoG" => {
                let sigmas = own("sigma").map_or(Ok(Vec::new()), |v| numbers("sigma", v))?;
                filters.extend(sigmas.into_iter().map(Filter::Log));
            }
            "Wavelet" => {
                let wavelet = own("wavelet").map_or_else(|| "coif1".to_owned(), plain);
                filters.push(Filter::Wavelet(wavelet));
            }
            "Square" => filters.push(Filter::Square),
            "SquareRoot" => filters.push(Filter::SquareRoot),
            "Logarithm" => filters.push(Filter::Logarithm),
            "Exponential" => filters.push(Filter::Exponential),
            "Gradient" => filters.push(Filter::Gradient),
            other => {
                let known = "Original, LoG, Wavelet, Square, SquareRoot, Logarithm, Exponential, \
                             Gradient";
                return Err(unknown("imageType", other, known));
            }
        }
    }
    Ok(filters)
}

fn features(value: Yaml) -> Result<Vec<(Class, Vec<&'static str>)>, Refused> {
    let mut features = Vec::new();
    for (name, chosen) in pairs("featureClass", value)? {
        let class = Class::named("featureClass", &name)?;
        let all = sorted(class);
        let Yaml::List(chosen) = chosen else {
            features.push((class, all));
            continue;
        };
        let feature = |item: &Yaml| match item {
            Yaml::Scalar(wanted) => all
                .iter()
                .find(|known| *known == wanted)
                .copied()
                .ok_or_else(|| unknown(&name, wanted, &all.join(", "))),
            _ => Err(Refused::config(format!("{name} is no list of features"))),
        };
        let chosen: Result<Vec<&str>, Refused> = chosen.iter().map(feature).collect();
        let chosen = chosen?;
        features.push((class, if chosen.is_empty() { all } else { chosen }));
    }
    Ok(features)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, expected: &str) {
        assert_eq!(Parameters::from_parameter_file(text).unwrap_err().text, expected);
    }

    #[test]
    fn an_empty_file_asks_for_all_features_of_the_original() {
        let parameters = Parameters::from_parameter_file("").unwrap();
        assert_eq!(parameters.names().len(), 107);
        assert_eq!(parameters.names()[32], "original_glcm_Autocorrelation");
    }

    #[test]
    fn settings_images_and_features_are_taken_over() {
        let text = "setting:\n  binCount: 32\n  binWidth: 5\n  resampledPixelSpacing: [1, 1, 3]\n  \
                    interpolator: 'sitkBSpline'\n  padDistance: 10\n  label: 2\nimageType:\n  \
                    LoG:\n    sigma: [2.0]\n  Wavelet:\n    wavelet: 'db2'\nfeatureClass:\n  \
                    glcm: ['Contrast']\n  ngtdm:\n";
        let parameters = Parameters::from_parameter_file(text).unwrap();
        assert_eq!(parameters.binning, Binning::Count(32));
        assert_eq!(parameters.resampled_mm, Some([3.0, 1.0, 1.0]));
        assert_eq!((parameters.pad, parameters.label), (10, Some(2)));
        assert_eq!(parameters.names().len(), 9 * 6);
        assert_eq!(parameters.names()[0], "log-sigma-2-0-mm-3D_glcm_Contrast");
    }

    #[test]
    fn what_would_change_features_and_is_not_done_is_refused() {
        check_refused("setting:\n  normalize: true", "normalize: true is not done here");
        check_refused("setting:\n  speed: 2", "there is no setting called speed");
        check_refused("imageType:\n  Wavelet: {level: 2}", "level of Wavelet is not done here");
        check_refused(
            "imageType:\n  LBP2D: {}",
            "imageType = \"LBP2D\" is not one of Original, LoG, Wavelet, Square, SquareRoot, \
             Logarithm, Exponential, Gradient",
        );
        assert!(Parameters::from_parameter_file("featureClass:\n  glcm: ['Gloss']").is_err());
    }
}
