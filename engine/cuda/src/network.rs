//! A network by candle's tensors, forward and backward, on whatever device they lie.
//!
//! candle computes what it computes well on a GPU: products by cuBLAS, and what goes number by number;
//! convolutions are cuDNN's. The gradient is written out here: candle's max-pooling gives a
//! quarter of it, and its gradient by weights is a convolution with a kernel as large as the image.
//!
//! In bf16 the first step and the last are computed in f32: a pixel rounded to bf16 is off by up to
//! .2 HU in the brain, which moves edges, and both steps are cheap. The CPU, which convolves in no
//! bf16 here, rounds what a GPU would store in it, so that tests see what bf16 costs.

use std::cell::RefCell;

use candle_core::{DType, Device, Error, Result, Tensor};

use crate::convolve::{convolve, up};
use crate::copies::Copies;
use crate::interface::{BF16, CONVOLVE, F32, LOGITS, POOL, Step, UP};
use crate::steps::n_slots;
use crate::taps::{by_taps, gather, halves, largest, turned};

/// Batches whose maps can be kept.
const MOST_KEPT: usize = 4096;

/// Maps of one slot, by what is concatenated.
type Slot = [Option<Tensor>; 2];

/// A batch as it comes in.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// `(n, channels, y, x)`.
    pub(crate) pixels: &'a [f32],
    /// How many, rows, columns.
    pub(crate) dim: [usize; 3],
    /// Whether logits are given as probabilities.
    pub(crate) probabilities: bool,
    /// 0, or under which number the maps are kept for a gradient.
    pub(crate) keep: usize,
}

/// Weights of one step on the device.
#[derive(Debug)]
struct Layer {
    /// `(out, in, side, side)`; of an up-convolution as [`up`] takes it.
    weight: Tensor,
    /// `(1, out, 1, 1)`; of an up-convolution likewise.
    bias: Tensor,
    /// The bias spread over the last map that was made, on a GPU.
    spread: RefCell<Option<Tensor>>,
    /// From the gradient by the output to that by the input; none where maps are never kept.
    turned: Option<Tensor>,
}

impl Layer {
    /// The bias for a map of `y` rows and `x` columns; on a GPU it is spread over them and kept,
    /// unless `once`.
    fn bias(&self, (y, x): (usize, usize), once: bool) -> Result<Tensor> {
        if once || !self.bias.device().is_cuda() {
            return Ok(self.bias.clone());
        }
        let mut spread = self.spread.borrow_mut();
        let known = spread.take().filter(|map| map.dims()[2..] == [y, x]);
        let known = known.map_or_else(
            || self.bias.broadcast_as((1, self.bias.dim(1)?, y, x))?.force_contiguous(),
            Ok,
        )?;
        Ok(spread.insert(known).clone())
    }
}

/// A network on a device.
#[derive(Debug)]
pub(crate) struct Network {
    steps: Vec<Step>,
    n_slots: usize,
    layers: Vec<Option<Layer>>,
    channels: usize,
    n_parameters: usize,
    device: Device,
    /// Whether maps and weights are stored in bf16.
    half: bool,
    copies: Copies,
    kept: Vec<Option<Vec<Slot>>>,
}

impl Network {
    /// Puts `steps` with their `parameters` on `device`.
    ///
    /// Fails where the steps do not fit each other, or read parameters that are not there.
    pub(crate) fn new(
        device: Device,
        steps: Vec<Step>,
        channels: usize,
        parameters: &[f32],
        precision: u32,
    ) -> Result<Self> {
        let half = match precision {
            F32 => false,
            BF16 => true,
            other => return Err(Error::msg(format!("no precision {other}"))),
        };
        let n_parameters = parameters.len();
        let n_slots = n_slots(&steps, u32::try_from(channels).unwrap_or(0))?;
        let copies = Copies::new(&device)?;
        let (layers, kept) = (Vec::new(), Vec::new());
        let mut network =
            Self { steps, n_slots, layers, channels, n_parameters, device, half, copies, kept };
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
        let n = c_in.saturating_mul(c_out).saturating_mul(dims.2 * dims.3);
        let weight = part(step.weight, n)?;
        let mut weight = Tensor::from_slice(weight, dims, &Device::Cpu)?;
        if step.kind == UP {
            weight = weight.reshape((c_in, 4 * c_out))?.t()?.contiguous()?;
            weight = weight.reshape((4 * c_out, c_in, 1, 1))?;
        }
        let there = |tensor: &Tensor| {
            let tensor = tensor.to_device(&self.device)?;
            if in_f32(step) { Ok(tensor) } else { self.stored(tensor) }
        };
        let turned = if self.half { None } else { Some(there(&turned(&weight)?)?) };
        let mut bias = part(step.bias, c_out)?.to_vec();
        if step.kind == UP && self.device.is_cpu() {
            bias = bias.into_iter().flat_map(|bias| [bias; 4]).collect();
        } else if step.kind == UP {
            let back = weight.reshape((4 * c_out, c_in))?.t()?.contiguous()?;
            weight = back.reshape((c_in, c_out, 2, 2))?;
        }
        let n_biases = bias.len();
        let bias = Tensor::from_vec(bias, (1, n_biases, 1, 1), &Device::Cpu)?;
        let (weight, bias) = (there(&weight)?, there(&bias)?);
        Ok(Some(Layer { weight, bias, spread: RefCell::default(), turned }))
    }

