//! The 16 features of the gray level size zone matrix.
//!
//! Symbols as in `sizes`: a thing is a zone of connected voxels of one level (26 neighbours), its
//! size the number of voxels.

use crate::feature::{Feature, feature};
use crate::sizes::Sizes;

/// In pyradiomics' order.
pub(crate) const GLSZM: [Feature<Sizes>; 16] = [
    feature("GrayLevelNonUniformity", "Σ g² / N", "1", "JNSA", Sizes::level_non_uniformity),
    feature(
        "GrayLevelNonUniformityNormalized",
        "Σ g² / N²",
        "1",
        "Y1RO",
        Sizes::level_non_uniformity_normalized,
    ),
    feature("GrayLevelVariance", "Σ p (i - μ)², μ = Σ p i", "1", "BYLV", Sizes::level_variance),
    feature("HighGrayLevelZoneEmphasis", "Σ g i² / N", "1", "5GN9", Sizes::high),
    feature("LargeAreaEmphasis", "Σ s j² / N", "1", "48P8", Sizes::large),
    feature("LargeAreaHighGrayLevelEmphasis", "Σ P i² j² / N", "1", "J17V", Sizes::large_high),
    feature("LargeAreaLowGrayLevelEmphasis", "Σ P j² / i² / N", "1", "YH51", Sizes::large_low),
    feature("LowGrayLevelZoneEmphasis", "Σ g / i² / N", "1", "XMSY", Sizes::low),
    feature("SizeZoneNonUniformity", "Σ s² / N", "1", "4JP3", Sizes::size_non_uniformity),
    feature(
        "SizeZoneNonUniformityNormalized",
        "Σ s² / N²",
        "1",
        "VB3A",
        Sizes::size_non_uniformity_normalized,
    ),
    feature("SmallAreaEmphasis", "Σ s / j² / N", "1", "5QRC", Sizes::small),
    feature(
        "SmallAreaHighGrayLevelEmphasis",
        "Σ P i² / j² / N",
        "1",
        "HW1V",
        Sizes::small_high,
    ),
    feature(
        "SmallAreaLowGrayLevelEmphasis",
        "Σ P / (i² j²) / N",
        "1",
        "5RAI",
        Sizes::small_low,
    ),
    feature("ZoneEntropy", "-Σ p log2(p + ε)", "bit", "GU8N", Sizes::entropy),
    feature("ZonePercentage", "N / Np", "1", "P30P", Sizes::percentage),
    feature("ZoneVariance", "Σ p (j - μ)², μ = Σ p j", "1", "3NSA", Sizes::size_variance),
];
