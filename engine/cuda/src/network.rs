//! A network by candle's tensors on whatever device they lie: its weights, and the way forward.
//!
//! candle computes what it computes well on a GPU: convolutions by cuDNN, products by cuBLAS. A
//! 2x2 up-convolution is a 1x1 convolution whose channels are dealt out over four pixels, because
//! candle's own is a naive kernel. On the CPU, which has no bf16 here, maps and weights are rounded
//! to it where a GPU would round them.

use candle_core::{DType, Device, Error, Result, Tensor};

use crate::convolve::convolve;
use crate::copies::Copies;
use crate::inside::Inside;
use crate::interface::{BF16, CONVOLVE, F32, LOGITS, POOL, Step, UP};
use crate::taps::{deal, turned};

/// Maps of one slot, by what is concatenated.
pub(crate) type Slot = [Option<Tensor>; 2];

/// A batch as it comes in.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// `(n, channels, y, x)`.
    pub(crate) pixels: &'a [f32],
    /// How many, rows, columns.
    pub(crate) dim: [usize; 3],
    /// Rows and columns of each slice; all of them where none.
    pub(crate) sides: Option<&'a [[usize; 2]]>,
    /// Whether logits are given as probabilities.
    pub(crate) probabilities: bool,
    /// Whether the maps are kept for a gradient.
    pub(crate) keep: bool,
}

/// Maps of a batch, for its gradient.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) slots: Vec<Slot>,
    pub(crate) inside: Option<Inside>,
}

/// Weights of one step on the device.
#[derive(Debug)]
pub(crate) struct Layer {
    /// `(out, in, side, side)`; of an up-convolution `(4 out, in, 1, 1)`.
    weight: Tensor,
    /// `(1, out, 1, 1)`.
    bias: Tensor,
    /// From the gradient by the output to that by the input; none where maps are never kept.
    pub(crate) turned: Option<Tensor>,
}

/// A network on a device.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) steps: Vec<Step>,
    pub(crate) layers: Vec<Option<Layer>>,
    channels: usize,
    n_parameters: usize,
    pub(crate) device: Device,
    dtype: DType,
    /// Whether numbers are rounded to bf16 that are stored in f32.
    rounds: bool,
    copies: Copies,
    pub(crate) kept: Option<Kept>,
}

impl Network {
    /// Puts `steps` with their `parameters` on `device`.
    ///
    /// Fails where a step reads what is not written, or parameters that are not there.
    pub(crate) fn new(
        device: Device,
        steps: Vec<Step>,
        channels: usize,
        parameters: &[f32],
        precision: u32,
    ) -> Result<Self> {
        let (dtype, rounds) = match (precision, &device) {
            (F32, _) => (DType::F32, false),
            (BF16, Device::Cpu) => (DType::F32, true),
            (BF16, _) => (DType::BF16, false),
            (other, _) => return Err(Error::msg(format!("no precision {other}"))),
        };
        let copies = Copies::new(&device)?;
        let mut network = Self {
            steps,
            layers: Vec::new(),
            channels,
            n_parameters: parameters.len(),
            device,
            dtype,
            rounds,
            copies,
            kept: None,
        };
        network.take(parameters)?;
        Ok(network)
    }

    /// Takes new parameters.
    pub(crate) fn take(&mut self, parameters: &[f32]) -> Result<()> {
        if parameters.len() != self.n_parameters {
            let n = self.n_parameters;
            return Err(Error::msg(format!("{} parameters for {n}", parameters.len())));
        }
        let layers = self.steps.iter().map(|step| self.layer(step, parameters));
        self.layers = layers.collect::<Result<_>>()?;
        self.kept = None;
        Ok(())
    }

    fn layer(&self, step: &Step, parameters: &[f32]) -> Result<Option<Layer>> {
        let (c_in, c_out) = (step.channels_in as usize, step.channels_out as usize);
        let dims = match step.kind {
            CONVOLVE => (c_out, c_in, 3, 3),
            UP => (c_in, c_out, 2, 2),
            LOGITS => (c_out, c_in, 1, 1),
            POOL => return Ok(None),
            other => return Err(Error::msg(format!("no step of kind {other}"))),
        };
        let part = |start: u64, n: usize| {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let end = start.saturating_add(n);
            let missing = || Error::msg(format!("no parameters {start} to {end}"));
            parameters.get(start..end).ok_or_else(missing)
        };
        let weight = part(step.weight, dims.0 * dims.1 * dims.2 * dims.3)?;
        let mut weight = Tensor::from_slice(weight, dims, &Device::Cpu)?;
        if step.kind == UP {
            weight = weight.reshape((c_in, 4 * c_out))?.t()?.contiguous()?;
            weight = weight.reshape((4 * c_out, c_in, 1, 1))?;
        }
        if step.source == 0 && !self.exact() {
            // What bf16 leaves of a pixel is seen by the same weights.
            weight = Tensor::cat(&[&weight, &weight], 1)?;
        }
        let there = |tensor: &Tensor| {
            self.rounded(tensor.to_dtype(self.dtype)?)?.to_device(&self.device)
        };
        let bias = Tensor::from_slice(part(step.bias, c_out)?, (1, c_out, 1, 1), &Device::Cpu)?;
        let turned = if self.exact() { Some(there(&turned(&weight)?)?) } else { None };
        Ok(Some(Layer { weight: there(&weight)?, bias: there(&bias)?, turned }))
    }

