//! Weights from disk: hash first, then names and shapes, then numbers.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::NetError;
use crate::manifest::Entry;

/// Every tensor of a network in f32, by name; complete and of the right shapes.
#[derive(Debug)]
pub(crate) struct Weights {
    tensors: BTreeMap<String, Tensor>,
    path: PathBuf,
}

impl Weights {
    /// Reads `entry`'s file in `folder` to `device`; `expected` are all tensors it must hold.
    ///
    /// Fails when its hash, its names or its shapes are not those of the manifest.
    pub(crate) fn load(
        folder: &Path,
        entry: &Entry,
        expected: Vec<(String, Vec<usize>)>,
        device: &Device,
    ) -> Result<Self, NetError> {
        let path = folder.join(&entry.file);
        let bytes = std::fs::read(&path)
            .map_err(|source| NetError::Read { path: path.clone(), source })?;
        let found = sha256(&bytes);
        if !found.eq_ignore_ascii_case(&entry.sha256) {
            return Err(NetError::Hash { path, expected: entry.sha256.clone(), found });
        }
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|source| NetError::Format { path: path.clone(), source })?;
        if let Some(tensor) =
            file.names().into_iter().find(|name| expected.iter().all(|(n, _)| n != name))
        {
            return Err(NetError::ExtraTensor { path, tensor: tensor.to_owned() });
        }
        let mut tensors = BTreeMap::new();
        for (name, dims) in expected {
            let tensor = read(&file, &path, &name, dims, device)?;
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors, path })
    }

    /// The numbers of every tensor, by name.
    pub(crate) fn numbers(&self) -> Result<BTreeMap<String, Vec<f32>>, NetError> {
        let numbers = |(name, tensor): (&String, &Tensor)| {
            Ok((name.clone(), tensor.flatten_all()?.to_vec1()?))
        };
        self.tensors.iter().map(numbers).collect()
    }

    /// The numbers of `tensors`, all of which are there, one after the other.
    pub(crate) fn flat(&self, tensors: &[(String, Vec<usize>)]) -> Result<Vec<f32>, NetError> {
        let mut numbers = self.numbers()?;
        let of = |(name, _): &(String, Vec<usize>)| numbers.remove(name).unwrap_or_default();
        Ok(tensors.iter().flat_map(of).collect())
    }

    /// The tensor called `name`.
    pub(crate) fn get(&self, name: &str) -> Result<Tensor, NetError> {
        self.tensors.get(name).cloned().ok_or_else(|| NetError::MissingTensor {
            path: self.path.clone(),
            tensor: name.to_owned(),
        })
    }
}

/// One tensor in f32, refused unless it is there, has the shape `expected` and holds floats.
fn read(
    file: &SafeTensors<'_>,
    path: &Path,
    name: &str,
    expected: Vec<usize>,
    device: &Device,
) -> Result<Tensor, NetError> {
    let tensor = || name.to_owned();
    let view = file
        .tensor(name)
        .map_err(|_| NetError::MissingTensor { path: path.to_owned(), tensor: tensor() })?;
    if view.shape() != expected {
        let found = view.shape().to_vec();
        return Err(NetError::TensorShape { tensor: tensor(), found, expected });
    }
    if !matches!(view.dtype(), Dtype::F16 | Dtype::BF16 | Dtype::F32) {
        let found = format!("{:?}", view.dtype());
        return Err(NetError::TensorType { tensor: tensor(), found });
    }
    Ok(view.load(device)?.to_dtype(DType::F32)?)
}

