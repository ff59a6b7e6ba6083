//! Extractors and the volume that they are shown.

use super::{
    Array3, Bench, ControlFlow, Features, HostError, Mask, SharedVolume, features, go_on,
    volume,
};

pub(crate) fn an_extractor_sees_the_volume_as_it_is(bench: &Bench) {
    let (volume, mask) = volume();
    let none = Features::default();
    let mut worker = bench.worker("", "");
    for _ in 0..3 {
        let found = worker
            .extract(
                "extractor",
                &SharedVolume::new(&volume, &mask).unwrap(),
                &none,
                &mut go_on,
            )
            .unwrap();
        assert_eq!(found.names(), ["sum_hu", "voxels", "missing"]);
        assert_eq!(found.get("sum_hu"), Some(-50.0 + 73.0 + 184.0));
        assert_eq!(found.get("voxels"), Some(3.0));
        assert!(found.get("missing").is_some_and(f64::is_nan));
    }
    let mut worker = bench.worker("", "tell geometry");
    let found = worker
        .extract("extractor", &SharedVolume::new(&volume, &mask).unwrap(), &none, &mut go_on)
        .unwrap();
    assert_eq!(found.values(), [12.0 * 1000.0 + 3.0, 6.0 * 100.0 + 5.0 + 0.4, 1.0 + 2.0 + 4.0]);
    let small = Mask::new(Array3::from_elem((3, 4, 4), true), volume.grid()).unwrap();
    let error = SharedVolume::new(&volume, &small).unwrap_err();
    assert_eq!(error.to_string(), "a mask of (3, 4, 4) voxels for a volume of (3, 4, 5)");
    let mut worker = bench.worker("", "answer infinity");
    let error = worker
        .extract("extractor", &SharedVolume::new(&volume, &mask).unwrap(), &none, &mut go_on)
        .unwrap_err();
    assert_eq!(error.to_string(), "org.example.rogue/extractor gave inf for sum_hu");
}

pub(crate) fn writing_to_the_volume_ends_the_worker_and_leaves_the_data(bench: &Bench) {
    let (volume, mask) = volume();
    let before = volume.clone();
    let mut worker = bench.worker("", "write to the volume");
    let none = Features::default();
    let error = worker
        .extract("extractor", &SharedVolume::new(&volume, &mask).unwrap(), &none, &mut go_on)
        .unwrap_err();
    assert!(error.to_string().contains("SIGSEGV"), "{error}");
    assert_eq!(volume, before);
}

pub(crate) fn a_plugin_that_is_asked_to_stop_stops(bench: &Bench) {
    let (volume, mask) = volume();
    for (how, alive) in [("stop when asked", true), ("go on for ever", false)] {
        let mut worker = bench.worker("", how);
        let mut seen = 0.0;
        let mut stop = |share: f32| {
            seen = share;
            if share > 0.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let none = Features::default();
        let error = worker
            .extract("extractor", &SharedVolume::new(&volume, &mask).unwrap(), &none, &mut stop)
            .unwrap_err();
        assert!(matches!(error, HostError::Cancelled { .. }), "{error}");
        assert_eq!((worker.is_alive(), seen), (alive, 0.5));
        if alive {
            // The cancelled job leaves nothing behind that a later one would trip over.
            assert!(worker.score("scorer", &features(20.0, 1.0)).is_ok());
        }
    }
}
