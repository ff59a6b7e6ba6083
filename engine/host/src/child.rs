//! The worker's side: one process, one plugin, one call at a time.
#![expect(unsafe_code, reason = "the function that plugins call to report progress")]

use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ichor_plugin::abi::{self, Host};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use crate::channel::{Channel, Received};
use crate::confine::{confine, limit};
use crate::image::Image;
use crate::memory::MappedVolume;
use crate::message::{FromWorker, Load, Refusal, Run, ToWorker};

/// How often a running call looks for `Cancel` and sends its progress.
const LOOK: Duration = Duration::from_millis(10);

/// What the main loop shares with the plugin's progress calls.
struct Shared {
    channel: Mutex<Channel>,
    looked: Mutex<Look>,
}

/// When the running job last looked up, and whether it is to stop.
struct Look {
    job: u64,
    next: Instant,
    cancelled: bool,
}

/// The whole life of a worker process; what it returns is the exit code.
///
/// Its standard input is the socket to the host. It ends when the host closes that socket, also
/// in the middle of a call, so that no worker outlives its engine.
pub fn worker_main() -> i32 {
    match serve() {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("ichor worker: {e}; this command is run by the engine only");
            2
        }
    }
}

fn serve() -> std::io::Result<()> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    // From here on a plugin that reads its standard input finds nothing instead of our messages.
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let watched = socket.try_clone()?;
    let mut channel = Channel::new(socket, None)?;
    end_with_host(watched)?;
    let Received::Message(first) = channel.receive()? else { return Ok(()) };
    let garbled = || std::io::Error::other("what came is no message");
    let (Ok(ToWorker::Load(load)), Some(library)) =
        (ToWorker::decode(&first), channel.descriptor())
    else {
        return Err(garbled());
    };
    let look = Look { job: 0, next: Instant::now(), cancelled: false };
    // A worker opens one plugin and never closes it: what the plugin may call lives as long.
    let shared: &'static Shared =
        Box::leak(Box::new(Shared { channel: Mutex::new(channel), looked: Mutex::new(look) }));
    limit(load.memory_mib)?;
    let image = match open(&load, &library, shared) {
        Ok((image, ready)) => {
            held(&shared.channel).send(&ready.encode(), None)?;
            image
        }
        Err(why) => {
            return Ok(held(&shared.channel).send(&FromWorker::Failed(why).encode(), None)?);
        }
    };
    loop {
        let received = held(&shared.channel).receive()?;
        let message = match received {
            Received::Message(message) => message,
            // Woken by a signal of the plugin's.
            Received::Nothing => continue,
            Received::End => return Ok(()),
        };
        match ToWorker::decode(&message) {
            Ok(ToWorker::Run(run)) => {
                let answer = answer(&image, &run, shared).encode();
                held(&shared.channel).send(&answer, None)?;
            }
            // The job ended before it was cancelled.
            Ok(ToWorker::Cancel(_)) => {}
            _ => return Err(garbled()),
        }
    }
}

/// Ends this process as soon as the other end of `socket` is closed.
///
/// A thread, and not `PR_SET_PDEATHSIG`: that fires when the host's thread that started the
/// worker ends, even while the host lives on. It has begun when this returns: what a thread maps for
/// itself at first would otherwise compete with the library for the address space that is left.
fn end_with_host(socket: OwnedFd) -> std::io::Result<()> {
    let (begun, has_begun) = std::sync::mpsc::channel();
    let watch = move || {
        // Nobody who does not listen has a use for the answer.
        let _ = begun.send(());
        loop {
            let mut asked = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::RDHUP)];
            if rustix::event::poll(&mut asked, None).is_ok() {
                // Not `exit`: a plugin's own exit handlers could hang.
                let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
            }
        }
    };
    std::thread::Builder::new().stack_size(64 << 10).spawn(watch)?;
    has_begun.recv().map_err(std::io::Error::other)
}

fn open(
    load: &Load,
    library: &OwnedFd,
    shared: &'static Shared,
) -> Result<(Image, FromWorker), String> {
    let folder = Path::new(&load.folder);
    std::env::set_current_dir(folder).map_err(|e| format!("{}: {e}", load.folder))?;
    let confined = confine(folder).code();
    let host: &'static Host = Box::leak(Box::new(Host {
        struct_size: size_of::<Host>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        ctx: std::ptr::from_ref(shared).cast_mut().cast(),
        poll: Some(poll),
    }));
    let path = format!("/proc/self/fd/{}", library.as_raw_fd());
    let image = Image::open(Path::new(&path), load, host)?;
    let units = image.described();
    Ok((image, FromWorker::Ready { confined, units }))
}

fn answer(image: &Image, run: &Run, shared: &Shared) -> FromWorker {
    let job = run.job;
    *held(&shared.looked) = Look { job, next: Instant::now() + LOOK, cancelled: false };
    let volume = match mapped(run, shared) {
        Ok(volume) => volume,
        Err(text) => {
            return FromWorker::Refused { job, refusal: Refusal { status: 2, text } };
        }
    };
    match image.run(run, volume.as_ref()) {
        Ok(output) => FromWorker::Done {
            job,
            out: output.out,
            contributions: output.contributions,
            base: output.base,
        },
        Err(refusal) => FromWorker::Refused { job, refusal },
    }
}

fn mapped(run: &Run, shared: &Shared) -> Result<Option<MappedVolume>, String> {
    let Some(geometry) = &run.geometry else { return Ok(None) };
    let memory = held(&shared.channel).descriptor().ok_or("no volume came along")?;
    let voxels = geometry.voxels().ok_or("a volume that cannot be counted")?;
    MappedVolume::new(&memory, voxels)
        .map(Some)
        .map_err(|e| format!("cannot map the volume: {e}"))
}

/// What plugins call: sends progress, and says 1 when the job is to stop.
unsafe extern "C" fn poll(ctx: *mut c_void, job: u64, share: f32) -> i32 {
    // SAFETY: `ctx` is the `Shared` of `open`, which lives as long as the process.
    let shared = unsafe { &*ctx.cast_const().cast::<Shared>() };
    let mut look = held(&shared.looked);
    let now = Instant::now();
    if look.job != job {
        // A thread that a call left behind reports for a job that is over.
        return 1;
    }
    if !look.cancelled && now >= look.next {
        look.next = now + LOOK;
        let mut channel = held(&shared.channel);
        let progress = FromWorker::Progress { job, share: share.clamp(0.0, 1.0) };
        let sent = channel.send(&progress.encode(), None);
        let stop = match channel.look() {
            Ok(Received::Nothing) => false,
            Ok(Received::Message(message)) => {
                ToWorker::decode(&message) == Ok(ToWorker::Cancel(job))
            }
            Ok(Received::End) | Err(_) => true,
        };
        look.cancelled = stop || sent.is_err();
    }
    i32::from(look.cancelled)
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
