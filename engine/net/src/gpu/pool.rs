//! Devices and the images that wait for them, whichever study they are from.
//!
//! Each device has a thread, which owns the network there. It takes what waits, up to a batch, and
//! fills the batch up with air, so that an image is computed alike whatever waits beside it. Several
//! users share one device in this way, and several devices share one user's images.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ichor_cuda::{Description, Library, Loaded};

use super::GpuPrecision;
use super::check::difference;

/// Images of a batch, where the memory is there.
const BATCH: usize = 8;
/// Part of the free memory that a batch may take.
const SHARE: u64 = 2;

/// What the network is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Image {
    /// `(channel, y, x)`.
    pub(super) pixels: Vec<f32>,
    /// Rows and columns.
    pub(super) dim: (usize, usize),
}

/// What comes out of the network for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// A logit a pixel, handed on as its probability.
    Probability,
    /// The mean of each of so many last maps.
    Means(usize),
}

/// How long devices are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A device that is not open after this long is left out.
    pub(super) opening: Duration,
    /// One that does not answer for this long is given up.
    pub(super) answer: Duration,
}

/// What the devices are to compute.
pub(super) struct Task {
    pub(super) network: Description,
    pub(super) output: Output,
    pub(super) precision: GpuPrecision,
    pub(super) bytes_an_image: usize,
    /// What a device computes before it is believed.
    pub(super) known: Image,
    /// The same by the CPU, in f32.
    pub(super) expected: Vec<f32>,
    /// How long devices are waited for.
    pub(super) patience: Patience,
}

/// One image on its way.
struct Waiting {
    index: usize,
    image: Image,
    answer: Sender<Option<(usize, Vec<f32>)>>,
}

#[derive(Default)]
struct Queue {
    images: VecDeque<Waiting>,
    /// Devices that still answer.
    n_alive: usize,
    closed: bool,
    /// What the last device to fail said.
    failure: Option<String>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    came: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device is lost; without any left nobody waits any longer.
    fn lose(&self, n: usize, why: String) {
        let mut queue = self.lock();
        queue.n_alive = queue.n_alive.saturating_sub(n);
        queue.failure = Some(why);
        if queue.n_alive == 0 {
            queue.images.clear();
        }
    }
}

/// Devices with one network.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    /// What computes, for provenance.
    name: String,
    /// A device that does not answer for this long is given up.
    patience: Duration,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.name).finish()
    }
}

impl Pool {
    /// Puts the network on every device of `named`, and tries each; one that fails is left out.
    ///
    /// Fails with the reasons where none is left.
    pub(super) fn open(
        library: &Library,
        named: Vec<(u16, String)>,
        task: Task,
    ) -> Result<Self, String> {
        let patience = task.patience;
        let (shared, task) = (Arc::new(Shared::default()), Arc::new(task));
        let (mut names, mut reasons) = (Vec::new(), Vec::new());
        for (index, name) in named {
            let (opened, opening) = mpsc::channel();
            let (shared, task, library) =
                (Arc::clone(&shared), Arc::clone(&task), library.clone());
            thread::spawn(move || match open(&library, index, &task) {
                Err(why) => drop(opened.send(Err(why))),
                Ok((loaded, batch)) => {
                    shared.lock().n_alive += 1;
                    if opened.send(Ok(())).is_err() {
                        // It was given up meanwhile.
                        return shared.lose(1, "it was opened too late".to_owned());
                    }
                    serve(loaded, (batch, task.output), &shared);
                }
            });
            let answer = opening.recv_timeout(patience.opening).unwrap_or_else(|lost| {
                Err(match lost {
                    RecvTimeoutError::Timeout => {
                        format!(
                            "no answer in {} s while it was opened",
                            patience.opening.as_secs()
                        )
                    }
                    RecvTimeoutError::Disconnected => "its thread ended".to_owned(),
                })
            });
            match answer {
                Ok(()) => names.push(name),
                Err(why) => reasons.push(format!("cuda:{index} {name}: {why}")),
            }
        }
        if names.is_empty() {
            return Err(reasons.join("; "));
        }
        names.dedup();
        let name = format!("cuda {} {}", names.join(" + "), task.precision.name());
        Ok(Self { shared, name, patience: patience.answer })
    }

