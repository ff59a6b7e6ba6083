//! Devices and the images that wait for them, whichever study they are from.
//!
//! Each device has a thread, which owns the network there. It takes what waits, up to a batch, and
//! fills the batch up with air, so that an image is computed alike whatever waits beside it. While
//! one batch is computed the next one is on its way. Several users share one device in this way,
//! and several devices share one user's images.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{mem, thread};

use ichor_cuda::{Description, Library};

use super::GpuPrecision;
use super::worker::Worker;

/// Images of a batch, where the memory is there.
pub(super) const BATCH: usize = 8;
/// How long the devices of a pool that closes are waited for.
const CLOSING: Duration = Duration::from_secs(5);

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
    /// One that has a batch and does not answer for this long is given up.
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
pub(super) struct Waiting {
    pub(super) index: usize,
    pub(super) image: Image,
    /// Its index and what came out; none where the device failed.
    pub(super) answer: Sender<Option<(usize, Vec<f32>)>>,
}

/// A device with the network on it.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) index: u16,
    name: String,
    /// Images that it takes at a time.
    batch: usize,
    /// Since when it owes an answer.
    pub(super) since: Option<Instant>,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) images: VecDeque<Waiting>,
    /// Devices that still answer.
    pub(super) alive: Vec<Device>,
    /// Those that were: they take nothing more, should they come back.
    pub(super) lost: Vec<u16>,
    /// How many of them were given up with images that nobody will answer.
    n_silent: usize,
    /// Threads that have a device.
    pub(super) n_serving: usize,
    pub(super) closed: bool,
    /// What the last device to fail said.
    failure: Option<String>,
}

impl Queue {
    /// Loses those devices that are `lost`, and gives their number; without any left nobody waits
    /// any longer.
    pub(super) fn lose(&mut self, lost: impl Fn(&Device) -> bool, why: &str) -> usize {
        let (lost, alive): (Vec<_>, Vec<_>) =
            mem::take(&mut self.alive).into_iter().partition(lost);
        self.alive = alive;
        self.lost.extend(lost.iter().map(|device| device.index));
        let n_lost = lost.len();
        if n_lost > 0 {
            self.failure = Some(why.to_owned());
        }
        if self.alive.is_empty() {
            self.images.clear();
        }
        n_lost
    }

    /// Why no device computes.
    fn failure(&self) -> String {
        self.failure.clone().unwrap_or_else(|| "its thread ended".to_owned())
    }
}

