//! The images that features are computed on: the original and what filters make of it.

use ichor_plugin::Refused;

use crate::laplacian::laplacian;
use crate::pace::Pace;
use crate::pointwise::{Curve, gradient};
use crate::region::Region;
use crate::scan::Scan;
use crate::wavelet::{BANDS, Wavelet};

/// A filter; one of them may make several images.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// The grey values as they are.
    Original,
    /// The Laplacian of a Gaussian of this standard deviation in millimetres.
    Log(f64),
    /// The eight bands of one level of this wavelet, by `PyWavelets`' name.
    Wavelet(String),
    /// `x² / max |x|`.
    Square,
    /// `√(|x| max |x|)` with the sign of `x`.
    SquareRoot,
    /// `ln(|x| + 1)` with the sign of `x`, scaled to the range of `x`.
    Logarithm,
    /// `exp(x ln(max |x|) / max |x|)`.
    Exponential,
    /// Length of the gradient, in grey values a millimetre.
    Gradient,
}

/// Grey values of the voxels in the mask.
pub(crate) struct Image {
    pub(crate) values: Vec<f64>,
    /// Whether the image is stored in single precision.
    pub(crate) single: bool,
}

impl Filter {
    /// pyradiomics' names of the images, in its order.
    pub fn images(&self) -> Vec<String> {
        let name = match self {
            Self::Original => "original",
            Self::Log(sigma_mm) => {
                // Python writes a whole float with one decimal.
                return vec![format!("log-sigma-{sigma_mm:?}-mm-3D").replace('.', "-")];
            }
            Self::Wavelet(_) => {
                return BANDS.iter().map(|band| format!("wavelet-{band}")).collect();
            }
            Self::Square => "square",
            Self::SquareRoot => "squareroot",
            Self::Logarithm => "logarithm",
            Self::Exponential => "exponential",
            Self::Gradient => "gradient",
        };
        vec![name.to_owned()]
    }

    /// The images, in the order of [`Filter::images`]; none when the scan is too thin for a sigma.
    pub(crate) fn apply(
        &self,
        scan: &Scan<'_>,
        region: &Region,
        pace: &dyn Pace,
    ) -> Result<Vec<Image>, Refused> {
        let of_point = |curve: Curve| {
            let values = curve.apply(scan, region.grey(scan, pace)?);
            Ok(vec![Image { values, single: false }])
        };
        match self {
            Self::Original => {
                Ok(vec![Image { values: region.grey(scan, pace)?, single: false }])
            }
            Self::Log(sigma_mm) => {
                let filtered = laplacian(scan, &region.bounds, *sigma_mm, pace)?;
                let image =
                    |voxels: Vec<f32>| Image { values: region.gather(&voxels), single: true };
                Ok(filtered.map(image).into_iter().collect())
            }
            Self::Wavelet(name) => {
                let wavelet = Wavelet::named(name).ok_or_else(|| {
                    Refused::config(format!("there is no wavelet called {name}"))
                })?;
                let bands = wavelet.transform(scan, &region.bounds, pace)?;
                let image =
                    |voxels: &Vec<f64>| Image { values: region.gather(voxels), single: false };
                Ok(bands.iter().map(image).collect())
            }
            Self::Square => of_point(Curve::Square),
            Self::SquareRoot => of_point(Curve::SquareRoot),
            Self::Logarithm => of_point(Curve::Logarithm),
            Self::Exponential => of_point(Curve::Exponential),
            Self::Gradient => {
                let voxels = gradient(scan, &region.bounds);
                Ok(vec![Image { values: region.gather(&voxels), single: true }])
            }
        }
    }
}
