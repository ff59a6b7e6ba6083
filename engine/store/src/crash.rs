//! No study is lost or doubled: neither by kill -9, nor by any order of events.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ichor_core::UnixMs;

use crate::columns::all;
use crate::sample::{START, Scratch, at, image, outcome, withheld};
use crate::{Job, Row, Store, StoreError, StudyState};

const CHILD: &str = "ICHOR_STORE_TEST_CHILD";

/// `SplitMix64` (Steele et al. 2014): the same order of events for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// What must hold between any two transactions.
fn check_invariants(store: &Store) {
    let check = |claim: &str, sql: &str| {
        let against: Vec<i64> = all(&store.conn, sql, [], |row| row.get(0)).unwrap();
        assert_eq!(against, [0_i64; 0], "{claim}");
    };
    check(
        "a finished job has exactly one active verdict, every other job none",
        "SELECT j.id FROM job j
         WHERE (SELECT count(*) FROM verdict v WHERE v.job = j.id AND NOT v.shadow)
            <> (j.state = 'done')",
    );
    check(
        "a verdict belongs to its job's study and revision",
        "SELECT v.id FROM verdict v JOIN job j ON j.id = v.job
         WHERE v.study <> j.study OR v.revision <> j.revision",
    );
    check(
        "the active verdict is the last one of the newest revision",
        "SELECT s.id FROM study s WHERE s.active_verdict IS NOT (
             SELECT v.id FROM verdict v WHERE v.study = s.id AND NOT v.shadow
             ORDER BY v.revision DESC, v.job DESC LIMIT 1)",
    );
    check(
        "a study waits for its state's job",
        "SELECT s.id FROM study s WHERE s.state <> CASE
             WHEN s.state = 'receiving' THEN 'receiving'
             WHEN EXISTS (SELECT 1 FROM job j WHERE j.study = s.id AND j.state = 'queued')
                 THEN 'queued'
             WHEN EXISTS (SELECT 1 FROM job j WHERE j.study = s.id AND j.state = 'leased')
                 THEN 'scoring'
             WHEN (SELECT state FROM job j WHERE j.study = s.id
                   ORDER BY j.id DESC LIMIT 1) = 'dead' THEN 'failed'
             ELSE 'done' END",
    );
    check(
        "no job waits for a study that receives",
        "SELECT j.id FROM job j JOIN study s ON s.id = j.study
         WHERE j.state = 'queued' AND (s.state = 'receiving' OR j.revision <> s.revision)",
    );
    check(
        "a study counts its images, and receives while some have no revision",
        "SELECT s.id FROM study s JOIN object o ON o.study = s.id GROUP BY s.id
         HAVING count(*) <> s.n_images
             OR max(o.revision) <> s.revision + (s.state = 'receiving')",
    );
    check("foreign keys hold", "SELECT 1 FROM pragma_foreign_key_check");
}

/// The order that DESIGN gives, told once more.
fn rank(row: &Row) -> (i32, u8, f64, i64, i64) {
    let kind = row.kind.map(crate::VerdictKind::word);
    let group = match (kind, row.state) {
        (Some("expands"), _) => 0,
        (Some("withheld"), _) | (_, StudyState::Failed) => 1,
        (Some(_), _) => 2,
        (None, _) => 3,
    };
    let risk = row.risk.map_or(-1.0, ichor_core::Risk::probability);
    (-row.priority, group, -risk, -row.scan.unwrap_or(row.last_received).0, -row.study)
}

/// Scores all that waits, as an engine after its start; far enough in the future that every
/// lease and back-off has ended.
fn drain(store: &mut Store, now: UnixMs) {
    store.release_orphans(now).unwrap();
    store.queue_quiet(now, 10.0).unwrap();
    let now = now.plus_s(1000.0);
    while let Some(job) = store.lease("drain", now, 60.0).unwrap() {
        store.finish(&job, "drain", &outcome(0.5), now).unwrap();
    }
}

/// The child of the test below: works until it is killed, and says what it has been promised.
fn work_until_killed(path: &Path, round: u64) {
    let mut store = Store::open(path).unwrap();
    let mut now = at(round as f64 * 10_000.0);
    store.release_orphans(now).unwrap();
    println!("promise start");
    for n in 0_u64.. {
        now = now.plus_s(20.0);
        let study = format!("{}", round * 1_000_000 + n);
        store.record(&[image(&study, 1, now), image(&study, 2, now)]).unwrap();
        println!("promise study 1.2.{study}");
        now = now.plus_s(20.0);
        store.queue_quiet(now, 10.0).unwrap();
        let Some(job) = store.lease("child", now, 60.0).unwrap() else { continue };
        store.heartbeat(&job, "child", now, 60.0).unwrap();
        if n % 5 == 4 {
            store.fail(&job, "child", "unlucky", now, 100).unwrap();
        } else {
            store.finish(&job, "child", &outcome(0.7), now).unwrap();
            println!("promise verdict {}", job.id);
        }
    }
}

