//! Libraries that are refused by their bytes, before any code of theirs runs.

use super::{Bench, HostError, Worker, command, fs, header, install};

/// Where the table's numbers lie behind its beginning.
const STRUCT_SIZE: usize = 4;
const MAJOR: usize = 8;

/// Every library here ends its process as soon as it is loaded: an error other than the
/// refusal's own words would say so.
pub(crate) fn what_is_no_plugin_is_refused_before_any_of_its_code_runs(bench: &Bench) {
    let library = bench.folder.join("traced.so");
    assert!(Bench::compile(&library, &header(), &["-DRUNS_WHEN_LOADED"]));
    let whole = fs::read(&library).unwrap();
    let spawned = |bytes: &[u8]| {
        let source = bench.source("refused", "", "");
        let library = bench.folder.join("refused.so");
        fs::write(&library, bytes).unwrap();
        let plugin = install(&source, &library, &bench.folder.join("refused-plugins")).unwrap();
        Worker::spawn(&plugin, &command()).unwrap_err()
    };
    let untouched = spawned(&whole);
    assert!(untouched.to_string().contains("exit status: 77"), "{untouched}");

    let table = whole.windows(4).position(|bytes| bytes == b"ICH1").unwrap();
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    let name = whole.windows(15).position(|bytes| bytes == b"ichor_plugin_v1").unwrap();
    let (class, kind, machine) = (4, 16, 18);
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("no ELF file", b"no library".to_vec(), "it does not begin like an ELF file"),
        ("an empty file", Vec::new(), "it does not begin like an ELF file"),
        ("32 bits", changed(class, &[1]), "it is a library of 32 bits"),
        (
            "another machine",
            changed(machine, &[243, 0]),
            "it was built for riscv64, this host is",
        ),
        ("a program", changed(kind, &[2, 0]), "no shared library"),
        ("cut off in the middle", whole[..whole.len() / 2].to_vec(), "it is cut off or broken"),
        ("cut off in the header", whole[..40].to_vec(), "it is cut off or broken"),
        ("no table", changed(name, b"I"), "it exports neither ichor_plugin_v1_rogue nor"),
        ("wrong magic", changed(table, b"ICH2"), "its table begins with 0x32484349, not with"),
        (
            "another major",
            changed(table + MAJOR, &[2, 0]),
            "it was built for ABI 2, this host has 1",
        ),
        (
            "a short table",
            changed(table + STRUCT_SIZE, &[40, 0]),
            "its table has 40 bytes, 56 are",
        ),
    ];
    for (what, bytes, words) in cases {
        let error = spawned(&bytes);
        assert!(matches!(error, HostError::Load { .. }), "{what}: {error}");
        assert!(error.to_string().contains(words), "{what}: {error}");
        println!("{what}: {error}");
    }
}