/// SHA-256 as the manifest writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;
    use crate::shape::Shape;
    use safetensors::tensor::TensorView;

    type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

    /// The 12 tensors of a network of width 1 and depth 1, each number a half.
    fn tiny(dtype: Dtype) -> Tensors {
        let half: &[u8] = match dtype {
            Dtype::F16 => &[0x00, 0x38],
            Dtype::BF16 => &[0x00, 0x3f],
            _ => &[0x00, 0x00, 0x00, 0x3f],
        };
        let filled = |(name, dims): (String, Vec<usize>)| {
            let bytes = half.repeat(dims.iter().product());
            (name, dtype, dims, bytes)
        };
        Shape::new(1, 1).unwrap().tensors().into_iter().map(filled).collect()
    }

    /// Loads a network of these tensors; the manifest has their hash unless another is given.
    fn load(tensors: &Tensors, hash: Option<&str>) -> Result<Network, NetError> {
        let folder = tempfile::tempdir().unwrap();
        let views = tensors.iter().map(|(name, dtype, dims, bytes)| {
            (name, TensorView::new(*dtype, dims.clone(), bytes).unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        std::fs::write(folder.path().join("tiny.safetensors"), &bytes).unwrap();
        let hash = hash.map_or_else(|| sha256(&bytes), str::to_owned);
        let manifest = format!(
            r#"
            [[network]]
            name = "tiny"
            kind = "unet"
            file = "tiny.safetensors"
            sha256 = "{hash}"
            width = 1
            depth = 1
            input = [1, 1, 512, 512]
            parameters = 118
            training_set = "none"
            licence = "none"
            card = "tiny.md"
            metrics = {{}}
            "#
        );
        std::fs::write(folder.path().join("manifest.toml"), manifest).unwrap();
        Network::load(&[folder.path().to_owned()], "tiny", Some(crate::Path::Portable))
    }

    /// What is said about the tensors after `change`.
    fn check(change: impl FnOnce(&mut Tensors), words: &str) {
        let mut tensors = tiny(Dtype::F32);
        change(&mut tensors);
        let said = load(&tensors, None).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn a_network_stored_in_any_float_gives_the_same_numbers() {
        let ramp =
            ndarray::Array2::from_shape_fn((4, 6), |(y, x)| (y as f32 + x as f32) / 10.0);
        let run = |d| load(&tiny(d), None).unwrap().probability_of_slice(ramp.view()).unwrap();
        let expected = run(Dtype::F32);
        assert!(expected.iter().all(|p| (0.5..=1.0).contains(p)));
        assert_eq!(run(Dtype::F16), expected);
        assert_eq!(run(Dtype::BF16), expected);
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_refused() {
        let text = std::fs::read_to_string(crate::golden::shipped().join("manifest.toml"));
        let folder = tempfile::tempdir().unwrap();
        let changed = text.unwrap().replace("width = 16", "width = 32");
        std::fs::write(folder.path().join("manifest.toml"), changed).unwrap();
        let refused = Network::load(&[folder.path().to_owned()], "unet-w16", None);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the manifest gives unet-w16 parameters 1940817, its width and depth give 7759521"
        );
    }

    #[test]
    fn weights_with_another_hash_are_refused() {
        let said = load(&tiny(Dtype::F32), Some("c0ffee")).unwrap_err().to_string();
        assert!(said.contains("tiny.safetensors has sha256 "), "{said}");
        assert!(said.contains("its manifest says c0ffee"), "{said}");
    }

    #[test]
    fn a_missing_tensor_is_named() {
        check(
            |t| t.retain(|(name, ..)| name != "bot.c2.bias"),
            r#"tensor "bot.c2.bias" is missing from"#,
        );
    }

    #[test]
    fn a_tensor_without_a_place_is_named() {
        check(
            |t| t.push(("d.1.c1.bias".to_owned(), Dtype::F32, vec![1], vec![0; 4])),
            r#"holds "d.1.c1.bias", which a network of this width and depth does not have"#,
        );
    }

    #[test]
    fn a_tensor_of_another_shape_is_named() {
        check(
            |t| {
                for (_, _, dims, bytes) in t.iter_mut().filter(|t| t.0 == "t.0.weight") {
                    *dims = vec![1, 2, 2, 2];
                    bytes.truncate(32);
                }
            },
            r#"tensor "t.0.weight" is [1, 2, 2, 2], expected [2, 1, 2, 2]"#,
        );
    }

    #[test]
    fn weights_in_whole_numbers_are_refused() {
        check(
            |t| t.iter_mut().for_each(|t| t.1 = Dtype::I32),
            "is stored as I32, expected F16, BF16 or F32",
        );
    }

    #[test]
    fn a_network_that_no_manifest_names_is_told_apart_from_those_that_are_there() {
        let folders = [PathBuf::from("/nowhere"), crate::golden::shipped()];
        let said = Network::load(&folders, "unet-w99", None).unwrap_err().to_string();
        assert!(said.contains(r#"no network "unet-w99" in /nowhere, "#), "{said}");
        assert!(said.contains("found unet-w16"), "{said}");
    }
}
