//! A loaded network: volume and head in, probability of blood on the same grid out.
//!
//! Slices are independent, so they run side by side, and only what can reach a pixel of the head
//! is computed. Outside the head the probability is 0 by definition; inside it has the bits of
//! the whole frame.
//!
//! Pixels are taken as they are: the paper does not resample, and neither does this. The shipped
//! networks were trained near 0.5 mm a pixel and know about a fifth more or less; at 0.35 mm or
//! 1 mm a bleed has a size that they have not seen, and what they say there was not measured.

use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::Device;
use ichor_core::{Head, Volume};
use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::cpu::path::on_lanes;
use crate::cpu::unet::Cpu;
use crate::forward::{Forward, Slice, Slices};
use crate::frame::{FRAME, Patch};
use crate::gpu::Guarded;
use crate::manifest::{self, Entry};
use crate::plan::Plan;
use crate::shape::Shape;
use crate::unet::UNet;
use crate::weights::Weights;
use crate::{Gpus, Kind, NetError, Path};

/// Part of the head that the frame may cut away; more is refused.
const CUT_AWAY: f64 = 0.02;

/// A segmentation network with its weights, ready to run.
#[derive(Debug)]
pub struct Network {
    entry: Entry,
    forward: Box<dyn Forward>,
}

impl Network {
    /// Loads the network that the first manifest in `folders` calls `name`, onto the `path` given
    /// or the fastest that this CPU has.
    ///
    /// Fails when no manifest names it, when the file's hash, tensor names or shapes are not the
    /// manifest's, or when this CPU lacks the path.
    pub fn load(folders: &[PathBuf], name: &str, path: Option<Path>) -> Result<Self, NetError> {
        Self::load_on(folders, name, path, &Gpus::none())
    }

    /// The same, on `gpus` where they can be used; `path` stands behind them.
    ///
    /// Fails like [`Network::load`]; that a GPU cannot be used is no failure, and
    /// [`Network::device`] says it.
    pub fn load_on(
        folders: &[PathBuf],
        name: &str,
        path: Option<Path>,
        gpus: &Gpus,
    ) -> Result<Self, NetError> {
        let path = path.unwrap_or_else(Path::fastest);
        if !path.is_available() {
            return Err(NetError::NoPath { path, fastest: Path::fastest() });
        }
        let (folder, entry) = manifest::find(folders, name)?;
        entry.must_be(Kind::Unet)?;
        let shape = Shape::new(entry.width, entry.depth)?;
        entry.must_have(shape.n_parameters(), [1, 1, FRAME, FRAME])?;
        let weights = Weights::load(&folder, &entry, shape.tensors(), &Device::Cpu)?;
        let forward = on_path(path, shape, &weights)?;
        if !gpus.wanted() {
            return Ok(Self { entry, forward });
        }
        let (tensors, mut numbers) = (shape.tensors(), weights.numbers()?);
        let flat = |(name, _): &(String, Vec<usize>)| numbers.remove(name).unwrap_or_default();
        let parameters = tensors.iter().flat_map(flat).collect();
        let exact = || {
            let cpu = on_path(Path::fastest_f32(), shape, &weights)?;
            probability_of(&*cpu, Guarded::known_slice().view())
        };
        let network = (&Plan::unet(shape), &tensors[..], parameters);
        let forward =
            Guarded::new(gpus, (&entry.name, &entry.sha256), network, forward, &exact)?;
        Ok(Self { entry, forward: Box::new(forward) })
    }

    /// Its name in the manifest.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// SHA-256 of its weights, hex.
    pub fn sha256(&self) -> &str {
        &self.entry.sha256
    }

    /// What computed the last slices, or will compute the first: such as `cpu avx512-bf16`,
    /// `cuda NVIDIA L4 bf16`, or the CPU and why no GPU.
    pub fn device(&self) -> String {
        self.forward.device()
    }

    /// Under which terms its weights may be used.
    pub fn licence(&self) -> &str {
        &self.entry.licence
    }

    /// All that the manifest says about it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// FLOP/s that multiply-adds alone reach on one core of this path; none where that is not
    /// known. Takes a moment: it is measured.
    pub fn peak(&self) -> Option<f64> {
        self.forward.peak()
    }

    /// Bytes of feature maps that a thread holds while it computes a slice.
    pub fn bytes_a_slice(&self) -> Option<usize> {
        self.forward.bytes_a_slice((FRAME, FRAME))
    }

    /// What computes it.
    pub(crate) fn forward(&self) -> &dyn Forward {
        &*self.forward
    }

