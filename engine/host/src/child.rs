//! The worker's side: one process, one plugin, one call at a time.
#![expect(unsafe_code, reason = "the function that plugins call to report progress")]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use ichor_plugin::abi::{self, Host};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;
use rustix::thread::futex;

use crate::channel::{Channel, Received};
use crate::confine::{confine, limit};
use crate::image::Image;
use crate::memory::MappedVolume;
use crate::message::{FromWorker, Geometry, Load, Refusal, ToWorker};
use crate::pages::Pages;

/// The pages of calls, where the plugin's progress is told; empty while it is opened.
type Progress = OnceLock<Pages>;

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

fn serve() -> io::Result<()> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    // From here on a plugin that reads its standard input finds nothing instead of our messages.
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let watched = socket.try_clone()?;
    let mut channel = Channel::new(socket, None)?;
    end_with_host(watched)?;
    let Received::Message(first) = channel.receive(None)? else { return Ok(()) };
    let garbled = || io::Error::other("what came is no message");
    let (Ok(ToWorker::Load(load)), Some(library)) =
        (ToWorker::decode(&first), channel.descriptor())
    else {
        return Err(garbled());
    };
    // A worker opens one plugin and never closes it: what the plugin may call lives as long.
    let progress: &'static Progress = Box::leak(Box::new(Progress::new()));
    limit(load.memory_mib)?;
    let image = match open(&load, &library, progress) {
        Ok((image, ready)) => {
            channel.send(&ready.encode(), &[])?;
            image
        }
        Err(why) => return Ok(channel.send(&FromWorker::Failed(why).encode(), &[])?),
    };
    let Received::Message(message) = channel.receive(None)? else { return Ok(()) };
    let (Ok(ToWorker::Pages(room)), Some(memory), Some(answers)) =
        (ToWorker::decode(&message), channel.descriptor(), channel.descriptor())
    else {
        return Err(garbled());
    };
    let pages = Pages::map(&memory, room)?;
    calls(&image, progress.get_or_init(|| pages), &answers, &mut channel)
}

/// Takes calls for as long as the process lives; its watch ends it with the host.
fn calls(
    image: &Image,
    pages: &Pages,
    answers: &OwnedFd,
    channel: &mut Channel,
) -> io::Result<()> {
    let header = pages.header();
    let mut mapped: (u64, Option<io::Result<(Geometry, MappedVolume)>>) = (0, None);
    let mut seen = 0;
    loop {
        while header.called.load(Acquire) == seen {
            // Whatever woke it, the word says whether there is a call.
            let _ = futex::wait(&header.called, futex::Flags::empty(), seen, None);
        }
        seen = header.called.load(Acquire);
        let (job, volume) = (header.job.load(Relaxed), header.volume.load(Relaxed));
        if volume != 0 && volume != mapped.0 {
            // The one before goes first: both at once may be more than the plugin's memory.
            drop(mapped.1.take());
            mapped = (volume, Some(map(channel, volume)));
        }
        let unit = header.unit.load(Relaxed);
        let answer = match mapped.1.as_ref().filter(|_| volume != 0) {
            None => image.run(unit, job, None, pages),
            Some(Ok(volume)) => image.run(unit, job, Some(volume), pages),
            Some(Err(e)) => {
                Err(Refusal { status: 2, text: format!("cannot map the volume: {e}") })
            }
        };
        match answer {
            Ok(base) => {
                header.base.store(base.to_bits(), Relaxed);
                header.status.store(abi::OK, Relaxed);
            }
            Err(Refusal { status, text }) => {
                let words = pages.words().iter().zip(text.as_bytes());
                let n_words = words.map(|(to, from)| to.store(*from, Relaxed)).count();
                header.n_words.store(n_words as u32, Relaxed);
                header.status.store(status, Relaxed);
            }
        }
        header.done.store(job, Release);
        rustix::io::write(answers, &1_u64.to_ne_bytes())?;
    }
}

/// Maps the volume that the host sent before it called.
fn map(channel: &mut Channel, wanted: u64) -> io::Result<(Geometry, MappedVolume)> {
    let no_volume = || io::Error::other("a call about a volume that did not come");
    loop {
        let message = match channel.receive(None)? {
            Received::Message(message) => message,
            // Woken by a signal of the plugin's.
            Received::Nothing => continue,
            Received::End => return Err(no_volume()),
        };
        let (Ok(ToWorker::Volume { number, geometry }), Some(memory)) =
            (ToWorker::decode(&message), channel.descriptor())
        else {
            return Err(no_volume());
        };
        if number == wanted {
            let voxels = geometry.voxels().ok_or_else(no_volume)?;
            let volume = MappedVolume::new(&memory, voxels)?;
            return Ok((geometry, volume));
        }
    }
}

/// Ends this process as soon as the other end of `socket` is closed.
///
/// A thread, and not `PR_SET_PDEATHSIG`: that fires when the host's thread that started the
/// worker ends, even while the host lives on. It has begun when this returns: what a thread maps for
/// itself at first would otherwise compete with the library for the address space that is left.
fn end_with_host(socket: OwnedFd) -> io::Result<()> {
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
    has_begun.recv().map_err(io::Error::other)
}

fn open(
    load: &Load,
    library: &OwnedFd,
    progress: &'static Progress,
) -> Result<(Image, FromWorker), String> {
    let folder = Path::new(&load.folder);
    std::env::set_current_dir(folder).map_err(|e| format!("{}: {e}", load.folder))?;
    let confined = confine(folder).code();
    let host: &'static Host = Box::leak(Box::new(Host {
        struct_size: size_of::<Host>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        ctx: std::ptr::from_ref(progress).cast_mut().cast(),
        poll: Some(poll),
    }));
    let path = format!("/proc/self/fd/{}", library.as_raw_fd());
    let image = Image::open(Path::new(&path), load, host)?;
    let units = image.described();
    Ok((image, FromWorker::Ready { confined, units }))
}

/// What plugins call: tells progress, and says 1 when the job is to stop.
unsafe extern "C" fn poll(ctx: *mut c_void, job: u64, share: f32) -> i32 {
    // SAFETY: `ctx` is the `Progress` of `open`, which lives as long as the process.
    let progress = unsafe { &*ctx.cast_const().cast::<Progress>() };
    let Some(header) = progress.get().map(Pages::header) else { return 0 };
    if header.job.load(Relaxed) != job {
        // A thread that a call left behind reports for a job that is over.
        return 1;
    }
    header.share.store(share.to_bits(), Relaxed);
    i32::from(header.cancelled.load(Relaxed) == job)
}
