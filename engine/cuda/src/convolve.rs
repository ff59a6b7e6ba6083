//! Convolutions with their bias: on a GPU by cuDNN, which adds up in f32 and rounds once.
//!
//! candle's own adds the bias after it has rounded the sums to bf16. Here the output starts as the bias,
//! and the convolution is added to it before it is rounded. In f32 cuDNN would round the products to
//! TF32 (10 bits) on every GPU from Ampere on where nobody forbids it, and candle forbids it nowhere:
//! f32 would be 1e-3 away from f32.

use candle_core::{Result, Tensor};

/// `(n, c_in, y, x)` by weights `(c_out, c_in, side, side)` to `(n, c_out, y, x)`, and `bias`,
/// `(1, c_out, 1, 1)`, where there is one.
pub(crate) fn convolve(
    seen: &Tensor,
    (weight, bias): (&Tensor, Option<&Tensor>),
    padding: usize,
    dilation: usize,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if seen.device().is_cuda() {
        return cudnn::convolve(&seen.contiguous()?, (weight, bias), padding, dilation);
    }
    let sums = seen.conv2d(weight, padding, 1, dilation, 1)?;
    bias.map_or_else(|| Ok(sums.clone()), |bias| sums.broadcast_add(bias))
}

#[cfg(feature = "cuda")]
mod cudnn {
    #![expect(unsafe_code, reason = "a convolution of cuDNN")]

    use std::cell::RefCell;
    use std::sync::Arc;

