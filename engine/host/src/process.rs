//! A worker as an operating system process.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::Installed;
use crate::channel::Channel;

/// How long the host waits for an answer before it looks at the time and asks the caller.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);
/// How long a process whose socket closed may take to end.
const ENDING: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// A program that calls [`crate::worker_main`] when it is given these arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program, as an absolute path.
    pub exe: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A child process that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    ended: Option<String>,
}

impl Process {
    /// Starts the worker of `installed`, with one end of a new socket as its standard input.
    pub(crate) fn start(
        installed: &Installed,
        command: &WorkerCommand,
    ) -> std::io::Result<(Self, Channel)> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let threads = installed.manifest().plugin.limits.threads.to_string();
        // A plugin has no business with the engine's environment; its output would end up in ours.
        let child = Command::new(&command.exe)
            .args(&command.args)
            .env_clear()
            .envs(["RAYON_NUM_THREADS", "OMP_NUM_THREADS"].map(|name| (name, &threads)))
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok((Self { child, ended: None }, Channel::new(ours, Some(PATIENCE))?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        if let (None, Ok(Some(status))) = (&self.ended, self.child.try_wait()) {
            self.ended = Some(status.to_string());
        }
        self.ended.is_none()
    }

    /// Signal or exit code of a process that is ending; one that does not is killed.
    pub(crate) fn how_it_ended(&mut self) -> String {
        let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty());
        if let (true, Ok(process)) = (self.is_alive(), process) {
            let mut asked = [PollFd::new(&process, PollFlags::IN)];
            let _ = rustix::event::poll(&mut asked, Some(&ENDING));
        }
        self.end();
        self.ended.clone().unwrap_or_default()
    }

    pub(crate) fn end(&mut self) {
        if self.is_alive() {
            let _ = self.child.kill();
            self.ended = Some(match self.child.wait() {
                Ok(status) => status.to_string(),
                Err(e) => e.to_string(),
            });
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
