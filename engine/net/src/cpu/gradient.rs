//! The network under training: forward with every map kept, then backward, in f32.
//!
//! One sample at a time on one thread; samples run side by side. candle's own gradients are not
//! used: its max-pooling gives a quarter of the true one (candle 0.11.1, `backprop.rs`).

use crate::kernels::aligned::Aligned;
use crate::kernels::backward;
use crate::kernels::convolve::{Target, convolve, convolve_down, convolve_up};
use crate::kernels::lanes::Lanes;
use crate::kernels::maps::{BLOCK, Maps, Span, lanes_of};
use crate::kernels::pack::Packed;
use crate::kernels::portable::Portable;
use crate::kernels::winograd::Transformed;
use crate::kernels::{pixelwise, winograd};
use crate::plan::{Plan, Step};

use super::layers::{Layer, block_of, layers, n_blocks, n_skipped};

/// Maps and gradients of one sample.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    maps: Vec<Maps<f32>>,
    /// Gradients of the loss by the maps; nothing for the input.
    back: Vec<Maps<f32>>,
    logits: Vec<f32>,
    /// What a convolution needs besides its maps.
    room: Aligned<f32>,
    dim: (usize, usize),
}

impl Tape {
    /// The input, to be written before `forward`.
    pub(crate) fn input(&mut self) -> &mut Maps<f32> {
        &mut self.maps[0]
    }

    /// What `slot` holds after `forward`.
    pub(crate) fn map(&self, slot: usize) -> &Maps<f32> {
        &self.maps[slot]
    }

    /// Where the gradient by `slot` goes, for a plan that does not end in logits.
    pub(crate) fn back_mut(&mut self, slot: usize) -> &mut Maps<f32> {
        &mut self.back[slot]
    }

    /// Logits of every pixel, row by row.
    pub(crate) fn logits(&self) -> &[f32] {
        &self.logits
    }
}

/// Weights that take the gradient by a step's output to that by its input, with their biases of
/// zero.
#[derive(Debug)]
enum Turned {
    Convolve(Transformed<f32>, Aligned<f32>),
    Up(Packed<f32>, Aligned<f32>),
    /// Nothing to weigh, or nothing that asks for the gradient.
    None,
}

/// A plan with its weights, packed for both ways.
#[derive(Debug)]
pub(crate) struct Differentiable {
    plan: Plan,
    tensors: Vec<(String, Vec<usize>)>,
    layers: Vec<Layer<f32>>,
    /// Of every convolution, its weights turned around.
    turned: Vec<Turned>,
}

impl Differentiable {
    /// A network of `tensors`, whose parameters follow each other in one vector.
    pub(crate) fn new(plan: Plan, tensors: Vec<(String, Vec<usize>)>) -> Self {
        Self { plan, tensors, layers: Vec::new(), turned: Vec::new() }
    }

    /// Number of weights and biases.
    pub(crate) fn n_parameters(&self) -> usize {
        self.tensors.iter().map(|(_, dims)| dims.iter().product::<usize>()).sum()
    }

    /// Packs `parameters`, all tensors one after the other.
    pub(crate) fn take(&mut self, parameters: &[f32]) {
        let tensors = &self.tensors;
        let of = |name: &str| place(tensors, name).map_or(&[][..], |place| &parameters[place]);
        self.layers = layers::<Portable>(&self.plan, &of);
        self.turned =
            self.plan.steps.iter().map(|step| turned(&self.plan, step, &of)).collect();
    }

    /// Makes `tape` ready for an input of `dim`, `(y, x)`.
    pub(crate) fn size(&self, tape: &mut Tape, dim: (usize, usize)) {
        let slots = 0..self.plan.slots.len();
        if tape.maps.is_empty() {
            let map = |slot| {
                let dim = self.plan.dim(slot, dim);
                Maps::zeroed(n_blocks(&self.plan, slot, BLOCK), dim, block_of(slot, BLOCK))
            };
            tape.maps = slots.clone().map(map).collect();
            let back = |slot| if slot == 0 { Maps::default() } else { map(slot) };
            tape.back = slots.map(back).collect();
        } else {
            for slot in slots {
                let dim = self.plan.dim(slot, dim);
                tape.maps[slot].reshape(dim);
                if slot > 0 {
                    tape.back[slot].reshape(dim);
                }
            }
        }
        tape.dim = dim;
    }

