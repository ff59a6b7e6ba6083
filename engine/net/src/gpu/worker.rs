//! The thread of a device: what waits goes there, batch by batch, and what comes back is answered.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Instant;

use ichor_cuda::interface::PLACES;
use ichor_cuda::{Images, Library, Loaded};

use super::check::difference;
use super::pool::{BATCH, Image, Output, Queue, Shared, Task, Waiting};

/// Part of the free memory that a batch may take.
const SHARE: u64 = 2;

/// Puts the network on a device and holds it against the CPU; gives the images of a batch.
pub(super) fn open(
    library: &Library,
    index: u16,
    task: &Task,
) -> Result<(Loaded, usize), String> {
    let (free, _) = library.memory(i32::from(index)).map_err(words)?;
    let mut batch = BATCH;
    while batch > 1 && (batch * task.bytes_an_image) as u64 > free / SHARE {
        batch /= 2;
    }
    let loaded = library.load(i32::from(index), &task.network, task.precision.code());
    let mut loaded = loaded.map_err(words)?;
    let (known, output) = (&task.known, task.output);
    put(&mut loaded, 0, (batch, output), &[known])?;
    let computed = get(&mut loaded, 0, (batch, output), (known.dim, 1))?;
    let apart = computed
        .first()
        .map_or(f32::INFINITY, |found| difference(found, &task.expected, output));
    let allowed = task.precision.allowed();
    if apart <= allowed {
        Ok((loaded, batch))
    } else {
        Err(format!(
            "a known image differs by {apart:.1e} from the CPU's, allowed in {} are {allowed:.0e}",
            task.precision.name()
        ))
    }
}

/// Batches on their way: place, dimensions and images of each.
type Flying = VecDeque<(usize, (usize, usize), Vec<Waiting>)>;

/// A network on a device, in the thread that owns it.
pub(super) struct Worker {
    pub(super) loaded: Loaded,
    pub(super) index: u16,
    /// Images that it takes at a time.
    pub(super) batch: usize,
    pub(super) output: Output,
}

impl Worker {
    /// Works until the pool closes or the device fails.
    pub(super) fn serve(mut self, shared: &Shared) {
        let mut flying = Flying::new();
        if let Err(why) = self.work(&mut flying, shared) {
            shared.lock().lose(|device| device.index == self.index, &why);
            for image in flying.into_iter().flat_map(|(_, _, images)| images) {
                // Nobody may be waiting any more.
                drop(image.answer.send(None));
            }
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
                    put(&mut self.loaded, place, (self.batch, self.output), &images)?;
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
        let asked = (self.batch, self.output);
        let computed = get(&mut self.loaded, *place, asked, (*dim, images.len()))?;
        let landed = flying.pop_front().into_iter().flat_map(|(_, _, images)| images);
        self.owes(&mut shared.lock(), !flying.is_empty());
        for (image, computed) in landed.zip(computed) {
            // Nobody may be waiting any more.
            drop(image.answer.send(Some((image.index, computed))));
        }
        Ok(())
    }

    /// Notes from when on the device is to answer.
    fn owes(&self, queue: &mut Queue, owes: bool) {
        if let Some(device) = queue.alive.iter_mut().find(|device| device.index == self.index) {
            device.since = owes.then(Instant::now);
        }
    }

    /// Takes up to a batch of images of one size; where there are none it waits if it may. Empty
    /// when there are none, or the pool is closed.
    fn take(&self, shared: &Shared, may_wait: bool) -> Vec<Waiting> {
        let mut queue = shared.lock();
        while queue.images.is_empty() && !queue.closed && may_wait {
            queue = shared.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut taken: Vec<Waiting> = Vec::new();
        while !queue.closed && taken.len() < self.batch {
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

/// Begins a batch of images of one size, filled up with air.
fn put(
    loaded: &mut Loaded,
    place: usize,
    (batch, output): (usize, Output),
    images: &[&Image],
) -> Result<(), String> {
    let Some(first) = images.first() else { return Ok(()) };
    let ((y, x), n) = (first.dim, first.pixels.len());
    let mut pixels = vec![0.0; batch * n];
    for (to, image) in pixels.chunks_exact_mut(n).zip(images) {
        to.copy_from_slice(&image.pixels);
    }
    let (dim, probabilities) = ([batch, y, x], output == Output::Probability);
    let images = Images { pixels: &pixels, dim, probabilities, keep: 0 };
    loaded.put(place, &images).map_err(words)
}

/// Waits for the batch in `place`; gives what comes out for its first `n` images.
fn get(
    loaded: &mut Loaded,
    place: usize,
    (batch, output): (usize, Output),
    ((y, x), n): ((usize, usize), usize),
) -> Result<Vec<Vec<f32>>, String> {
    let n_out = match output {
        Output::Probability => y * x,
        Output::Means(n) => n,
    };
    let mut out = vec![0.0; batch * n_out];
    loaded.get(place, &mut out).map_err(words)?;
    if out.iter().any(|number| !number.is_finite()) {
        return Err("the device gave what are no numbers".to_owned());
    }
    Ok(out.chunks_exact(n_out).take(n).map(<[f32]>::to_vec).collect())
}
