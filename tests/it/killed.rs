//! The engine may be killed at any point, and no study is lost or doubled.

use std::time::Duration;

use ichor_core::{Grid, PixelSpacing, Volume};
use ichor_store::{Store, StudyState};
use ndarray::Array3;
use rustix::process::Signal;

use crate::site::{Site, send};

/// A small water cylinder: quickly declined, so that the queue and not the network is tested.
fn water(n_slices: usize) -> Volume {
    let hu = Array3::from_shape_fn((n_slices, 128, 128), |(_, y, x)| {
        if (y as f64 - 64.0).hypot(x as f64 - 64.0) < 50.0 { 0 } else { -1000 }
    });
    let pixel = PixelSpacing { y: 2.0, x: 2.0 };
    let grid = Grid::axial(n_slices, 5.0, pixel).expect("the grid is even");
    Volume::new(hu, grid).expect("voxels and grid agree")
}

#[test]
fn kill_9_at_any_step_leaves_one_verdict_for_each_study() {
    const STUDIES: usize = 12;
    let mut site = Site::new("killed");
    let mut sent = 0;
    // Killed right after a study was sent, while the quiet period runs, and while it is scored.
    for pause_ms in [0, 600, 1100, 1300] {
        let address = site.start();
        for _ in 0..STUDIES / 4 {
            send(address, &site.write(&water(12), &sent.to_string()));
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(pause_ms));
        assert_eq!(site.end(Signal::KILL), None, "the engine was killed");
    }
    site.start();
    let rows = site.ended(STUDIES, Duration::from_mins(1));
    assert_eq!(rows.len(), STUDIES);

    let store = Store::open_existing(&site.layout().database()).expect("the database is there");
    for row in rows {
        assert_eq!((row.state, row.n_images), (StudyState::Done, 12));
        let study =
            store.study(row.study).expect("the store reads").expect("the study is there");
        let active = study.verdicts.iter().filter(|verdict| !verdict.shadow).count();
        assert_eq!(active, 1, "study {} has one verdict", row.study);
        assert_eq!(
            row.withheld.map(|why| why.code().to_owned()).as_deref(),
            Some("not-a-head")
        );
    }
    let spool = std::fs::read_dir(site.layout().spool()).expect("the spool is there").count();
    assert_eq!(spool, 0, "nothing is left behind in the spool");
    assert_eq!(store.audit_verify().expect("the audit reads").broken_at, None);
    assert_eq!(site.end(Signal::TERM), Some(0), "SIGTERM ends the engine in order");
}

#[test]
fn a_late_image_opens_the_study_again_and_the_old_verdict_is_kept() {
    let mut site = Site::new("late");
    let address = site.start();
    let files = site.write(&water(12), "late");
    send(address, &files[..11]);
    let first = site.ended(1, Duration::from_mins(1));
    assert_eq!(first[0].n_images, 11);
    send(address, &files[11..]);
    let study = first[0].study;
    let store = Store::open_existing(&site.layout().database()).expect("the database is there");
    let detail = loop {
        let detail = store.study(study).expect("the store reads").expect("the study is there");
        if detail.verdicts.len() == 2 {
            break detail;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let revisions: Vec<u32> = detail.verdicts.iter().map(|verdict| verdict.revision).collect();
    assert_eq!(revisions, [detail.revision, detail.revision - 1]);
    assert_eq!(detail.row.n_images, 12);
    // The same image once more changes nothing.
    send(address, &files[11..]);
    std::thread::sleep(Duration::from_secs(3));
    let again = store.study(study).expect("the store reads").expect("the study is there");
    assert_eq!((again.verdicts.len(), again.row.outdated), (2, false));
}

#[test]
fn a_second_engine_on_the_same_folder_is_refused() {
    let mut site = Site::new("second");
    site.start();
    let second = site.ichor("ichor-engine", &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    let words = crate::programs::stderr(&second);
    assert!(words.contains("another engine is running"), "{words}");
}