    /// Runs every step from the input on.
    pub(crate) fn forward<L: Lanes<Number = f32>>(&self, tape: &mut Tape) {
        let every: Vec<Vec<Span>> = (0..=self.plan.multiple().ilog2())
            .map(|l| Span::all((tape.dim.0 >> l, tape.dim.1 >> l)))
            .collect();
        for (step, layer) in self.plan.steps.iter().zip(&self.layers) {
            let mut target = step.target().map(|slot| std::mem::take(&mut tape.maps[slot]));
            let source = &tape.maps[step.source()];
            let spans = &every[self.plan.slots[step.target().unwrap_or(0)].level];
            match (step, layer, &mut target) {
                (
                    Step::Convolve { dilation, .. },
                    Layer::Convolve(weights, bias),
                    Some(maps),
                ) => {
                    let target = Target { maps, block: 0, spans };
                    convolve::<L>((source, 0), (weights, bias), *dilation, true, target);
                }
                (
                    Step::Convolve { dilation, .. },
                    Layer::Winograd(weights, bias),
                    Some(maps),
                ) => {
                    let target = Target { maps, block: 0, spans };
                    let (seen, room) = ((source, 0), &mut tape.room);
                    winograd::convolve::<L>(
                        seen,
                        (weights, bias),
                        *dilation,
                        true,
                        target,
                        room,
                    );
                }
                (Step::Up { target: slot, .. }, Layer::Up(corners, bias), Some(maps)) => {
                    let block = n_skipped(&self.plan, *slot, BLOCK);
                    let spans = &every[self.plan.slots[step.source()].level];
                    for (corner, weights) in corners.iter().enumerate() {
                        let target = Target { maps, block, spans };
                        let corner = (corner / 2, corner % 2);
                        convolve_up::<L>((source, 0), (weights, bias), corner, target);
                    }
                }
                (Step::Pool { .. }, _, Some(maps)) => {
                    let n = maps.n_blocks();
                    pixelwise::pool::<L>(source, n, maps, spans);
                }
                (Step::Logits { .. }, Layer::Logits(weights, bias), _) => {
                    tape.logits.resize(tape.dim.0 * tape.dim.1, 0.0);
                    pixelwise::logits::<L>(source, weights, *bias, spans, &mut tape.logits);
                }
                _ => {}
            }
            if let (Some(slot), Some(maps)) = (step.target(), target) {
                tape.maps[slot] = maps;
            }
        }
    }

    /// Gradient by every parameter, from the gradient by the logits of the last `forward`; for a
    /// plan without logits, from what [`Tape::back_mut`] of its last slot was given.
    pub(crate) fn backward<L: Lanes<Number = f32>>(
        &self,
        tape: &mut Tape,
        by_logits: &[f32],
        gradient: &mut [f32],
    ) {
        let last_reads = self.plan.last_reads();
        for (at, step) in self.plan.steps.iter().enumerate().rev() {
            match *step {
                Step::Logits { source, .. } => {
                    let Layer::Logits(weights, _) = &self.layers[at] else { continue };
                    let (maps, back) = (&tape.maps[source], &mut tape.back[source]);
                    let (by_weights, by_bias) =
                        backward::logits(maps, weights, by_logits, back);
                    let lanes = lanes_of(&self.plan.slots[source].groups, BLOCK);
                    let of = self.slice(gradient, step, "weight");
                    for (lane, value) in lanes.iter().zip(by_weights) {
                        if let Some(channel) = lane {
                            of[*channel] = value;
                        }
                    }
                    self.slice(gradient, step, "bias")[0] = by_bias;
                }
                Step::Pool { source, target } => {
                    let mut back = std::mem::take(&mut tape.back[source]);
                    if last_reads[source] == at {
                        // Nothing after the pooling has written a gradient to add to.
                        back.all_mut().fill(0.0);
                    }
                    backward::pool(&tape.maps[source], &tape.back[target], &mut back);
                    tape.back[source] = back;
                }
                Step::Convolve { .. } => self.convolve_back::<L>(tape, at, gradient),
                Step::Up { .. } => self.up_back::<L>(tape, at, gradient),
            }
        }
    }

