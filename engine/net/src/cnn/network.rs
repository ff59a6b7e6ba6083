//! A loaded CNN: volume and mask in, features and a probability of expansion out.

use std::path::PathBuf;

use candle_core::Device;
use ichor_core::{Features, Mask, Volume};

use super::crop::{Bleed, SIDE};
use super::model::{Answering, Model, Work, pooled, shown};
use super::shape::{CHANNELS, CnnShape};
use crate::cpu::gradient::Tape;
use crate::gpu::Means;
use crate::manifest::{self, Entry};
use crate::weights::Weights;
use crate::{Gpus, Kind, NetError, Path};

/// A CNN with its weights, ready to describe hematomas: on GPUs where there are some, and in f32 on
/// the CPU.
///
/// The same volume and mask give the same bits on the same path, however many cores there are.
#[derive(Debug)]
pub struct Cnn {
    entry: Entry,
    shape: CnnShape,
    path: Path,
    model: Model,
    /// None where no GPU is asked for.
    gpu: Option<Means>,
}

impl Cnn {
    /// Loads the network that the first manifest in `folders` calls `name`, onto the f32 kernels
    /// of the `path` given or the fastest that this CPU has.
    ///
    /// Fails when no manifest names it, when it is no CNN, when the file's hash, tensor names or
    /// shapes are not the manifest's, or when this CPU lacks the path.
    pub fn load(folders: &[PathBuf], name: &str, path: Option<Path>) -> Result<Self, NetError> {
        Self::load_on(folders, name, path, &Gpus::none())
    }

    /// The same on `gpus`, with the CPU behind them.
    pub fn load_on(
        folders: &[PathBuf],
        name: &str,
        path: Option<Path>,
        gpus: &Gpus,
    ) -> Result<Self, NetError> {
        let path = path.unwrap_or_else(Path::fastest_f32);
        if !path.is_available() {
            return Err(NetError::NoPath { path, fastest: Path::fastest_f32() });
        }
        let path = path.without_bf16();
        let (folder, entry) = manifest::find(folders, name)?;
        entry.must_be(Kind::Cnn)?;
        let shape = CnnShape::new(entry.width, entry.depth)?;
        entry.must_have(shape.n_parameters(), [1, CHANNELS, SIDE, SIDE])?;
        let weights = Weights::load(&folder, &entry, shape.tensors(), &Device::Cpu)?;
        let mut numbers = weights.numbers()?;
        let tensors = shape.tensors();
        let parameters: Vec<f32> = tensors
            .iter()
            .flat_map(|(name, _)| numbers.remove(name).unwrap_or_default())
            .collect();
        let mut model = Model::new(shape, path);
        model.take(&parameters);
        let exact = |crop: &_| model.means(&mut Tape::default(), crop);
        let gpu = gpus.wanted().then(|| {
            Means::new(gpus, (&entry.name, &entry.sha256), (shape, &parameters), &exact)
        });
        Ok(Self { entry, shape, path, model, gpu })
    }

    /// Its name in the manifest.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// SHA-256 of its weights, hex.
    pub fn sha256(&self) -> &str {
        &self.entry.sha256
    }

    /// All that the manifest says about it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The kernels that compute it.
    pub fn path(&self) -> Path {
        self.path
    }

    /// What computed it last, or would: GPUs, or the CPU and why no GPU does where one was asked
    /// for.
    pub fn device(&self) -> String {
        match self.gpu.as_ref().map(Means::device) {
            None => format!("cpu {}", self.path),
            Some(Ok(gpus)) => gpus,
            Some(Err(why)) => format!("cpu {} (no GPU: {why})", self.path),
        }
    }

    /// Names of its features, `cnn_000` and on, in order.
    pub fn names(&self) -> Vec<String> {
        self.shape.feature_names()
    }

    /// Describes what `mask` marks in `volume`.
    ///
    /// Fails when the mask has another shape than the volume, or marks nothing.
    pub fn features(&self, volume: &Volume, mask: &Mask) -> Result<Features, NetError> {
        let bleed = Bleed::cut(volume, mask)?;
        let values = match self.gpu.as_ref().and_then(|gpu| gpu.of(&shown(&bleed))) {
            Some(means) => pooled(&means, &bleed),
            None => self.model.describe(&mut Work::default(), &bleed)?,
        };
        // As many values as names, and no name twice: the shape gives both.
        Features::new(self.names(), values).map_err(|error| NetError::Arithmetic(error.into()))
    }

