//! Convolutions with their bias: on a GPU by cuDNN, which adds up in f32 and rounds once.
//!
//! candle's own adds the bias after it has rounded the sums to bf16. Here the output starts as the bias,
//! and the convolution is added to it before it is rounded. Its kernels that find every number by its
//! place in all dimensions are kept out of the way: divisions of 64 bits for every number of a map
//! take longer than its convolution. So a bias is spread over a map once and copied from then on, and an
//! up-convolution is cuDNN's own. In f32 cuDNN would round the products to
//! TF32 (10 bits) on every GPU from Ampere on where nobody forbids it, and candle forbids it nowhere:
//! f32 would be 1e-3 away from f32.

use candle_core::{Result, Tensor};

use crate::taps::deal;

/// `(n, c_in, y, x)` by weights `(c_out, c_in, side, side)` to `(n, c_out, y, x)`, and `bias`,
/// `(1, c_out, 1, 1)` or spread over `(1, c_out, y, x)`, where there is one.
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

/// 2x2 up-convolution with stride 2: `(n, c_in, y, x)` to `(n, c_out, 2 y, 2 x)`.
///
/// On a GPU by weights `(c_in, c_out, 2, 2)` and a bias as above; elsewhere by a 1x1 convolution whose
/// channels are dealt out over four pixels: `(4 c_out, c_in, 1, 1)` and `(1, 4 c_out, 1, 1)`.
pub(crate) fn up(seen: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if seen.device().is_cuda() {
        return cudnn::up(&seen.contiguous()?, weight, bias);
    }
    deal(&convolve(seen, (weight, Some(bias)), 0, 1)?)
}

#[cfg(feature = "cuda")]
mod cudnn {
    #![expect(unsafe_code, reason = "a convolution of cuDNN")]

    use std::cell::RefCell;
    use std::sync::Arc;

