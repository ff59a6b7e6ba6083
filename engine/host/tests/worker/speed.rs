//! What a call costs.

use super::{Bench, Duration, Instant, Worker, command, features};

pub(crate) fn a_call_through_the_worker_takes_under_a_millisecond(bench: &Bench) {
    let median = |mut times: Vec<Duration>| {
        times.sort();
        (times[0], times[times.len() / 2])
    };
    let plugin = bench.installed("", "");
    let spawns = (0..9).map(|_| {
        let began = Instant::now();
        let worker = Worker::spawn(&plugin, &command()).unwrap();
        let took = began.elapsed();
        drop(worker);
        took
    });
    println!("spawn, check, load, open (least, median): {:?}", median(spawns.collect()));
    let mut worker = Worker::spawn(&plugin, &command()).unwrap();
    let inputs = features(20.0, 1.0);
    let calls = (0..5000).map(|_| {
        let began = Instant::now();
        worker.score("scorer", &inputs).unwrap();
        began.elapsed()
    });
    let (least, middle) = median(calls.collect());
    println!("one score through the worker (least, median): {least:?}, {middle:?}");
    assert!(middle < Duration::from_millis(1), "{middle:?}");
}