    /// Whether it computes in f32 throughout.
    fn exact(&self) -> bool {
        self.dtype == DType::F32 && !self.rounds
    }

    /// What a GPU would have stored.
    fn rounded(&self, numbers: Tensor) -> Result<Tensor> {
        if self.rounds {
            numbers.to_dtype(DType::BF16)?.to_dtype(DType::F32)
        } else {
            Ok(numbers)
        }
    }

    /// Pixels as they are stored: in bf16 the nearest number, and in as many channels again what is
    /// left of the pixel. A bf16 of 40 HU is off by 0.1 HU, both together by less than 0.001.
    fn input(&self, pixels: &Tensor) -> Result<Tensor> {
        let stored = |numbers: &Tensor| self.rounded(numbers.to_dtype(self.dtype)?);
        let near = stored(pixels)?;
        if self.exact() {
            return Ok(near);
        }
        let left = (pixels - near.to_dtype(DType::F32)?)?;
        Tensor::cat(&[&near, &stored(&left)?], 1)
    }

    /// Begins a batch in a place of its own.
    pub(crate) fn put(&mut self, place: usize, seen: &Seen<'_>) -> Result<()> {
        if seen.keep && !self.exact() {
            return Err(Error::msg("a gradient is computed in f32 only"));
        }
        let [n, y, x] = seen.dim;
        let dims = (n, self.channels, y, x);
        let pixels = self.copies.bring(place, seen.pixels, dims, &self.device)?;
        let mut out = self.forward(&pixels, seen)?.to_dtype(DType::F32)?;
        if seen.probabilities {
            out = (out.neg()?.exp()? + 1.0)?.recip()?;
        }
        self.copies.send(place, &out)
    }

    /// Waits for the batch in `place` and writes its output.
    pub(crate) fn get(&mut self, place: usize, to: &mut [f32]) -> Result<()> {
        self.copies.fetch(place, to)
    }

    /// Pixels `(n, channels, y, x)` to the output.
    fn forward(&mut self, pixels: &Tensor, seen: &Seen<'_>) -> Result<Tensor> {
        let n_poolings = self.steps.iter().filter(|step| step.kind == POOL).count();
        let storage = (self.dtype, &self.device);
        let inside = seen
            .sides
            .map(|sides| Inside::new(sides, seen.dim, n_poolings, storage))
            .transpose()?;
        let only = |maps: Tensor| match &inside {
            Some(inside) => inside.of(&maps),
            None => Ok(maps),
        };
        let n_slots = 2 + self.steps.iter().map(|s| s.target.max(s.source)).max().unwrap_or(0);
        let mut slots: Vec<Slot> = vec![[None, None]; n_slots as usize];
        slots[0][0] = Some(only(self.input(pixels)?)?);
        let mut logits = None;
        for (at, (step, layer)) in self.steps.iter().zip(&self.layers).enumerate() {
            let source = step.source as usize;
            if step.kind == LOGITS {
                logits = Some(self.step(step, layer.as_ref(), &slots[source])?);
                continue;
            }
            let made = only(self.step(step, layer.as_ref(), &slots[source])?)?;
            slots[step.target as usize][usize::from(step.group > 0)] = Some(made);
            let read_again = self.steps[at + 1..].iter().any(|s| s.source == step.source);
            if !seen.keep && !read_again {
                slots[source] = [None, None];
            }
        }
        let out = match (logits, self.steps.last()) {
            (Some(logits), _) => logits,
            (None, Some(last)) => {
                means(&group(&slots[last.target as usize], 0)?, inside.as_ref())?
            }
            (None, None) => return Err(Error::msg("a network without a step")),
        };
        if seen.keep {
            self.kept = Some(Kept { slots, inside });
        }
        Ok(out)
    }

    /// What one step makes of a slot.
    fn step(&self, step: &Step, layer: Option<&Layer>, source: &Slot) -> Result<Tensor> {
        if step.kind == POOL {
            return group(source, 0)?.max_pool2d(2);
        }
        let Layer { weight, bias, .. } =
            layer.ok_or_else(|| Error::msg("a step without its weights"))?;
        let seen = joined(source)?;
        let made = match step.kind {
            CONVOLVE => {
                let d = step.dilation as usize;
                convolve(&seen, weight, d, d)?
            }
            UP => deal(&convolve(&seen, weight, 0, 1)?)?,
            _ => convolve(&seen, weight, 0, 1)?,
        };
        let made = self.rounded(self.rounded(made)?.broadcast_add(bias)?)?;
        if step.kind == CONVOLVE { made.relu() } else { Ok(made) }
    }
}

/// Means over `(y, x)` of what is there, `(n, c)`, in f32.
fn means(maps: &Tensor, inside: Option<&Inside>) -> Result<Tensor> {
    let maps = maps.to_dtype(DType::F32)?;
    let Some(inside) = inside else { return maps.mean((2, 3)) };
    let (n, _, y, x) = maps.dims4()?;
    let n_pixels = inside.n_pixels(y, x)?.reshape((n, 1))?;
    maps.sum((2, 3))?.broadcast_div(&n_pixels)
}

/// One group of a slot.
pub(crate) fn group(slot: &Slot, which: usize) -> Result<Tensor> {
    slot[which].clone().ok_or_else(|| Error::msg("a step reads maps that are not written"))
}

/// All channels of a slot.
pub(crate) fn joined(slot: &Slot) -> Result<Tensor> {
    match slot {
        [Some(first), Some(second)] => Tensor::cat(&[first, second], 1),
        _ => group(slot, 0),
    }
}
