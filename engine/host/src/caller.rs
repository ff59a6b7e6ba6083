//! The host's end of the calls: numbers through shared pages, and what wakes the two ends.
//!
//! The worker sleeps on a word of the pages (futex(2)), the host in `epoll_wait(2)` on a counter
//! (eventfd(2)) and on the worker's socket: the end of a worker wakes it like an answer does, and no
//! timer stands between a death and its error. A scorer answers before the host could fall asleep
//! and be woken, so the host looks at the pages for some microseconds first. Neither call can be
//! made to hang by what a plugin does to word or counter: waking a word never waits, and the
//! counter is watched, not read.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::thread::futex;

use crate::channel::Channel;
use crate::message::{Refusal, ToWorker};
use crate::pages::{self, Pages, Room};

/// One call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The unit's place in the manifest.
    pub(crate) unit: u32,
    /// The number of the shared volume; 0: none.
    pub(crate) volume: u64,
    pub(crate) inputs: &'a [f64],
    pub(crate) n_out: usize,
    pub(crate) n_contributions: usize,
}

/// What a call gave; copies, which the worker cannot reach.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) out: Vec<f64>,
    pub(crate) contributions: Vec<f64>,
    pub(crate) base: f64,
}

/// What a waiting caller was woken by.
#[derive(Debug)]
pub(crate) enum Woken {
    /// The call's results, or the plugin's refusal.
    Answered(Result<Output, Refusal>),
    /// The worker is gone.
    End,
    /// The time is over.
    Nothing,
}

/// How long the host looks for an answer before it sleeps: a scorer's time, and less than a sleep
/// with its waking costs on a busy machine.
const AWAKE: Duration = Duration::from_micros(30);

/// What the events of the host's sleep stand for.
const ANSWER: u64 = 0;
const SOCKET: u64 = 1;

/// The pages and what the host sleeps on.
#[derive(Debug)]
pub(crate) struct Caller {
    pages: Pages,
    events: OwnedFd,
    job: u64,
    /// Kept open: closed, it would leave `events`.
    _answers: OwnedFd,
}

impl Caller {
    /// New pages with `room`, handed to the worker at the other end of `channel`.
    pub(crate) fn open(room: Room, channel: &Channel) -> io::Result<Self> {
        let (pages, memory) = Pages::create(room)?;
        let answers = eventfd(0, EventfdFlags::CLOEXEC)?;
        let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let watch = |source, number, flags| {
            epoll::add(&events, source, epoll::EventData::new_u64(number), flags)
        };
        watch(answers.as_fd(), ANSWER, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        watch(channel.socket(), SOCKET, epoll::EventFlags::RDHUP)?;
        channel.send(&ToWorker::Pages(room).encode(), &[memory.as_fd(), answers.as_fd()])?;
        Ok(Self { pages, events, job: 0, _answers: answers })
    }

    /// Starts a call.
    pub(crate) fn start(&mut self, call: &Call<'_>) -> io::Result<()> {
        self.job += 1;
        let header = self.pages.header();
        pages::write(self.pages.inputs(), call.inputs);
        header.unit.store(call.unit, Relaxed);
        header.volume.store(call.volume, Relaxed);
        header.share.store(0, Relaxed);
        header.job.store(self.job, Relaxed);
        header.called.store(self.job as u32, Release);
        futex::wake(&header.called, futex::Flags::empty(), 1)?;
        Ok(())
    }

    /// Waits until the call has ended, the worker has, or `patience` is over.
    pub(crate) fn wait(&self, call: &Call<'_>, patience: Duration) -> io::Result<Woken> {
        let began = Instant::now();
        let until = began + patience;
        let mut ended = false;
        while !self.has_ended() && began.elapsed() < AWAKE.min(patience) {
            std::hint::spin_loop();
        }
        loop {
            if self.has_ended() {
                return Ok(Woken::Answered(self.taken(call)));
            }
            if ended {
                return Ok(Woken::End);
            }
            // In whole milliseconds, the last one full.
            let left =
                until.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
            if left == 0 {
                return Ok(Woken::Nothing);
            }
            let left = Timespec::try_from(Duration::from_millis(left as u64));
            let left = left.map_err(io::Error::other)?;
            let nothing = epoll::Event {
                flags: epoll::EventFlags::empty(),
                data: epoll::EventData::new_u64(ANSWER),
            };
            let mut woken = [nothing; 2];
            match epoll::wait(&self.events, &mut woken, Some(&left)) {
                Ok(n) => ended = woken.iter().take(n).any(|event| event.data.u64() == SOCKET),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.pages.header().done.load(Acquire) == self.job
    }

    /// How much of the call is done, 0 to 1, as the worker says.
    pub(crate) fn share(&self) -> f32 {
        let share = f32::from_bits(self.pages.header().share.load(Relaxed));
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Asks the plugin to stop the call.
    pub(crate) fn cancel(&self) {
        self.pages.header().cancelled.store(self.job, Relaxed);
    }

    /// Copies the results out; nothing is looked at before.
    fn taken(&self, call: &Call<'_>) -> Result<Output, Refusal> {
        let header = self.pages.header();
        let status = header.status.load(Relaxed);
        if status != ichor_plugin::abi::OK {
            let n = header.n_words.load(Relaxed) as usize;
            let words = self.pages.words().iter().take(n).map(|byte| byte.load(Relaxed));
            let words: Vec<u8> = words.collect();
            return Err(Refusal { status, text: String::from_utf8_lossy(&words).into_owned() });
        }
        Ok(Output {
            out: pages::read(self.pages.outputs(), call.n_out),
            contributions: pages::read(self.pages.contributions(), call.n_contributions),
            base: f64::from_bits(header.base.load(Relaxed)),
        })
    }
}