    use candle_core::backend::BackendStorage;
    use candle_core::cuda_backend::cudarc::cudnn::sys::{
        cudnnConvolutionMode_t, cudnnMathType_t, cudnnTensorFormat_t,
    };
    use candle_core::cuda_backend::cudarc::cudnn::{ConvForward, Cudnn, CudnnDataType};
    use candle_core::cuda_backend::cudarc::driver::{DevicePtr, DevicePtrMut};
    use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage, DeviceId};
    use candle_core::{
        CpuStorage, CustomOp2, DType, Error, InplaceOp3, Layout, Result, Shape, Tensor,
    };
    use half::bf16;

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

    /// `seen` is contiguous; see [`super::convolve`].
    pub(super) fn convolve(
        seen: &Tensor,
        (weight, bias): (&Tensor, Option<&Tensor>),
        padding: usize,
        dilation: usize,
    ) -> Result<Tensor> {
        let (weight, by) = (weight.contiguous()?, By { padding, dilation });
        let Some(bias) = bias else { return seen.apply_op2_no_bwd(&weight, &by) };
        let sizes = by.sizes(seen.shape(), weight.shape())?;
        // A copy of its own even where the bias has that shape already: it is written to.
        let out = bias.broadcast_as(sizes.out())?.force_contiguous()?;
        out.inplace_op3(seen, &weight, &by)?;
        Ok(out)
    }

    /// A dimension as cuDNN takes it; one that it cannot hold is refused by it as negative.
    fn number(dim: usize) -> i32 {
        i32::try_from(dim).unwrap_or(-1)
    }

    /// A convolution, stride 1.
    struct By {
        padding: usize,
        dilation: usize,
    }

    /// Dimensions of what it reads and writes.
    struct Sizes {
        n: usize,
        c_in: usize,
        c_out: usize,
        side: usize,
        seen: (usize, usize),
        made: (usize, usize),
    }

    impl Sizes {
        fn out(&self) -> (usize, usize, usize, usize) {
            (self.n, self.c_out, self.made.0, self.made.1)
        }
    }

    impl By {
        fn sizes(&self, seen: &Shape, weight: &Shape) -> Result<Sizes> {
            let ((n, c_in, y, x), (c_out, _, side, _)) = (seen.dims4()?, weight.dims4()?);
            let (more, less) = (2 * self.padding, self.dilation * (side - 1));
            let made = (y + more).checked_sub(less).zip((x + more).checked_sub(less));
            let made = made.ok_or_else(|| Error::msg("a map that is smaller than its taps"))?;
            Ok(Sizes { n, c_in, c_out, side, seen: (y, x), made })
        }

        /// Writes the convolution to `out`, onto what is there if it `adds`.
        ///
        /// # Safety
        /// All are contiguous and as long as `sizes` says, and lie on the device's stream.
        unsafe fn launch<T: CudnnDataType>(
            &self,
            device: &CudaDevice,
            sizes: &Sizes,
            (seen, weight): (&impl DevicePtr<T>, &impl DevicePtr<T>),
            out: &mut impl DevicePtrMut<T>,
            (one, adds): (T, T),
        ) -> Result<()> {
            const NCHW: cudnnTensorFormat_t = cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
            let Sizes { n, c_in, c_out, side, seen: (y, x), made } = *sizes;
            let int = |dims: [usize; 4]| dims.map(number);
            let twice = |side: usize| [number(side); 2];
            let wrap = Error::wrap;
            let cudnn = handle(device)?;
            let conv = cudnn.create_conv2d::<f32>(
                twice(self.padding),
                twice(1),
                twice(self.dilation),
                cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
            );
            let mut conv = conv.map_err(wrap)?;
            if size_of::<T>() == size_of::<f32>() {
                conv.set_math_type(cudnnMathType_t::CUDNN_FMA_MATH).map_err(wrap)?;
            }
            let x_there = cudnn.create_4d_tensor::<T>(NCHW, int([n, c_in, y, x]));
            let w_there = cudnn.create_4d_filter::<T>(NCHW, int([c_out, c_in, side, side]));
            let y_there = cudnn.create_4d_tensor::<T>(NCHW, int([n, c_out, made.0, made.1]));
            let (x_there, w_there, y_there) =
                (x_there.map_err(wrap)?, w_there.map_err(wrap)?, y_there.map_err(wrap)?);
            let forward = ConvForward { conv: &conv, x: &x_there, w: &w_there, y: &y_there };
            let algorithm = forward.pick_algorithm().map_err(wrap)?;
            let n_bytes = forward.get_workspace_size(algorithm).map_err(wrap)?;
            // SAFETY: room for the convolution's own use, which it writes before it reads.
            let mut room = unsafe { device.alloc::<u8>(n_bytes)? };
            // SAFETY: the caller's promise, and the shapes described are those of `sizes`.
            unsafe {
                forward.launch(algorithm, Some(&mut room), (one, adds), seen, weight, out)
            }
            .map_err(wrap)
        }
    }

    /// What lies in a contiguous storage from its layout's start on.
    macro_rules! view {
        ($storage:ident, $layout:ident, $type:ty) => {
            $storage.as_cuda_slice::<$type>()?.slice($layout.start_offset()..)
        };
    }

    fn on_cpu<T>() -> Result<T> {
        Err(Error::msg("a convolution of cuDNN on the CPU"))
    }

    impl CustomOp2 for By {
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
            on_cpu()
        }

        fn cuda_fwd(
            &self,
            seen: &CudaStorage,
            seen_layout: &Layout,
            weight: &CudaStorage,
            weight_layout: &Layout,
        ) -> Result<(CudaStorage, Shape)> {
            let device = seen.device.clone();
            let sizes = self.sizes(seen_layout.shape(), weight_layout.shape())?;
            let shape = Shape::from(sizes.out());
            // SAFETY: the convolution writes all of it.
            let mut out = unsafe { device.alloc::<f32>(shape.elem_count())? };
            let from = (&view!(seen, seen_layout, f32), &view!(weight, weight_layout, f32));
            // SAFETY: both are contiguous (`convolve`), and the output is as long as it must be.
            unsafe { self.launch(&device, &sizes, from, &mut out, (1.0, 0.0))? };
            Ok((CudaStorage::wrap_cuda_slice(out, device), shape))
        }
    }

    impl InplaceOp3 for By {
        fn name(&self) -> &'static str {
            "convolution onto its bias"
        }

        fn cpu_fwd(
            &self,
            _: &mut CpuStorage,
            _: &Layout,
            _: &CpuStorage,
            _: &Layout,
            _: &CpuStorage,
            _: &Layout,
        ) -> Result<()> {
            on_cpu()
        }

        fn cuda_fwd(
            &self,
            out: &mut CudaStorage,
            _: &Layout,
            seen: &CudaStorage,
            seen_layout: &Layout,
            weight: &CudaStorage,
            weight_layout: &Layout,
        ) -> Result<()> {
            let device = seen.device.clone();
            let sizes = self.sizes(seen_layout.shape(), weight_layout.shape())?;
            if out.dtype() == DType::BF16 {
                let from =
                    (&view!(seen, seen_layout, bf16), &view!(weight, weight_layout, bf16));
                let out = <bf16 as CudaDType>::as_cuda_slice_mut(out)?;
                // SAFETY: both are contiguous and the output was made of that shape (`convolve`).
                unsafe { self.launch(&device, &sizes, from, out, (bf16::ONE, bf16::ONE)) }
            } else {
                let from = (&view!(seen, seen_layout, f32), &view!(weight, weight_layout, f32));
                let out = <f32 as CudaDType>::as_cuda_slice_mut(out)?;
                // SAFETY: as above.
                unsafe { self.launch(&device, &sizes, from, out, (1.0, 1.0)) }
            }
        }
    }
}
