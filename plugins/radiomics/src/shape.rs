//! The 14 shape features, as pyradiomics 3.0.1 defines them.
//!
//! Surface area, mesh volume and diameters come from the triangle mesh, axes from the voxel
//! centres. Distances are millimetres.

use std::f64::consts::PI;

use ichor_plugin::{Call, Refused};

use crate::axes::eigenvalues;
use crate::diameter::Diameters;
use crate::mesh::Mesh;
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

type Formula = fn(&Shape) -> f64;

/// Name and formula of every shape feature, in pyradiomics' order.
pub(crate) const SHAPE: [(&str, Formula); 14] = [
    ("original_shape_Elongation", elongation),
    ("original_shape_Flatness", flatness),
    ("original_shape_LeastAxisLength", least_axis_length),
    ("original_shape_MajorAxisLength", major_axis_length),
    ("original_shape_Maximum2DDiameterColumn", maximum_2d_diameter_column),
    ("original_shape_Maximum2DDiameterRow", maximum_2d_diameter_row),
    ("original_shape_Maximum2DDiameterSlice", maximum_2d_diameter_slice),
    ("original_shape_Maximum3DDiameter", maximum_3d_diameter),
    ("original_shape_MeshVolume", mesh_volume),
    ("original_shape_MinorAxisLength", minor_axis_length),
    ("original_shape_Sphericity", sphericity),
    ("original_shape_SurfaceArea", surface_area),
    ("original_shape_SurfaceVolumeRatio", surface_volume_ratio),
    ("original_shape_VoxelVolume", voxel_volume),
];

impl Shape {
    /// Measures `region`.
    pub(crate) fn measure(region: &Region, call: &mut Call<'_>) -> Result<Self, Refused> {
        Ok(Self {
            mesh: Mesh::measure(region, |share| call.progress(0.1 + 0.2 * share))?,
            diameters: Diameters::measure(region, |share| call.progress(0.3 + 0.5 * share))?,
            eigenvalues: eigenvalues(region),
            voxels_mm3: region.n_voxels() as f64 * region.voxel_mm3(),
        })
    }
}

/// `sqrt(λ2 / λ1)`, no unit, 0 to 1; IBSI Q3CK.
fn elongation(shape: &Shape) -> f64 {
    (shape.eigenvalues[1] / shape.eigenvalues[0]).sqrt()
}

/// `sqrt(λ3 / λ1)`, no unit, 0 to 1; IBSI N17B. 0 for a mask in one plane.
fn flatness(shape: &Shape) -> f64 {
    (shape.eigenvalues[2] / shape.eigenvalues[0]).sqrt()
}

/// `4 sqrt(λ3)` in mm; IBSI 7J51.
fn least_axis_length(shape: &Shape) -> f64 {
    4.0 * shape.eigenvalues[2].sqrt()
}

/// `4 sqrt(λ1)` in mm; IBSI TDIC.
fn major_axis_length(shape: &Shape) -> f64 {
    4.0 * shape.eigenvalues[0].sqrt()
}

/// `4 sqrt(λ2)` in mm; IBSI P9VJ.
fn minor_axis_length(shape: &Shape) -> f64 {
    4.0 * shape.eigenvalues[1].sqrt()
}

/// `max |a - b|` in mm over vertices with equal `y` (coronal, as a rule); not in IBSI.
fn maximum_2d_diameter_column(shape: &Shape) -> f64 {
    shape.diameters.in_plane[1]
}

/// `max |a - b|` in mm over vertices with equal `x` (sagittal, as a rule); not in IBSI.
fn maximum_2d_diameter_row(shape: &Shape) -> f64 {
    shape.diameters.in_plane[2]
}

/// `max |a - b|` in mm over vertices with equal `z` (axial, as a rule); not in IBSI.
///
/// The planes half-way between two slices count too.
fn maximum_2d_diameter_slice(shape: &Shape) -> f64 {
    shape.diameters.in_plane[0]
}

/// `max |a - b|` in mm over all vertices of the mesh; IBSI L0JK.
fn maximum_3d_diameter(shape: &Shape) -> f64 {
    shape.diameters.overall
}

/// `V = Σ a · (b × c) / 6` over the triangles `a b c`, in mm³; IBSI RNU0.
fn mesh_volume(shape: &Shape) -> f64 {
    shape.mesh.volume_mm3
}

