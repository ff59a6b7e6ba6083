//! The 16 features of the gray level run length matrix.
//!
//! Symbols as in `sizes`: a thing is a run of voxels of one level along one of 13 angles, its size
//! the number of voxels. Each feature is the mean over the angles (IBSI: 3D, averaged).

use crate::feature::{Feature, feature};
use crate::sizes::Sizes;

/// In pyradiomics' order.
pub(crate) const GLRLM: [Feature<Sizes>; 16] = [
    feature("GrayLevelNonUniformity", "Σ g² / N", "1", "R5YN", Sizes::level_non_uniformity),
    feature(
        "GrayLevelNonUniformityNormalized",
        "Σ g² / N²",
        "1",
        "OVBL",
        Sizes::level_non_uniformity_normalized,
    ),
    feature("GrayLevelVariance", "Σ p (i - μ)², μ = Σ p i", "1", "8CE5", Sizes::level_variance),
    feature("HighGrayLevelRunEmphasis", "Σ g i² / N", "1", "G3QZ", Sizes::high),
    feature("LongRunEmphasis", "Σ s j² / N", "1", "W4KF", Sizes::large),
    feature("LongRunHighGrayLevelEmphasis", "Σ P i² j² / N", "1", "3KUM", Sizes::large_high),
    feature("LongRunLowGrayLevelEmphasis", "Σ P j² / i² / N", "1", "IVPO", Sizes::large_low),
    feature("LowGrayLevelRunEmphasis", "Σ g / i² / N", "1", "V3SW", Sizes::low),
    feature("RunEntropy", "-Σ p log2(p + ε)", "bit", "HJ9O", Sizes::entropy),
    feature("RunLengthNonUniformity", "Σ s² / N", "1", "W92Y", Sizes::size_non_uniformity),
    feature(
        "RunLengthNonUniformityNormalized",
        "Σ s² / N²",
        "1",
        "IC23",
        Sizes::size_non_uniformity_normalized,
    ),
    feature("RunPercentage", "N / Np", "1", "9ZK5", Sizes::percentage),
    feature("RunVariance", "Σ p (j - μ)², μ = Σ p j", "1", "SXLW", Sizes::size_variance),
    feature("ShortRunEmphasis", "Σ s / j² / N", "1", "22OV", Sizes::small),
    feature("ShortRunHighGrayLevelEmphasis", "Σ P i² / j² / N", "1", "GD3A", Sizes::small_high),
    feature("ShortRunLowGrayLevelEmphasis", "Σ P / (i² j²) / N", "1", "HTZT", Sizes::small_low),
];
