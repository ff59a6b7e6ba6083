//! The way to the device and back.
//!
//! On a GPU it leads through page-locked memory and two streams of its own: while one batch is
//! computed the next one arrives and the last one leaves. Each stream is told to wait for the one
//! before it: cudarc's events alone do not do that, because candle hands most kernels their output as
//! if it were read. Both ends of a batch are held until its output is here, so that no memory is
//! given back to one stream while another uses it. Elsewhere an output waits where it was computed.

use candle_core::{Device, Error, Result, Tensor};

use crate::interface::PLACES;

/// Outputs under way, and on a GPU what they travel by.
#[derive(Debug)]
pub(crate) struct Copies {
    places: [Place; PLACES],
    #[cfg(feature = "cuda")]
    streams: Option<locked::Streams>,
}

/// One batch under way.
#[derive(Debug, Default)]
struct Place {
    out: Option<Out>,
    /// Pixels on the device.
    #[cfg(feature = "cuda")]
    seen: Option<Tensor>,
    #[cfg(feature = "cuda")]
    arriving: locked::Room,
    #[cfg(feature = "cuda")]
    leaving: locked::Room,
}

/// An output that was sent.
#[derive(Debug)]
enum Out {
    /// Here already.
    Here(Vec<f32>),
    /// These numbers, which arrive in the place's memory.
    #[cfg(feature = "cuda")]
    Leaving(Tensor),
}

impl Copies {
    #[cfg_attr(
        not(feature = "cuda"),
        expect(clippy::unnecessary_wraps, reason = "the same signature as with CUDA")
    )]
    pub(crate) fn new(device: &Device) -> Result<Self> {
        #[cfg(not(feature = "cuda"))]
        let _ = device;
        Ok(Self {
            places: Default::default(),
            #[cfg(feature = "cuda")]
            streams: match device {
                Device::Cuda(cuda) => Some(locked::Streams::new(cuda)?),
                _ => None,
            },
        })
    }

    fn place(&mut self, place: usize) -> Result<&mut Place> {
        let none = || Error::msg(format!("no place {place}: there are {PLACES}"));
        self.places.get_mut(place).ok_or_else(none)
    }

    /// `pixels` on `device`, of shape `dims`.
    pub(crate) fn bring(
        &mut self,
        place: usize,
        pixels: &[f32],
        dims: (usize, usize, usize, usize),
        device: &Device,
    ) -> Result<Tensor> {
        self.place(place)?.out = None;
        #[cfg(feature = "cuda")]
        if let (Some(streams), Device::Cuda(cuda)) = (&self.streams, device) {
            let place = &mut self.places[place];
            let there = streams.bring(&mut place.arriving, pixels, dims, cuda)?;
            place.seen = Some(there.clone());
            return Ok(there);
        }
        Tensor::from_slice(pixels, dims, device)
    }

    /// Starts the way back of `out`, numbers in f32.
    pub(crate) fn send(&mut self, place: usize, out: &Tensor) -> Result<()> {
        let out = out.flatten_all()?.contiguous()?;
        self.place(place)?.out = None;
        #[cfg(feature = "cuda")]
        if let Some(streams) = &self.streams {
            streams.send(&mut self.places[place].leaving, &out)?;
            self.places[place].out = Some(Out::Leaving(out));
            return Ok(());
        }
        self.places[place].out = Some(Out::Here(out.to_vec1()?));
        Ok(())
    }

    /// Waits for what was sent and writes it.
    pub(crate) fn fetch(&mut self, place: usize, to: &mut [f32]) -> Result<()> {
        let place = self.place(place)?;
        let out = place.out.take().ok_or_else(|| Error::msg("no batch is in this place"))?;
        let from = match &out {
            Out::Here(numbers) => &numbers[..],
            #[cfg(feature = "cuda")]
            Out::Leaving(out) => place.leaving.numbers(out.elem_count())?,
        };
        if from.len() != to.len() {
            let words = format!("an output of {} for {}", from.len(), to.len());
            return Err(Error::msg(words));
        }
        to.copy_from_slice(from);
        #[cfg(feature = "cuda")]
        drop(place.seen.take());
        Ok(())
    }
}

#[cfg(feature = "cuda")]
mod locked {
    #![expect(unsafe_code, reason = "page-locked memory and streams")]

    use std::sync::Arc;

    use candle_core::cuda_backend::cudarc::driver::{
        CudaContext, CudaStream, HostSlice, PinnedHostSlice, SyncOnDrop, result, sys,
    };
    use candle_core::op::BackpropOp;
    use candle_core::{CudaDevice, CudaStorage, Error, Result, Storage, Tensor};

    /// To the device and back, beside the stream that computes.
    #[derive(Debug)]
    pub(super) struct Streams {
        context: Arc<CudaContext>,
        coming: Arc<CudaStream>,
        computing: Arc<CudaStream>,
        going: Arc<CudaStream>,
    }

    /// Page-locked memory that grows to the largest batch.
    #[derive(Debug, Default)]
    pub(super) struct Room(Option<PinnedHostSlice<f32>>);