    /// Numbers as maps and weights are stored.
    fn stored(&self, numbers: Tensor) -> Result<Tensor> {
        match (self.half, &self.device) {
            (false, _) => Ok(numbers),
            (true, Device::Cpu) => numbers.to_dtype(DType::BF16)?.to_dtype(DType::F32),
            (true, _) => numbers.to_dtype(DType::BF16),
        }
    }

    /// Begins a batch in a place of its own; on a GPU it is computed after this has returned.
    pub(crate) fn put(&mut self, place: usize, seen: &Seen<'_>) -> Result<()> {
        if seen.keep > 0 && self.half {
            return Err(Error::msg("a gradient is computed in f32 only"));
        }
        let [n, y, x] = seen.dim;
        let sides = [n, self.channels, y, x];
        let n_pixels = sides.into_iter().try_fold(1, usize::checked_mul);
        if n_pixels != Some(seen.pixels.len()) || seen.pixels.is_empty() {
            let words = format!("{} pixels for {sides:?}", seen.pixels.len());
            return Err(Error::msg(words));
        }
        let dims = (n, self.channels, y, x);
        let mut pixels = self.copies.bring(place, seen.pixels, dims, &self.device)?;
        if seen.keep > 0 {
            // On the stream that computes, since they outlast their place.
            pixels = pixels.force_contiguous()?;
        }
        // What kernels are told of shapes is uploaded once: an upload might wait for the batch before.
        #[cfg(feature = "cuda")]
        let _uploaded = match &self.device {
            Device::Cuda(cuda) if seen.keep == 0 => Some(cuda.enable_cuda_graph_htod_cache()),
            _ => None,
        };
        let mut out = self.forward(pixels, seen.keep)?;
        if seen.probabilities {
            out = (out.neg()?.exp()? + 1.0)?.recip()?;
        }
        self.copies.send(place, &out)
    }

    /// Waits for the batch in `place` and writes its output.
    pub(crate) fn get(&mut self, place: usize, to: &mut [f32]) -> Result<()> {
        self.copies.fetch(place, to)
    }

    /// Pixels `(n, channels, y, x)` to the output, in f32; maps are kept under `keep` where that
    /// is not 0.
    fn forward(&mut self, pixels: Tensor, keep: usize) -> Result<Tensor> {
        let mut slots: Vec<Slot> = vec![[None, None]; self.n_slots];
        slots[0][0] = Some(pixels);
        let mut out = None;
        for (at, (step, layer)) in self.steps.iter().zip(&self.layers).enumerate() {
            let source = step.source as usize;
            let seen = if step.kind == POOL {
                group(&slots[source], 0)?
            } else {
                joined(&slots[source])?
            };
            let (_, _, y, x) = seen.dims4()?;
            let made = match (step.kind, layer) {
                (POOL, _) => seen.max_pool2d(2)?,
                (_, None) => return Err(Error::msg("a step without its weights")),
                (CONVOLVE, Some(layer)) => {
                    let d = step.dilation as usize;
                    let bias = layer.bias((y, x), keep > 0)?;
                    self.stored(convolve(&seen, (&layer.weight, Some(&bias)), d, d)?)?.relu()?
                }
                (UP, Some(layer)) => {
                    let bias = layer.bias((2 * y, 2 * x), keep > 0)?;
                    self.stored(up(&seen, &layer.weight, &bias)?)?
                }
                (_, Some(layer)) => {
                    let bias = layer.bias((y, x), keep > 0)?;
                    let seen = seen.to_dtype(DType::F32)?;
                    out = Some(convolve(&seen, (&layer.weight, Some(&bias)), 0, 1)?);
                    continue;
                }
            };
            slots[step.target as usize][usize::from(step.group > 0)] = Some(made);
            let read_again = self.steps[at + 1..].iter().any(|s| s.source == step.source);
            if keep == 0 && !read_again {
                slots[source] = [None, None];
            }
        }
        let out = match (out, self.steps.last()) {
            (Some(logits), _) => logits,
            (None, Some(last)) => {
                group(&slots[last.target as usize], 0)?.to_dtype(DType::F32)?.mean((2, 3))?
            }
            (None, None) => return Err(Error::msg("a network without a step")),
        };
        if keep > 0 {
            if keep > MOST_KEPT {
                return Err(Error::msg(format!(
                    "maps are kept under 1 to {MOST_KEPT}, not {keep}"
                )));
            }
            self.kept.resize_with(self.kept.len().max(keep), || None);
            self.kept[keep - 1] = Some(slots);
        }
        Ok(out)
    }

