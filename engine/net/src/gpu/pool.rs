//! Devices and the slices that wait for them, whichever study they are from.
//!
//! Each device has a thread, which owns the network there. It takes what waits, up to a batch, and
//! fills the batch up with air, so that a slice is computed alike whatever waits beside it. While
//! one batch is computed the next one is on its way. Several users share one device in this way,
//! and several devices share one user's slices.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ichor_cuda::interface::PLACES;
use ichor_cuda::{Description, Library, Loaded, Slices};

use super::GpuPrecision;
use super::check::{Known, Meaning};

/// Slices of a batch, where the memory is there.
const BATCH: usize = 8;
/// Part of the free memory that a batch may take.
const SHARE: u64 = 2;

/// How long a device may be silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// While it opens and computes the first slice: a driver may have kernels to compile.
    pub(super) opening: Duration,
    /// With a batch; less than a study's lease.
    pub(super) batch: Duration,
}

/// What the devices are to compute.
pub(super) struct Task {
    pub(super) network: Description,
    pub(super) precision: GpuPrecision,
    pub(super) bytes_a_slice: usize,
    /// A slice and what the CPU makes of it, in f32.
    pub(super) known: Known,
}

/// One slice for the network.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Rows and columns.
    pub(crate) dim: (usize, usize),
    /// `(channels, y, x)`.
    pub(crate) pixels: Vec<f32>,
}

/// One slice on its way.
struct Waiting {
    index: usize,
    seen: Seen,
    answer: Sender<Option<(usize, Vec<f32>)>>,
}

/// A device with the network on it.
#[derive(Debug, Clone)]
struct Device {
    index: u16,
    name: String,
    /// Slices that it takes at a time.
    batch: usize,
    /// Bytes of maps that a batch is reckoned to take at most.
    bytes: usize,
}

#[derive(Default)]
struct Queue {
    slices: VecDeque<Waiting>,
    /// Devices that still answer.
    alive: Vec<Device>,
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

    /// Devices are lost, one or all; without any left nobody waits any longer.
    fn lose(&self, index: Option<u16>, why: String) {
        let mut queue = self.lock();
        queue.alive.retain(|device| index.is_some_and(|index| index != device.index));
        queue.failure = Some(why);
        if queue.alive.is_empty() {
            queue.slices.clear();
        }
    }
}

