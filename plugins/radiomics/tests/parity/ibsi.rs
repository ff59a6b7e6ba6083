//! The digital phantom of IBSI 1 in the mode `ibsi`, with bins of 1 that begin at the lowest value.

use crate::image::read;
use crate::{features_of, shared};

/// Class, feature and tag in IBSI's table.
const TAGS: [(&str, &str, &str); 92] = [
    ("shape", "MeshVolume", "morph_volume"),
    ("shape", "VoxelVolume", "morph_vol_approx"),
    ("shape", "SurfaceArea", "morph_area_mesh"),
    ("shape", "SurfaceVolumeRatio", "morph_av"),
    ("shape", "Sphericity", "morph_sphericity"),
    ("shape", "Maximum3DDiameter", "morph_diam"),
    ("shape", "MajorAxisLength", "morph_pca_maj_axis"),
    ("shape", "MinorAxisLength", "morph_pca_min_axis"),
    ("shape", "LeastAxisLength", "morph_pca_least_axis"),
    ("shape", "Elongation", "morph_pca_elongation"),
    ("shape", "Flatness", "morph_pca_flatness"),
    ("firstorder", "Mean", "stat_mean"),
    ("firstorder", "Variance", "stat_var"),
    ("firstorder", "Skewness", "stat_skew"),
    ("firstorder", "Kurtosis", "stat_kurt"),
    ("firstorder", "Median", "stat_median"),
    ("firstorder", "Minimum", "stat_min"),
    ("firstorder", "10Percentile", "stat_p10"),
    ("firstorder", "90Percentile", "stat_p90"),
    ("firstorder", "Maximum", "stat_max"),
    ("firstorder", "InterquartileRange", "stat_iqr"),
    ("firstorder", "Range", "stat_range"),
    ("firstorder", "MeanAbsoluteDeviation", "stat_mad"),
    ("firstorder", "RobustMeanAbsoluteDeviation", "stat_rmad"),
    ("firstorder", "Energy", "stat_energy"),
    ("firstorder", "RootMeanSquared", "stat_rms"),
    ("firstorder", "Entropy", "ih_entropy"),
    ("firstorder", "Uniformity", "ih_uniformity"),
    ("glcm", "MaximumProbability", "cm_joint_max_3D_avg"),
    ("glcm", "JointAverage", "cm_joint_avg_3D_avg"),
    ("glcm", "SumSquares", "cm_joint_var_3D_avg"),
    ("glcm", "JointEntropy", "cm_joint_entr_3D_avg"),
    ("glcm", "DifferenceAverage", "cm_diff_avg_3D_avg"),
    ("glcm", "DifferenceVariance", "cm_diff_var_3D_avg"),
    ("glcm", "DifferenceEntropy", "cm_diff_entr_3D_avg"),
    ("glcm", "SumAverage", "cm_sum_avg_3D_avg"),
    ("glcm", "ClusterTendency", "cm_sum_var_3D_avg"),
    ("glcm", "SumEntropy", "cm_sum_entr_3D_avg"),
    ("glcm", "JointEnergy", "cm_energy_3D_avg"),
    ("glcm", "Contrast", "cm_contrast_3D_avg"),
    ("glcm", "Id", "cm_inv_diff_3D_avg"),
    ("glcm", "Idn", "cm_inv_diff_norm_3D_avg"),
    ("glcm", "Idm", "cm_inv_diff_mom_3D_avg"),
    ("glcm", "Idmn", "cm_inv_diff_mom_norm_3D_avg"),
    ("glcm", "InverseVariance", "cm_inv_var_3D_avg"),
    ("glcm", "Correlation", "cm_corr_3D_avg"),
    ("glcm", "Autocorrelation", "cm_auto_corr_3D_avg"),
    ("glcm", "ClusterShade", "cm_clust_shade_3D_avg"),
    ("glcm", "ClusterProminence", "cm_clust_prom_3D_avg"),
    ("glcm", "Imc1", "cm_info_corr1_3D_avg"),
    ("glcm", "Imc2", "cm_info_corr2_3D_avg"),
    ("glrlm", "ShortRunEmphasis", "rlm_sre_3D_avg"),
    ("glrlm", "LongRunEmphasis", "rlm_lre_3D_avg"),
    ("glrlm", "LowGrayLevelRunEmphasis", "rlm_lgre_3D_avg"),
    ("glrlm", "HighGrayLevelRunEmphasis", "rlm_hgre_3D_avg"),
    ("glrlm", "ShortRunLowGrayLevelEmphasis", "rlm_srlge_3D_avg"),
    ("glrlm", "ShortRunHighGrayLevelEmphasis", "rlm_srhge_3D_avg"),
    ("glrlm", "LongRunLowGrayLevelEmphasis", "rlm_lrlge_3D_avg"),
    ("glrlm", "LongRunHighGrayLevelEmphasis", "rlm_lrhge_3D_avg"),
    ("glrlm", "GrayLevelNonUniformity", "rlm_glnu_3D_avg"),
    ("glrlm", "GrayLevelNonUniformityNormalized", "rlm_glnu_norm_3D_avg"),
    ("glrlm", "RunLengthNonUniformity", "rlm_rlnu_3D_avg"),
    ("glrlm", "RunLengthNonUniformityNormalized", "rlm_rlnu_norm_3D_avg"),
    ("glrlm", "RunPercentage", "rlm_r_perc_3D_avg"),
    ("glrlm", "GrayLevelVariance", "rlm_gl_var_3D_avg"),
    ("glrlm", "RunVariance", "rlm_rl_var_3D_avg"),
    ("glrlm", "RunEntropy", "rlm_rl_entr_3D_avg"),
    ("glszm", "SmallAreaEmphasis", "szm_sze_3D"),
    ("glszm", "LargeAreaEmphasis", "szm_lze_3D"),
    ("glszm", "LowGrayLevelZoneEmphasis", "szm_lgze_3D"),
    ("glszm", "HighGrayLevelZoneEmphasis", "szm_hgze_3D"),
    ("glszm", "SmallAreaLowGrayLevelEmphasis", "szm_szlge_3D"),
    ("glszm", "LargeAreaHighGrayLevelEmphasis", "szm_lzhge_3D"),
    ("glszm", "GrayLevelNonUniformity", "szm_glnu_3D"),
    ("glszm", "SizeZoneNonUniformity", "szm_zsnu_3D"),
    ("glszm", "ZonePercentage", "szm_z_perc_3D"),
    ("glszm", "GrayLevelVariance", "szm_gl_var_3D"),
    ("glszm", "ZoneVariance", "szm_zs_var_3D"),
    ("glszm", "ZoneEntropy", "szm_zs_entr_3D"),
    ("gldm", "SmallDependenceEmphasis", "ngl_lde_3D"),
    ("gldm", "LargeDependenceEmphasis", "ngl_hde_3D"),
    ("gldm", "LowGrayLevelEmphasis", "ngl_lgce_3D"),
    ("gldm", "GrayLevelNonUniformity", "ngl_glnu_3D"),
    ("gldm", "DependenceNonUniformity", "ngl_dcnu_3D"),
    ("gldm", "GrayLevelVariance", "ngl_gl_var_3D"),
    ("gldm", "DependenceVariance", "ngl_dc_var_3D"),
    ("gldm", "DependenceEntropy", "ngl_dc_entr_3D"),
    ("ngtdm", "Coarseness", "ngt_coarseness_3D"),
    ("ngtdm", "Contrast", "ngt_contrast_3D"),
    ("ngtdm", "Busyness", "ngt_busyness_3D"),
    ("ngtdm", "Complexity", "ngt_complexity_3D"),
    ("ngtdm", "Strength", "ngt_strength_3D"),
];