    /// What computes, such as `cuda NVIDIA H100 80GB HBM3 bf16`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What comes out for each of `n` images, in their order; fails with the reason of a device.
    pub(super) fn run(
        &self,
        n: usize,
        make: &dyn Fn(usize) -> Image,
    ) -> Result<Vec<Vec<f32>>, String> {
        let (answer, answers) = mpsc::channel();
        for index in 0..n {
            let waiting = Waiting { index, image: make(index), answer: answer.clone() };
            let mut queue = self.shared.lock();
            if queue.n_alive == 0 {
                return Err(failure(&queue));
            }
            queue.images.push_back(waiting);
            self.shared.came.notify_one();
        }
        drop(answer);
        let mut out = vec![Vec::new(); n];
        for _ in 0..n {
            match answers.recv_timeout(self.patience) {
                Ok(Some((index, computed))) => out[index] = computed,
                Err(RecvTimeoutError::Timeout) => {
                    let why = format!("no answer in {} s", self.patience.as_secs());
                    self.shared.lose(usize::MAX, why.clone());
                    return Err(why);
                }
                Ok(None) | Err(_) => return Err(failure(&self.shared.lock())),
            }
        }
        Ok(out)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.came.notify_all();
    }
}

fn failure(queue: &Queue) -> String {
    queue.failure.clone().unwrap_or_else(|| "its thread ended".to_owned())
}

/// Puts the network on a device and holds it against the CPU; gives the images of a batch.
fn open(library: &Library, index: u16, task: &Task) -> Result<(Loaded, usize), String> {
    let words = |absent: ichor_cuda::Absent| absent.to_string();
    let (free, _) = library.memory(i32::from(index)).map_err(words)?;
    let mut batch = BATCH;
    while batch > 1 && (batch * task.bytes_an_image) as u64 > free / SHARE {
        batch /= 2;
    }
    let loaded = library.load(i32::from(index), &task.network, task.precision.code());
    let mut loaded = loaded.map_err(words)?;
    let computed = compute(&mut loaded, (batch, task.output), &[&task.known])?;
    let apart = computed
        .first()
        .map_or(f32::INFINITY, |found| difference(found, &task.expected, task.output));
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

/// Works until the pool closes or the device fails.
fn serve(mut loaded: Loaded, (batch, output): (usize, Output), shared: &Shared) {
    while let Some(taken) = take(batch, shared) {
        let images: Vec<&Image> = taken.iter().map(|waiting| &waiting.image).collect();
        match compute(&mut loaded, (batch, output), &images) {
            Ok(computed) => {
                for (waiting, computed) in taken.into_iter().zip(computed) {
                    // Nobody may be waiting any more.
                    drop(waiting.answer.send(Some((waiting.index, computed))));
                }
            }
            Err(why) => {
                shared.lose(1, why);
                for waiting in taken {
                    drop(waiting.answer.send(None));
                }
                return;
            }
        }
    }
}

/// Waits for images; takes up to a batch of one size. None when the pool is closed.
fn take(batch: usize, shared: &Shared) -> Option<Vec<Waiting>> {
    let mut queue = shared.lock();
    loop {
        if queue.closed {
            return None;
        }
        if let Some(first) = queue.images.pop_front() {
            let mut taken = vec![first];
            while taken.len() < batch {
                match queue.images.pop_front() {
                    Some(next) if next.image.dim == taken[0].image.dim => {
                        taken.push(next);
                    }
                    Some(other) => {
                        queue.images.push_front(other);
                        break;
                    }
                    None => break,
                }
            }
            return Some(taken);
        }
        queue = shared.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

/// What comes out for up to a batch of images of one size, filled up with air.
fn compute(
    loaded: &mut Loaded,
    (batch, output): (usize, Output),
    images: &[&Image],
) -> Result<Vec<Vec<f32>>, String> {
    let Some(first) = images.first() else { return Ok(Vec::new()) };
    let (y, x) = first.dim;
    let mut pixels = vec![0.0; batch * first.pixels.len()];
    for (to, image) in pixels.chunks_exact_mut(first.pixels.len()).zip(images) {
        to.copy_from_slice(&image.pixels);
    }
    let n_out = match output {
        Output::Probability => y * x,
        Output::Means(n) => n,
    };
    let mut out = vec![0.0; batch * n_out];
    loaded.forward(&pixels, [batch, y, x], &mut out, 0).map_err(|absent| absent.to_string())?;
    if out.iter().any(|number| !number.is_finite()) {
        return Err("the device gave what are no numbers".to_owned());
    }
    if output == Output::Probability {
        for logit in &mut out {
            *logit = 1.0 / (1.0 + (-*logit).exp());
        }
    }
    Ok(out.chunks_exact(n_out).take(images.len()).map(<[f32]>::to_vec).collect())
}
