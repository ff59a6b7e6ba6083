//! Plugins that do wrong, in workers: each costs its own call and nothing else.
//!
//! The plugin is C, compiled here; the worker is this very program, started again. That is why
//! it has its own `main` and no test harness. An argument that is not a flag selects tests whose
//! name contains it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

mod abi_versions;
mod confinement;
mod endurance;
mod files;
mod forged;
mod matrix;
mod refused;
mod rogue;
mod speed;
mod volumes;
mod wrong;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ichor_core::{Features, Mask, UnitId};
use ichor_host::{
    Confinement, HostError, Installed, SharedVolume, Worker, Workers, blocked, install,
    installed, profile, profiles, roll_back, unblock, worker_main,
};
use ichor_plugin::RefusedKind;
use ndarray::Array3;
use rogue::{Bench, WORKER, command, features, go_on, header, unit, volume};

macro_rules! tests {
    ($($file:ident::$name:ident),* $(,)?) => { &[$((stringify!($name), $file::$name)),*] };
}

/// A claim and what proves it.
type Test = (&'static str, fn(&Bench));

const TESTS: &[Test] = tests![
    wrong::a_score_comes_back_with_its_explanation,
    wrong::a_crash_costs_one_call,
    wrong::a_plugin_that_crashes_every_time_is_blocked,
    wrong::a_hang_is_ended_at_its_deadline,
    wrong::an_allocation_storm_ends_its_worker,
    wrong::a_refusal_comes_back_in_the_plugins_words,
    wrong::a_score_that_cannot_be_believed_is_refused,
    wrong::a_plugin_that_scribbles_over_the_call_harms_itself_only,
    wrong::a_unit_that_cannot_be_opened_leaves_the_others,
    forged::an_answer_that_a_plugin_forges_harms_itself_only,
    forged::a_plugin_that_trickles_is_ended_at_its_deadline,
    volumes::an_extractor_sees_the_volume_as_it_is,
    volumes::writing_to_the_volume_ends_the_worker_and_leaves_the_data,
    volumes::a_plugin_that_is_asked_to_stop_stops,
    confinement::a_worker_reads_its_folder_only,
    confinement::a_worker_stays_alone,
    confinement::a_worker_ends_with_its_host,
    confinement::a_worker_without_a_host_says_so,
    wrong::a_plugin_written_with_the_sdk_survives_its_panics,
    files::what_was_changed_after_installing_is_not_opened,
    files::what_others_could_change_is_not_opened,
    files::a_library_that_is_not_what_the_manifest_says_is_not_loaded,
    refused::what_is_no_plugin_is_refused_before_any_of_its_code_runs,
    abi_versions::plugins_of_an_older_and_of_a_newer_minor_load_and_score,
    files::who_runs_a_plugin_goes_on_with_it_after_it_was_replaced,
    files::the_first_folder_wins_and_a_newer_install_replaces,
    files::a_profile_holds_for_the_weights_it_was_tuned_for,
    matrix::whatever_a_plugin_does_the_next_call_is_served,
    matrix::crashes_among_many_calls_lose_none_and_leave_nothing,
    speed::a_call_through_the_worker_takes_under_a_millisecond,
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == WORKER) {
        std::process::exit(worker_main());
    }
    if arguments.first().is_some_and(|argument| argument == HOST) {
        let folder = Path::new(&arguments[1]);
        let mut worker = Worker::spawn(&Installed::read(folder).unwrap(), &command()).unwrap();
        println!("started");
        let _ = worker.score("scorer", &features(20.0, 1.0));
        return;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in TESTS {
            println!("{name}: test");
        }
        return;
    }
    let Some(bench) = Bench::new() else {
        println!("skipped: no C compiler");
        return;
    };
    let wanted = |name: &str| {
        let mut filters =
            arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
    };
    let mut failed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted(name)) {
        let passed = std::panic::catch_unwind(|| test(&bench)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += i32::from(!passed);
    }
    std::process::exit(failed.min(1) * 101);
}

/// What this program is started with to be a host that is killed.
const HOST: &str = "--host";
