//! What the inputs of scorers are called where staff reads.
//!
//! Names are those of pyradiomics and IBSI, made for tables; at night "irregular surface" says more
//! than `original_shape_Sphericity`. A higher value means more of what the words say. Ratios of a
//! shape say nothing to most people, so their low and their high values have words of their own. The
//! bare names stay in everything that scripts read.

use crate::{ClinicalName, short_number};

/// Words for the input called `name` where its value is known: those of the low or the high end of
/// its scale where it lies there, else as [`input_words`] has it.
pub fn input_words_at(name: &str, value: Option<f64>) -> String {
    let ends = ENDS.iter().find(|ends| ends.name == name).zip(value);
    match ends {
        Some((ends, value)) if value <= ends.low => ends.low_words.to_owned(),
        Some((ends, value)) if value >= ends.high => ends.high_words.to_owned(),
        _ => input_words(name),
    }
}

/// The value of the input called `name` in words: `missing`, yes or no where it can be nothing else,
/// else the number in four significant digits.
pub fn input_value(name: &str, value: Option<f64>) -> String {
    let is_sign =
        |name: &str| SIGNS.iter().any(|(known, _, is_sign)| *known == name && *is_sign);
    let is_clinical = |name| ClinicalName::find(name).is_ok_and(ClinicalName::is_yes_or_no);
    let yes_or_no = name.strip_prefix("sign.").is_some_and(is_sign)
        || ClinicalName::of_input(name).is_some_and(is_clinical);
    match value {
        None => "missing".to_owned(),
        Some(1.0) if yes_or_no => "yes".to_owned(),
        Some(0.0) if yes_or_no => "no".to_owned(),
        Some(value) => short_number(value),
    }
}

/// Words for the input called `name`, whatever its value; the name itself where it is nobody's that
/// we know, such as a foreign plugin's.
pub fn input_words(name: &str) -> String {
    clinical(name)
        .or_else(|| sign(name))
        .or_else(|| network(name))
        .or_else(|| radiomics(name))
        .unwrap_or_else(|| name.to_owned())
}

fn clinical(name: &str) -> Option<String> {
    if name == "hematoma.volume_ml" {
        return Some("volume of the hematoma, ml".to_owned());
    }
    let bare = ClinicalName::of_input(name)?;
    ClinicalName::find(bare).ok().map(|known| known.words.to_owned())
}

/// `cnn_012`: no person can say what it is.
fn network(name: &str) -> Option<String> {
    let number = name.strip_prefix("cnn_")?.parse::<u16>().ok()?;
    Some(format!("pattern {number} of the network"))
}

fn sign(name: &str) -> Option<String> {
    let bare = name.strip_prefix("sign.")?;
    if let Some((sign, axis)) = bare.rsplit_once('.') {
        let (_, words, _) = SIGNS.iter().find(|(known, ..)| *known == sign)?;
        return Some(format!("{words}: its voxel, {axis}"));
    }
    SIGNS.iter().find(|(known, ..)| *known == bare).map(|(_, words, _)| (*words).to_owned())
}

/// `IMAGE_CLASS_FEATURE`; by IBSI's definitions the same with a prefix.
fn radiomics(name: &str) -> Option<String> {
    let (image, rest) = name.strip_prefix("ibsi-").unwrap_or(name).split_once('_')?;
    let (class, feature) = rest.split_once('_')?;
    let words = match class {
        "shape" => looked_up(SHAPE, feature)?.to_owned(),
        "firstorder" => looked_up(FIRST_ORDER, feature)?.to_owned(),
        "glcm" => looked_up(NEIGHBOURS, feature)?.to_owned(),
        "ngtdm" => looked_up(SURROUNDINGS, feature)?.to_owned(),
        "glrlm" => format!("streaks: {}", areas(feature)?),
        "glszm" => format!("zones: {}", areas(feature)?),
        "gldm" => format!("patches: {}", areas(feature)?),
        _ => return None,
    };
    Some(words + &of_image(image)?)
}

/// What was done to the image first.
fn of_image(image: &str) -> Option<String> {
    if let Some(sigma) = image.strip_prefix("log-sigma-") {
        // `3-0-mm-3D`
        let (whole, rest) = sigma.strip_suffix("-mm-3D")?.split_once('-')?;
        let parts = if rest == "0" { String::new() } else { format!(".{rest}") };
        return Some(format!(", detail {whole}{parts} mm"));
    }
    if let Some(band) = image.strip_prefix("wavelet-") {
        return BANDS
            .iter()
            .find(|(known, _)| *known == band)
            .map(|(_, words)| (*words).to_owned());
    }
    Some(
        match image {
            "original" => "",
            "square" => ", squared",
            "squareroot" => ", square root",
            "logarithm" => ", logarithm",
            "exponential" => ", exponential",
            "gradient" => ", edges",
            _ => return None,
        }
        .to_owned(),
    )
}

