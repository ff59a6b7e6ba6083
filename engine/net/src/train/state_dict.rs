//! Weights files as one flat vector, in the order of `Shape::tensors()`, and back.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::NetError;
use crate::shape::Shape;

/// The bytes of a weights file that was read whole.
pub(super) struct StateDict {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl StateDict {
    pub(super) fn read(path: &Path) -> Result<Self, NetError> {
        let bytes = fs::read(path)
            .map_err(|source| NetError::Read { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn open(&self) -> Result<SafeTensors<'_>, NetError> {
        SafeTensors::deserialize(&self.bytes)
            .map_err(|source| NetError::Format { path: self.path.clone(), source })
    }

    /// Channels of the first level, as the last convolution tells them.
    pub(super) fn width(&self) -> Result<usize, NetError> {
        let name = "out.weight";
        let file = self.open()?;
        let view = file.tensor(name).map_err(|_| self.missing(name))?;
        Ok(view.shape().get(1).copied().unwrap_or_default())
    }

    /// All tensors of `shape`, which must be all that the file holds.
    pub(super) fn flat(&self, shape: Shape) -> Result<Vec<f32>, NetError> {
        let file = self.open()?;
        let tensors = shape.tensors();
        let known = |name: &str| tensors.iter().any(|(known, _)| known == name);
        if let Some(tensor) = file.names().into_iter().find(|name| !known(name)) {
            let (path, tensor) = (self.path.clone(), tensor.to_owned());
            return Err(NetError::ExtraTensor { path, tensor });
        }
        let mut flat = Vec::with_capacity(shape.n_parameters());
        for (name, expected) in tensors {
            let view = file.tensor(&name).map_err(|_| self.missing(&name))?;
            if view.shape() != expected {
                let found = view.shape().to_vec();
                return Err(NetError::TensorShape { tensor: name, found, expected });
            }
            extend(&mut flat, &view, &name)?;
        }
        Ok(flat)
    }

    fn missing(&self, name: &str) -> NetError {
        NetError::MissingTensor { path: self.path.clone(), tensor: name.to_owned() }
    }
}

/// Adds the numbers of `view` to `flat`.
fn extend(flat: &mut Vec<f32>, view: &TensorView<'_>, name: &str) -> Result<(), NetError> {
    let bytes = view.data();
    let two = |bytes: &[u8]| [bytes[0], bytes[1]];
    match view.dtype() {
        Dtype::F16 => {
            flat.extend(bytes.chunks_exact(2).map(|b| f16::from_le_bytes(two(b)).to_f32()));
        }
        Dtype::BF16 => {
            flat.extend(bytes.chunks_exact(2).map(|b| bf16::from_le_bytes(two(b)).to_f32()));
        }
        Dtype::F32 => flat.extend(
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        ),
        other => {
            let found = format!("{other:?}");
            return Err(NetError::TensorType { tensor: name.to_owned(), found });
        }
    }
    Ok(())
}

/// The file that holds `flat`, all `tensors` one after the other, as bf16: the bf16 paths then
/// compute with the very weights of the f32 ones, which f16 would not give them.
pub(super) fn bf16_file(
    path: &Path,
    tensors: &[(String, Vec<usize>)],
    flat: &[f32],
) -> Result<Vec<u8>, NetError> {
    let halves: Vec<u8> = flat.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect();
    file(path, tensors, (Dtype::BF16, &halves))
}

/// The file that holds `flat` as f16, which keeps more of a number that is only computed in f32.
pub(super) fn f16_file(
    path: &Path,
    tensors: &[(String, Vec<usize>)],
    flat: &[f32],
) -> Result<Vec<u8>, NetError> {
    let halves: Vec<u8> = flat.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
    file(path, tensors, (Dtype::F16, &halves))
}

/// The file of numbers of two bytes.
fn file(
    path: &Path,
    tensors: &[(String, Vec<usize>)],
    (dtype, halves): (Dtype, &[u8]),
) -> Result<Vec<u8>, NetError> {
    let failed = |source| NetError::Format { path: path.to_owned(), source };
    let mut rest = halves;
    let mut views = Vec::new();
    for (name, dims) in tensors {
        let (bytes, after) = rest.split_at(2 * dims.iter().product::<usize>());
        rest = after;
        views.push((name, TensorView::new(dtype, dims.clone(), bytes).map_err(failed)?));
    }
    safetensors::serialize(views, None).map_err(failed)
}

/// Writes `bytes` beside `path` and renames: whoever reads it finds the old file or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), NetError> {
    let failed = |source| NetError::Write { path: path.to_owned(), source };
    let beside = path.with_extension("half");
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_back_as_they_were_up_to_half_precision() {
        let shape = Shape::new(2, 1).unwrap();
        let flat: Vec<f32> =
            (0..shape.n_parameters()).map(|i| (i as f32 - 200.0) / 64.0).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/w.safetensors");
        replace(&path, &bf16_file(&path, &shape.tensors(), &flat).unwrap()).unwrap();
        let file = StateDict::read(&path).unwrap();
        assert_eq!((file.width().unwrap(), file.flat(shape).unwrap()), (2, flat));
        let said = file.flat(Shape::new(2, 2).unwrap()).unwrap_err().to_string();
        assert!(said.contains("tensor \"d.1.c1.weight\" is missing"), "{said}");
    }
}
