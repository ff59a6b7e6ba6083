//! The way back of a network: the gradient by its parameters, over all slices of a batch at once.
//!
//! It is written out here because candle's max-pooling gives a quarter of it, and its gradient by
//! weights is a convolution with a kernel as large as the image. Beyond a slice's sides every map
//! is zero, so the rectifier lets nothing back from there; what passes no rectifier is cut.

use candle_core::{DType, Error, Result, Tensor};

use crate::convolve::convolve;
use crate::inside::Inside;
use crate::interface::{CONVOLVE, LOGITS, POOL, Step, UP};
use crate::network::{Kept, Layer, Network, Slot, group, joined};
use crate::taps::{by_taps, gather, halves, largest};

impl Network {
    /// Gradient by the parameters into `gradient`, from that by the output of the batch that was
    /// kept.
    pub(crate) fn gradient(&self, by_output: &[f32], gradient: &mut [f32]) -> Result<()> {
        let kept = self.kept.as_ref().ok_or_else(|| Error::msg("no batch was kept"))?;
        let mut back: Vec<Slot> = vec![[None, None]; kept.slots.len()];
        if let Some(last) = self.steps.last().filter(|step| step.kind != LOGITS) {
            let maps = group(&kept.slots[last.target as usize], 0)?;
            let (n, c, _, _) = maps.dims4()?;
            let by_means = self.there(by_output, (n, c, 1, 1))?;
            back[last.target as usize][0] =
                Some(by_means_spread(&by_means, &maps, kept.inside.as_ref())?);
        }
        // Copied back when all of it is under way: a copy waits for what was begun before it.
        let mut parts = Vec::with_capacity(2 * self.steps.len());
        for (step, layer) in self.steps.iter().zip(&self.layers).rev() {
            if step.kind == POOL {
                let source = step.source as usize;
                let by_output = group(&back[step.target as usize], 0)?;
                let by_input = largest(&group(&kept.slots[source], 0)?, &by_output)?;
                add(&mut back[source][0], by_input)?;
            } else {
                let layer = layer.as_ref();
                let layer = layer.ok_or_else(|| Error::msg("a step without its weights"))?;
                let by_sums = self.by_sums(step, kept, &back, by_output)?;
                back_through(step, layer, kept, (&by_sums, &mut back), &mut parts)?;
            }
        }
        gradient.fill(0.0);
        parts.iter().try_for_each(|(start, part)| put(gradient, *start, part))
    }

    fn there(&self, numbers: &[f32], dims: (usize, usize, usize, usize)) -> Result<Tensor> {
        Tensor::from_slice(numbers, dims, &self.device)
    }

    /// Gradient by what a step summed up, before its rectifier.
    fn by_sums(
        &self,
        step: &Step,
        kept: &Kept,
        back: &[Slot],
        by_output: &[f32],
    ) -> Result<Tensor> {
        let only = |maps: Tensor| match &kept.inside {
            Some(inside) => inside.of(&maps),
            None => Ok(maps),
        };
        let (target, which) = (step.target as usize, usize::from(step.group > 0));
        match step.kind {
            LOGITS => {
                let (n, _, y, x) = group(&kept.slots[step.source as usize], 0)?.dims4()?;
                only(self.there(by_output, (n, 1, y, x))?)
            }
            UP => only(group(&back[target], which)?),
            _ => {
                let made = group(&kept.slots[target], which)?;
                let passed = made.gt(0f32)?.to_dtype(DType::F32)?;
                group(&back[target], which)? * passed
            }
        }
    }
}

/// Gradient by a step's parameters into `parts`, and by what it read into `back`.
fn back_through(
    step: &Step,
    layer: &Layer,
    kept: &Kept,
    (by_sums, back): (&Tensor, &mut [Slot]),
    parts: &mut Vec<(u64, Tensor)>,
) -> Result<()> {
    let source = step.source as usize;
    let seen = joined(&kept.slots[source])?;
    parts.push((step.bias, by_sums.sum((0, 2, 3))?));
    let dilation = if step.kind == CONVOLVE { step.dilation as usize } else { 0 };
    let by_sums = if step.kind == UP { gather(by_sums)? } else { by_sums.clone() };
    let mut by_weight = by_taps(&seen, &by_sums, dilation)?;
    if step.kind == UP {
        by_weight = by_weight.reshape((4 * step.channels_out as usize, ()))?.t()?;
    }
    parts.push((step.weight, by_weight.contiguous()?));
    if let (true, Some(turned)) = (source > 0, &layer.turned) {
        let by_input = convolve(&by_sums, turned, dilation, dilation.max(1))?;
        let of = |at: usize| kept.slots[source][at].as_ref().map(|maps| maps.dim(1));
        let [first, second] = halves(&by_input, [of(0).transpose()?, of(1).transpose()?])?;
        first.map_or(Ok(()), |part| add(&mut back[source][0], part))?;
        second.map_or(Ok(()), |part| add(&mut back[source][1], part))?;
    }
    Ok(())
}

/// Gradient by every pixel of `maps`, from that by their means.
fn by_means_spread(
    by_means: &Tensor,
    maps: &Tensor,
    inside: Option<&Inside>,
) -> Result<Tensor> {
    let (n, c, y, x) = maps.dims4()?;
    let spread = |by_mean: Tensor| by_mean.broadcast_as((n, c, y, x))?.contiguous();
    match inside {
        Some(inside) => {
            let by_pixel = by_means.broadcast_div(&inside.n_pixels(y, x)?)?;
            inside.of(&spread(by_pixel)?)
        }
        None => spread((by_means / (y * x) as f64)?),
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
fn put(gradient: &mut [f32], start: u64, part: &Tensor) -> Result<()> {
    let numbers: Vec<f32> = part.flatten_all()?.to_vec1()?;
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let place = gradient.get_mut(start..start.saturating_add(numbers.len()));
    place.ok_or_else(|| Error::msg("a gradient that is too short"))?.copy_from_slice(&numbers);
    Ok(())
}
