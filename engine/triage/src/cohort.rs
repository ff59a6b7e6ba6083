//! A phantom cohort as a table: one row of scorer inputs a case, with its simulated label.
//!
//! The features come from the extractors and the CNN that the configuration names, through the
//! same workers as on a real study. The hematoma is the one that was drawn, or what the network finds. Rows
//! are kept in a file as they come, so that a long run can be taken up again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;
use ichor_core::{Features, Head, Mask, Volume};
use ichor_net::Network;
use ichor_study::phantom::{Case, Cohort, Scan};
use serde::{Deserialize, Serialize};

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
    /// As the command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Truth => "truth",
            Self::Network => "network",
        }
    }

    /// Whose the masks are, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Truth => "as drawn",
            Self::Network => "of the network",
        }
    }
}

/// Inputs, labels and what no scorer can beat.
#[derive(Default)]
pub(crate) struct Table {
    /// Names of the inputs, in the order of the rows.
    pub(crate) names: Vec<String>,
    /// One row a case; NaN where missing.
    pub(crate) rows: Vec<Vec<f64>>,
    /// Index of each row's case in the cohort.
    pub(crate) index: Vec<usize>,
    /// Simulated label: growth by more than 6 ml.
    pub(crate) expands: Vec<bool>,
    /// Probability of expansion given everything visible.
    pub(crate) bayes: Vec<f64>,
    /// Cases under the smallest volume that gets an answer; they have no row.
    pub(crate) withheld: usize,
    /// The extractors and networks behind the rows, as provenance has them.
    pub(crate) made_by: Vec<String>,
}