    use candle_core::backend::BackendStorage;
    use candle_core::cuda_backend::cudarc::cudnn::sys::{
        cudnnConvolutionBwdDataAlgo_t, cudnnConvolutionMode_t, cudnnMathType_t,
        cudnnTensorFormat_t,
    };
    use candle_core::cuda_backend::cudarc::cudnn::{
        ConvBackwardData, ConvDescriptor, ConvForward, Cudnn, CudnnDataType, FilterDescriptor,
        TensorDescriptor,
    };
    use candle_core::cuda_backend::cudarc::driver::{DevicePtr, DevicePtrMut};
    use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage, DeviceId};
    use candle_core::{
        CpuStorage, CustomOp2, DType, Error, InplaceOp3, Layout, Result, Shape, Tensor,
    };
    use half::bf16;

    const NCHW: cudnnTensorFormat_t = cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;

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
        let out = started(bias, sizes.out())?;
        out.inplace_op3(seen, &weight, &by)?;
        Ok(out)
    }

    /// `seen` is contiguous; see [`super::up`].
    pub(super) fn up(seen: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let ((n, _, y, x), (_, c_out, _, _)) = (seen.dims4()?, weight.dims4()?);
        let out = started(bias, (n, c_out, 2 * y, 2 * x))?;
        out.inplace_op3(seen, &weight.contiguous()?, &Up)?;
        Ok(out)
    }

    /// A map that is nothing but its bias, in memory of its own: it is written to.
    fn started(bias: &Tensor, (n, c, y, x): (usize, usize, usize, usize)) -> Result<Tensor> {
        let spread = bias.broadcast_as((1, c, y, x))?;
        if n == 1 {
            return spread.force_contiguous();
        }
        let spread = spread.contiguous()?;
        Tensor::cat(&vec![&spread; n], 0)
    }

    /// What lies in a contiguous storage from its layout's start on.
    macro_rules! view {
        ($storage:ident, $layout:ident, $type:ty) => {
            $storage.as_cuda_slice::<$type>()?.slice($layout.start_offset()..)
        };
    }

    /// A dimension as cuDNN takes it; one that it cannot hold is refused by it as negative.
    fn number(dim: usize) -> i32 {
        i32::try_from(dim).unwrap_or(-1)
    }

    fn described<T>(
        cudnn: &Arc<Cudnn>,
        padding: usize,
        stride: usize,
        dilation: usize,
    ) -> Result<ConvDescriptor<f32>> {
        let twice = |number_: usize| [number(number_); 2];
        let mode = cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let conv =
            cudnn.create_conv2d::<f32>(twice(padding), twice(stride), twice(dilation), mode);
        let mut conv = conv.map_err(Error::wrap)?;
        if size_of::<T>() == size_of::<f32>() {
            conv.set_math_type(cudnnMathType_t::CUDNN_FMA_MATH).map_err(Error::wrap)?;
        }
        Ok(conv)
    }

    fn tensor<T: CudnnDataType>(
        cudnn: &Arc<Cudnn>,
        dims: [usize; 4],
    ) -> Result<TensorDescriptor<T>> {
        cudnn.create_4d_tensor(NCHW, dims.map(number)).map_err(Error::wrap)
    }

    fn filter<T: CudnnDataType>(
        cudnn: &Arc<Cudnn>,
        dims: [usize; 4],
    ) -> Result<FilterDescriptor<T>> {
        cudnn.create_4d_filter(NCHW, dims.map(number)).map_err(Error::wrap)
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
            let Sizes { n, c_in, c_out, side, seen: (y, x), made } = *sizes;
            let wrap = Error::wrap;
            let cudnn = handle(device)?;
            let conv = described::<T>(&cudnn, self.padding, 1, self.dilation)?;
            let x_there = tensor::<T>(&cudnn, [n, c_in, y, x])?;
            let w_there = filter::<T>(&cudnn, [c_out, c_in, side, side])?;
            let y_there = tensor::<T>(&cudnn, [n, c_out, made.0, made.1])?;
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

    /// A 2x2 up-convolution, stride 2: what a convolution with stride 2 hands back to its input.
    struct Up;

    impl Up {
        /// Adds the up-convolution to `out`.
        ///
        /// # Safety
        /// All are contiguous and as long as the shapes say, and lie on the device's stream.
        unsafe fn launch<T: CudnnDataType>(
            device: &CudaDevice,
            (seen_shape, weight_shape): (&Shape, &Shape),
            (seen, weight): (&impl DevicePtr<T>, &impl DevicePtr<T>),
            out: &mut impl DevicePtrMut<T>,
            (one, adds): (T, T),
        ) -> Result<()> {
            // Of all that cuDNN has, the one that gives the same bits every time.
            const SAME: cudnnConvolutionBwdDataAlgo_t =
                cudnnConvolutionBwdDataAlgo_t::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
            let ((n, c_in, y, x), (_, c_out, _, _)) =
                (seen_shape.dims4()?, weight_shape.dims4()?);
            let cudnn = handle(device)?;
            let wrap = Error::wrap;
            let conv = described::<T>(&cudnn, 0, 2, 1)?;
            let dy = tensor::<T>(&cudnn, [n, c_in, y, x])?;
            let dx = tensor::<T>(&cudnn, [n, c_out, 2 * y, 2 * x])?;
            let w = filter::<T>(&cudnn, [c_in, c_out, 2, 2])?;
            let back = ConvBackwardData { conv: &conv, dx: &dx, w: &w, dy: &dy };
            let n_bytes = back.get_workspace_size(SAME).map_err(wrap)?;
            // SAFETY: room for the convolution's own use, which it writes before it reads.
            let mut room = unsafe { device.alloc::<u8>(n_bytes)? };
            // SAFETY: the caller's promise, and the shapes described are those given.
            unsafe { back.launch(SAME, Some(&mut room), (one, adds), out, weight, seen) }
                .map_err(wrap)
        }
    }

    impl InplaceOp3 for Up {
        fn name(&self) -> &'static str {
            "up-convolution onto its bias"
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
            let shapes = (seen_layout.shape(), weight_layout.shape());
            if out.dtype() == DType::BF16 {
                let from =
                    (&view!(seen, seen_layout, bf16), &view!(weight, weight_layout, bf16));
                let out = <bf16 as CudaDType>::as_cuda_slice_mut(out)?;
                // SAFETY: both are contiguous and the output was made of that shape (`up`).
                unsafe { Self::launch(&device, shapes, from, out, (bf16::ONE, bf16::ONE)) }
            } else {
                let from = (&view!(seen, seen_layout, f32), &view!(weight, weight_layout, f32));
                let out = <f32 as CudaDType>::as_cuda_slice_mut(out)?;
                // SAFETY: as above.
                unsafe { Self::launch(&device, shapes, from, out, (1.0, 1.0)) }
            }
        }
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