/// Devices with one network.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    precision: GpuPrecision,
    patience: Patience,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.name()).finish()
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
        patience: Patience,
    ) -> Result<Self, String> {
        let (shared, task) = (Arc::new(Shared::default()), Arc::new(task));
        let precision = task.precision;
        let mut reasons = Vec::new();
        for (index, name) in named {
            let (opened, opening) = mpsc::channel();
            let (of_thread, asked, library) =
                (Arc::clone(&shared), Arc::clone(&task), library.clone());
            thread::spawn(move || match open(&library, index, &asked) {
                Err(why) => drop(opened.send(Err(why))),
                Ok((loaded, batch)) => {
                    // Nobody may be waiting any more.
                    if opened.send(Ok(batch)).is_ok() {
                        let meaning = asked.known.meaning;
                        Worker { loaded, index, batch, meaning }.serve(&of_thread);
                    }
                }
            });
            let answered = opening.recv_timeout(patience.opening);
            let answered = answered.unwrap_or_else(|error| match error {
                RecvTimeoutError::Timeout => Err(silent(patience.opening)),
                RecvTimeoutError::Disconnected => Err("its thread ended".to_owned()),
            });
            match answered {
                Ok(batch) => {
                    let bytes = batch * task.bytes_a_slice;
                    shared.lock().alive.push(Device { index, name, batch, bytes });
                }
                Err(why) => reasons.push(format!("cuda:{index} {name}: {why}")),
            }
        }
        if shared.lock().alive.is_empty() {
            return Err(reasons.join("; "));
        }
        Ok(Self { shared, precision, patience })
    }

    /// What computes, such as `cuda NVIDIA H100 80GB HBM3 bf16`.
    pub(super) fn name(&self) -> String {
        let queue = self.shared.lock();
        let mut names: Vec<&str> = queue.alive.iter().map(|d| d.name.as_str()).collect();
        names.dedup();
        format!("cuda {} {}", names.join(" + "), self.precision.name())
    }

    /// Slices of a batch and the bytes of maps that it takes at most, for each device.
    pub(super) fn said(&self) -> String {
        let of = |device: &Device| {
            let (index, batch, mib) = (device.index, device.batch, device.bytes >> 20);
            format!("cuda:{index} {batch} slices at a time in at most {mib} MiB")
        };
        self.shared.lock().alive.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// What the network says of slices, in their order; fails with the reason of a device.
    pub(super) fn run(
        &self,
        n: usize,
        make: &dyn Fn(usize) -> Seen,
    ) -> Result<Vec<Vec<f32>>, String> {
        let (answer, answers) = mpsc::channel();
        // A batch at a time, so that no device starts on a part of one.
        for first in (0..n).step_by(BATCH) {
            let slice = |index| Waiting { index, seen: make(index), answer: answer.clone() };
            let slices: Vec<Waiting> = (first..n.min(first + BATCH)).map(slice).collect();
            let mut queue = self.shared.lock();
            if queue.alive.is_empty() {
                return Err(failure(&queue));
            }
            queue.slices.extend(slices);
            self.shared.came.notify_all();
        }
        drop(answer);
        let mut out = vec![Vec::new(); n];
        for _ in 0..n {
            match answers.recv_timeout(self.patience.batch) {
                Ok(Some((index, said))) => out[index] = said,
                Err(RecvTimeoutError::Timeout) => {
                    let why = silent(self.patience.batch);
                    self.shared.lose(None, why.clone());
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

fn silent(patience: Duration) -> String {
    format!("no answer in {} s", patience.as_secs_f32())
}

fn failure(queue: &Queue) -> String {
    queue.failure.clone().unwrap_or_else(|| "its thread ended".to_owned())
}

/// Puts the network on a device and holds it against the CPU; gives the slices of a batch.
fn open(library: &Library, index: u16, task: &Task) -> Result<(Loaded, usize), String> {
    let (free, _) = library.memory(i32::from(index)).map_err(words)?;
    let mut batch = BATCH;
    while batch > 1 && (batch * task.bytes_a_slice) as u64 > free / SHARE {
        batch /= 2;
    }
    let loaded = library.load(i32::from(index), &task.network, task.precision.code());
    let mut loaded = loaded.map_err(words)?;
    let known = &task.known;
    put(&mut loaded, 0, (batch, known.meaning), &[&known.seen])?;
    let out = get(&mut loaded, 0, (batch, 1), (known.meaning, known.seen.dim))?;
    let apart = out.first().map_or(f32::INFINITY, |found| known.difference(found));
    let allowed = known.meaning.allowed(task.precision);
    if apart <= allowed {
        Ok((loaded, batch))
    } else {
        Err(format!(
            "a known slice differs by {apart:.1e} from the CPU's, allowed in {} are {allowed:.0e}",
            task.precision.name()
        ))
    }
}

/// A network on a device, in the thread that owns it.
struct Worker {
    loaded: Loaded,
    index: u16,
    batch: usize,
    meaning: Meaning,
}

impl Worker {
    /// Works until the pool closes or the device fails.
    fn serve(mut self, shared: &Shared) {
        let mut flying: VecDeque<(usize, Vec<Waiting>)> = VecDeque::new();
        let mut place = 0;
        loop {
            // Nothing is waited for while an answer is due.
            let taken = take(self.batch, shared, flying.is_empty());
            if taken.is_empty() && flying.is_empty() {
                return;
            }
            let fuller = !taken.is_empty();
            if fuller {
                place = (place + 1) % PLACES;
                let slices: Vec<&Seen> = taken.iter().map(|waiting| &waiting.seen).collect();
                let asked = (self.batch, self.meaning);
                let put = put(&mut self.loaded, place, asked, &slices);
                flying.push_back((place, taken));
                if let Err(why) = put {
                    return self.end(flying, why, shared);
                }
            }
            // With room for another batch, the next one is looked for first.
            if fuller && flying.len() < PLACES {
                continue;
            }
            if let Err(why) = self.land(&mut flying) {
                return self.end(flying, why, shared);
            }
        }
    }

    /// Waits for the oldest batch and answers its slices.
    fn land(&mut self, flying: &mut VecDeque<(usize, Vec<Waiting>)>) -> Result<(), String> {
        let Some((place, slices)) = flying.front() else { return Ok(()) };
        let Some(dim) = slices.first().map(|waiting| waiting.seen.dim) else { return Ok(()) };
        let counts = (self.batch, slices.len());
        let said = get(&mut self.loaded, *place, counts, (self.meaning, dim))?;
        for (slice, said) in flying.pop_front().into_iter().flat_map(|(_, s)| s).zip(said) {
            // Nobody may be waiting any more.
            drop(slice.answer.send(Some((slice.index, said))));
        }
        Ok(())
    }

    /// The device is lost, and all that was on its way to it.
    fn end(self, flying: VecDeque<(usize, Vec<Waiting>)>, why: String, shared: &Shared) {
        shared.lose(Some(self.index), why);
        for slice in flying.into_iter().flat_map(|(_, slices)| slices) {
            drop(slice.answer.send(None));
        }
    }
}

/// Takes up to a batch of slices of one size; where there are none it waits if it may. Empty when
/// there are none, or the pool is closed.
fn take(batch: usize, shared: &Shared, may_wait: bool) -> Vec<Waiting> {
    let mut queue = shared.lock();
    while queue.slices.is_empty() && !queue.closed && may_wait {
        queue = shared.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let mut taken: Vec<Waiting> = Vec::new();
    while !queue.closed && taken.len() < batch {
        match queue.slices.pop_front() {
            Some(next) if taken.first().is_none_or(|t| t.seen.dim == next.seen.dim) => {
                taken.push(next);
            }
            Some(other) => {
                queue.slices.push_front(other);
                break;
            }
            None => break,
        }
    }
    taken
}

fn words(absent: ichor_cuda::Absent) -> String {
    absent.to_string()
}

/// Begins a batch of slices of one size, filled up with air.
fn put(
    loaded: &mut Loaded,
    place: usize,
    (batch, meaning): (usize, Meaning),
    slices: &[&Seen],
) -> Result<(), String> {
    let Some(first) = slices.first() else { return Ok(()) };
    let ((y, x), n) = (first.dim, first.pixels.len());
    let mut pixels = vec![0.0; batch * n];
    for (to, slice) in pixels.chunks_exact_mut(n).zip(slices) {
        to.copy_from_slice(&slice.pixels);
    }
    let (dim, probabilities) = ([batch, y, x], meaning == Meaning::Logits);
    let slices = Slices { pixels: &pixels, dim, sides: None, probabilities, keep: false };
    loaded.put(place, &slices).map_err(words)
}

/// Waits for the batch in `place` and reads what is said of its first `n` slices.
fn get(
    loaded: &mut Loaded,
    place: usize,
    (batch, n): (usize, usize),
    (meaning, dim): (Meaning, (usize, usize)),
) -> Result<Vec<Vec<f32>>, String> {
    let n_out = meaning.n_out(dim);
    let mut out = vec![0.0; batch * n_out];
    loaded.get(place, &mut out).map_err(words)?;
    if out.iter().any(|number| !number.is_finite()) {
        return Err("the device gave what are no numbers".to_owned());
    }
    Ok(out.chunks_exact(n_out).take(n).map(<[f32]>::to_vec).collect())
}
