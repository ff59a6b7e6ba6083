//! Plugins built against another minor of the ABI.

use super::{
    Bench, Features, SharedVolume, Worker, command, features, go_on, header, install, volume,
};

/// The header with each `(from, to)` changed; every `from` must be there.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(header(), |header, (from, to)| {
        assert!(header.contains(from), "{from}");
        header.replace(from, to)
    })
}

pub(crate) fn plugins_of_an_older_and_of_a_newer_minor_load_and_score(bench: &Bench) {
    let older = changed(&[("  void (*destroy)(void *instance);\n", "")]);
    let newer = changed(&[
        ("#define ICHOR_ABI_MINOR 0u", "#define ICHOR_ABI_MINOR 1u"),
        ("  void (*destroy)(void *instance);", "  void (*destroy)(void *); void *more[2];"),
        ("  const ichor_unit *units;", "  const ichor_unit *units; uint64_t more[3];"),
        ("} ichor_volume;", "  double more[5];\n} ichor_volume;"),
        ("} ichor_request;", "  double more[5];\n} ichor_request;"),
        ("} ichor_response;", "  double more[5];\n} ichor_response;"),
        ("} ichor_desc;", "  double more[5];\n} ichor_desc;"),
        ("} ichor_host;", "  double more[5];\n} ichor_host;"),
    ]);
    for (what, header, options) in
        [("older", &older, &["-DNO_DESTROY"][..]), ("newer", &newer, &[][..])]
    {
        let library = bench.folder.join(format!("{what}.so"));
        assert!(Bench::compile(&library, header, options));
        let source = bench.source(what, "", "");
        let plugin =
            install(&source, &library, &bench.folder.join(what).join("plugins")).unwrap();
        let mut worker = Worker::spawn(&plugin, &command()).unwrap();
        let scored = worker.score("scorer", &features(60.0, f64::NAN)).unwrap();
        assert!((scored.base + 1.0).abs() < 1e-12, "{what}");
        let (volume, mask) = volume();
        let shared = SharedVolume::new(&volume, &mask).unwrap();
        let found =
            worker.extract("extractor", &shared, &Features::default(), &mut go_on).unwrap();
        assert_eq!(found.get("voxels"), Some(3.0), "{what}");
    }
}