/// Kills a child after `millis` of work; returns its promises.
fn promises(path: &Path, round: u64, millis: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::kill_9_loses_and_doubles_no_study", "--nocapture"])
        .env(CHILD, format!("{round}:{}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.by_ref().find(|line| line.contains("promise start")).unwrap();
    let reader = std::thread::spawn(move || lines.collect::<Vec<String>>());
    std::thread::sleep(Duration::from_millis(millis));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn kill_9_loses_and_doubles_no_study() {
    if let Ok(task) = std::env::var(CHILD) {
        let (round, path) = task.split_once(':').unwrap();
        return work_until_killed(Path::new(path), round.parse().unwrap());
    }
    let scratch = Scratch::new();
    let (mut studies, mut verdicts) = (BTreeSet::new(), BTreeSet::new());
    let mut dice = Dice(7);
    for round in 0..8 {
        for line in promises(&scratch.path(), round, 20 + dice.below(300)) {
            if let Some((_, uid)) = line.split_once("promise study ") {
                studies.insert(uid.to_owned());
            } else if let Some((_, job)) = line.split_once("promise verdict ") {
                verdicts.insert(job.parse::<i64>().unwrap());
            }
        }
        let store = scratch.store();
        check_invariants(&store);
        let known: BTreeSet<String> =
            store.worklist().unwrap().into_iter().map(|row| row.study_uid).collect();
        assert_eq!(studies.difference(&known).next(), None, "a study was lost");
        let done: BTreeSet<i64> =
            all(&store.conn, "SELECT id FROM job WHERE state = 'done'", [], |row| row.get(0))
                .unwrap()
                .into_iter()
                .collect();
        assert_eq!(verdicts.difference(&done).next(), None, "a verdict was lost");
    }
    let mut store = scratch.store();
    drain(&mut store, at(1e6));
    check_invariants(&store);
    for row in store.worklist().unwrap() {
        assert_eq!(row.state, StudyState::Done);
        let verdicts = store.study(row.study).unwrap().unwrap().verdicts;
        assert_eq!(verdicts.iter().filter(|v| !v.shadow).count(), 1, "{}", row.study_uid);
    }
    assert_eq!(store.audit_verify().unwrap().broken_at, None);
    println!("8 kills: {} studies and {} verdicts promised", studies.len(), verdicts.len());
    assert!(studies.len() > 8 && !verdicts.is_empty());
}

/// One engine with three workers and two consoles, as the dice will.
struct Night {
    stores: Vec<Store>,
    dice: Dice,
    now: UnixMs,
    n_images: BTreeMap<u64, u32>,
    /// What workers hold, or believe to hold.
    held: Vec<(String, Job)>,
    n_ended: usize,
}

impl Night {
    fn step(&mut self, scratch: &Scratch) {
        self.now = self.now.plus_s(self.dice.below(12) as f64);
        let now = self.now;
        let n_stores = self.stores.len() as u64;
        let at = self.dice.below(n_stores) as usize;
        match self.dice.below(20) {
            0..=4 => self.receive(at),
            5..=7 => drop(self.stores[at].queue_quiet(now, 10.0).unwrap()),
            8..=10 => {
                let owner = format!("w{}", self.dice.below(3));
                let job = self.stores[at].lease(&owner, now, 30.0).unwrap();
                self.held.extend(job.map(|job| (owner, job)));
            }
            11..=14 => self.end_one(at),
            15 => self.requeue(at),
            16 => self.staff(at),
            17 => {
                if let Some((owner, job)) = self.held.last() {
                    self.stores[at].heartbeat(job, owner, now, 30.0).unwrap();
                }
            }
            18 => self.stores[at] = scratch.store(),
            _ => {
                if self.dice.below(4) == 0 {
                    self.stores[at].release_orphans(now).unwrap();
                }
            }
        }
    }

    fn receive(&mut self, at: usize) {
        let study = self.dice.below(12);
        let n_images = self.n_images.entry(study).or_default();
        let n = if self.dice.below(4) == 0 { (*n_images).max(1) } else { *n_images + 1 };
        let mut object = image(&study.to_string(), n, self.now);
        if self.dice.below(10) == 0 && n <= *n_images {
            object.sha256 = "f".repeat(64);
        }
        *n_images = (*n_images).max(n);
        self.stores[at].record(&[object]).unwrap();
    }

    fn end_one(&mut self, at: usize) {
        if self.held.is_empty() {
            return;
        }
        let which = self.dice.below(self.held.len() as u64) as usize;
        let (owner, job) = self.held[which].clone();
        // Once in a while a worker ends its job and does not notice.
        if self.dice.below(5) != 0 {
            self.held.remove(which);
        }
        let outcome = match self.dice.below(3) {
            0 => withheld(),
            _ => outcome(self.dice.below(101) as f64 / 100.0),
        };
        let store = &mut self.stores[at];
        let ended = match self.dice.below(8) {
            0 => store.give_back(&job, &owner, self.now),
            1 | 2 => store.fail(&job, &owner, "unlucky", self.now, 3).map(|_| ()),
            _ => store.finish(&job, &owner, &outcome, self.now),
        };
        self.n_ended += usize::from(ended.is_ok());
        assert!(matches!(ended, Ok(()) | Err(StoreError::LeaseLost { .. })), "{ended:?}");
    }

    fn requeue(&mut self, at: usize) {
        let study = 1 + self.dice.below(12).cast_signed();
        let asked = self.stores[at].requeue(study, "ana", self.now);
        assert!(
            matches!(
                asked,
                Ok(_) | Err(StoreError::StillReceiving { .. } | StoreError::NoStudy { .. })
            ),
            "{asked:?}"
        );
    }

    fn staff(&mut self, at: usize) {
        let rows = self.stores[at].worklist().unwrap();
        let Some(row) = rows.first() else { return };
        let priority = self.dice.below(3) as i32 - 1;
        self.stores[at].acknowledge(row.study, row.verdict, "ana", self.now).unwrap();
        self.stores[at].set_priority(row.study, priority, "ben", self.now).unwrap();
    }
}

fn check_night(seed: u64) {
    let scratch = Scratch::new();
    let mut night = Night {
        stores: vec![scratch.store(), scratch.store()],
        dice: Dice(seed),
        now: START,
        n_images: BTreeMap::new(),
        held: Vec::new(),
        n_ended: 0,
    };
    for step in 0..600 {
        for store in &night.stores {
            // Power cuts are not what this test is about.
            store.conn.pragma_update(None, "synchronous", "OFF").unwrap();
        }
        night.step(&scratch);
        if step % 10 == 0 {
            check_invariants(&night.stores[0]);
        }
    }
    let store = &mut night.stores[0];
    let rows = store.worklist().unwrap();
    assert!(rows.is_sorted_by(|a, b| rank(a) <= rank(b)), "seed {seed}");
    let n_images: BTreeMap<String, u32> =
        rows.iter().map(|row| (row.study_uid.clone(), row.n_images)).collect();
    let expected = night.n_images.iter().map(|(study, n)| (format!("1.2.{study}"), *n));
    assert_eq!(n_images, expected.collect(), "seed {seed}");
    drain(store, night.now.plus_s(1e4));
    check_invariants(store);
    let counts = store.counts().unwrap();
    assert_eq!(counts.receiving + counts.queued + counts.scoring, 0, "seed {seed}");
    assert_eq!(store.audit_verify().unwrap().broken_at, None, "seed {seed}");
    assert!(night.n_ended > 20, "seed {seed}: {} jobs ended", night.n_ended);
}

#[test]
fn no_order_of_events_loses_or_doubles_a_study() {
    for seed in 0..4 {
        check_night(seed);
    }
}

#[test]
fn engine_and_consoles_write_at_once_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let mut engine = scratch.store();
    engine.record(&[image("0", 1, START)]).unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for console in 0..3 {
            let mut store = Store::open_existing(&scratch.path()).unwrap();
            scope.spawn(move || {
                for n in 0..20 {
                    let text = format!("{console} says {n}");
                    store.note(1, "ana", &text, at(f64::from(n))).unwrap();
                    store.worklist().unwrap();
                }
            });
        }
        for n in 1..40 {
            engine.record(&[image(&n.to_string(), 1, at(f64::from(n)))]).unwrap();
        }
    });
    println!(
        "100 transactions of four writers: {:.0} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    assert_eq!(engine.study(1).unwrap().unwrap().notes.len(), 60);
    assert_eq!(engine.worklist().unwrap().len(), 40);
    let check = engine.audit_verify().unwrap();
    assert_eq!((check.entries, check.broken_at), (100, None));
}
