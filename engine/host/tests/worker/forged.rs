//! Plugins that answer the host in their worker's place: descriptors are all that they share.

use super::{Bench, Duration, HostError, Instant, Worker, command, features, fs};

/// How many descriptors this process has open.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Whole, cut, changed and mislabelled answers, with descriptors or without: the host opens a worker
/// or says why not, in time, and whatever a worker that it opened scores was checked.
pub(crate) fn an_answer_that_a_plugin_forges_harms_itself_only(bench: &Bench) {
    let before = descriptors();
    let mut seen = [0; 3];
    for seed in 0..64 {
        let began = Instant::now();
        let worker = Worker::spawn(&bench.installed(&format!("forge {seed}"), ""), &command());
        let outcome = match worker {
            Ok(mut worker) => {
                let answer = worker.score("scorer", &features(20.0, 1.0));
                usize::from(answer.is_err())
            }
            Err(_) => 2,
        };
        seen[outcome] += 1;
        // A length that promises more than comes is waited for, as long as a model may take to load.
        assert!(began.elapsed() < Duration::from_secs(13), "seed {seed}");
    }
    let [scores, errors, refused] = seen;
    println!("forged: {scores} scores, {errors} errors, {refused} not opened");
    assert!(errors > 0 && refused > 0, "nothing was hit");
    assert_eq!(descriptors(), before, "descriptors were left open");
}

/// A message that never ends, a byte every ten milliseconds, each with four descriptors.
pub(crate) fn a_plugin_that_trickles_is_ended_at_its_deadline(bench: &Bench) {
    let before = descriptors();
    let began = Instant::now();
    let error = Worker::spawn(&bench.installed("trickle", ""), &command()).unwrap_err();
    assert!(matches!(error, HostError::Deadline { deadline_ms: 10_000, .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(13), "{:?}", began.elapsed());
    assert_eq!(descriptors(), before, "descriptors were left open");
}
