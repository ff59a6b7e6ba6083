//! The segmentation network by candle's own operations, in f32.
//!
//! Teng et al. 2021, Front. Aging Neurosci. 13:632138, figure 3: a U-Net whose second
//! convolution of every downward block is dilated by 2. Written apart from our kernels, it says
//! what they must say.

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2};

use crate::NetError;
use crate::forward::{Done, Forward, Slices};
use crate::shape::Shape;
use crate::weights::Weights;

/// A convolution with its bias, `(batch, c_in, y, x)` to `(batch, c_out, y, x)`.
#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    bias: Tensor,
}

impl Convolution {
    fn new(weights: &Weights, name: &str) -> Result<Self, NetError> {
        let weight = weights.get(&format!("{name}.weight"))?;
        let bias = weights.get(&format!("{name}.bias"))?.reshape((1, (), 1, 1))?;
        Ok(Self { weight, bias })
    }

    /// Same size out as in: the padding is what the kernel reaches.
    fn apply(&self, xs: &Tensor, dilation: usize) -> candle_core::Result<Tensor> {
        let padding = dilation * (self.weight.dim(3)? / 2);
        xs.conv2d(&self.weight, padding, 1, dilation, 1)?.broadcast_add(&self.bias)
    }

    /// Twice the size out, by a 2x2 kernel with stride 2.
    fn apply_up(&self, xs: &Tensor) -> candle_core::Result<Tensor> {
        xs.conv_transpose2d(&self.weight, 0, 0, 2, 1)?.broadcast_add(&self.bias)
    }
}

/// Two 3x3 convolutions with a rectifier each, the second dilated.
#[derive(Debug)]
struct DoubleConvolution {
    first: Convolution,
    second: Convolution,
    dilation: usize,
}

impl DoubleConvolution {
    fn new(weights: &Weights, name: &str, dilation: usize) -> Result<Self, NetError> {
        let first = Convolution::new(weights, &format!("{name}.c1"))?;
        let second = Convolution::new(weights, &format!("{name}.c2"))?;
        Ok(Self { first, second, dilation })
    }

    fn apply(&self, xs: &Tensor) -> candle_core::Result<Tensor> {
        self.second.apply(&self.first.apply(xs, 1)?.relu()?, self.dilation)?.relu()
    }
}

/// The network on one device.
#[derive(Debug)]
pub(crate) struct UNet {
    down: Vec<DoubleConvolution>,
    bottleneck: DoubleConvolution,
    up: Vec<(Convolution, DoubleConvolution)>,
    out: Convolution,
    device: Device,
    multiple: usize,
}

impl UNet {
    pub(crate) fn new(
        weights: &Weights,
        shape: Shape,
        device: Device,
    ) -> Result<Self, NetError> {
        let levels = 0..shape.depth();
        let down = levels
            .clone()
            .map(|level| DoubleConvolution::new(weights, &format!("d.{level}"), 2))
            .collect::<Result<_, _>>()?;
        let up = levels
            .rev()
            .map(|level| {
                let enlarge = Convolution::new(weights, &format!("t.{level}"))?;
                let block = DoubleConvolution::new(weights, &format!("u.{level}"), 1)?;
                Ok((enlarge, block))
            })
            .collect::<Result<_, NetError>>()?;
        let bottleneck = DoubleConvolution::new(weights, "bot", 1)?;
        let out = Convolution::new(weights, "out")?;
        Ok(Self { down, bottleneck, up, out, device, multiple: shape.multiple() })
    }

    /// Windowed pixels `(y, x)` in `0.0..=1.0` to the probability of blood, same shape.
    ///
    /// Fails when a side is not a multiple of two to the depth.
    fn probability(&self, windowed: ArrayView2<'_, f32>) -> Result<Array2<f32>, NetError> {
        let (y, x) = windowed.dim();
        let fits = |side: usize| side > 0 && side.is_multiple_of(self.multiple);
        if !fits(y) || !fits(x) {
            return Err(NetError::SliceShape { y, x, multiple: self.multiple });
        }
        let pixels: Vec<f32> = windowed.iter().copied().collect();
        let xs = Tensor::from_vec(pixels, (1, 1, y, x), &self.device)?;
        let logits: Vec<f32> = self.logits(&xs)?.flatten_all()?.to_vec1()?;
        let sigmoid = |logit: &f32| 1.0 / (1.0 + (-logit).exp());
        // One logit for each pixel: the shape check above makes sure of it.
        Ok(Array2::from_shape_fn((y, x), |(row, column)| sigmoid(&logits[row * x + column])))
    }

    /// `(batch, 1, y, x)` to logits of the same shape.
    fn logits(&self, xs: &Tensor) -> candle_core::Result<Tensor> {
        let mut skipped = Vec::with_capacity(self.down.len());
        let mut xs = xs.clone();
        for block in &self.down {
            let level = block.apply(&xs)?;
            xs = level.max_pool2d(2)?;
            skipped.push(level);
        }
        xs = self.bottleneck.apply(&xs)?;
        for (enlarge, block) in &self.up {
            xs = enlarge.apply_up(&xs)?;
            if let Some(level) = skipped.pop() {
                xs = Tensor::cat(&[level, xs], 1)?;
            }
            xs = block.apply(&xs)?;
        }
        self.out.apply(&xs, 1)
    }
}

impl Forward for UNet {
    fn device(&self) -> String {
        "cpu candle-f32".to_owned()
    }

    fn run(&self, slices: &Slices<'_>, done: &mut Done<'_>) -> Result<(), NetError> {
        for index in 0..slices.n {
            let probability = self.probability((slices.make)(index).windowed.view())?;
            if done(index, probability).is_break() {
                break;
            }
        }
        Ok(())
    }
}
