//! What the figures were measured on, and how much memory that took.

use std::fs;
use std::path::Path;

/// The CPU's model and the number of cores that this process may use.
pub(super) fn named() -> (String, usize) {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (model_in(&text).unwrap_or("unknown CPU").to_owned(), cores)
}

fn model_in(cpuinfo: &str) -> Option<&str> {
    let named = |line: &'_ str| line.starts_with("model name");
    let (_, model) = cpuinfo.lines().find(|line| named(line))?.split_once(':')?;
    Some(model.trim()).filter(|model| !model.is_empty())
}

/// Forgets the largest memory of this process so far, where the system lets it.
pub(super) fn forget_peak() {
    // Where it is refused, the peak is that since the start: more, and not wrong.
    let _ = fs::write(Path::new("/proc/self/clear_refs"), "5");
}

/// Largest resident memory of this process in bytes, since its start or [`forget_peak`].
pub(super) fn peak_bytes() -> Option<u64> {
    kib_in(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM").map(|kib| kib * 1024)
}

fn kib_in(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.split(':').next() == Some(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_memory_are_read_as_the_kernel_writes_them() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9R14\n";
        assert_eq!(model_in(cpuinfo), Some("AMD EPYC 9R14"));
        assert_eq!(model_in("processor: 0\n"), None);
        let status = "Name:\tichor\nVmPeak:\t  90 kB\nVmHWM:\t  1234 kB\n";
        assert_eq!((kib_in(status, "VmHWM"), kib_in(status, "VmSwap")), (Some(1234), None));
    }
}
