//! A phantom cohort as a table: one row of scorer inputs a case, with its simulated label.
//!
//! The features come from the extractors that the configuration names, through the same workers
//! as on a real study. The hematoma is the one that was drawn, or what the network finds. Rows
//! are kept in a file as they come, so that a long run can be taken up again.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;
use ichor_core::{Features, Head, Mask, Volume};
use ichor_host::SharedVolume;
use ichor_net::Network;
use ichor_study::phantom::{Case, Cohort, Scan};

use crate::scorers::{Scorers, VOLUME};
use crate::{Settings, TriageError};

/// Name under which scorers get the time from onset to scan.
pub(crate) const ONSET: &str = "clinical.onset_to_ct_h";

/// Whose hematoma is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Masks {
    /// The one that was drawn.
    Truth,
    /// The one that the network finds.
    Network,
}

impl Masks {
    fn name(self) -> &'static str {
        match self {
            Self::Truth => "truth",
            Self::Network => "network",
        }
    }
}

/// Inputs, labels and what no scorer can beat.
pub(crate) struct Table {
    /// Names of the inputs, in the order of the rows.
    pub(crate) names: Vec<String>,
    /// One row a case; NaN where missing.
    pub(crate) rows: Vec<Vec<f64>>,
    /// Simulated label: growth by more than 6 ml.
    pub(crate) expands: Vec<bool>,
    /// Probability of expansion given everything visible.
    pub(crate) bayes: Vec<f64>,
    /// Cases under the smallest volume that gets an answer; they have no row.
    pub(crate) withheld: usize,
}

impl Table {
    /// Keeps the columns whose name `wanted` takes.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        let columns: Vec<bool> = self.names.iter().map(|name| wanted(name)).collect();
        let mut kept = columns.iter();
        self.names.retain(|_| *kept.next().unwrap_or(&false));
        for row in &mut self.rows {
            let mut kept = columns.iter();
            row.retain(|_| *kept.next().unwrap_or(&false));
        }
    }
}

/// What the making of a table needs to know.
pub(crate) struct Making<'a> {
    /// The site, whose plugins and weights are used.
    pub(crate) settings: &'a Settings,
    /// The cohort.
    pub(crate) cohort: &'a Cohort,
    /// Whose hematoma is described.
    pub(crate) masks: Masks,
    /// Folder in which finished rows are kept.
    pub(crate) kept_in: &'a Path,
}

impl Making<'_> {
    /// Renders and describes every case that has no row yet, on all cores.
    pub(crate) fn table(
        &self,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Table, TriageError> {
        let path = self.file()?;
        let mut kept = Kept::read(&path)?;
        let missing: Vec<usize> =
            (0..self.cohort.len()).filter(|index| !kept.has(*index)).collect();
        let n_before = self.cohort.len() - missing.len();
        let network = match self.masks {
            Masks::Truth => None,
            Masks::Network => Some(self.settings.network()?),
        };
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| TriageError::file("open", &path, source))?;
        let out = Mutex::new(out);
        let next = AtomicUsize::new(0);
        let (send, results) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                let (send, next, missing, network, out) =
                    (send.clone(), &next, &missing, network.as_ref(), &out);
                scope.spawn(move || {
                    let mut scorers = Scorers::describing(self.settings);
                    while let Some(&index) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let row = match &mut scorers {
                            Ok(scorers) => self.row(index, scorers, network),
                            Err(error) => Err(TriageError::Input(error.to_string())),
                        };
                        let row =
                            row.and_then(|row| row.append(out, &path_of(self)).map(|()| row));
                        if send.send(row).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            for (done, row) in (n_before + 1..).zip(&results) {
                kept.rows.push(row?);
                progress(done, self.cohort.len());
            }
            Ok::<(), TriageError>(())
        })?;
        self.gather(kept)
    }

    fn file(&self) -> Result<PathBuf, TriageError> {
        fs::create_dir_all(self.kept_in)
            .map_err(|source| TriageError::file("make", self.kept_in, source))?;
        Ok(path_of(self))
    }

    fn row(
        &self,
        index: usize,
        scorers: &mut Scorers,
        network: Option<&Network>,
    ) -> Result<Row, TriageError> {
        let case = self.cohort.case(index);
        let phantom = case.render(&Scan::of(&case))?;
        let mask = match network {
            None => phantom.hematoma,
            Some(network) => segmented(network, &phantom.volume)?,
        };
        let (expands, bayes) = (case.expands, self.cohort.bayes_score(&case));
        if mask.volume() < self.settings.config.guards.min_volume {
            return Ok(Row { index, expands, bayes, features: None });
        }
        let mut features = Features::default();
        let shared = SharedVolume::new(&phantom.volume, &mask)?;
        for unit in &self.settings.config.score.extractors {
            features
                .extend(scorers.describe(unit, &shared, &mut |_| ControlFlow::Continue(()))?)?;
        }
        features.push(VOLUME, mask.volume().ml())?;
        features.push(ONSET, known_onset(&case))?;
        Ok(Row { index, expands, bayes, features: Some(features) })
    }

    fn gather(&self, mut kept: Kept) -> Result<Table, TriageError> {
        kept.rows.retain(|row| row.index < self.cohort.len());
        kept.rows.sort_by_key(|row| row.index);
        let names = kept
            .rows
            .iter()
            .find_map(|row| row.features.as_ref())
            .map(|features| features.names().to_vec())
            .ok_or_else(|| {
                TriageError::Input("no case of the cohort has a hematoma".to_owned())
            })?;
        let mut table = Table {
            names,
            rows: Vec::new(),
            expands: Vec::new(),
            bayes: Vec::new(),
            withheld: 0,
        };
        for row in kept.rows {
            match row.features {
                Some(features) if features.names() == table.names => {
                    table.rows.push(features.values().to_vec());
                    table.expands.push(row.expands);
                    table.bayes.push(row.bayes);
                }
                Some(_) => {
                    return Err(TriageError::Input(format!(
                        "{} holds rows of other extractors: remove it and run again",
                        path_of(self).display()
                    )));
                }
                None => table.withheld += 1,
            }
        }
        Ok(table)
    }
}

