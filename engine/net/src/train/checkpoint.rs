//! A training that stopped, as a file: all that the next step needs, and whose it is.
//!
//! One safetensors file, replaced whole. It belongs to a recipe and to examples, by their
//! hashes; another training refuses it.

use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::adamw::Moments;
use super::course::{Curves, Measured, State};
use super::state_dict::replace;
use crate::NetError;

/// Whose a checkpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) recipe: String,
    pub(super) examples: String,
}

/// Writes `state` as the file `path`.
pub(super) fn save<V: Measured>(
    path: &Path,
    state: &State<V>,
    owner: &Owner,
) -> Result<(), NetError> {
    let failed = |source| NetError::Format { path: path.to_owned(), source };
    let floats = |numbers: &[f32]| numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
    let doubles = |numbers: &[f64]| numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
    let validations: Vec<f64> =
        state.curves.validations.iter().flat_map(|v| v.numbers()).collect();
    let tensors: [(&str, Dtype, usize, Vec<u8>); 7] = [
        ("parameters", Dtype::F32, state.parameters.len(), floats(&state.parameters)),
        ("first", Dtype::F32, state.moments.first.len(), floats(&state.moments.first)),
        ("second", Dtype::F32, state.moments.second.len(), floats(&state.moments.second)),
        ("average", Dtype::F32, state.average.len(), floats(&state.average)),
        ("best", Dtype::F32, state.best.len(), floats(&state.best)),
        ("loss", Dtype::F64, state.curves.loss.len(), doubles(&state.curves.loss)),
        ("validations", Dtype::F64, validations.len(), doubles(&validations)),
    ];
    let mut views = Vec::new();
    for (name, dtype, n, bytes) in &tensors {
        views.push((*name, TensorView::new(*dtype, vec![*n], bytes).map_err(failed)?));
    }
    let said = [("recipe", &owner.recipe), ("examples", &owner.examples)];
    let said = said.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    replace(path, &safetensors::serialize(views, Some(said)).map_err(failed)?)
}

/// The state in the file `path`; none where there is no file.
///
/// Fails when it was written by a training of another recipe or other examples.
pub(super) fn load<V: Measured>(
    path: &Path,
    owner: &Owner,
) -> Result<Option<State<V>>, NetError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(NetError::Read { path: path.to_owned(), source }),
    };
    let failed = |source| NetError::Format { path: path.to_owned(), source };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(failed)?;
    let said = |key: &str| header.metadata().as_ref().and_then(|said| said.get(key));
    for (what, key, expected) in
        [("recipe", "recipe", &owner.recipe), ("set of examples", "examples", &owner.examples)]
    {
        if said(key) != Some(expected) {
            return Err(NetError::OtherTraining { path: path.to_owned(), what });
        }
    }
    let file = SafeTensors::deserialize(&bytes).map_err(failed)?;
    let floats = |name: &str| -> Result<Vec<f32>, NetError> {
        let bytes = file.tensor(name).map_err(failed)?.data();
        Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    };
    let doubles = |name: &str| -> Result<Vec<f64>, NetError> {
        let bytes = file.tensor(name).map_err(failed)?.data();
        Ok(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect())
    };
    let validations = doubles("validations")?.as_chunks().0.iter().map(|v| V::of(*v)).collect();
    Ok(Some(State {
        parameters: floats("parameters")?,
        moments: Moments { first: floats("first")?, second: floats("second")? },
        average: floats("average")?,
        best: floats("best")?,
        curves: Curves { loss: doubles("loss")?, validations },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::validate::Validation;

    #[test]
    fn a_checkpoint_comes_back_with_the_same_bits_and_to_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        let owner = Owner { recipe: "r".to_owned(), examples: "e".to_owned() };
        assert_eq!(load::<Validation>(&path, &owner).unwrap(), None);
        let mut state = State::new(vec![0.1, -2.0]);
        state.moments.second[1] = 1e-30;
        state.curves.loss = vec![0.7, 1.0 / 3.0];
        let validation = Validation { step: 2, mean_iou: 0.3, least_iou: 0.1 };
        state.curves.validations.push(validation);
        save(&path, &state, &owner).unwrap();
        assert_eq!(load(&path, &owner).unwrap(), Some(state));
        let other = Owner { recipe: "other".to_owned(), ..owner };
        let said = load::<Validation>(&path, &other).unwrap_err().to_string();
        assert!(said.contains("written by a training with another recipe"), "{said}");
    }
}
