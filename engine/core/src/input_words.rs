//! What the inputs of scorers are called where staff reads.
//!
//! Names are those of pyradiomics and IBSI, made for tables; at night "irregular surface" says more
//! than `original_shape_Sphericity`. A higher value means more of what the words say, but where the
//! words give the value of the plain case, such as `1: a ball`. The bare names stay in everything
//! that scripts read.

use crate::ClinicalName;

/// Words for the input called `name`; the name itself where it is nobody's that we know, such as a
/// foreign plugin's.
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
    let bare = name.strip_prefix("clinical.")?;
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
        let (_, words) = SIGNS.iter().find(|(known, _)| *known == sign)?;
        return Some(format!("{words}: its voxel, {axis}"));
    }
    Some(looked_up(SIGNS, bare)?.to_owned())
}

/// `IMAGE_CLASS_FEATURE`.
fn radiomics(name: &str) -> Option<String> {
    let (image, rest) = name.split_once('_')?;
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
    if let Some(pass) = image.strip_prefix("wavelet-") {
        return Some(format!(", wavelet {pass}"));
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

const SIGNS: &[(&str, &str)] = &[
    ("blend", "blend sign"),
    ("blend_hu", "blend sign: difference, HU"),
    ("black_hole", "black hole sign"),
    ("black_hole_hu", "black hole: difference, HU"),
    ("swirl", "swirl sign"),
    ("swirl_share", "swirl sign: share of blood"),
    ("hypodensity", "hypodensity in the clot"),
    ("hypodensity_hu", "hypodensity: depth, HU"),
    ("heterogeneous", "heterogeneous density"),
    ("heterogeneous_grade", "heterogeneity, grade 1 to 5"),
    ("heterogeneous_variation", "heterogeneity: variation"),
    ("irregular", "irregular shape"),
    ("irregular_grade", "irregular shape, grade 1 to 5"),
    ("irregular_solidity", "irregular shape (1: solid)"),
    ("island", "island sign"),
    ("island_count", "islands"),
    ("satellite", "satellite sign"),
    ("satellite_count", "satellites"),
    ("fluid_level", "fluid level"),
    ("fluid_level_hu", "fluid level: difference, HU"),
];

const SHAPE: &[(&str, &str)] = &[
    ("Elongation", "elongated (1: not)"),
    ("Flatness", "flat (1: not)"),
    ("LeastAxisLength", "shortest axis, mm"),
    ("MajorAxisLength", "longest axis, mm"),
    ("MinorAxisLength", "middle axis, mm"),
    ("Maximum2DDiameterColumn", "largest diameter, coronal"),
    ("Maximum2DDiameterRow", "largest diameter, sagittal"),
    ("Maximum2DDiameterSlice", "largest diameter, axial"),
    ("Maximum3DDiameter", "largest diameter, mm"),
    ("MeshVolume", "volume inside the surface"),
    ("Sphericity", "irregular surface (1: ball)"),
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
    ("Id", "neighbors: likeness"),
    ("Idm", "neighbors: likeness, square"),
    ("Idmn", "neighbors: likeness, sq rel"),
    ("Idn", "neighbors: likeness, rel"),
    ("Imc1", "neighbors: information 1"),
    ("Imc2", "neighbors: information 2"),
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
    ("SizeNonUniformityNormalized", "uneven size, rel"),
    ("NonUniformity", "uneven size"),
    ("NonUniformityNormalized", "uneven size, rel"),
    ("GrayLevelNonUniformity", "uneven gray"),
    ("GrayLevelNonUniformityNormalized", "uneven gray, rel"),
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
        check("original_shape_Sphericity", "irregular surface (1: ball)");
        check("hematoma.volume_ml", "volume of the hematoma, ml");
        check("clinical.onset_to_ct_h", "onset to CT, hours");
        check("cnn_012", "pattern 12 of the network");
        check("sign.black_hole", "black hole sign");
        check("sign.black_hole.z", "black hole sign: its voxel, z");
        check("log-sigma-3-0-mm-3D_firstorder_Entropy", "uneven density, detail 3 mm");
        check("log-sigma-1-5-mm-3D_firstorder_Mean", "mean density, detail 1.5 mm");
        check(
            "wavelet-LLH_glrlm_LongRunLowGrayLevelEmphasis",
            "streaks: large and dark, wavelet LLH",
        );
        check("original_gldm_DependenceNonUniformity", "patches: uneven size");
        // Nobody's that we know.
        for name in ["mine.asymmetry", "original_shape_Roundness", "original", "cnn_", ""] {
            check(name, name);
        }
    }
}
