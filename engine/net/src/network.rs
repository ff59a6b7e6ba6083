//! A loaded network: volume and head in, probability of blood on the same grid out.
//!
//! Slices are independent, so they run side by side, and only the rectangle around the head is
//! computed. Outside the head the probability is 0 by definition.
//!
//! Pixels are taken as they are: the paper does not resample, and neither does this. The shipped
//! networks were trained near 0.5 mm a pixel and know about a fifth more or less; at 0.35 mm or
//! 1 mm a bleed has a size that they have not seen, and what they say there was not measured.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use candle_core::Device;
use ichor_core::{Head, Volume};
use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::frame::{FRAME, Patch};
use crate::manifest::{self, Entry};
use crate::shape::Shape;
use crate::unet::UNet;
use crate::weights::Weights;
use crate::{Kind, NetError};

/// Pixels around the head that are computed with it.
const MARGIN: usize = 32;
/// Part of the head that the frame may cut away; more is refused.
const CUT_AWAY: f64 = 0.02;
/// Slices that run side by side at most: each takes memory of its own.
const MOST_SLICES: usize = 8;

/// A segmentation network with its weights, ready to run.
#[derive(Debug)]
pub struct Network {
    entry: Entry,
    unet: UNet,
    multiple: usize,
}

/// A slice to compute: its index and the rectangle around the head.
type Piece = (usize, Patch);

impl Network {
    /// Loads the network that the first manifest in `folders` calls `name`, onto the CPU.
    ///
    /// Fails when no manifest names it, or when the file's hash, tensor names or shapes are not
    /// the manifest's.
    pub fn load(folders: &[PathBuf], name: &str) -> Result<Self, NetError> {
        let (folder, entry) = manifest::find(folders, name)?;
        let shape = shape_of(&entry)?;
        let unet = match entry.kind {
            Kind::Unet => {
                let weights = Weights::load(&folder, &entry, shape, &Device::Cpu)?;
                UNet::new(&weights, shape, Device::Cpu)?
            }
        };
        Ok(Self { entry, unet, multiple: shape.multiple() })
    }

    /// Its name in the manifest.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// SHA-256 of its weights, hex.
    pub fn sha256(&self) -> &str {
        &self.entry.sha256
    }

