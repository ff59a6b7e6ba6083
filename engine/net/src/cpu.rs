//! The networks on the CPU: a plan's steps through the kernels, one slice a thread.

pub(crate) mod buffers;
pub(crate) mod gradient;
pub(crate) mod layers;
pub(crate) mod path;
pub(crate) mod unet;