    /// Probability of blood for every voxel of `volume`, `(z, y, x)`; 0 outside `head`.
    ///
    /// `progress` is called with the slices done and the slices that show a head, first with 0
    /// done, always on the calling thread; `Break` stops the work. The same volume gives the
    /// same bits on the same path, however many cores there are.
    pub fn probability(
        &self,
        volume: &Volume,
        head: &Head,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Array3<f32>, NetError> {
        let with_head = slices_with_head(volume, head)?;
        let total = with_head.len();
        if progress(0, total).is_break() {
            return Err(NetError::Cancelled { done: 0, total });
        }
        let (_, n_y, n_x) = volume.dim();
        let frame = Patch::whole((n_y, n_x));
        let head_of = |z: usize| head.voxels().index_axis(Axis(0), z);
        let make = |index: usize| Slice {
            windowed: frame.cut(volume.slice(with_head[index])),
            wanted: Some(frame.map(false, |at| head_of(with_head[index])[at])),
        };
        let mut probability = Array3::zeros(volume.dim());
        let (mut done, mut stopped) = (0, false);
        let mut paste = |index: usize, computed: Array2<f32>| {
            let z = with_head[index];
            let out = probability.index_axis_mut(Axis(0), z);
            frame.paste(computed.view(), head_of(z), out);
            done += 1;
            let flow = progress(done, total);
            stopped = flow.is_break();
            flow
        };
        self.forward.run(&Slices { n: total, make: &make }, &mut paste)?;
        if stopped { Err(NetError::Cancelled { done, total }) } else { Ok(probability) }
    }

    /// Probability of blood for every pixel of one windowed slice `(y, x)`, nothing left out.
    ///
    /// Pixels are `0.0..=1.0` for 0 to 100 HU; both sides must be multiples of two to the depth.
    pub fn probability_of_slice(
        &self,
        windowed: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, NetError> {
        probability_of(&*self.forward, windowed)
    }
}

/// Probability of one windowed slice, nothing left out.
fn probability_of(
    forward: &dyn Forward,
    windowed: ArrayView2<'_, f32>,
) -> Result<Array2<f32>, NetError> {
    let make = |_| Slice { windowed: windowed.to_owned(), wanted: None };
    let mut probability = Array2::zeros(windowed.dim());
    let mut keep = |_, computed| {
        probability = computed;
        ControlFlow::Continue(())
    };
    forward.run(&Slices { n: 1, make: &make }, &mut keep)?;
    Ok(probability)
}

/// The network's arithmetic on `path`, with its weights.
fn on_path(path: Path, shape: Shape, weights: &Weights) -> Result<Box<dyn Forward>, NetError> {
    if path == Path::Candle {
        return Ok(Box::new(UNet::new(weights, shape, Device::Cpu)?));
    }
    let numbers = weights.numbers()?;
    let of = |name: &str| numbers.get(name).map_or(&[][..], Vec::as_slice);
    let plan = Plan::unet(shape);
    Ok(on_lanes!(path, L => Box::new(Cpu::<L>::new(path, plan, &of))))
}

/// The slices that show a head, by index.
fn slices_with_head(volume: &Volume, head: &Head) -> Result<Vec<usize>, NetError> {
    let (n_z, n_y, n_x) = volume.dim();
    if head.voxels().dim() != volume.dim() {
        let (z, y, x) = head.voxels().dim();
        return Err(NetError::HeadShape { head: [z, y, x], volume: [n_z, n_y, n_x] });
    }
    let share = cut_away(head);
    if share > CUT_AWAY {
        return Err(NetError::HeadOutside { share, frame: FRAME, y: n_y, x: n_x });
    }
    Ok((0..n_z).filter(|&z| head.slice_box(z).is_some()).collect())
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
        Network::load(&[shipped()], "unet-w16", None).unwrap()
    }

    /// The shipped network on every path of this CPU but candle's.
    fn on_every_path() -> impl Iterator<Item = Network> {
        let paths = Path::ALL.into_iter().filter(|&p| p.is_available() && p != Path::Candle);
        paths.map(|path| Network::load(&[shipped()], "unet-w16", Some(path)).unwrap())
    }

    fn go_on(_: usize, _: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn what_the_head_needs_has_the_bits_of_the_whole_frame() {
        let volume = volume();
        let head = Head::find(&volume);
        // 300 x 320 pixels in the middle of 512 x 512.
        let shown = s![106..406, 96..416];
        let mut frame = Array2::zeros((FRAME, FRAME));
        frame.slice_mut(shown).assign(&volume.slice(1).mapv(|hu| f32::from(hu.max(0)) / 100.0));
        let inside = head.voxels().index_axis(Axis(0), 1);
        for network in on_every_path() {
            let p = network.probability(&volume, &head, &mut go_on).unwrap();
            let whole = network.probability_of_slice(frame.view()).unwrap();
            let mut n_blood = 0;
            for ((at, &whole), &inside) in whole.slice(shown).indexed_iter().zip(inside) {
                let found = p[[1, at.0, at.1]];
                let expected = if inside { whole } else { 0.0 };
                let on = network.device();
                assert_eq!(
                    found.to_bits(),
                    expected.to_bits(),
                    "{at:?} on {on}: {found}, {expected}"
                );
                n_blood += usize::from(found >= 0.5);
            }
            assert!(n_blood > 500, "{n_blood}");
        }
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
