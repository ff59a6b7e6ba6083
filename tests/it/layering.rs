//! The arrows between crates, proved from `cargo tree`.
//!
//! `cuda <- net`; `core <- {dicom, net, store, host, study} <- triage`; `sdk <- {host, plugins/*}`;
//! `{core, store} <- tui`; triage also takes the trainers of the shipped plugins. The five in the
//! middle never name each other.

use crate::house::dependencies;

/// Our own crates that `package` may be built from, and no other of ours.
fn check_ours(package: &str, allowed: &[&str]) {
    let ours: Vec<String> =
        dependencies(package).into_iter().filter(|name| name.starts_with("ichor")).collect();
    assert_eq!(ours, allowed, "{package} is built from these crates of ours");
}

/// Foreign crates that must not be among what `package` is built from.
fn check_without(package: &str, forbidden: &[&str]) {
    let found = dependencies(package);
    for name in forbidden {
        assert!(!found.iter().any(|f| f == name), "{package} must not be built from {name}");
    }
}

#[test]
fn core_knows_nobody() {
    check_ours("ichor-core", &[]);
    check_without("ichor-core", &["rusqlite", "candle-core", "libloading", "dicom-ul"]);
}

#[test]
fn the_five_in_the_middle_never_name_each_other() {
    check_ours("ichor-dicom", &["ichor-core"]);
    check_ours("ichor-net", &["ichor-core", "ichor-cuda"]);
    check_ours("ichor-cuda", &[]);
    check_ours("ichor-store", &["ichor-core"]);
    check_ours("ichor-host", &["ichor-core", "ichor-plugin"]);
    check_ours("ichor-study", &["ichor-core"]);
}

#[test]
fn each_heavy_dependency_stays_in_its_crate() {
    let middle = ["ichor-dicom", "ichor-net", "ichor-store", "ichor-host", "ichor-study"];
    let kept = [
        ("dicom-ul", "ichor-dicom"),
        ("candle-core", "ichor-net"),
        ("rusqlite", "ichor-store"),
        ("libloading", "ichor-host"),
    ];
    for (dependency, owner) in kept {
        // The network crate opens the library for GPUs through ichor-cuda.
        let others = middle.iter().filter(|p| **p != owner);
        for package in others.filter(|p| dependency != "libloading" || **p != "ichor-net") {
            check_without(package, &[dependency]);
        }
        assert!(dependencies(owner).iter().any(|name| name == dependency));
    }
}

#[test]
fn no_engine_links_cuda() {
    for package in ["ichor-triage", "ichor", "ichor-net", "ichor-cuda"] {
        check_without(package, &["cudarc", "candle-kernels"]);
    }
}

#[test]
fn the_sdk_depends_on_nothing() {
    assert_eq!(dependencies("ichor-plugin"), Vec::<String>::new());
}

#[test]
fn plugins_know_the_sdk_alone() {
    check_ours("ichor-radiomics", &["ichor-plugin"]);
    check_ours("ichor-signs", &["ichor-plugin"]);
    check_ours("ichor-boosting", &["ichor-plugin"]);
}

#[test]
fn the_console_starts_without_a_network_or_a_plugin() {
    check_ours("ichor", &["ichor-core", "ichor-store"]);
    check_without("ichor", &["candle-core", "libloading", "dicom-ul", "ichor-plugin"]);
}
