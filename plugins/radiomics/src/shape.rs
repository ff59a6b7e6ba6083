//! The 14 shape features, as pyradiomics 3.0.1 defines them.
//!
//! Surface area, mesh volume and diameters come from the triangles `a b c` of the mesh, axes from
//! the eigenvalues `λ1 >= λ2 >= λ3` of the covariance of the `N` voxel centres: over `N` as
//! pyradiomics has it, over `N - 1` in IBSI's way. Distances are millimetres.

use std::f64::consts::PI;

use ichor_plugin::Refused;

use crate::axes::eigenvalues;
use crate::diameter::Diameters;
use crate::feature::{Feature, feature};
use crate::mesh::Mesh;
use crate::pace::Pace;
use crate::parameters::Mode;
use crate::region::Region;

/// What the shape features are computed from.
#[derive(Debug)]
pub(crate) struct Shape {
    mesh: Mesh,
    diameters: Diameters,
    /// Largest first, square millimetres.
    eigenvalues: [f64; 3],
    voxels_mm3: f64,
}

/// In pyradiomics' order.
pub(crate) const SHAPE: [Feature<Shape>; 14] = [
    feature("Elongation", "√(λ2 / λ1)", "1", "Q3CK", |shape| {
        (shape.eigenvalues[1] / shape.eigenvalues[0]).sqrt()
    }),
    feature("Flatness", "√(λ3 / λ1)", "1", "N17B", |shape| {
        (shape.eigenvalues[2] / shape.eigenvalues[0]).sqrt()
    }),
    feature("LeastAxisLength", "4 √λ3", "mm", "7J51", |shape| shape.axis_length(2)),
    feature("MajorAxisLength", "4 √λ1", "mm", "TDIC", |shape| shape.axis_length(0)),
    feature(
        "Maximum2DDiameterColumn",
        "max |a - b| over vertices of equal y (coronal, as a rule)",
        "mm",
        "",
        |shape| shape.diameters.in_plane[1],
    ),
    feature(
        "Maximum2DDiameterRow",
        "max |a - b| over vertices of equal x (sagittal, as a rule)",
        "mm",
        "",
        |shape| shape.diameters.in_plane[2],
    ),
    feature(
        "Maximum2DDiameterSlice",
        "max |a - b| over vertices of equal z, also half-way between slices (axial, as a rule)",
        "mm",
        "",
        |shape| shape.diameters.in_plane[0],
    ),
    feature("Maximum3DDiameter", "max |a - b| over all vertices", "mm", "L0JK", |shape| {
        shape.diameters.overall
    }),
    feature("MeshVolume", "V = Σ a · (b × c) / 6", "mm3", "RNU0", |shape| {
        shape.mesh.volume_mm3
    }),
    feature("MinorAxisLength", "4 √λ2", "mm", "P9VJ", |shape| shape.axis_length(1)),
    feature("Sphericity", "(36 π V²)^(1/3) / A", "1", "QCFX", |shape| {
        (36.0 * PI * shape.mesh.volume_mm3.powi(2)).cbrt() / shape.mesh.area_mm2
    }),
    feature("SurfaceArea", "A = Σ |(b - a) × (c - a)| / 2", "mm2", "C0JK", |shape| {
        shape.mesh.area_mm2
    }),
    feature("SurfaceVolumeRatio", "A / V, missing where V is 0", "1/mm", "2PR5", |shape| {
        shape.mesh.area_mm2 / shape.mesh.volume_mm3
    }),
    feature("VoxelVolume", "N times the volume of a voxel", "mm3", "YEKZ", |shape| {
        shape.voxels_mm3
    }),
];

impl Shape {
    /// Measures `region`.
    pub(crate) fn measure(
        region: &Region,
        mode: Mode,
        pace: &dyn Pace,
    ) -> Result<Self, Refused> {
        let n = region.n_voxels() as f64;
        let spread = if mode == Mode::Ibsi { n / (n - 1.0) } else { 1.0 };
        Ok(Self {
            mesh: Mesh::measure(region, pace)?,
            diameters: Diameters::measure(region, pace)?,
            eigenvalues: eigenvalues(region, pace)?.map(|value| value * spread),
            voxels_mm3: n * region.voxel_mm3(),
        })
    }

    fn axis_length(&self, rank: usize) -> f64 {
        4.0 * self.eigenvalues[rank].sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Endless;
    use crate::testing::{ball, region, slab};

    fn value(shape: &Shape, name: &str) -> f64 {
        let row = SHAPE.iter().find(|row| row.name == name).unwrap();
        (row.of)(shape)
    }

    #[test]
    fn a_slab_of_two_by_two_by_one_voxels_is_measured_by_hand() {
        let mut region = region(&slab([1, 2, 2]), [1, 2, 2]);
        region.spacing_mm = [2.0, 1.0, 1.0];
        let measured = Shape::measure(&region, Mode::Pyradiomics, &Endless).unwrap();
        for (name, expected) in [
            ("VoxelVolume", 8.0),
            // Centres at +-0.5 mm in y and x: variance 0.25 each, none along z.
            ("MajorAxisLength", 2.0),
            ("MinorAxisLength", 2.0),
            ("LeastAxisLength", 0.0),
            ("Elongation", 1.0),
            ("Flatness", 0.0),
            // From half a voxel below one corner to half a voxel above the other: 2 mm along
            // one axis and 1 mm along each of the others that may differ.
            ("Maximum2DDiameterSlice", 5.0_f64.sqrt()),
            ("Maximum2DDiameterRow", 5.0_f64.sqrt()),
            ("Maximum2DDiameterColumn", 5.0_f64.sqrt()),
            ("Maximum3DDiameter", 6.0_f64.sqrt()),
        ] {
            let found = value(&measured, name);
            assert!((found - expected).abs() <= 1e-12 * expected, "{name}: {found}");
        }
    }

    #[test]
    fn a_ball_has_the_volume_area_and_sphericity_of_a_ball() {
        let radius = 20.0;
        let (mask, shape) = ball(radius);
        let region = region(&mask, shape);
        let measured = Shape::measure(&region, Mode::Pyradiomics, &Endless).unwrap();
        let exact = 4.0 / 3.0 * PI * radius.powi(3);
        assert!((value(&measured, "MeshVolume") / exact - 1.0).abs() < 0.01);
        assert!((value(&measured, "Maximum3DDiameter") - 2.0 * radius).abs() < 1.1);
        // A mesh of half voxels is rougher than a ball by about 9 %, as marching cubes is known for.
        assert!((0.88..1.0).contains(&value(&measured, "Sphericity")));
        let axis = 2.0 * (4.0_f64 / 5.0).sqrt() * radius;
        assert!((value(&measured, "MajorAxisLength") - axis).abs() < 0.3);
    }
}
