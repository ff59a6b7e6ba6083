//! Convolutions of cuDNN, as operations of candle's on a GPU.

#![expect(unsafe_code, reason = "a convolution of cuDNN")]

use std::cell::RefCell;
use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t, cudnnConvolutionMode_t, cudnnMathType_t, cudnnTensorFormat_t,
};
use candle_core::cuda_backend::cudarc::cudnn::{
    ConvBackwardData, ConvForward, Cudnn, CudnnDataType,
};
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
    let by = Convolution::Same { padding, dilation };
    match bias {
        Some(bias) => by.onto(bias, seen, weight),
        None => seen.apply_op2_no_bwd(&weight.contiguous()?, &by),
    }
}

/// `seen` is contiguous; see [`super::up`].
pub(super) fn up(seen: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    Convolution::Up.onto(bias, seen, weight)
}

/// A dimension as cuDNN takes it; one that it cannot hold is refused by it as negative.
fn number(dim: usize) -> i32 {
    i32::try_from(dim).unwrap_or(-1)
}

/// What is asked of cuDNN.
enum Convolution {
    /// Stride 1; weights `(c_out, c_in, side, side)`.
    Same { padding: usize, dilation: usize },
    /// 2x2 with stride 2, upwards: what a convolution with that stride hands back to its input;
    /// weights `(c_in, c_out, 2, 2)`.
    Up,
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

impl Convolution {
    fn sizes(&self, seen: &Shape, weight: &Shape) -> Result<Sizes> {
        let ((n, c_in, y, x), (first, second, side, _)) = (seen.dims4()?, weight.dims4()?);
        let (c_out, made) = match self {
            Self::Up => (second, Some((2 * y, 2 * x))),
            Self::Same { padding, dilation } => {
                let (more, less) = (2 * padding, dilation * (side - 1));
                (first, (y + more).checked_sub(less).zip((x + more).checked_sub(less)))
            }
        };
        let made = made.ok_or_else(|| Error::msg("a map that is smaller than its taps"))?;
        Ok(Sizes { n, c_in, c_out, side, seen: (y, x), made })
    }

    /// A map that starts as its bias, with the convolution added to it.
    fn onto(&self, bias: &Tensor, seen: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let (n, c, y, x) = self.sizes(seen.shape(), weight.shape())?.out();
        let spread = bias.broadcast_as((1, c, y, x))?;
        let out = if n == 1 {
            // In memory of its own, even where nothing had to be spread: it is written to.
            spread.force_contiguous()?
        } else {
            Tensor::cat(&vec![&spread.contiguous()?; n], 0)?
        };
        out.inplace_op3(seen, &weight.contiguous()?, self)?;
        Ok(out)
    }

    /// Writes it to `out`, which counts `adds` times, 0 or 1.
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
        // Of all that go back, the one that gives the same bits every time.
        const BACK: cudnnConvolutionBwdDataAlgo_t =
            cudnnConvolutionBwdDataAlgo_t::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
        let Sizes { n, c_in, c_out, side, seen: (y, x), made } = *sizes;
        let wrap = Error::wrap;
        let cudnn = handle(device)?;
        let (padding, stride, dilation, taps) = match *self {
            Self::Same { padding, dilation } => {
                (padding, 1, dilation, [c_out, c_in, side, side])
            }
            Self::Up => (0, 2, 1, [c_in, c_out, side, side]),
        };
        let twice = |sides: usize| [number(sides); 2];
        let mode = cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let conv =
            cudnn.create_conv2d::<f32>(twice(padding), twice(stride), twice(dilation), mode);
        let mut conv = conv.map_err(wrap)?;
        if size_of::<T>() == size_of::<f32>() {
            conv.set_math_type(cudnnMathType_t::CUDNN_FMA_MATH).map_err(wrap)?;
        }
        let there = |dims: [usize; 4]| {
            cudnn.create_4d_tensor::<T>(NCHW, dims.map(number)).map_err(wrap)
        };
        let (x, y) = (there([n, c_in, y, x])?, there([n, c_out, made.0, made.1])?);
        let w = cudnn.create_4d_filter::<T>(NCHW, taps.map(number)).map_err(wrap)?;
        let forward = ConvForward { conv: &conv, x: &x, w: &w, y: &y };
        let back = ConvBackwardData { conv: &conv, dx: &y, w: &w, dy: &x };
        let same = match self {
            Self::Same { .. } => Some(forward.pick_algorithm().map_err(wrap)?),
            Self::Up => None,
        };
        let n_bytes = same.map_or_else(
            || back.get_workspace_size(BACK),
            |algorithm| forward.get_workspace_size(algorithm),
        );
        // SAFETY: room for cuDNN's own use, which it writes before it reads.
        let mut room = unsafe { device.alloc::<u8>(n_bytes.map_err(wrap)?)? };
        let (room, scales) = (Some(&mut room), (one, adds));
        // SAFETY: the caller's promise, and the shapes described are those of `sizes`.
        let done = unsafe {
            match same {
                Some(algorithm) => forward.launch(algorithm, room, scales, seen, weight, out),
                None => back.launch(BACK, room, scales, out, weight, seen),
            }
        };
        done.map_err(wrap)
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

impl CustomOp2 for Convolution {
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

impl InplaceOp3 for Convolution {
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
            let from = (&view!(seen, seen_layout, bf16), &view!(weight, weight_layout, bf16));
            let out = <bf16 as CudaDType>::as_cuda_slice_mut(out)?;
            // SAFETY: both are contiguous and the output was made of that shape (`onto`).
            unsafe { self.launch(&device, &sizes, from, out, (bf16::ONE, bf16::ONE)) }
        } else {
            let from = (&view!(seen, seen_layout, f32), &view!(weight, weight_layout, f32));
            let out = <f32 as CudaDType>::as_cuda_slice_mut(out)?;
            // SAFETY: as above.
            unsafe { self.launch(&device, &sizes, from, out, (1.0, 1.0)) }
        }
    }
}