#[derive(Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    pub(super) came: Condvar,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Devices with one network.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    /// What was opened, for provenance.
    opened: String,
    precision: GpuPrecision,
    bytes_an_image: usize,
    patience: Patience,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.opened).finish()
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
        let (precision, bytes_an_image, patience) =
            (task.precision, task.bytes_an_image, task.patience);
        let (shared, task) = (Arc::new(Shared::default()), Arc::new(task));
        let mut reasons = Vec::new();
        for (index, name) in named {
            // Without room, so that who gave up waiting is not answered.
            let (opened, opening) = mpsc::sync_channel(0);
            let (of_thread, task, library) =
                (Arc::clone(&shared), Arc::clone(&task), library.clone());
            thread::spawn(move || match Worker::open(&library, index, &task) {
                Err(why) => drop(opened.send(Err(why))),
                Ok(worker) => {
                    of_thread.lock().n_serving += 1;
                    if opened.send(Ok(worker.batch)).is_err() {
                        of_thread.lock().lost.push(index);
                    }
                    worker.serve(&of_thread);
                }
            });
            let answer = opening.recv_timeout(patience.opening).unwrap_or_else(|lost| {
                Err(match lost {
                    RecvTimeoutError::Timeout => {
                        format!("{} while it was opened", silent(patience.opening))
                    }
                    RecvTimeoutError::Disconnected => "its thread ended".to_owned(),
                })
            });
            match answer {
                Ok(batch) => {
                    shared.lock().alive.push(Device { index, name, batch, since: None });
                }
                Err(why) => reasons.push(format!("cuda:{index} {name}: {why}")),
            }
        }
        let opened = named_together(&shared.lock().alive, precision);
        let opened = opened.ok_or_else(|| reasons.join("; "))?;
        Ok(Self { shared, opened, precision, bytes_an_image, patience })
    }

    /// What computes, such as `cuda NVIDIA H100 80GB HBM3 bf16`; what did, where none is left.
    pub(super) fn name(&self) -> String {
        let alive = named_together(&self.shared.lock().alive, self.precision);
        alive.unwrap_or_else(|| self.opened.clone())
    }

    /// Images of a batch and the bytes of maps that it takes at most, for each device.
    pub(super) fn batches(&self) -> String {
        let of = |device: &Device| {
            let (index, n) = (device.index, device.batch);
            let mib = ((n + 1) * self.bytes_an_image).div_ceil(1 << 20);
            let images = if n == 1 { "image" } else { "images" };
            format!("cuda:{index} {n} {images} at a time in at most {mib} MiB")
        };
        self.shared.lock().alive.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// What comes out for each of `n` images, in their order; fails with the reason of a device.
    pub(super) fn run(
        &self,
        n: usize,
        make: &dyn Fn(usize) -> Image,
    ) -> Result<Vec<Vec<f32>>, String> {
        let n_silent = self.shared.lock().n_silent;
        let (answer, answers) = mpsc::channel();
        // A batch at a time, so that no device starts on a part of one.
        for first in (0..n).step_by(BATCH) {
            let waiting = |index| Waiting { index, image: make(index), answer: answer.clone() };
            let images: Vec<Waiting> = (first..n.min(first + BATCH)).map(waiting).collect();
            let mut queue = self.shared.lock();
            if queue.alive.is_empty() {
                return Err(queue.failure());
            }
            queue.images.extend(images);
            self.shared.came.notify_all();
        }
        drop(answer);
        let mut out = vec![Vec::new(); n];
        let mut n_waiting = n;
        while n_waiting > 0 {
            match answers.recv_timeout(self.patience.answer / 8) {
                Ok(Some((index, computed))) => {
                    out[index] = computed;
                    n_waiting -= 1;
                }
                Err(RecvTimeoutError::Timeout) => self.look(n_silent)?,
                Ok(None) | Err(_) => return Err(self.shared.lock().failure()),
            }
        }
        Ok(out)
    }

    /// Gives up the devices that are silent; fails where there are more of them than `n_silent`,
    /// for one may hold images that are waited for. Else the queue is long.
    fn look(&self, n_silent: usize) -> Result<(), String> {
        let limit = self.patience.answer;
        let is_silent =
            |device: &Device| device.since.is_some_and(|since| since.elapsed() >= limit);
        let mut queue = self.shared.lock();
        queue.n_silent += queue.lose(is_silent, &silent(limit));
        if queue.n_silent == n_silent { Ok(()) } else { Err(queue.failure()) }
    }
}

impl Drop for Pool {
    /// Lets the devices end, those that answer.
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        self.shared.came.notify_all();
        let serve = |queue: &mut Queue| queue.n_serving > queue.n_silent;
        let ended = self.shared.came.wait_timeout_while(queue, CLOSING, serve);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Devices in one name, each once; none where there are none.
fn named_together(devices: &[Device], precision: GpuPrecision) -> Option<String> {
    let mut names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    names.dedup();
    let name = format!("cuda {} {}", names.join(" + "), precision.name());
    (!names.is_empty()).then_some(name)
}

fn silent(limit: Duration) -> String {
    format!("no answer in {} s", limit.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_queue_is_no_silence_and_a_silent_device_is_no_other() {
        let limit = Duration::from_mins(1);
        let device =
            |index, since| Device { index, name: format!("GPU {index}"), batch: 1, since };
        let ago = |n| Instant::now().checked_sub(limit * n);
        let pool = Pool {
            shared: Arc::default(),
            opened: "cuda GPU 0 + GPU 1 f32".to_owned(),
            precision: GpuPrecision::F32,
            bytes_an_image: 1,
            patience: Patience { opening: limit, answer: limit },
        };
        let idle_and_busy = [device(0, None), device(1, ago(0))];
        pool.shared.lock().alive.extend(idle_and_busy);
        assert_eq!(pool.look(0), Ok(()));
        assert_eq!(pool.name(), pool.opened);

        pool.shared.lock().alive[1].since = ago(2);
        assert_eq!(pool.look(0), Err("no answer in 60 s".to_owned()));
        assert_eq!((&*pool.name(), &pool.shared.lock().lost[..]), ("cuda GPU 0 f32", &[1][..]));
        // Who waited with the first one may have images there, too; who comes later has none.
        assert_eq!(pool.look(0), Err("no answer in 60 s".to_owned()));
        assert_eq!(pool.look(1), Ok(()));

        // One that fails answers its images itself.
        pool.shared.lock().lose(|_| true, "fell off the bus");
        assert_eq!(pool.look(1), Ok(()));
        let air = |_| Image { pixels: vec![0.0], dim: (1, 1) };
        assert_eq!(pool.run(1, &air), Err("fell off the bus".to_owned()));
        assert_eq!(pool.name(), pool.opened, "what did compute");
    }
}