/// `(36 π V²)^(1/3) / A`, no unit, 1 for a ball; IBSI QCFX.
fn sphericity(shape: &Shape) -> f64 {
    (36.0 * PI * shape.mesh.volume_mm3.powi(2)).cbrt() / shape.mesh.area_mm2
}

/// `A = Σ |(b - a) × (c - a)| / 2` over the triangles `a b c`, in mm²; IBSI C0JK.
fn surface_area(shape: &Shape) -> f64 {
    shape.mesh.area_mm2
}

/// `A / V` in 1/mm; IBSI 2PR5. Missing where the mesh encloses nothing.
fn surface_volume_ratio(shape: &Shape) -> f64 {
    shape.mesh.area_mm2 / shape.mesh.volume_mm3
}

/// Number of voxels times the volume of one, in mm³; IBSI YEKZ.
fn voxel_volume(shape: &Shape) -> f64 {
    shape.voxels_mm3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ball, slab, unhurried, view};

    fn check(mask: &[u8], shape: [usize; 3], spacing_mm: [f64; 3], expected: &[(&str, f64)]) {
        let hu = vec![60; mask.len()];
        let positions: Vec<f64> = (0..shape[0]).map(|z| z as f64 * spacing_mm[0]).collect();
        let origins = vec![[0.0; 3]; shape[0]];
        let volume = view(&hu, mask, shape, spacing_mm, &positions, &origins);
        let region = Region::cut(&volume).unwrap();
        let measured = unhurried(|call| Shape::measure(&region, call)).unwrap();
        for (name, value) in expected {
            let (_, formula) = SHAPE.iter().find(|(known, _)| known == name).unwrap();
            let found = formula(&measured);
            assert!(
                (found - value).abs() <= 1e-12 * value.abs(),
                "{name}: {found} for {value}"
            );
        }
    }

    #[test]
    fn a_slab_of_two_by_two_by_one_voxels_is_measured_by_hand() {
        check(
            &slab([1, 2, 2]),
            [1, 2, 2],
            [2.0, 1.0, 1.0],
            &[
                ("original_shape_VoxelVolume", 8.0),
                // Centres at +-0.5 mm in y and x: variance 0.25 each, none along z.
                ("original_shape_MajorAxisLength", 2.0),
                ("original_shape_MinorAxisLength", 2.0),
                ("original_shape_LeastAxisLength", 0.0),
                ("original_shape_Elongation", 1.0),
                ("original_shape_Flatness", 0.0),
                // From half a voxel below one corner to half a voxel above the other: 2 mm along
                // one axis and 1 mm along each of the others that may differ.
                ("original_shape_Maximum2DDiameterSlice", 5.0_f64.sqrt()),
                ("original_shape_Maximum2DDiameterRow", 5.0_f64.sqrt()),
                ("original_shape_Maximum2DDiameterColumn", 5.0_f64.sqrt()),
                ("original_shape_Maximum3DDiameter", 6.0_f64.sqrt()),
            ],
        );
    }

    #[test]
    fn a_ball_has_the_volume_area_and_sphericity_of_a_ball() {
        let radius = 20.0;
        let (mask, shape) = ball(radius);
        let hu = vec![60; mask.len()];
        let positions: Vec<f64> = (0..shape[0]).map(|z| z as f64).collect();
        let origins = vec![[0.0; 3]; shape[0]];
        let volume = view(&hu, &mask, shape, [1.0; 3], &positions, &origins);
        let region = Region::cut(&volume).unwrap();
        let measured = unhurried(|call| Shape::measure(&region, call)).unwrap();
        let exact = 4.0 / 3.0 * PI * radius.powi(3);
        assert!((mesh_volume(&measured) / exact - 1.0).abs() < 0.01);
        assert!((maximum_3d_diameter(&measured) - 2.0 * radius).abs() < 1.1);
        // A mesh of half voxels is rougher than a ball by about 9 %, as marching cubes is known for.
        assert!((0.88..1.0).contains(&sphericity(&measured)), "{}", sphericity(&measured));
        assert!(
            (major_axis_length(&measured) - 2.0 * (4.0_f64 / 5.0).sqrt() * radius).abs() < 0.3
        );
    }
}
