//! A scan cut down to the surroundings of its mask, as pyradiomics' `preCrop` does.

use ichor_plugin::Refused;

use crate::region::bounds;
use crate::scan::Scan;

/// The voxels around the mask, `pad` of them on every side where the scan has them.
pub(crate) fn cropped(
    scan: &Scan<'_>,
    mask: &[u8],
    pad: usize,
) -> Result<(Scan<'static>, Vec<u8>), Refused> {
    let Some((low, high)) = bounds(mask, scan.shape) else {
        return Err(Refused::input("the mask is empty: there is no hematoma to describe"));
    };
    let low = low.map(|at| at.saturating_sub(pad));
    let shape: [usize; 3] =
        std::array::from_fn(|axis| (high[axis] + pad + 1).min(scan.shape[axis]) - low[axis]);
    let rows = (low[0]..low[0] + shape[0])
        .flat_map(|z| (low[1]..low[1] + shape[1]).map(move |y| (z, y)))
        .map(|(z, y)| (z * scan.shape[1] + y) * scan.shape[2] + low[2]);
    let (mut hu, mut inside) = (Vec::new(), Vec::new());
    for from in rows {
        hu.extend_from_slice(&scan.hu[from..from + shape[2]]);
        inside.extend_from_slice(&mask[from..from + shape[2]]);
    }
    Ok((Scan { hu: hu.into(), shape, spacing_mm: scan.spacing_mm }, inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_the_mask_with_its_surroundings() {
        let hu: Vec<i16> = (0..60).collect();
        let scan = Scan { hu: (&hu[..]).into(), shape: [3, 4, 5], spacing_mm: [1.0; 3] };
        let mut mask = vec![0; 60];
        mask[(20 + 5) + 1] = 1;
        let (cut, inside) = cropped(&scan, &mask, 1).unwrap();
        assert_eq!(cut.shape, [3, 3, 3]);
        assert_eq!(cut.hu[..4], [0, 1, 2, 5]);
        assert_eq!(inside.iter().position(|&voxel| voxel == 1), Some(13));
    }
}
