//! What a worker takes away from itself before it opens a library.
//!
//! Landlock (Linux 5.13 and later): no writing anywhere, no reading but of the plugin's folder
//! and of what the dynamic loader and thread pools look at, no TCP, no signals to others. A filter
//! of system calls ([`syscalls`](crate::syscalls)) beside it: no program, process or socket, and no
//! writing either. Where the kernel has one of the two the other holds alone; where it has neither
//! the plugin still runs in its own process, with its limits, on its own copy of the data.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit};

use crate::syscalls::give_up;

/// Read by the dynamic loader, by the standard library when it counts processors, by the
/// allocator and by random number generators.
const SYSTEM: [&str; 12] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/proc/self",
    "/sys/fs/cgroup",
    "/sys/devices/system",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
];

/// How much of the sandbox the kernel put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// All that this host asks for: files, network, signals, system calls.
    Full,
    /// Some of it: an older kernel, or one without Landlock or without filters.
    Partial,
    /// Nothing of it.
    None,
}

impl Confinement {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Full => 2,
            Self::Partial => 1,
            Self::None => 0,
        }
    }

    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            2 => Self::Full,
            1 => Self::Partial,
            _ => Self::None,
        }
    }
}

/// Confines the calling thread, and those that it will start, to reading `folder`.
pub(crate) fn confine(folder: &Path) -> Confinement {
    let landlock = restrict(folder);
    let filtered = give_up();
    match (landlock, filtered) {
        (Ok(RulesetStatus::FullyEnforced), true) => Confinement::Full,
        (Ok(RulesetStatus::NotEnforced) | Err(_), false) => Confinement::None,
        _ => Confinement::Partial,
    }
}

fn restrict(folder: &Path) -> Result<RulesetStatus, RulesetError> {
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    let created = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules([folder], read))?;
    Ok(created.restrict_self()?.ruleset)
}

/// Limits the address space to `memory_mib` more than there is now, and writes no core files:
/// they would hold a patient's voxels.
pub(crate) fn limit(memory_mib: u64) -> std::io::Result<()> {
    let set = |resource, bytes| {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        rustix::process::setrlimit(resource, limit)
    };
    set(Resource::Core, 0)?;
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: Option<u64> = statm.split(' ').next().and_then(|pages| pages.parse().ok());
    let pages =
        pages.ok_or_else(|| std::io::Error::other("/proc/self/statm is not numbers"))?;
    let now = pages * rustix::param::page_size() as u64;
    set(Resource::As, now + (memory_mib << 20))?;
    Ok(())
}