    /// Probability that what `mask` marks in `volume` expands, `0.0..=1.0`, by the network's own
    /// last layer. Its labels are simulated; no threshold belongs to it.
    ///
    /// Fails like [`Cnn::features`].
    pub fn probability(&self, volume: &Volume, mask: &Mask) -> Result<f64, NetError> {
        let features = self.features(volume, mask)?;
        Ok(self.model.probability(features.values()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cnn::crop::tests::boxed;
    use crate::golden::shipped;
    use crate::{Network, weights};
    use ichor_core::PixelSpacing;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    const PIXEL: PixelSpacing = PixelSpacing { y: 0.5, x: 0.5 };

    /// A network of width 1 and depth 1 whose numbers are all a half, after `change` of its
    /// tensors and of its manifest.
    fn load(
        change: impl FnOnce(&mut Vec<(String, Vec<usize>)>),
        in_manifest: impl FnOnce(String) -> String,
    ) -> Result<Cnn, NetError> {
        let mut tensors = CnnShape::new(1, 1).unwrap().tensors();
        change(&mut tensors);
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, dims)| 0.5_f32.to_le_bytes().repeat(dims.iter().product()))
            .collect();
        let views = tensors.iter().zip(&bytes).map(|((name, dims), bytes)| {
            (name, TensorView::new(Dtype::F32, dims.clone(), bytes).unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tiny.safetensors"), &file).unwrap();
        let manifest = format!(
            r#"
            [[network]]
            name = "tiny"
            kind = "cnn"
            file = "tiny.safetensors"
            sha256 = "{}"
            width = 1
            depth = 1
            input = [1, 2, 128, 128]
            parameters = 35
            training_set = "none"
            licence = "none"
            card = "tiny.md"
            metrics = {{}}
            "#,
            weights::sha256(&file)
        );
        std::fs::write(folder.path().join("manifest.toml"), in_manifest(manifest)).unwrap();
        Cnn::load(&[folder.path().to_owned()], "tiny", Some(Path::Portable))
    }

    fn check(refused: Result<Cnn, NetError>, words: &str) {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn weights_that_are_not_the_manifests_are_refused() {
        assert_eq!(load(|_| (), |text| text).unwrap().names(), ["cnn_000", "cnn_001"]);
        let without = |t: &mut Vec<(String, Vec<usize>)>| t.retain(|t| t.0 != "fc.bias");
        check(load(without, |text| text), r#"tensor "fc.bias" is missing from"#);
        let with = |t: &mut Vec<(String, Vec<usize>)>| t.push(("out.bias".to_owned(), vec![1]));
        check(load(with, |text| text), r#"holds "out.bias", which a network of this width"#);
        let other = |t: &mut Vec<(String, Vec<usize>)>| t[0].1 = vec![1, 1, 3, 3];
        check(load(other, |text| text), "is [1, 1, 3, 3], expected [1, 2, 3, 3]");
        let hash = |text: String| text.replace("sha256 = \"", "sha256 = \"0");
        check(load(|_| (), hash), "its manifest says 0");
        let input = |text: String| text.replace("128, 128", "512, 512");
        check(load(|_| (), input), "gives tiny input [1, 2, 512, 512]");
    }

    #[test]
    fn a_network_of_the_other_kind_is_refused() {
        let unet = Cnn::load(&[shipped()], "unet-w16", None);
        check(unet, "unet-w16 is a unet, not a cnn: name another network of the manifest");
        let cnn = Network::load(&[shipped()], "cnn-w16", None).unwrap_err();
        assert!(matches!(cnn, NetError::OtherKind { .. }), "{cnn}");
    }

    #[test]
    fn paths_agree_on_the_features_of_the_shipped_network() {
        let (volume, mask) = boxed(PIXEL, 1..4, (60, 100), 40);
        let on = |path| Cnn::load(&[shipped()], "cnn-w16", Some(path)).unwrap();
        let plain = on(Path::Portable).features(&volume, &mask).unwrap();
        assert_eq!(plain.names().len(), 256);
        for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
            let cnn = on(path);
            assert!(!cnn.path().is_bf16());
            let found = cnn.features(&volume, &mask).unwrap();
            assert_eq!(found, cnn.features(&volume, &mask).unwrap(), "{path}");
            for (found, plain) in found.values().iter().zip(plain.values()) {
                assert!((found - plain).abs() < 1e-4 * (1.0 + plain.abs()), "{path}: {found}");
            }
        }
    }

    #[test]
    fn the_pixels_of_the_scan_hardly_move_the_answer() {
        let cnn = Cnn::load(&[shipped()], "cnn-w16", None).unwrap();
        let p = |pixel: PixelSpacing, first, size| {
            let (volume, mask) = boxed(pixel, 1..4, first, size);
            cnn.probability(&volume, &mask).unwrap()
        };
        let fine = p(PIXEL, (75, 80), 50);
        let coarse = p(PixelSpacing { y: 0.625, x: 0.625 }, (80, 80), 40);
        assert!((0.0..=1.0).contains(&fine));
        let by = (fine - coarse).abs();
        println!("{fine:.3}, {coarse:.3}");
        assert!(by < 0.1, "{fine}, {coarse}");
    }
}