    /// The arithmetic that runs it.
    pub fn device(&self) -> &'static str {
        "cpu candle f32"
    }

    /// Under which terms its weights may be used.
    pub fn licence(&self) -> &str {
        &self.entry.licence
    }

    /// All that the manifest says about it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Probability of blood for every voxel of `volume`, `(z, y, x)`; 0 outside `head`.
    ///
    /// `progress` is called with the slices done and the slices that show a head, first with 0
    /// done, always on the calling thread; `Break` stops the work. The same volume gives the
    /// same bits, however many cores there are.
    pub fn probability(
        &self,
        volume: &Volume,
        head: &Head,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Array3<f32>, NetError> {
        let pieces = self.pieces(volume, head)?;
        let mut probability = Array3::zeros(volume.dim());
        let mut paste = |&(z, ref patch): &Piece, computed: Array2<f32>| {
            let inside = head.voxels().index_axis(Axis(0), z);
            patch.paste(computed.view(), inside, probability.index_axis_mut(Axis(0), z));
        };
        self.side_by_side(volume, &pieces, &mut paste, progress)?;
        Ok(probability)
    }

    /// Probability of blood for every pixel of one windowed slice `(y, x)`, nothing left out.
    ///
    /// Pixels are `0.0..=1.0` for 0 to 100 HU; both sides must be multiples of two to the depth.
    pub fn probability_of_slice(
        &self,
        windowed: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, NetError> {
        self.unet.probability(windowed)
    }

    /// The slices that show a head, each with its rectangle.
    fn pieces(&self, volume: &Volume, head: &Head) -> Result<Vec<Piece>, NetError> {
        let (n_z, n_y, n_x) = volume.dim();
        if head.voxels().dim() != volume.dim() {
            let (z, y, x) = head.voxels().dim();
            return Err(NetError::HeadShape { head: [z, y, x], volume: [n_z, n_y, n_x] });
        }
        let share = cut_away(head);
        if share > CUT_AWAY {
            return Err(NetError::HeadOutside { share, frame: FRAME, y: n_y, x: n_x });
        }
        let piece = |z| {
            let patch = Patch::around((n_y, n_x), head.slice_box(z)?, MARGIN, self.multiple)?;
            Some((z, patch))
        };
        Ok((0..n_z).filter_map(piece).collect())
    }

    /// Computes `pieces` on the machine's cores and hands each to `paste` on this thread.
    fn side_by_side(
        &self,
        volume: &Volume,
        pieces: &[Piece],
        paste: &mut dyn FnMut(&Piece, Array2<f32>),
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<(), NetError> {
        let total = pieces.len();
        let cancelled = |done| NetError::Cancelled { done, total };
        if progress(0, total).is_break() {
            return Err(cancelled(0));
        }
        let next = &AtomicUsize::new(0);
        let (send, results) = mpsc::channel();
        thread::scope(move |scope| {
            for _ in 0..n_threads(total) {
                let send = send.clone();
                scope.spawn(move || {
                    while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let computed =
                            self.unet.probability(piece.1.cut(volume.slice(piece.0)).view());
                        if send.send((piece, computed)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            // Leaving this loop drops the receiver, which stops the threads after their slice.
            for (done, (piece, computed)) in (1..).zip(results) {
                paste(piece, computed?);
                if progress(done, total).is_break() {
                    return Err(cancelled(done));
                }
            }
            Ok(())
        })
    }
}

/// Width and depth of `entry`, refused where its other figures are not theirs.
fn shape_of(entry: &Entry) -> Result<Shape, NetError> {
    let shape = Shape::new(entry.width, entry.depth)?;
    let contradiction = |what, said, found| {
        Err(NetError::Contradiction { name: entry.name.clone(), what, said, found })
    };
    let (said, found) = (entry.parameters, shape.n_parameters());
    if said != found {
        return contradiction("parameters", said.to_string(), found.to_string());
    }
    let (said, found) = (entry.input, [1, 1, FRAME, FRAME]);
    if said != found {
        return contradiction("input", format!("{said:?}"), format!("{found:?}"));
    }
    Ok(shape)
}

/// Slices to run side by side.
fn n_threads(n_slices: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(MOST_SLICES).min(n_slices)
}

/// Part of the head's voxels that the frame does not show.
fn cut_away(head: &Head) -> f64 {
    let (_, n_y, n_x) = head.voxels().dim();
    let (mut inside, mut outside) = (0_usize, 0_usize);
    for ((_, y, x), _) in head.voxels().indexed_iter().filter(|&(_, &here)| here) {
        if Patch::shows((n_y, n_x), (y, x)) {
            inside += 1;
        } else {
            outside += 1;
        }
    }
    outside as f64 / (inside + outside).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{drawn_head, shipped};
    use ichor_core::{Grid, PixelSpacing};
    use ndarray::s;

    /// Probability that zeros beyond the rectangle may add or take, the margin being finite.
    const BOX_TOLERANCE: f32 = 1e-3;

    /// Slices of air, the drawn head, air, the drawn head 9 pixels further down.
    fn volume() -> Volume {
        let drawn = drawn_head().mapv(|hu| if hu == 0 { -1000 } else { hu });
        let mut hu = Array3::from_elem((4, 300, 320), -1000);
        hu.slice_mut(s![1, 20..276, ..]).assign(&drawn);
        hu.slice_mut(s![3, 29..285, ..]).assign(&drawn);
        in_grid(hu)
    }

    fn in_grid(hu: Array3<i16>) -> Volume {
        let grid = Grid::axial(hu.dim().0, 5.0, PixelSpacing { y: 0.7, x: 0.7 }).unwrap();
        Volume::new(hu, grid).unwrap()
    }

    fn network() -> Network {
        Network::load(&[shipped()], "unet-w16").unwrap()
    }

    fn go_on(_: usize, _: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn the_rectangle_around_the_head_says_what_the_whole_frame_says() {
        let (volume, network) = (volume(), network());
        let head = Head::find(&volume);
        let p = network.probability(&volume, &head, &mut go_on).unwrap();
        let mut frame = Array2::zeros((FRAME, FRAME));
        // 300 x 320 pixels in the middle of 512 x 512.
        let shown = s![106..406, 96..416];
        frame.slice_mut(shown).assign(&volume.slice(1).mapv(|hu| f32::from(hu.max(0)) / 100.0));
        let dense = network.probability_of_slice(frame.view()).unwrap();
        let inside = head.voxels().index_axis(Axis(0), 1);
        let (mut worst, mut n_blood) = (0.0_f32, 0);
        for ((at, &dense), &inside) in dense.slice(shown).indexed_iter().zip(inside) {
            let found = p[[1, at.0, at.1]];
            if inside {
                worst = worst.max((found - dense).abs());
                n_blood += usize::from(found >= 0.5);
            } else {
                assert!(found == 0.0, "{found} at {at:?}, outside the head");
            }
        }
        println!("largest difference {worst:.1e}, {n_blood} pixels of blood");
        assert!(worst <= BOX_TOLERANCE, "{worst}");
        assert!(n_blood > 500, "{n_blood}");
    }

    #[test]
    fn the_same_volume_gives_the_same_bits() {
        let (volume, network) = (volume(), network());
        let head = Head::find(&volume);
        let run = || network.probability(&volume, &head, &mut go_on).unwrap();
        assert_eq!(run(), run());
    }

    #[test]
    fn slices_without_a_head_are_skipped_and_stay_0() {
        let (volume, network) = (volume(), network());
        let mut said = Vec::new();
        let mut progress = |done, total| {
            said.push((done, total));
            ControlFlow::Continue(())
        };
        let p = network.probability(&volume, &Head::find(&volume), &mut progress).unwrap();
        assert_eq!(said, [(0, 2), (1, 2), (2, 2)]);
        assert!(p.slice(s![..;2, .., ..]).iter().all(|&p| p == 0.0));
    }

    #[test]
    fn work_stops_when_the_caller_says_so() {
        let (volume, network) = (volume(), network());
        let mut progress = |done, _| match done {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        let stopped = network.probability(&volume, &Head::find(&volume), &mut progress);
        assert_eq!(stopped.unwrap_err().to_string(), "stopped after 1 of 2 slices");
    }

    #[test]
    fn a_head_that_the_frame_would_cut_is_refused() {
        let volume = in_grid(Array3::from_elem((1, 1024, 512), 40));
        let refused = network().probability(&volume, &Head::find(&volume), &mut go_on);
        let said = refused.unwrap_err().to_string();
        assert!(
            said.starts_with("50 % of the head lies outside the central 512 x 512"),
            "{said}"
        );
    }

    #[test]
    fn the_head_of_another_volume_is_refused() {
        let other = in_grid(Array3::from_elem((1, 30, 30), 40));
        let refused = network().probability(&volume(), &Head::find(&other), &mut go_on);
        assert!(matches!(refused, Err(NetError::HeadShape { .. })));
    }

    #[test]
    fn a_slice_that_cannot_be_halved_four_times_is_refused() {
        let refused = network().probability_of_slice(Array2::zeros((512, 500)).view());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "a slice of 512 x 500 pixels: both sides must be multiples of 16"
        );
    }
}