/// The words of the three matrices that count connected voxels alike in gray.
fn areas(feature: &str) -> Option<String> {
    let feature = feature.replace("RunLength", "Size").replace("SizeZone", "Size");
    let feature = feature.replace("Long", "Large").replace("Short", "Small");
    let short: String = ["Run", "Zone", "Area", "Dependence", "Emphasis"]
        .iter()
        .fold(feature, |text, word| text.replace(word, ""));
    Some(looked_up(AREAS, &short)?.to_owned())
}

fn looked_up(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

/// A scale with words of its own for what lies low on it and high.
struct Ends {
    name: &'static str,
    /// At most this is low; the lower third.
    low: f64,
    low_words: &'static str,
    /// At least this is high; the upper third.
    high: f64,
    high_words: &'static str,
}

const fn ends(
    name: &'static str,
    (low, low_words): (f64, &'static str),
    (high, high_words): (f64, &'static str),
) -> Ends {
    Ends { name, low, low_words, high, high_words }
}

/// Thirds of the 118 hematomas of `ichor phantom --cohort clinical --n 118 --seed 7` as drawn
/// (simulated shapes). Only ratios of lengths: what hangs on the scanner's noise has no such ends.
const ENDS: &[Ends] = &[
    ends("original_shape_Elongation", (0.73, "long and narrow"), (0.83, "as wide as long")),
    ends("original_shape_Flatness", (0.57, "flat"), (0.70, "hardly flattened")),
    ends(
        "original_shape_Sphericity",
        (0.67, "irregular surface"),
        (0.74, "round, smooth surface"),
    ),
];

/// Bands of a wavelet, letters for x, y and z: `L` keeps what changes slowly along that axis, `H`
/// what changes fast. Radiologists call the axes LR, AP and SI.
const BANDS: &[(&str, &str)] = &[
    ("LLL", ", coarse"),
    ("HLL", ", fine LR"),
    ("LHL", ", fine AP"),
    ("LLH", ", fine SI"),
    ("HHL", ", fine LR+AP"),
    ("HLH", ", fine LR+SI"),
    ("LHH", ", fine AP+SI"),
    ("HHH", ", finest"),
];

/// Name, words, and whether it is a sign, there (1) or not (0), or else a measurement of one.
const SIGNS: &[(&str, &str, bool)] = &[
    ("blend", "blend sign", true),
    ("blend_hu", "blend sign: difference, HU", false),
    ("black_hole", "black hole sign", true),
    ("black_hole_hu", "black hole: difference, HU", false),
    ("swirl", "swirl sign", true),
    ("swirl_share", "swirl sign: share of blood", false),
    ("hypodensity", "hypodensity in the clot", true),
    ("hypodensity_hu", "hypodensity: depth, HU", false),
    ("heterogeneous", "heterogeneous density", true),
    ("heterogeneous_grade", "heterogeneity, grade 1 to 5", false),
    ("heterogeneous_variation", "heterogeneity: variation", false),
    ("irregular", "irregular shape", true),
    ("irregular_grade", "irregular shape, grade 1 to 5", false),
    ("irregular_solidity", "irregular shape: area in hull", false),
    ("island", "island sign", true),
    ("island_count", "islands", false),
    ("satellite", "satellite sign", true),
    ("satellite_count", "satellites", false),
    ("fluid_level", "fluid level", true),
    ("fluid_level_hu", "fluid level: difference, HU", false),
];

const SHAPE: &[(&str, &str)] = &[
    ("Elongation", "width for its length"),
    ("Flatness", "thickness for its length"),
    ("LeastAxisLength", "shortest axis, mm"),
    ("MajorAxisLength", "longest axis, mm"),
    ("MinorAxisLength", "middle axis, mm"),
    ("Maximum2DDiameterColumn", "largest diameter, coronal, mm"),
    ("Maximum2DDiameterRow", "largest diameter, sagittal, mm"),
    ("Maximum2DDiameterSlice", "largest diameter, axial, mm"),
    ("Maximum3DDiameter", "largest diameter, mm"),
    ("MeshVolume", "volume inside the surface, mm3"),
    ("Sphericity", "roundness of its surface"),
    ("SurfaceArea", "surface, mm2"),
    ("SurfaceVolumeRatio", "surface for its volume"),
    ("VoxelVolume", "volume of its voxels, mm3"),
];

const FIRST_ORDER: &[(&str, &str)] = &[
    ("10Percentile", "density, darkest tenth"),
    ("90Percentile", "density, brightest tenth"),
    ("Energy", "density squared, summed"),
    ("Entropy", "uneven density"),
    ("InterquartileRange", "density, middle half"),
    ("Kurtosis", "extremes of density"),
    ("Maximum", "highest density"),
    ("Mean", "mean density"),
    ("MeanAbsoluteDeviation", "density, mean deviation"),
    ("Median", "median density"),
    ("Minimum", "lowest density"),
    ("Range", "range of density"),
    ("RobustMeanAbsoluteDeviation", "density, core deviation"),
    ("RootMeanSquared", "density, root mean square"),
    ("Skewness", "lopsided density"),
    ("TotalEnergy", "density squared, by volume"),
    ("Uniformity", "even density"),
    ("Variance", "variance of density"),
];

const NEIGHBOURS: &[(&str, &str)] = &[
    ("Autocorrelation", "neighbors: bright pairs"),
    ("ClusterProminence", "neighbors: clusters, peaked"),
    ("ClusterShade", "neighbors: clusters, skewed"),
    ("ClusterTendency", "neighbors: clusters"),
    ("Contrast", "neighbors: contrast"),
    ("Correlation", "neighbors: correlation"),
    ("DifferenceAverage", "neighbors: mean step"),
    ("DifferenceEntropy", "neighbors: uneven steps"),
    ("DifferenceVariance", "neighbors: spread of steps"),
    ("Id", "neighbors alike"),
    ("Idm", "neighbors closely alike"),
    ("Idmn", "neighbors close in range"),
    ("Idn", "neighbors alike in range"),
    ("Imc1", "neighbors: shared pattern 1"),
    ("Imc2", "neighbors: shared pattern 2"),
    ("InverseVariance", "neighbors: small steps"),
    ("JointAverage", "neighbors: mean gray"),
    ("JointEnergy", "neighbors: order"),
    ("JointEntropy", "neighbors: disorder"),
    ("MCC", "neighbors: dependence"),
    ("MaximumProbability", "neighbors: commonest pair"),
    ("SumAverage", "neighbors: mean of sums"),
    ("SumEntropy", "neighbors: uneven sums"),
    ("SumSquares", "neighbors: spread of gray"),
];

const SURROUNDINGS: &[(&str, &str)] = &[
    ("Busyness", "busy texture"),
    ("Coarseness", "coarse texture"),
    ("Complexity", "complex texture"),
    ("Contrast", "contrast of the texture"),
    ("Strength", "strong texture"),
];

const AREAS: &[(&str, &str)] = &[
    ("Entropy", "disorder"),
    ("Percentage", "how many"),
    ("Variance", "spread of size"),
    ("SizeNonUniformity", "uneven size"),
    ("SizeNonUniformityNormalized", "uneven size (norm)"),
    ("NonUniformity", "uneven size"),
    ("NonUniformityNormalized", "uneven size (norm)"),
    ("GrayLevelNonUniformity", "uneven gray"),
    ("GrayLevelNonUniformityNormalized", "uneven gray (norm)"),
    ("GrayLevelVariance", "spread of gray"),
    ("HighGrayLevel", "bright"),
    ("LowGrayLevel", "dark"),
    ("Large", "large"),
    ("Small", "small"),
    ("LargeHighGrayLevel", "large and bright"),
    ("LargeLowGrayLevel", "large and dark"),
    ("SmallHighGrayLevel", "small and bright"),
    ("SmallLowGrayLevel", "small and dark"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staff_reads_words_and_scripts_keep_names() {
        let check = |name: &str, words: &str| assert_eq!(input_words(name), words);
        check("original_shape_Sphericity", "roundness of its surface");
        check("hematoma.volume_ml", "volume of the hematoma, ml");
        check("clinical.onset_to_ct_h", "onset to CT, hours");
        check("cnn_012", "pattern 12 of the network");
        check("sign.black_hole", "black hole sign");
        check("sign.black_hole.z", "black hole sign: its voxel, z");
        check("log-sigma-3-0-mm-3D_firstorder_Entropy", "uneven density, detail 3 mm");
        check("log-sigma-1-5-mm-3D_firstorder_Mean", "mean density, detail 1.5 mm");
        check(
            "wavelet-LLH_glrlm_LongRunLowGrayLevelEmphasis",
            "streaks: large and dark, fine SI",
        );
        check("original_gldm_DependenceNonUniformity", "patches: uneven size");
        // Nobody's that we know.
        for name in ["mine.asymmetry", "original_shape_Roundness", "original", "cnn_", ""] {
            check(name, name);
        }
    }

    #[test]
    fn a_low_and_a_high_ratio_have_words_of_their_own() {
        let check = |value: Option<f64>, words: &str| {
            assert_eq!(input_words_at("original_shape_Sphericity", value), words);
        };
        check(Some(0.41), "irregular surface");
        check(Some(0.67), "irregular surface");
        check(Some(0.70), "roundness of its surface");
        check(Some(0.79), "round, smooth surface");
        check(Some(f64::NAN), "roundness of its surface");
        check(None, "roundness of its surface");
        assert_eq!(input_words_at("mine.asymmetry", Some(0.1)), "mine.asymmetry");
        for ends in ENDS {
            assert!(ends.low < ends.high, "{}", ends.name);
            assert_ne!(input_words(ends.name), ends.name);
        }
    }

    #[test]
    fn a_value_is_yes_or_no_where_it_can_be_nothing_else() {
        let check = |name: &str, value: Option<f64>, words: &str| {
            assert_eq!(input_value(name, value), words, "{name}");
        };
        check("clinical.anticoagulant", Some(1.0), "yes");
        check("clinical.anticoagulant", None, "missing");
        check("clinical.gcs", Some(1.0), "1");
        check("sign.blend", Some(0.0), "no");
        check("sign.blend_hu", Some(0.0), "0");
        check("sign.blend.z", Some(1.0), "1");
        check("mine.yes", Some(1.0), "1");
        check("original_shape_Maximum3DDiameter", Some(48.2512), "48.25");
    }
}
