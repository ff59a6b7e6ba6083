//! Where a training starts: at random, or at weights that are there, widened where need be.

use super::random::{Random, Stream};
use super::recipe::Recipe;
use super::state_dict::StateDict;
use super::widen::widened;
use crate::NetError;
use crate::shape::Shape;
use crate::weights::sha256;

/// Bias of the logits at a random start: blood is rare.
const FIRST_LOGIT: f32 = -3.0;
/// Deviation of the last convolution at a random start.
const LAST_WEIGHTS: f64 = 0.05;

/// The first parameters of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// In the order of the network's tensors.
    pub(super) parameters: Vec<f32>,
    /// What they are, in words for the model card.
    pub words: String,
}

impl Start {
    /// What `recipe` starts from.
    ///
    /// Fails when its `init` cannot be read, or has a width that doubling does not lead to the
    /// recipe's.
    pub fn of(recipe: &Recipe) -> Result<Self, NetError> {
        let shape = recipe.shape()?;
        let Some(path) = &recipe.init else {
            let mut random = Random::keyed(Stream::Start, &[recipe.seed]);
            let words = format!("random weights, seed {}", recipe.seed);
            return Ok(Self { parameters: drawn(shape, &mut random), words });
        };
        let file = StateDict::read(path)?;
        let found = file.width()?;
        let mut width = found;
        let mut parameters = file.flat(Shape::new(found, recipe.depth)?)?;
        let mut random = Random::keyed(Stream::Widen, &[recipe.seed]);
        while width < recipe.width {
            parameters =
                widened(&parameters, (width, recipe.depth), recipe.uneven, &mut random)?;
            width *= 2;
        }
        if width != recipe.width {
            let (path, wanted) = (path.clone(), recipe.width);
            return Err(NetError::StartWidth { path, found, wanted });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let widening = if width == found {
            String::new()
        } else {
            format!(
                ", widened from {found} to {width} channels without a change of its answers"
            )
        };
        let words = format!("{name} (sha256 {}){widening}", sha256(file.bytes()));
        Ok(Self { parameters, words })
    }
}

/// He et al. 2015: deviation `sqrt(2 / inputs)` for weights before a rectifier, no bias.
fn drawn(shape: Shape, random: &mut Random) -> Vec<f32> {
    let mut flat = Vec::with_capacity(shape.n_parameters());
    for (name, dims) in shape.tensors() {
        let n = dims.iter().product();
        if name == "out.bias" {
            flat.push(FIRST_LOGIT);
        } else if dims.len() == 1 {
            flat.extend(std::iter::repeat_n(0.0, n));
        } else {
            // A pixel of an up-convolution has one tap of each input.
            let n_inputs =
                if name.starts_with("t.") { dims[0] } else { dims[1..].iter().product() };
            let he = (2.0 / n_inputs as f64).sqrt();
            let deviation = if name == "out.weight" { LAST_WEIGHTS } else { he };
            flat.extend((0..n).map(|_| (deviation * random.normal()) as f32));
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::shipped;
    use crate::train::examples::tests::recipe;

    fn from_shipped(text: &str) -> Result<Start, NetError> {
        let init = Some(shipped().join("unet-w16.safetensors"));
        Start::of(&Recipe { init, ..recipe(text) })
    }

    #[test]
    fn the_shipped_network_starts_one_of_twice_its_width() {
        let start = from_shipped("width = 32").unwrap();
        assert_eq!(start.parameters.len(), Shape::new(32, 4).unwrap().n_parameters());
        assert!(start.words.contains("widened from 16 to 32"), "{}", start.words);
        let said = from_shipped("width = 24").unwrap_err().to_string();
        assert!(said.contains("has width 16, the recipe 24"), "{said}");
    }

    #[test]
    fn a_random_start_follows_from_the_seed() {
        let start = |text: &str| Start::of(&recipe(text)).unwrap().parameters;
        assert_eq!(start("width = 2\nseed = 3"), start("width = 2\nseed = 3"));
        assert_ne!(start("width = 2\nseed = 3"), start("width = 2\nseed = 4"));
    }
}
