//! The thread of a device: what waits goes there, batch by batch, and what comes back is answered.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Instant;
use std::{mem, thread};

use ichor_cuda::interface::PLACES;
use ichor_cuda::{Images, Library, Loaded};

use super::check::difference;
use super::pool::{BATCH, Image, Output, Queue, Shared, Task, Waiting};

/// Part of the free memory that a batch may take.
const SHARE: u64 = 2;

/// Batches on their way: place, dimensions and images of each.
type Flying = VecDeque<(usize, (usize, usize), Vec<Waiting>)>;

/// A network on a device, in the thread that owns it.
pub(super) struct Worker {
    loaded: Loaded,
    index: u16,
    /// Images that it takes at a time.
    pub(super) batch: usize,
    output: Output,
    /// Room for a batch, used again.
    pixels: Vec<f32>,
    /// Room for what comes out of one.
    out: Vec<f32>,
}

impl Worker {
    /// Puts the network on a device and holds it against the CPU.
    pub(super) fn open(library: &Library, index: u16, task: &Task) -> Result<Self, String> {
        let device = i32::from(index);
        let (free, _) = library.memory(device).map_err(words)?;
        let mut batch = BATCH;
        // Biases, spread over a map each, take as much as one image more, at most.
        while batch > 1 && ((batch + 1) * task.bytes_an_image) as u64 > free / SHARE {
            batch /= 2;
        }
        let loaded = library.load(device, &task.network, task.precision.code());
        let loaded = loaded.map_err(words)?;
        let (known, output, room) = (&task.known, task.output, Vec::new());
        let mut worker = Self { loaded, index, batch, output, pixels: room.clone(), out: room };
        // With another batch beside it, as studies have: each place must give its own.
        let air = Image { pixels: vec![0.0; known.pixels.len()], dim: known.dim };
        worker.put(1, &[&air])?;
        worker.put(0, &[known])?;
        worker.get(1, known.dim, 1)?;
        let computed = worker.get(0, known.dim, 1)?;
        let apart = computed
            .first()
            .map_or(f32::INFINITY, |found| difference(found, &task.expected, output));
        let allowed = task.precision.allowed();
        if apart <= allowed {
            Ok(worker)
        } else {
            Err(format!(
                "a known image differs by {apart:.1e} from the CPU's, allowed in {} are {allowed:.0e}",
                task.precision.name()
            ))
        }
    }

    /// Works until the pool closes or the device fails; then waits for the end of the process.
    pub(super) fn serve(mut self, shared: &Shared) -> ! {
        let mut flying = Flying::new();
        match self.work(&mut flying, shared) {
            Ok(()) => drop(self.loaded),
            Err(why) => {
                shared.lock().lose(|device| device.index == self.index, &why);
                for image in flying.into_iter().flat_map(|(_, _, images)| images) {
                    // Nobody may be waiting any more.
                    drop(image.answer.send(None));
                }
                // Handles of CUDA's libraries panic where a lost device cannot give them back.
                mem::forget(self.loaded);
            }
        }
        shared.lock().n_serving -= 1;
        shared.came.notify_all();
        // Those of this thread, which end with it, do so, too.
        loop {
            thread::park();
        }
    }

    /// Begins batches, up to [`PLACES`] before the oldest is waited for.
    fn work(&mut self, flying: &mut Flying, shared: &Shared) -> Result<(), String> {
        let mut place = 0;
        loop {
            let taken = self.take(shared, flying.is_empty());
            match taken.first().map(|first| first.image.dim) {
                None if flying.is_empty() => return Ok(()),
                None => {}
                Some(dim) => {
                    place = (place + 1) % PLACES;
                    flying.push_back((place, dim, taken));
                    let images = flying.back().map_or(&[][..], |(_, _, images)| images);
                    let images: Vec<&Image> = images.iter().map(|w| &w.image).collect();
                    self.put(place, &images)?;
                    if flying.len() < PLACES {
                        continue;
                    }
                }
            }
            self.land(flying, shared)?;
        }
    }

    /// Waits for the oldest batch and answers its images.
    fn land(&mut self, flying: &mut Flying, shared: &Shared) -> Result<(), String> {
        let Some((place, dim, images)) = flying.front() else { return Ok(()) };
        let computed = self.get(*place, *dim, images.len())?;
        let landed = flying.pop_front().into_iter().flat_map(|(_, _, images)| images);
        self.owes(&mut shared.lock(), !flying.is_empty());
        for (image, computed) in landed.zip(computed) {
            // Nobody may be waiting any more.
            drop(image.answer.send(Some((image.index, computed))));
        }
        Ok(())
    }

    /// Begins a batch of images of one size, filled up with air.
    fn put(&mut self, place: usize, images: &[&Image]) -> Result<(), String> {
        let Some(first) = images.first() else { return Ok(()) };
        let ((y, x), n) = (first.dim, first.pixels.len());
        self.pixels.clear();
        for image in images {
            self.pixels.extend_from_slice(&image.pixels);
        }
        self.pixels.resize(self.batch * n, 0.0);
        let (pixels, dim) = (&self.pixels[..], [self.batch, y, x]);
        let probabilities = self.output == Output::Probability;
        let images = Images { pixels, dim, probabilities, keep: 0 };
        self.loaded.put(place, &images).map_err(words)
    }

    /// Waits for the batch in `place`; gives what comes out for its first `n` images.
    fn get(
        &mut self,
        place: usize,
        (y, x): (usize, usize),
        n: usize,
    ) -> Result<Vec<Vec<f32>>, String> {
        let n_out = match self.output {
            Output::Probability => y * x,
            Output::Means(n) => n,
        };
        self.out.resize(self.batch * n_out, 0.0);
        self.loaded.get(place, &mut self.out).map_err(words)?;
        let of_images = &self.out[..n * n_out];
        if of_images.iter().any(|number| !number.is_finite()) {
            return Err("the device gave what are no numbers".to_owned());
        }
        Ok(of_images.chunks_exact(n_out).map(<[f32]>::to_vec).collect())
    }

    /// Notes from when on the device is to answer.
    fn owes(&self, queue: &mut Queue, owes: bool) {
        if let Some(device) = queue.alive.iter_mut().find(|device| device.index == self.index) {
            device.since = owes.then(Instant::now);
        }
    }

    /// Takes up to a batch of images of one size; where there are none it waits if it may. Empty
    /// when there are none, or the device has nothing more to do.
    fn take(&self, shared: &Shared, may_wait: bool) -> Vec<Waiting> {
        let is_over = |queue: &Queue| queue.closed || queue.lost.contains(&self.index);
        let mut queue = shared.lock();
        while queue.images.is_empty() && !is_over(&queue) && may_wait {
            queue = shared.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut taken: Vec<Waiting> = Vec::new();
        while !is_over(&queue) && taken.len() < self.batch {
            let fits = |next: &mut Waiting| {
                taken.first().is_none_or(|first| first.image.dim == next.image.dim)
            };
            let Some(next) = queue.images.pop_front_if(fits) else { break };
            taken.push(next);
        }
        if may_wait && !taken.is_empty() {
            self.owes(&mut queue, true);
        }
        taken
    }
}

fn words(absent: ichor_cuda::Absent) -> String {
    absent.to_string()
}
