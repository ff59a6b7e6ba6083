//! The network in plain loops, for tests: slow, and nothing to get wrong.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, Axis, concatenate, s};

use crate::shape::Shape;

/// Tensors by name, with their shapes.
type Tensors<'a> = BTreeMap<String, (Vec<usize>, &'a [f32])>;

/// Windowed pixels to logits.
pub(super) fn logits(shape: Shape, flat: &[f32], pixels: &Array2<f32>) -> Array2<f32> {
    let mut rest = flat;
    let mut tensors = Tensors::new();
    for (name, dims) in shape.tensors() {
        let (numbers, after) = rest.split_at(dims.iter().product());
        rest = after;
        tensors.insert(name, (dims, numbers));
    }
    let block = |name: &str, xs: &Array3<f32>, dilation: usize| {
        let first = convolved(&tensors, &format!("{name}.c1"), xs, 1).mapv(|v| v.max(0.0));
        convolved(&tensors, &format!("{name}.c2"), &first, dilation).mapv(|v| v.max(0.0))
    };
    let mut xs = pixels.clone().insert_axis(Axis(0));
    let mut skipped = Vec::new();
    for level in 0..shape.depth() {
        let full = block(&format!("d.{level}"), &xs, 2);
        xs = pooled(&full);
        skipped.push(full);
    }
    xs = block("bot", &xs, 1);
    for level in (0..shape.depth()).rev() {
        let up = enlarged(&tensors, &format!("t.{level}"), &xs);
        let both = concatenate(Axis(0), &[skipped[level].view(), up.view()]).unwrap();
        xs = block(&format!("u.{level}"), &both, 1);
    }
    convolved(&tensors, "out", &xs, 1).index_axis_move(Axis(0), 0)
}

/// `(c_in, y, x)` to `(c_out, y, x)`, zeros beyond the edge.
fn convolved(
    tensors: &Tensors<'_>,
    name: &str,
    xs: &Array3<f32>,
    dilation: usize,
) -> Array3<f32> {
    let (dims, weight) = &tensors[&format!("{name}.weight")];
    let bias = tensors[&format!("{name}.bias")].1;
    let (n_in, n_y, n_x) = xs.dim();
    assert_eq!(dims[1], n_in);
    let side = dims[2];
    let reach = dilation * (side / 2);
    Array3::from_shape_fn((dims[0], n_y, n_x), |(output, y, x)| {
        let mut sum = bias[output];
        for input in 0..n_in {
            for (row, column) in (0..side * side).map(|tap| (tap / side, tap % side)) {
                let at = (y + row * dilation, x + column * dilation);
                let inside = (reach..n_y + reach).contains(&at.0)
                    && (reach..n_x + reach).contains(&at.1);
                if inside {
                    sum += weight[((output * n_in + input) * side + row) * side + column]
                        * xs[(input, at.0 - reach, at.1 - reach)];
                }
            }
        }
        sum
    })
}

/// The largest of every 2 x 2 pixels.
fn pooled(xs: &Array3<f32>) -> Array3<f32> {
    let (n, n_y, n_x) = xs.dim();
    Array3::from_shape_fn((n, n_y / 2, n_x / 2), |(channel, y, x)| {
        let four = xs.slice(s![channel, 2 * y..2 * y + 2, 2 * x..2 * x + 2]);
        four.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    })
}

/// Twice the size, by a 2 x 2 kernel with stride 2.
fn enlarged(tensors: &Tensors<'_>, name: &str, xs: &Array3<f32>) -> Array3<f32> {
    let (dims, weight) = &tensors[&format!("{name}.weight")];
    let bias = tensors[&format!("{name}.bias")].1;
    let (n_in, n_y, n_x) = xs.dim();
    Array3::from_shape_fn((dims[1], 2 * n_y, 2 * n_x), |(output, y, x)| {
        let tap = 2 * (y % 2) + x % 2;
        let terms = (0..n_in).map(|input| {
            weight[(input * dims[1] + output) * 4 + tap] * xs[(input, y / 2, x / 2)]
        });
        bias[output] + terms.sum::<f32>()
    })
}