    fn convolve_back<L: Lanes<Number = f32>>(
        &self,
        tape: &mut Tape,
        at: usize,
        gradient: &mut [f32],
    ) {
        let step = &self.plan.steps[at];
        let &Step::Convolve { source, target, channels, dilation, .. } = step else { return };
        let n_out = channels.div_ceil(BLOCK);
        backward::rectifier(&tape.maps[target], &mut tape.back[target], n_out);
        let back = &tape.back[target];
        let by_bias = backward::by_bias((back, 0), n_out);
        self.slice(gradient, step, "bias").copy_from_slice(&by_bias[..channels]);

        let groups = &self.plan.slots[source].groups;
        let mut sums = Packed::zeroed((&[channels], groups), 9, block_of(source, BLOCK));
        backward::by_weights::<L>(&tape.maps[source], back, dilation, &mut sums);
        let n_in: usize = groups.iter().sum();
        let of = self.slice(gradient, step, "weight");
        for (i, channel) in lanes_of(groups, block_of(source, BLOCK)).into_iter().enumerate() {
            let Some(channel) = channel else { continue };
            for o in 0..channels {
                for tap in 0..9 {
                    of[(o * n_in + channel) * 9 + tap] = sums.all()[sums.at(o, i, tap, 1)];
                }
            }
        }
        if let Turned::Convolve(weights, zeros) = &self.turned[at] {
            let mut into = std::mem::take(&mut tape.back[source]);
            let spans = Span::all(into.dim());
            let to = Target { maps: &mut into, block: 0, spans: &spans };
            let (seen, room) = ((&tape.back[target], 0), &mut tape.room);
            winograd::convolve::<L>(seen, (weights, zeros), dilation, false, to, room);
            tape.back[source] = into;
        }
    }

    fn up_back<L: Lanes<Number = f32>>(
        &self,
        tape: &mut Tape,
        at: usize,
        gradient: &mut [f32],
    ) {
        let step = &self.plan.steps[at];
        let &Step::Up { source, target, channels, .. } = step else { return };
        let first = n_skipped(&self.plan, target, BLOCK);
        let back = (&tape.back[target], first);
        let by_bias = backward::by_bias(back, channels.div_ceil(BLOCK));
        self.slice(gradient, step, "bias").copy_from_slice(&by_bias[..channels]);

        let groups = &self.plan.slots[source].groups;
        let mut sums = Packed::zeroed((groups, &[channels]), 4, BLOCK);
        backward::up_by_weights::<L>(&tape.maps[source], back, &mut sums);
        let of = self.slice(gradient, step, "weight");
        for (i, channel) in lanes_of(groups, BLOCK).into_iter().enumerate() {
            let Some(channel) = channel else { continue };
            for o in 0..channels {
                for tap in 0..4 {
                    of[(channel * channels + o) * 4 + tap] = sums.all()[sums.at(i, o, tap, 1)];
                }
            }
        }
        if let Turned::Up(weights, zeros) = &self.turned[at] {
            let mut into = std::mem::take(&mut tape.back[source]);
            let spans = Span::all(into.dim());
            let to = Target { maps: &mut into, block: 0, spans: &spans };
            convolve_down::<L>((&tape.back[target], first), (weights, zeros), to);
            tape.back[source] = into;
        }
    }

    fn slice<'a>(&self, gradient: &'a mut [f32], step: &Step, what: &str) -> &'a mut [f32] {
        let name = format!("{}.{what}", step.name());
        place(&self.tensors, &name).map_or(&mut [][..], |place| &mut gradient[place])
    }
}

/// Where the tensor `name` lies among the parameters.
fn place(tensors: &[(String, Vec<usize>)], name: &str) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for (this, dims) in tensors {
        let n: usize = dims.iter().product();
        if this == name {
            return Some(start..start + n);
        }
        start += n;
    }
    None
}