    impl Room {
        /// Memory for at least `n` numbers; `flags` say how this side uses it.
        fn of(
            &mut self,
            context: &Arc<CudaContext>,
            n: usize,
            flags: u32,
        ) -> Result<&mut PinnedHostSlice<f32>> {
            if self.0.as_ref().is_none_or(|room| room.len() < n) {
                // SAFETY: it is set at once, below.
                let room = unsafe { context.alloc_pinned_with_flags::<f32>(n, flags) };
                let mut room = room.map_err(Error::wrap)?;
                let first = room.as_mut_ptr().map_err(Error::wrap)?;
                // SAFETY: `n` numbers start there, and zero bytes are numbers.
                unsafe { first.write_bytes(0, n) };
                self.0 = Some(room);
            }
            self.0.as_mut().ok_or_else(|| Error::msg("no page-locked memory"))
        }

        /// The first `n` numbers, once all that was started with them has ended.
        pub(super) fn numbers(&self, n: usize) -> Result<&[f32]> {
            let room = self.0.as_ref().ok_or_else(|| Error::msg("nothing was sent"))?;
            Ok(&room.as_slice().map_err(Error::wrap)?[..n])
        }
    }

    /// The first numbers of page-locked memory: cudarc copies as much as the host's side has.
    struct First<'a>(&'a mut PinnedHostSlice<f32>, usize);

    impl HostSlice<f32> for First<'_> {
        fn len(&self) -> usize {
            self.1
        }

        unsafe fn stream_synced_slice<'a>(
            &'a self,
            stream: &'a CudaStream,
        ) -> (&'a [f32], SyncOnDrop<'a>) {
            // SAFETY: the caller's promise, passed on.
            let (all, sync) = unsafe { self.0.stream_synced_slice(stream) };
            (&all[..self.1], sync)
        }

        unsafe fn stream_synced_mut_slice<'a>(
            &'a mut self,
            stream: &'a CudaStream,
        ) -> (&'a mut [f32], SyncOnDrop<'a>) {
            // SAFETY: the caller's promise, passed on.
            let (all, sync) = unsafe { self.0.stream_synced_mut_slice(stream) };
            (&mut all[..self.1], sync)
        }
    }

    /// Lets a device keep what it was given: else all that is free goes back at every wait, and the
    /// next batch has gigabytes mapped anew.
    fn keep_memory(context: &CudaContext) -> Result<()> {
        let mut most = u64::MAX;
        // SAFETY: the device is that of a live context, its default pool is always there, and the
        // attribute is one number of 64 bits, which is read during the call.
        unsafe {
            let pool = result::device::get_default_mem_pool(context.cu_device());
            let pool = pool.map_err(Error::wrap)?;
            let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            let set = result::mem_pool::set_attribute(pool, threshold, (&raw mut most).cast());
            set.map_err(Error::wrap)
        }
    }

    impl Streams {
        pub(super) fn new(cuda: &CudaDevice) -> Result<Self> {
            let computing = cuda.cuda_stream();
            let context = Arc::clone(computing.context());
            if context.has_async_alloc() {
                keep_memory(&context)?;
            }
            let coming = context.new_stream().map_err(Error::wrap)?;
            let going = context.new_stream().map_err(Error::wrap)?;
            Ok(Self { context, coming, computing, going })
        }

        pub(super) fn bring(
            &self,
            room: &mut Room,
            pixels: &[f32],
            dims: (usize, usize, usize, usize),
            cuda: &CudaDevice,
        ) -> Result<Tensor> {
            let n = pixels.len();
            let room = room.of(&self.context, n, sys::CU_MEMHOSTALLOC_WRITECOMBINED)?;
            // Waits until the batch before has left this memory.
            room.as_mut_slice().map_err(Error::wrap)?[..n].copy_from_slice(pixels);
            // SAFETY: the copy on the same stream sets all of it before anybody reads.
            let mut there = unsafe { self.coming.alloc::<f32>(n) }.map_err(Error::wrap)?;
            self.coming.memcpy_htod(&First(room, n), &mut there).map_err(Error::wrap)?;
            self.computing.join(&self.coming).map_err(Error::wrap)?;
            let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(there, cuda.clone()));
            Ok(Tensor::from_storage(storage, dims, BackpropOp::none(), false))
        }

        /// Starts the copy of `out`, which is contiguous.
        pub(super) fn send(&self, room: &mut Room, out: &Tensor) -> Result<()> {
            let (storage, layout) = out.storage_and_layout();
            let Storage::Cuda(storage) = &*storage else {
                return Err(Error::msg("an output that is not on the device"));
            };
            let (start, n) = (layout.start_offset(), layout.shape().elem_count());
            let there = storage.as_cuda_slice::<f32>()?.slice(start..start + n);
            let room = room.of(&self.context, n, 0)?;
            self.going.join(&self.computing).map_err(Error::wrap)?;
            self.going.memcpy_dtoh(&there, &mut First(room, n)).map_err(Error::wrap)
        }
    }
}
