//! The 14 features of the gray level dependence matrix; IBSI calls it NGLDM.
//!
//! Symbols as in `sizes`: a thing is a voxel, its size the number of its 26 neighbours that have its
//! own level (α 0), counting the voxel itself, so `N` is the number of voxels.

use crate::feature::{Feature, feature};
use crate::sizes::Sizes;

/// In pyradiomics' order.
pub(crate) const GLDM: [Feature<Sizes>; 14] = [
    feature("DependenceEntropy", "-Σ p log2(p + ε)", "bit", "FCBV", Sizes::entropy),
    feature("DependenceNonUniformity", "Σ s² / N", "1", "Z87G", Sizes::size_non_uniformity),
    feature(
        "DependenceNonUniformityNormalized",
        "Σ s² / N²",
        "1",
        "OKJI",
        Sizes::size_non_uniformity_normalized,
    ),
    feature("DependenceVariance", "Σ p (j - μ)², μ = Σ p j", "1", "DNX2", Sizes::size_variance),
    feature("GrayLevelNonUniformity", "Σ g² / N", "1", "FP8K", Sizes::level_non_uniformity),
    feature("GrayLevelVariance", "Σ p (i - μ)², μ = Σ p i", "1", "1PR1", Sizes::level_variance),
    feature("HighGrayLevelEmphasis", "Σ g i² / N", "1", "OAE7", Sizes::high),
    feature("LargeDependenceEmphasis", "Σ s j² / N", "1", "IMOQ", Sizes::large),
    feature(
        "LargeDependenceHighGrayLevelEmphasis",
        "Σ P i² j² / N",
        "1",
        "9QMG",
        Sizes::large_high,
    ),
    feature(
        "LargeDependenceLowGrayLevelEmphasis",
        "Σ P j² / i² / N",
        "1",
        "NBZI",
        Sizes::large_low,
    ),
    feature("LowGrayLevelEmphasis", "Σ g / i² / N", "1", "TL9H", Sizes::low),
    feature("SmallDependenceEmphasis", "Σ s / j² / N", "1", "SODN", Sizes::small),
    feature(
        "SmallDependenceHighGrayLevelEmphasis",
        "Σ P i² / j² / N",
        "1",
        "JA6D",
        Sizes::small_high,
    ),
    feature(
        "SmallDependenceLowGrayLevelEmphasis",
        "Σ P / (i² j²) / N",
        "1",
        "EQ3F",
        Sizes::small_low,
    ),
];