impl Table {
    /// The cases whose index `wanted` takes, in order.
    pub(crate) fn cases(&self, wanted: impl Fn(usize) -> bool) -> Self {
        let kept = || (0..self.rows.len()).filter(|&at| wanted(at));
        Self {
            names: self.names.clone(),
            rows: kept().map(|at| self.rows[at].clone()).collect(),
            index: kept().map(|at| self.index[at]).collect(),
            expands: kept().map(|at| self.expands[at]).collect(),
            bayes: kept().map(|at| self.bayes[at]).collect(),
            made_by: self.made_by.clone(),
            withheld: 0,
        }
    }

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
    ///
    /// Fails when the kept rows were made by other extractors or networks.
    pub(crate) fn table(
        &self,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Table, TriageError> {
        let network = match self.masks {
            Masks::Truth => None,
            Masks::Network => Some(self.settings.network()?),
        };
        let mut made_by = Scorers::gathering(self.settings)?.made_by()?;
        made_by.extend(
            network.as_ref().map(|n| format!("mask {} sha256 {}", n.name(), n.sha256())),
        );
        let kept = Kept::open(self.path()?, made_by)?;
        let missing: Vec<usize> =
            (0..self.cohort.len()).filter(|index| !kept.rows.contains_key(index)).collect();
        let n_before = self.cohort.len() - missing.len();
        let kept = Mutex::new(kept);
        let next = AtomicUsize::new(0);
        let (send, results) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                let (send, next, missing, network, kept) =
                    (send.clone(), &next, &missing, network.as_ref(), &kept);
                scope.spawn(move || {
                    let mut scorers = Scorers::gathering(self.settings);
                    while let Some(&index) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let row = match &mut scorers {
                            Ok(scorers) => self.row(index, scorers, network),
                            Err(error) => Err(TriageError::Input(error.to_string())),
                        };
                        let added = row.and_then(|(row, names)| {
                            let kept = kept.lock();
                            let mut kept =
                                kept.unwrap_or_else(std::sync::PoisonError::into_inner);
                            kept.add(row, names)
                        });
                        if send.send(added).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            for (done, added) in (n_before + 1..).zip(&results) {
                added?;
                progress(done, self.cohort.len());
            }
            Ok::<(), TriageError>(())
        })?;
        let kept = kept.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.table(self.cohort.len())
    }

    fn path(&self) -> Result<PathBuf, TriageError> {
        fs::create_dir_all(self.kept_in)
            .map_err(|source| TriageError::file("make", self.kept_in, source))?;
        let (cohort, masks) = (self.cohort, self.masks.name());
        Ok(self.kept_in.join(format!("{}-{}-{masks}.jsonl", cohort.name(), cohort.seed())))
    }

    /// A case's row and the names of its values; no names where it has none.
    fn row(
        &self,
        index: usize,
        scorers: &mut Scorers,
        network: Option<&Network>,
    ) -> Result<(Row, Vec<String>), TriageError> {
        let case = self.cohort.case(index);
        let phantom = case.render(&Scan::of(&case))?;
        let mask = match network {
            None => phantom.hematoma,
            Some(network) => segmented(network, &phantom.volume)?,
        };
        let (expands, bayes) = (case.expands, self.cohort.bayes_score(&case));
        let mut row = Row { index, expands, bayes, values: None };
        if mask.volume() < self.settings.config.guards.min_volume {
            return Ok((row, Vec::new()));
        }
        let mut features = Features::default();
        let mut watch = |_| ControlFlow::Continue(());
        for (_, set) in scorers.gather(&phantom.volume, &mask, &mut watch)? {
            features.extend(set)?;
        }
        features.push(VOLUME, mask.volume().ml())?;
        features.push(ONSET, known_onset(&case))?;
        row.values = Some(features.values().to_vec());
        Ok((row, features.names().to_vec()))
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

/// The rows of a cohort in their file: a line that says what made them, then one a case.
struct Kept {
    path: PathBuf,
    out: File,
    made_by: Vec<String>,
    /// Names of the values; empty until a case has some.
    names: Vec<String>,
    rows: BTreeMap<usize, Row>,
}

/// A line of the file, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Head { made_by: Vec<String>, names: Vec<String> },
    Case(Row),
}

#[derive(Serialize, Deserialize)]
struct Row {
    index: usize,
    expands: bool,
    bayes: f64,
    /// None under the smallest volume that gets an answer.
    #[serde(with = "nan_as_null")]
    values: Option<Vec<f64>>,
}

impl Kept {
    /// A line that was cut off by a crash is left out, and its case made again.
    fn open(path: PathBuf, made_by: Vec<String>) -> Result<Self, TriageError> {
        let out = OpenOptions::new().create(true).append(true).read(true).open(&path);
        let out = out.map_err(|source| TriageError::file("open", &path, source))?;
        let mut kept = Self { path, out, made_by, names: Vec::new(), rows: BTreeMap::new() };
        let text = fs::read_to_string(&kept.path)
            .map_err(|source| TriageError::file("read", &kept.path, source))?;
        for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Line::Head { made_by, names } if made_by == kept.made_by => kept.names = names,
                Line::Head { made_by, .. } => return Err(kept.other(&made_by.join(", "))),
                Line::Case(row) => drop(kept.rows.insert(row.index, row)),
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            kept.write("\n")?;
        }
        Ok(kept)
    }

    fn other(&self, made_by: &str) -> TriageError {
        TriageError::Input(format!(
            "{} holds rows made by {made_by}, not by {}: remove it or name another --kept-in",
            self.path.display(),
            self.made_by.join(", ")
        ))
    }

    fn add(&mut self, row: Row, names: Vec<String>) -> Result<(), TriageError> {
        let failed = |error| TriageError::Input(format!("case {}: {error}", row.index));
        if row.values.is_some() && names != self.names {
            if !self.names.is_empty() {
                return Err(self.other("other extractors"));
            }
            self.names.clone_from(&names);
            let head = Line::Head { made_by: self.made_by.clone(), names };
            self.write(&(serde_json::to_string(&head).map_err(failed)? + "\n"))?;
        }
        self.write(&(serde_json::to_string(&row).map_err(failed)? + "\n"))?;
        self.rows.insert(row.index, row);
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), TriageError> {
        let written = self.out.write_all(text.as_bytes());
        written.map_err(|source| TriageError::file("write", &self.path, source))
    }

    /// The first `n_cases`, in order.
    fn table(self, n_cases: usize) -> Result<Table, TriageError> {
        if self.names.is_empty() {
            return Err(TriageError::Input("no case of the cohort has a hematoma".to_owned()));
        }
        let mut table = Table { names: self.names, made_by: self.made_by, ..Table::default() };
        for (_, row) in self.rows.into_iter().take_while(|(index, _)| *index < n_cases) {
            match row.values {
                Some(values) => {
                    table.rows.push(values);
                    table.index.push(row.index);
                    table.expands.push(row.expands);
                    table.bayes.push(row.bayes);
                }
                None => table.withheld += 1,
            }
        }
        Ok(table)
    }
}

/// JSON has no NaN; a missing value is written as `null`.
mod nan_as_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands fields on by reference")]
    pub(super) fn serialize<S: Serializer>(
        values: &Option<Vec<f64>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let finite = |v: &f64| v.is_finite().then_some(*v);
        values
            .as_ref()
            .map(|values| values.iter().map(finite).collect::<Vec<_>>())
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<f64>>, D::Error> {
        let values = Option::<Vec<Option<f64>>>::deserialize(from)?;
        let filled = |v: Option<f64>| v.unwrap_or(f64::NAN);
        Ok(values.map(|values| values.into_iter().map(filled).collect()))
    }
}
