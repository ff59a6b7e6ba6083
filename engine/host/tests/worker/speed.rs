//! What a call costs.

use super::*;

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
    println!("one score in this process (mean): {:?}", in_process(&bench.library));
    let grid = Grid::axial(30, 5.0, PixelSpacing { y: 0.45, x: 0.45 }).unwrap();
    let mask = Mask::new(Array3::from_elem((30, 512, 512), false), &grid).unwrap();
    let volume = Volume::new(Array3::zeros((30, 512, 512)), grid).unwrap();
    let none = Features::default();
    let shared = SharedVolume::new(&volume, &mask).unwrap();
    let extracts = (0..9).map(|_| {
        let began = Instant::now();
        worker.extract("extractor", &shared, &none, &mut go_on).unwrap();
        began.elapsed()
    });
    println!("30 slices through the worker (least, median): {:?}", median(extracts.collect()));
    assert!(middle < Duration::from_millis(1), "{middle:?}");
}

/// What one score takes when the library is opened in this process, without any check.
#[expect(unsafe_code, reason = "the C table is called as a host without workers would")]
fn in_process(library: &Path) -> Duration {
    const CALLS: u32 = 100_000;
    let inputs = [20.0, 1.0];
    let (mut risk, mut contributions) = (0.0, [0.0; 2]);
    let request = abi::Request {
        struct_size: size_of::<abi::Request>() as u32,
        n_in: 2,
        job: 1,
        volume: null(),
        input: inputs.as_ptr(),
    };
    let mut response = abi::Response {
        struct_size: size_of::<abi::Response>() as u32,
        n_out: 1,
        out: &raw mut risk,
        n_contributions: 2,
        reserved: 0,
        contributions: contributions.as_mut_ptr(),
        base: 0.0,
    };
    let mut instance = null_mut();
    // SAFETY: the table is that of `rogue.c`; all buffers have the sizes they carry, and the
    // library stays open.
    unsafe {
        let library = std::mem::ManuallyDrop::new(Library::new(library).unwrap());
        let table = **library.get::<*const abi::Plugin>(b"ichor_plugin_v1\0").unwrap();
        let unit = *table.units;
        let (create, run) = (unit.create.unwrap(), unit.run.unwrap());
        let nothing = abi::Str::new("");
        assert_eq!(create(null(), nothing, nothing, &raw mut instance, null_mut()), abi::OK);
        let began = Instant::now();
        for _ in 0..CALLS {
            let status = run(instance, &raw const request, &raw mut response, null_mut());
            assert_eq!(status, abi::OK);
        }
        began.elapsed() / CALLS
    }
}