    /// Gradient by the parameters into `gradient`, from that by the output of what was kept.
    pub(crate) fn gradient(
        &self,
        kept: usize,
        by_output: &[f32],
        gradient: &mut [f32],
    ) -> Result<()> {
        let slots = kept.checked_sub(1).and_then(|at| self.kept.get(at)?.as_ref());
        let slots = slots.ok_or_else(|| Error::msg(format!("nothing is kept under {kept}")))?;
        let mut back: Vec<Slot> = vec![[None, None]; slots.len()];
        if let Some(last) = self.steps.last().filter(|step| step.kind != LOGITS) {
            let maps = group(&slots[last.target as usize], 0)?;
            let (n, c, y, x) = maps.dims4()?;
            let means = Tensor::from_slice(by_output, (n, c, 1, 1), &self.device)?;
            let by_maps = (means / (y * x) as f64)?.broadcast_as((n, c, y, x))?.contiguous()?;
            back[last.target as usize][0] = Some(by_maps);
        }
        // Copied back when all of it is under way: a copy waits for what was begun before it.
        let mut parts = Vec::with_capacity(2 * self.steps.len());
        for (step, layer) in self.steps.iter().zip(&self.layers).rev() {
            let (source, target) = (step.source as usize, step.target as usize);
            let which = usize::from(step.group > 0);
            if step.kind == POOL {
                let by_output = group(&back[target], 0)?;
                let by_input = largest(&group(&slots[source], 0)?, &by_output)?;
                add(&mut back[source][0], by_input)?;
                continue;
            }
            let (Some(layer), seen) = (layer, joined(&slots[source])?) else {
                return Err(Error::msg("a step without its weights"));
            };
            let (n, _, y, x) = seen.dims4()?;
            let by_sums = match step.kind {
                LOGITS => Tensor::from_slice(by_output, (n, 1, y, x), &self.device)?,
                UP => group(&back[target], which)?,
                _ => {
                    let made = group(&slots[target], which)?;
                    let passed = made.gt(0f32)?.to_dtype(DType::F32)?;
                    (group(&back[target], which)? * passed)?
                }
            };
            parts.push((step.bias, by_sums.sum((0, 2, 3))?));
            let dilation = if step.kind == CONVOLVE { step.dilation as usize } else { 0 };
            let by_sums = if step.kind == UP { gather(&by_sums)? } else { by_sums };
            let mut by_weight = by_taps(&seen, &by_sums, dilation)?;
            if step.kind == UP {
                by_weight = by_weight.reshape((4 * step.channels_out as usize, ()))?.t()?;
            }
            parts.push((step.weight, by_weight.contiguous()?));
            if let (true, Some(turned)) = (source > 0, &layer.turned) {
                let by_input = convolve(&by_sums, (turned, None), dilation, dilation.max(1))?;
                let of = |at: usize| slots[source][at].as_ref().map(|maps| maps.dim(1));
                let [first, second] =
                    halves(&by_input, [of(0).transpose()?, of(1).transpose()?])?;
                first.map_or(Ok(()), |part| add(&mut back[source][0], part))?;
                second.map_or(Ok(()), |part| add(&mut back[source][1], part))?;
            }
        }
        gradient.fill(0.0);
        parts.iter().try_for_each(|(start, part)| write(gradient, *start, part))
    }
}

/// Whether a step is computed in f32 in every precision.
fn in_f32(step: &Step) -> bool {
    step.source == 0 || step.kind == LOGITS
}

/// One group of a slot.
fn group(slot: &Slot, which: usize) -> Result<Tensor> {
    slot[which].clone().ok_or_else(|| Error::msg("a step reads maps that are not written"))
}

/// All channels of a slot.
fn joined(slot: &Slot) -> Result<Tensor> {
    match slot {
        [Some(first), Some(second)] => Tensor::cat(&[first, second], 1),
        _ => group(slot, 0),
    }
}

fn add(sum: &mut Option<Tensor>, part: Tensor) -> Result<()> {
    *sum = Some(match sum.take() {
        Some(sum) => (sum + part)?,
        None => part,
    });
    Ok(())
}

/// Writes `part` where its parameters start.
fn write(gradient: &mut [f32], start: u64, part: &Tensor) -> Result<()> {
    let numbers: Vec<f32> = part.flatten_all()?.to_vec1()?;
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let place = gradient.get_mut(start..start.saturating_add(numbers.len()));
    place.ok_or_else(|| Error::msg("a gradient that is too short"))?.copy_from_slice(&numbers);
    Ok(())
}
