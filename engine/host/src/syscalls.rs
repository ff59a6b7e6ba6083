//! System calls that a worker gives up before it opens a library.
//!
//! A filter (seccomp, seccomp(2)) in front of the kernel: no program is started, no process
//! forked, no socket of any kind opened, no file opened for writing, nothing of the file system
//! changed, no other process looked into, no namespace, mount, kernel module or BPF. A call that
//! is given up fails with EPERM, which a plugin sees as an error and can report. Threads, memory,
//! clocks and files opened for reading stay.
//!
//! It holds without Landlock, too; what may be read is Landlock's alone.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Calls that are given up whatever their arguments are.
const NEVER: &[i64] = &[
    // Programs and sockets.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Other processes.
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    // Names and modes of files; openat2 because a filter cannot look at its flags.
    libc::SYS_openat2,
    libc::SYS_open_by_handle_at,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // The kernel.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
];

/// The same by their older names.
#[cfg(target_arch = "x86_64")]
const NEVER_BY_OLD_NAME: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_BY_OLD_NAME: &[i64] = &[];

/// Gives the calls up, for this thread and those that it will start; whether the kernel took it.
pub(crate) fn give_up() -> bool {
    let Ok((refused, absent)) = filters() else { return false };
    seccompiler::apply_filter(&refused).is_ok() && seccompiler::apply_filter(&absent).is_ok()
}

/// One filter for what fails with EPERM, one for what is to look as if it did not exist.
fn filters() -> Result<(BpfProgram, BpfProgram), seccompiler::BackendError> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
        NEVER.iter().chain(NEVER_BY_OLD_NAME).map(|&call| (call, Vec::new())).collect();
    refused.insert(libc::SYS_clone, vec![flags(0, libc::CLONE_THREAD, 0)?]);
    refused.insert(libc::SYS_openat, writing(2)?);
    #[cfg(target_arch = "x86_64")]
    refused.insert(libc::SYS_open, writing(1)?);
    // Its flags lie in memory, where no filter looks; the C library falls back to clone.
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    Ok((compiled(refused, libc::EPERM)?, compiled(absent, libc::ENOSYS)?))
}

/// Rules for every way to open a file that is not for reading alone; `at` is where the flags are.
fn writing(at: u8) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    [
        (libc::O_ACCMODE, libc::O_WRONLY),
        (libc::O_ACCMODE, libc::O_RDWR),
        (libc::O_CREAT, libc::O_CREAT),
        (libc::O_TRUNC, libc::O_TRUNC),
    ]
    .into_iter()
    .map(|(mask, value)| flags(at, mask, value))
    .collect()
}

/// Argument `at` is `value` where `mask` has bits.
fn flags(at: u8, mask: i32, value: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let (mask, value) = (u64::from(mask.cast_unsigned()), u64::from(value.cast_unsigned()));
    let compare = SeccompCmpOp::MaskedEq(mask);
    let condition = SeccompCondition::new(at, SeccompCmpArgLen::Dword, compare, value)?;
    SeccompRule::new(vec![condition])
}

fn compiled(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    errno: i32,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let errno = SeccompAction::Errno(errno.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, errno, arch)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_is_given_up_fails_and_the_rest_goes_on() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("ichor-syscalls-{}", std::process::id()));
        std::fs::write(&path, "before").unwrap();
        let here = path.clone();
        // A thread of its own: what it gives up is gone for its whole life.
        std::thread::spawn(move || {
            assert!(give_up());
            assert_eq!(std::fs::read_to_string(&here).unwrap(), "before");
            let refused = [
                std::fs::write(&here, "after").unwrap_err(),
                std::fs::remove_file(&here).unwrap_err(),
                std::fs::rename(&here, "elsewhere").unwrap_err(),
                std::fs::create_dir(here.with_extension("d")).unwrap_err(),
                std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err(),
                std::os::unix::net::UnixDatagram::unbound().unwrap_err(),
                Command::new("/bin/true").spawn().unwrap_err(),
            ];
            for error in refused {
                assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
            }
            // Threads are no processes.
            let sum = std::thread::spawn(|| (0..100).sum::<i32>()).join().unwrap();
            assert_eq!(sum, 4950);
        })
        .join()
        .unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
        std::fs::remove_file(&path).unwrap();
    }
}