fn turned<'a>(plan: &Plan, step: &Step, of: &dyn Fn(&str) -> &'a [f32]) -> Turned {
    let source = step.source();
    if source == 0 {
        return Turned::None;
    }
    let groups = &plan.slots[source].groups;
    let n_in: usize = groups.iter().sum();
    let zeros = || Aligned::zeroed(lanes_of(groups, BLOCK).len());
    let weight = of(&format!("{}.weight", step.name()));
    match *step {
        Step::Convolve { channels, .. } => {
            let products = Transformed::new((groups, &[channels]), |i, o, tap| {
                weight[(o * n_in + i) * 9 + 8 - tap]
            });
            Turned::Convolve(products, zeros())
        }
        Step::Up { channels, .. } => {
            let packed = Packed::new((groups, &[channels]), 4, (BLOCK, 1), |i, o, tap| {
                weight[(i * channels + o) * 4 + tap]
            });
            Turned::Up(packed, zeros())
        }
        Step::Pool { .. } | Step::Logits { .. } => Turned::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Path;
    use crate::cpu::layers::put_pixels;
    use crate::cpu::path::in_f32;
    use crate::shape::Shape;

    const DIM: (usize, usize) = (8, 12);

    /// A number in -0.5..0.5 that only `i` decides.
    fn noise(i: usize) -> f32 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32
            / (1_u64 << 24) as f32
            - 0.5
    }

    fn network() -> (Differentiable, Vec<f32>) {
        let shape = Shape::new(5, 2).unwrap();
        let network = Differentiable::new(Plan::unet(shape), shape.tensors());
        let parameters = (0..network.n_parameters()).map(|i| noise(i) * 0.6).collect();
        (network, parameters)
    }

    /// The sum of the logits, each times its own number, and the gradient of that sum.
    fn loss(path: Path, network: &mut Differentiable, parameters: &[f32]) -> (f64, Vec<f32>) {
        network.take(parameters);
        let mut tape = Tape::default();
        // Once at another size, so that what is left of it would show.
        network.size(&mut tape, (16, 8));
        tape.maps.iter_mut().for_each(|maps| maps.reshape((maps.dim().0, maps.dim().1)));
        network.size(&mut tape, DIM);
        let pixels: Vec<f32> = (0..DIM.0 * DIM.1).map(|i| noise(i + 9000) + 0.5).collect();
        put_pixels(pixels.chunks(DIM.1), tape.input());
        let by_logits: Vec<f32> = (0..DIM.0 * DIM.1).map(|i| noise(i + 5000)).collect();
        let mut gradient = vec![f32::NAN; network.n_parameters()];
        in_f32!(path, L => {
            network.forward::<L>(&mut tape);
            network.backward::<L>(&mut tape, &by_logits, &mut gradient);
        });
        let products = tape.logits().iter().zip(&by_logits);
        (products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum(), gradient)
    }

    fn check_differences(path: Path) {
        if !path.is_available() {
            println!("skipped: this CPU has no {path}");
            return;
        }
        let (mut network, parameters) = network();
        let (_, gradient) = loss(path, &mut network, &parameters);
        let (mut n_checked, mut worst) = (0, 0.0_f64);
        for at in (0..parameters.len()).step_by(37) {
            let moved = |by: f32| {
                let mut moved = parameters.clone();
                moved[at] += by;
                moved
            };
            let step = 1e-3;
            let up = loss(path, &mut network, &moved(step)).0;
            let down = loss(path, &mut network, &moved(-step)).0;
            let expected = (up - down) / (2.0 * f64::from(step));
            let error = (f64::from(gradient[at]) - expected).abs() / (1.0 + expected.abs());
            worst = worst.max(error);
            n_checked += 1;
        }
        println!("{path}: {n_checked} parameters, worst difference {worst:.1e}");
        assert!(worst < 5e-3, "{worst}");
    }

    fn check_golden(path: Path) {
        if !path.is_available() {
            println!("skipped: this CPU has no {path}");
            return;
        }
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/golden_gradient.json"))
                .unwrap();
        let (mut network, parameters) = network();
        let (found, gradient) = loss(path, &mut network, &parameters);
        assert!((found - golden["loss"].as_f64().unwrap()).abs() < 1e-5, "{found}");
        let (mut worst, mut n_checked) = (0.0_f64, 0);
        for row in golden["tensors"].as_array().unwrap() {
            let of = &gradient[place(&network.tensors, row[0].as_str().unwrap()).unwrap()];
            let norm = of.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            let expected_norm = row[1].as_f64().unwrap();
            worst = worst.max((norm - expected_norm).abs() / expected_norm);
            let entries = of.iter().step_by(37).zip(row[2].as_array().unwrap());
            for (&found, expected) in entries {
                let error = (f64::from(found) - expected.as_f64().unwrap()).abs();
                worst = worst.max(error / expected_norm);
                n_checked += 1;
            }
        }
        println!("{path}: {n_checked} entries, worst difference {worst:.1e} of the norm");
        assert!(worst < 1e-5 && n_checked > 300, "{worst} of {n_checked}");
    }

    #[test]
    fn gradients_are_pytorchs() {
        for path in [Path::Avx512, Path::Avx2, Path::Portable] {
            check_golden(path);
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for path in [Path::Avx512, Path::Avx2, Path::Portable] {
            check_differences(path);
        }
    }
}
