//! The network of the second branch: crops of a hematoma in, features and a probability of
//! expansion out.
//!
//! Teng et al. 2021, Front. Aging Neurosci. 13:632138: "similar with the downsampling stage of
//! U-Net", repeated convolutions and pooling, a fully connected layer, softmax; the last maps are
//! the features. Theirs are flattened; ours are pooled over pixels and slices ([`pooling`]), so
//! that their number does not hang on the number of slices.

pub(crate) mod crop;
pub(crate) mod model;
pub(crate) mod network;
pub(crate) mod pooling;
pub(crate) mod shape;