#[test]
fn the_digital_phantom_has_the_reference_values_of_ibsi() {
    let Some(folder) = shared() else { return };
    let phantom = folder.join("ibsi1/ibsi_1_digital_phantom");
    let images = ["image", "mask"].map(|what| read(&phantom.join(format!("{what}.nii.gz"))));
    let config = "mode = 'ibsi'\nimages = 'original'\nglcm = 'all'\nbin_width_hu = 1";
    let features = features_of(&images, config);
    let table = std::fs::read_to_string(folder.join("ibsi1/ibsi_1_dig_phantom.csv")).unwrap();
    for (class, feature, tag) in TAGS {
        let row = table.lines().find(|line| line.ends_with(&format!(";{tag}"))).unwrap();
        let mut cells = row.split(';');
        let expected: f64 = cells.next().unwrap().parse().unwrap();
        let tolerance: f64 = cells.next().unwrap().parse().unwrap();
        let name = format!("ibsi-original_{class}_{feature}");
        let (_, found) = features.iter().find(|(known, _)| *known == name).unwrap();
        // The table is rounded to three digits.
        let slack = tolerance.max(expected.abs() * 5e-3);
        assert!((found - expected).abs() <= slack, "{tag}: {found} for {expected}");
    }
    println!("{} features of the digital phantom are within IBSI's tolerances", TAGS.len());
}