/// Onset is unknown in every second case, as it often is at night; then it is NaN.
fn known_onset(case: &Case) -> f64 {
    if (case.seed / 32).is_multiple_of(2) { case.latents.onset_h } else { f64::NAN }
}

fn segmented(network: &Network, volume: &Volume) -> Result<Mask, TriageError> {
    let head = Head::find(volume);
    let probability =
        network.probability(volume, &head, &mut |_, _| ControlFlow::Continue(()))?;
    Ok(Mask::from_probability(probability.view(), volume)?)
}

fn path_of(making: &Making<'_>) -> PathBuf {
    let (cohort, masks) = (making.cohort, making.masks.name());
    making.kept_in.join(format!("{}-{}-{masks}.jsonl", cohort.name(), cohort.seed()))
}

/// One case as it is kept: a line of JSON.
#[derive(serde::Serialize, serde::Deserialize)]
struct Row {
    index: usize,
    expands: bool,
    bayes: f64,
    #[serde(with = "nan_as_null")]
    features: Option<Features>,
}

impl Row {
    fn append(&self, out: &Mutex<File>, path: &Path) -> Result<(), TriageError> {
        let failed = |source| TriageError::file("write", path, source);
        let line = serde_json::to_string(self).map_err(|error| failed(error.into()))?;
        let mut out = out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writeln!(out, "{line}").map_err(failed)
    }
}

/// The rows that an earlier run finished.
struct Kept {
    rows: Vec<Row>,
}

impl Kept {
    /// A line that was cut off by a crash is left out, and its case made again.
    fn read(path: &Path) -> Result<Self, TriageError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { rows: Vec::new() });
            }
            Err(source) => return Err(TriageError::file("read", path, source)),
        };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        Ok(Self { rows: lines.filter_map(|line| serde_json::from_str(&line).ok()).collect() })
    }

    fn has(&self, index: usize) -> bool {
        self.rows.iter().any(|row| row.index == index)
    }
}

/// JSON has no NaN; a missing value is written as `null`.
mod nan_as_null {
    use ichor_core::Features;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Pairs {
        names: Vec<String>,
        values: Vec<Option<f64>>,
    }

    #[expect(clippy::ref_option, reason = "serde hands fields on by reference")]
    pub(super) fn serialize<S: Serializer>(
        features: &Option<Features>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        features
            .as_ref()
            .map(|features| Pairs {
                names: features.names().to_vec(),
                values: features.values().iter().map(|v| v.is_finite().then_some(*v)).collect(),
            })
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Features>, D::Error> {
        let pairs = Option::<Pairs>::deserialize(from)?;
        pairs
            .map(|pairs| {
                let values = pairs.values.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect();
                Features::new(pairs.names, values).map_err(serde::de::Error::custom)
            })
            .transpose()
    }
}
