//! A plugin that crashes on every fiftieth call, over many calls.

use ichor_host::Workers;

use super::rogue::{Bench, command, features, unit};

/// What a process that leaks would have ever more of.
#[derive(Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) rss_kib: u64,
    pub(crate) descriptors: usize,
    pub(crate) children: usize,
}

/// Makes `n` calls, each tried again once; tells `report` what is held after every `step`. Gives
/// how many calls crashed.
pub(crate) fn endure(
    bench: &Bench,
    n: usize,
    step: usize,
    report: &mut dyn FnMut(usize, usize, Held),
) -> usize {
    let plugin = bench.installed("crash every 50th", "");
    let mut workers = Workers::new(command(), vec![plugin], &bench.folder);
    let mut crashes = 0;
    for call in 0..n {
        if call % step == 0 {
            report(call, crashes, held());
        }
        let input = features(20.0 + call as f64 / 1000.0, 1.0);
        let answer = workers.score(&unit("scorer"), &input);
        if answer.is_err() {
            crashes += 1;
            let again = workers.score(&unit("scorer"), &input);
            assert!(again.is_ok(), "call {call} is lost: {answer:?}, then {again:?}");
        }
    }
    report(n, crashes, held());
    crashes
}

fn held() -> Held {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let statm = read("/proc/self/statm");
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    let me = std::process::id();
    let children = read(&format!("/proc/{me}/task/{me}/children"));
    Held {
        rss_kib: pages * 4,
        descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        children: children.split_whitespace().count(),
    }
}
