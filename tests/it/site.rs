//! A site of its own for a test: a scratch folder, a configuration, an engine on loopback.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ichor_core::{Layout, UnixMs, Volume};
use ichor_dicom::{Peer, SeriesTags, write_ct_series};
use ichor_store::{Row, Store, StudyState};
use rustix::process::{Pid, Signal, kill_process};

use crate::programs;

/// A site whose folder goes away with it.
pub(crate) struct Site {
    folder: PathBuf,
    engine: Option<Child>,
}

impl Site {
    /// A folder with a configuration and the shipped plugins installed.
    pub(crate) fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("ichor-it-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the scratch folder can be made");
        let site = Self { folder, engine: None };
        // A JSON string is a TOML string.
        let quoted = |path: PathBuf| serde_json::json!(path).to_string();
        let text = format!(
            "data_dir = {}\n[dicom]\nlisten = \"127.0.0.1:0\"\ninbox = {}\n[engine]\nquiet_s = 1\n",
            quoted(site.folder.join("data")),
            quoted(site.inbox())
        );
        fs::create_dir_all(site.inbox()).expect("the inbox can be made");
        fs::write(site.config(), text).expect("the configuration can be written");
        let installed = site.ichor("ichor-engine", &["plugin", "install"]);
        assert!(installed.status.success(), "{}", programs::stderr(&installed));
        site
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("ichor.toml")
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.folder.join("inbox")
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.folder.join("data"))
    }

    /// Runs a command on this site.
    pub(crate) fn ichor(&self, program: &str, args: &[&str]) -> std::process::Output {
        let config = self.config();
        let config = config.to_str().expect("scratch paths are UTF-8");
        programs::run(program, &[&["--config", config], args].concat())
    }

    /// Starts the engine and gives the address that it listens on.
    pub(crate) fn start(&mut self) -> SocketAddr {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("engine.log"))
            .expect("the log can be written");
        let child = Command::new(programs::folder().join("ichor-engine"))
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the engine starts");
        let pid = child.id();
        self.engine = Some(child);
        self.wait(Duration::from_mins(1), "the engine's address", || {
            let store = Store::open_existing(&self.layout().database()).ok()?;
            let status = store.engine_status().ok()??;
            (status.pid == pid).then(|| status.listen?.parse().ok()).flatten()
        })
    }

    /// Ends the engine with `signal` and gives its exit code; none when the signal killed it.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<i32> {
        let mut child = self.engine.take().expect("an engine runs");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a pid is not 0");
        kill_process(pid, signal).expect("the engine can be signalled");
        child.wait().expect("the engine can be waited for").code()
    }

    /// The worklist as the store has it; empty while there is none.
    pub(crate) fn worklist(&self) -> Vec<Row> {
        let store = Store::open_existing(&self.layout().database());
        store.and_then(|store| store.worklist()).unwrap_or_default()
    }

    /// Waits until `n` studies have ended, with a verdict or an error.
    pub(crate) fn ended(&self, n: usize, limit: Duration) -> Vec<Row> {
        self.wait(limit, "verdicts", || {
            let rows = self.worklist();
            let ended = |row: &&Row| matches!(row.state, StudyState::Done | StudyState::Failed);
            (rows.iter().filter(ended).count() >= n).then_some(rows)
        })
    }

    /// Waits until `look` finds something.
    pub(crate) fn wait<T>(
        &self,
        limit: Duration,
        what: &str,
        mut look: impl FnMut() -> Option<T>,
    ) -> T {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(found) = look() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.folder.join("engine.log")).unwrap_or_default();
        panic!("{what}: nothing within {limit:?}; the engine's log:\n{log}");
    }

    /// Writes `volume` as a CT series of a patient called `name`.
    pub(crate) fn write(&self, volume: &Volume, name: &str) -> Vec<PathBuf> {
        let folder = self.folder.join("outgoing").join(name);
        let tags = SeriesTags {
            study_seed: format!("test {name}"),
            series_seed: "head".to_owned(),
            patient_name: format!("PHANTOM^{name}"),
            patient_id: format!("PHANTOM-test-1-{name}"),
            birth_date: String::new(),
            sex: "O".to_owned(),
            age: "060Y".to_owned(),
            scan: UnixMs(1_767_225_600_000),
            accession: String::new(),
            study_id: String::new(),
            study_description: "PHANTOM".to_owned(),
            series_description: "PHANTOM".to_owned(),
            series_number: 2,
            manufacturer: "PHANTOM".to_owned(),
            model: String::new(),
            body_part: "HEAD".to_owned(),
            kernel: "PHANTOM".to_owned(),
            kvp: 120.0,
            comments: "PHANTOM".to_owned(),
            contrast_agent: String::new(),
            private: None,
        };
        write_ct_series(volume, &tags, &folder).expect("the series can be written")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(child) = &mut self.engine {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Sends files as a modality does.
pub(crate) fn send(address: SocketAddr, files: &[PathBuf]) {
    let (called, calling) = ("ICHOR".to_owned(), "MODALITY".to_owned());
    let report = Peer { address, called, calling }
        .send(files, &mut |_| {})
        .expect("the association holds");
    assert_eq!((report.n_stored, report.failed.len()), (files.len(), 0));
}
