//! Convolutions: candle's, but in f32 on a GPU by cuDNN without TF32.
//!
//! Where nobody forbids it, cuDNN rounds the products of an f32 convolution to TF32 (10 bits) on
//! every GPU from Ampere on, and candle forbids it nowhere: f32 would be 1e-3 away from f32.

use candle_core::{Result, Tensor};

/// `(n, c_in, y, x)` by weights `(c_out, c_in, side, side)` to `(n, c_out, y, x)`.
pub(crate) fn convolve(
    seen: &Tensor,
    weight: &Tensor,
    padding: usize,
    dilation: usize,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if seen.device().is_cuda() && seen.dtype() == candle_core::DType::F32 {
        let exact = exact::Exact { padding, dilation };
        return seen.contiguous()?.apply_op2_no_bwd(&weight.contiguous()?, &exact);
    }
    seen.conv2d(weight, padding, 1, dilation, 1)
}

#[cfg(feature = "cuda")]
mod exact {
    #![expect(unsafe_code, reason = "a convolution of cuDNN")]

    use std::cell::RefCell;
    use std::sync::Arc;

    use candle_core::cuda_backend::cudarc::cudnn::sys::{
        cudnnConvolutionMode_t, cudnnMathType_t, cudnnTensorFormat_t,
    };
    use candle_core::cuda_backend::cudarc::cudnn::{ConvForward, Cudnn};
    use candle_core::cuda_backend::{CudaDevice, CudaStorage, DeviceId};
    use candle_core::{CpuStorage, CustomOp2, Error, Layout, Result, Shape};

    thread_local! {
        // A handle of cuDNN belongs to one thread.
        static HANDLES: RefCell<Vec<(DeviceId, Arc<Cudnn>)>> = const { RefCell::new(Vec::new()) };
    }

    /// cuDNN's handle of this thread for a device.
    fn handle(device: &CudaDevice) -> Result<Arc<Cudnn>> {
        HANDLES.with_borrow_mut(|handles| {
            if let Some((_, known)) = handles.iter().find(|(id, _)| *id == device.id()) {
                return Ok(Arc::clone(known));
            }
            let made = Cudnn::new(device.cuda_stream()).map_err(Error::wrap)?;
            handles.push((device.id(), Arc::clone(&made)));
            Ok(made)
        })
    }

    /// A dimension as cuDNN takes it; one that it cannot hold is refused by it as negative.
    fn number(dim: usize) -> i32 {
        i32::try_from(dim).unwrap_or(-1)
    }

    /// A convolution in f32 whose products are in f32.
    pub(super) struct Exact {
        pub(super) padding: usize,
        pub(super) dilation: usize,
    }

    impl CustomOp2 for Exact {
        fn name(&self) -> &'static str {
            "convolution in f32"
        }

        fn cpu_fwd(
            &self,
            _: &CpuStorage,
            _: &Layout,
            _: &CpuStorage,
            _: &Layout,
        ) -> Result<(CpuStorage, Shape)> {
            Err(Error::msg("a convolution of cuDNN on the CPU"))
        }

        fn cuda_fwd(
            &self,
            seen: &CudaStorage,
            seen_layout: &Layout,
            weight: &CudaStorage,
            weight_layout: &Layout,
        ) -> Result<(CudaStorage, Shape)> {
            const NCHW: cudnnTensorFormat_t = cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
            let (n, c_in, y, x) = seen_layout.shape().dims4()?;
            let (c_out, _, side, _) = weight_layout.shape().dims4()?;
            let lost = self.dilation * (side - 1);
            let (y_out, x_out) = (y + 2 * self.padding - lost, x + 2 * self.padding - lost);
            let int = |dims: [usize; 4]| dims.map(number);
            let twice = |side: usize| [number(side); 2];
            let wrap = Error::wrap;

            let device = seen.device.clone();
            let cudnn = handle(&device)?;
            let mut conv = cudnn
                .create_conv2d::<f32>(
                    twice(self.padding),
                    twice(1),
                    twice(self.dilation),
                    cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                )
                .map_err(wrap)?;
            conv.set_math_type(cudnnMathType_t::CUDNN_FMA_MATH).map_err(wrap)?;
            let x_there = cudnn.create_4d_tensor::<f32>(NCHW, int([n, c_in, y, x]));
            let w_there = cudnn.create_4d_filter::<f32>(NCHW, int([c_out, c_in, side, side]));
            let y_there = cudnn.create_4d_tensor::<f32>(NCHW, int([n, c_out, y_out, x_out]));
            let (x_there, w_there, y_there) =
                (x_there.map_err(wrap)?, w_there.map_err(wrap)?, y_there.map_err(wrap)?);
            let forward = ConvForward { conv: &conv, x: &x_there, w: &w_there, y: &y_there };
            let algorithm = forward.pick_algorithm().map_err(wrap)?;
            let n_bytes = forward.get_workspace_size(algorithm).map_err(wrap)?;
            // SAFETY: the convolution writes all of its output, and of its room what it reads.
            let (mut room, mut out) = unsafe {
                (device.alloc::<u8>(n_bytes)?, device.alloc::<f32>(n * c_out * y_out * x_out)?)
            };
            let seen = seen.as_cuda_slice::<f32>()?.slice(seen_layout.start_offset()..);
            let weight = weight.as_cuda_slice::<f32>()?.slice(weight_layout.start_offset()..);
            // SAFETY: both inputs are contiguous f32 of the shapes described (`convolve` makes them
            // so), and so is the output; all lie on the stream of the handle.
            unsafe {
                forward
                    .launch(algorithm, Some(&mut room), (1.0, 0.0), &seen, &weight, &mut out)
                    .map_err(wrap)?;
            }
            let shape = Shape::from((n, c_out, y_out, x_out));
            Ok((CudaStorage::wrap_cuda_slice(out, device), shape))
        }
    }
}
