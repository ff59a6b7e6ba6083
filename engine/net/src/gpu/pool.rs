//! Devices and the slices that wait for them, whichever study they are from.
//!
//! Each device has a thread, which owns the network there. It takes what waits, up to a batch, and
//! fills the batch up with air, so that a slice is computed alike whatever waits beside it. Several
//! users share one device in this way, and several devices share one user's slices.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ichor_cuda::{Description, Library, Loaded};
use ndarray::Array2;

use super::GpuPrecision;
use super::check::{difference, known_slice};

/// Slices of a batch, where the memory is there.
const BATCH: usize = 8;
/// Part of the free memory that a batch may take.
const SHARE: u64 = 2;
/// A device that does not answer for this long is given up; less than a study's lease.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the devices are to compute.
pub(super) struct Task {
    pub(super) network: Description,
    pub(super) precision: GpuPrecision,
    pub(super) bytes_a_slice: usize,
    /// The known slice by the CPU, in f32.
    pub(super) expected: Array2<f32>,
}

/// One slice on its way.
struct Waiting {
    index: usize,
    windowed: Array2<f32>,
    answer: Sender<Option<(usize, Array2<f32>)>>,
}

#[derive(Default)]
struct Queue {
    slices: VecDeque<Waiting>,
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
            queue.slices.clear();
        }
    }
}

/// Devices with one network.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    /// What computes, for provenance.
    name: String,
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
                    drop(opened.send(Ok(())));
                    serve(loaded, batch, &shared);
                }
            });
            match opening.recv().unwrap_or_else(|_| Err("its thread ended".to_owned())) {
                Ok(()) => names.push(name),
                Err(why) => reasons.push(format!("cuda:{index} {name}: {why}")),
            }
        }
        if names.is_empty() {
            return Err(reasons.join("; "));
        }
        names.dedup();
        let name = format!("cuda {} {}", names.join(" + "), task.precision.name());
        Ok(Self { shared, name })
    }

    /// What computes, such as `cuda NVIDIA H100 80GB HBM3 bf16`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Probabilities of `slices` in their order; fails with the reason of a device.
    pub(super) fn run(
        &self,
        n: usize,
        make: &dyn Fn(usize) -> Array2<f32>,
    ) -> Result<Vec<Array2<f32>>, String> {
        let (answer, answers) = mpsc::channel();
        for index in 0..n {
            let slice = Waiting { index, windowed: make(index), answer: answer.clone() };
            let mut queue = self.shared.lock();
            if queue.n_alive == 0 {
                return Err(failure(&queue));
            }
            queue.slices.push_back(slice);
            self.shared.came.notify_one();
        }
        drop(answer);
        let mut out = vec![Array2::zeros((0, 0)); n];
        for _ in 0..n {
            match answers.recv_timeout(PATIENCE) {
                Ok(Some((index, probability))) => out[index] = probability,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let why = format!("no answer in {} s", PATIENCE.as_secs());
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

/// Puts the network on a device and holds it against the CPU; gives the slices of a batch.
fn open(library: &Library, index: u16, task: &Task) -> Result<(Loaded, usize), String> {
    let words = |absent: ichor_cuda::Absent| absent.to_string();
    let (free, _) = library.memory(i32::from(index)).map_err(words)?;
    let mut batch = BATCH;
    while batch > 1 && (batch * task.bytes_a_slice) as u64 > free / SHARE {
        batch /= 2;
    }
    let loaded = library.load(i32::from(index), &task.network, task.precision.code());
    let mut loaded = loaded.map_err(words)?;
    let computed = compute(&mut loaded, batch, &[known_slice()])?;
    let apart = computed
        .first()
        .and_then(|p| p.as_slice())
        .map_or(f32::INFINITY, |found| difference(found, &task.expected));
    let allowed = task.precision.allowed();
    if apart <= allowed {
        Ok((loaded, batch))
    } else {
        Err(format!(
            "a known slice differs by {apart:.1e} from the CPU's, allowed in {} are {allowed:.0e}",
            task.precision.name()
        ))
    }
}

/// Works until the pool closes or the device fails.
fn serve(mut loaded: Loaded, batch: usize, shared: &Shared) {
    while let Some(taken) = take(batch, shared) {
        let slices: Vec<Array2<f32>> = taken.iter().map(|w| w.windowed.clone()).collect();
        match compute(&mut loaded, batch, &slices) {
            Ok(computed) => {
                for (slice, probability) in taken.into_iter().zip(computed) {
                    // Nobody may be waiting any more.
                    drop(slice.answer.send(Some((slice.index, probability))));
                }
            }
            Err(why) => {
                shared.lose(1, why);
                for slice in taken {
                    drop(slice.answer.send(None));
                }
                return;
            }
        }
    }
}

/// Waits for slices; takes up to a batch of one size. None when the pool is closed.
fn take(batch: usize, shared: &Shared) -> Option<Vec<Waiting>> {
    let mut queue = shared.lock();
    loop {
        if queue.closed {
            return None;
        }
        if let Some(first) = queue.slices.pop_front() {
            let mut taken = vec![first];
            while taken.len() < batch {
                match queue.slices.pop_front() {
                    Some(next) if next.windowed.dim() == taken[0].windowed.dim() => {
                        taken.push(next);
                    }
                    Some(other) => {
                        queue.slices.push_front(other);
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

/// Probabilities of up to a batch of slices of one size, filled up with air.
fn compute(
    loaded: &mut Loaded,
    batch: usize,
    slices: &[Array2<f32>],
) -> Result<Vec<Array2<f32>>, String> {
    let Some((y, x)) = slices.first().map(Array2::dim) else { return Ok(Vec::new()) };
    let mut pixels = vec![0.0; batch * y * x];
    for (to, slice) in pixels.chunks_exact_mut(y * x).zip(slices) {
        to.iter_mut().zip(slice).for_each(|(to, from)| *to = *from);
    }
    let mut out = vec![0.0; pixels.len()];
    loaded.forward(&pixels, [batch, y, x], &mut out, 0).map_err(|absent| absent.to_string())?;
    let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
    let of = |index: usize| {
        Array2::from_shape_fn((y, x), |(row, column)| {
            sigmoid(out[(index * y + row) * x + column])
        })
    };
    if out.iter().any(|logit| !logit.is_finite()) {
        return Err("the device gave logits that are no numbers".to_owned());
    }
    Ok((0..slices.len()).map(of).collect())
}
