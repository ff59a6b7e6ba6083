//! The plugins of a site at work: extractors describe, scorers score, the host judges.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ichor_core::{
    ClinicalName, ClinicalValue, Contribution, FeatureError, Features, Mask, Profile,
    Provenance, Risk, UnitId, Verdict, Volume, Withheld, judge,
};
use ichor_host::{Installed, Scored, SharedVolume, Workers};
use ichor_net::Cnn;
use ichor_store::{Outcome, ScorerResult, VerdictKind, VoidProfile};

use crate::pipeline::{Step, Watch, go_on};
use crate::{Settings, TriageError, cnn};

/// Gives the name of the active profile of a scorer.
pub(crate) type ProfileOf<'a> = dyn Fn(&UnitId) -> Result<String, TriageError> + 'a;

/// Name under which the volume of the hematoma is handed to scorers.
pub(crate) const VOLUME: &str = "hematoma.volume_ml";

/// The plugins that the configuration names, each in its worker process.
pub(crate) struct Scorers {
    workers: Workers,
    extractors: Vec<UnitId>,
    /// Describes beside the extractors, where its weights are there.
    cnn: Option<Cnn>,
    scorer: Option<UnitId>,
    shadow: Vec<UnitId>,
    profile_dirs: Vec<PathBuf>,
}

impl Scorers {
    /// Finds the plugins and the CNN, and checks that no extractor gives one of its names.
    pub(crate) fn open(settings: &Settings) -> Result<Self, TriageError> {
        let score = &settings.config.score;
        let scorers = Self::gathering(settings)?;
        let known = |unit: &UnitId, key| scorers.needs(unit, key);
        known(&score.scorer, "score.scorer")?;
        for unit in &score.shadow {
            known(unit, "score.shadow")?;
        }
        let (scorer, shadow) = (Some(score.scorer.clone()), score.shadow.clone());
        let mut scorers = Self { scorer, shadow, ..scorers };
        scorers.no_unknown_value()?;
        Ok(scorers)
    }

    /// Whether the plugins are still those that are installed, file by file.
    pub(crate) fn are_current(&self, settings: &Settings) -> bool {
        let installed = ichor_host::installed(&settings.plugin_dirs());
        self.workers.all().eq(installed.iter().filter_map(|found| found.as_ref().ok()))
    }

    /// The extractors and the CNN: enough to gather what a scorer is trained on.
    pub(crate) fn gathering(settings: &Settings) -> Result<Self, TriageError> {
        let mut scorers = Self::describing(settings)?;
        scorers.cnn = cnn::load(settings)?;
        scorers.no_name_twice()?;
        Ok(scorers)
    }

    /// The extractors alone: enough to describe a hematoma by one of them.
    pub(crate) fn describing(settings: &Settings) -> Result<Self, TriageError> {
        let mut installed = Vec::new();
        for found in ichor_host::installed(&settings.plugin_dirs()) {
            match found {
                Ok(plugin) => installed.push(plugin),
                Err(error) => tracing::warn!("plugin left out: {error}"),
            }
        }
        let extractors = settings.config.score.extractors.clone();
        let scorers = Self {
            workers: Workers::new(
                settings.worker_command(),
                installed,
                &settings.layout.plugins(),
            ),
            extractors,
            cnn: None,
            scorer: None,
            shadow: Vec::new(),
            profile_dirs: settings.profile_dirs(),
        };
        for unit in &scorers.extractors {
            scorers.needs(unit, "score.extractors")?;
        }
        Ok(scorers)
    }

    /// An extractor whose worker does not start fails its studies, not the engine.
    fn no_name_twice(&mut self) -> Result<(), TriageError> {
        let Some(cnn) = &self.cnn else { return Ok(()) };
        let names = cnn.names();
        for unit in &self.extractors {
            let Ok(description) = self.workers.describe(unit) else { continue };
            if let Some(name) = description.outputs.into_iter().find(|n| names.contains(n)) {
                return Err(FeatureError::Twice(name).into());
            }
        }
        Ok(())
    }

    /// For each scorer the inputs that it wants and nothing of this site gives: always missing.
    ///
    /// A scorer whose worker does not start wants nothing here; its studies say why.
    pub(crate) fn never_given(&mut self) -> Vec<(UnitId, Vec<String>)> {
        let mut given = vec![VOLUME.to_owned()];
        given.extend(ClinicalName::ALL.map(|known| ClinicalName::input(known.name)));
        given.extend(self.cnn.iter().flat_map(Cnn::names));
        for unit in self.extractors.clone() {
            given.extend(self.workers.describe(&unit).map_or_else(|_| vec![], |d| d.outputs));
        }
        let given: BTreeSet<String> = given.into_iter().collect();
        let mut never = Vec::new();
        for unit in self.scoring().cloned().collect::<Vec<_>>() {
            let Ok(description) = self.workers.describe(&unit) else { continue };
            let mut wanted = description.inputs;
            wanted.retain(|name| !given.contains(name));
            if !wanted.is_empty() {
                never.push((unit, wanted));
            }
        }
        never
    }

    /// Fails when a scorer wants a clinical value that nobody can enter: its name is a mistake.
    fn no_unknown_value(&mut self) -> Result<(), TriageError> {
        for unit in self.scoring().cloned().collect::<Vec<_>>() {
            let Ok(description) = self.workers.describe(&unit) else { continue };
            let wanted = description.inputs.iter().filter_map(|n| ClinicalName::of_input(n));
            for name in wanted {
                ClinicalName::find(name)
                    .map_err(|error| TriageError::Input(format!("scorer {unit}: {error}")))?;
            }
        }
        Ok(())
    }

    /// The threshold profiles that lie with the scorers and by which none may be judged.
    pub(crate) fn void_profiles(&self) -> Vec<VoidProfile> {
        let mut void = Vec::new();
        for scorer in self.scoring() {
            // `open` has seen to it that they are installed.
            let Ok(installed) = self.workers.installed(scorer) else { continue };
            for (profile, found) in ichor_host::profiles(&self.profile_dirs, installed, scorer)
            {
                if let Err(error) = found {
                    let why = error.to_string();
                    void.push(VoidProfile { scorer: scorer.clone(), profile, why });
                }
            }
        }
        void.sort_by_key(|void| (void.scorer.to_string(), void.profile.clone()));
        void
    }

    fn needs(&self, unit: &UnitId, key: &'static str) -> Result<(), TriageError> {
        let plugin = || unit.plugin.clone();
        self.workers
            .installed(unit)
            .map(drop)
            .map_err(|_| TriageError::NotInstalled { plugin: plugin(), key })
    }

    /// The plugin that has `unit`.
    pub(crate) fn installed(&self, unit: &UnitId) -> Result<&Installed, TriageError> {
        Ok(self.workers.installed(unit)?)
    }

    /// The scorers, the active one first.
    pub(crate) fn scoring(&self) -> impl Iterator<Item = &UnitId> {
        self.scorer.iter().chain(&self.shadow)
    }

    /// All units that the configuration names.
    pub(crate) fn units(&self) -> impl Iterator<Item = &UnitId> {
        self.extractors.iter().chain(self.scoring())
    }

    /// Starts the worker of a unit and counts its inputs and outputs.
    pub(crate) fn describe_unit(
        &mut self,
        unit: &UnitId,
    ) -> Result<(usize, usize), TriageError> {
        let description = self.workers.describe(unit)?;
        Ok((description.inputs.len(), description.outputs.len()))
    }

    /// Reads a profile and checks that it was tuned for the scorer as it is installed.
    pub(crate) fn profile(&self, scorer: &UnitId, name: &str) -> Result<Profile, TriageError> {
        let installed = self.workers.installed(scorer)?;
        Ok(ichor_host::profile(&self.profile_dirs, installed, scorer, name)?)
    }

    /// Describes the hematoma, scores it by every scorer, and adds what they say to `outcome`.
    ///
    /// Fails when an extractor or the active scorer does; why a scorer in the shadow failed is kept
    /// beside the verdict.
    #[expect(
        clippy::too_many_arguments,
        reason = "the pipeline's values, handed on one by one"
    )]
    pub(crate) fn run(
        &mut self,
        volume: &Volume,
        mask: &Mask,
        clinical: &[ClinicalValue],
        provenance: &Provenance,
        profile_of: &ProfileOf<'_>,
        watch: &mut Watch<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), TriageError> {
        let mut provenance = provenance.clone();
        let mut inputs = Features::default();
        for (unit, features) in self.gather(volume, mask, watch)? {
            inputs.extend(features.clone())?;
            outcome.features.push((unit, features));
        }
        // Afterwards: a GPU that failed has handed over to the CPU.
        provenance.extractors.extend(self.made_by()?);
        inputs.push(VOLUME, mask.volume().ml())?;
        for value in clinical {
            inputs.push(&ClinicalName::input(&value.name), value.value)?;
        }
        provenance.clinical = clinical.to_vec();
        go_on(watch(Step::Scoring))?;
        if let Some(unit) = self.scorer.clone() {
            outcome.results.push(self.score(&unit, false, &inputs, &provenance, profile_of)?);
        }
        for unit in self.shadow.clone() {
            match self.score(&unit, true, &inputs, &provenance, profile_of) {
                Ok(result) => outcome.results.push(result),
                Err(error) => {
                    tracing::warn!("scorer {unit} in the shadow failed: {error}");
                    outcome.failures.push((unit, error.to_string()));
                }
            }
        }
        Ok(())
    }

    /// The sets of features that the extractors and the CNN give, each with its unit.
    pub(crate) fn gather(
        &mut self,
        volume: &Volume,
        mask: &Mask,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<(UnitId, Features)>, TriageError> {
        let mut sets = Vec::new();
        let shared = SharedVolume::new(volume, mask)?;
        for unit in self.extractors.clone() {
            let features = self.describe(&unit, &shared, watch)?;
            sets.push((unit, features));
        }
        if let Some(cnn) = &self.cnn {
            go_on(watch(Step::Describing))?;
            sets.push((cnn::unit(), cnn.features(volume, mask)?));
        }
        Ok(sets)
    }

    /// What provenance says about those sets, in their order.
    pub(crate) fn made_by(&self) -> Result<Vec<String>, TriageError> {
        let extractors = self.extractors.iter().map(|unit| {
            let version = self.workers.installed(unit)?.version();
            Ok(format!("{unit} {version}"))
        });
        extractors.chain(self.cnn.iter().map(|cnn| Ok(cnn::made_by(cnn)))).collect()
    }

    /// The features that one extractor gives.
    pub(crate) fn describe(
        &mut self,
        unit: &UnitId,
        shared: &SharedVolume<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Features, TriageError> {
        let mut stopped = false;
        let features =
            self.workers.extract(unit, shared, &Features::default(), &mut |_share| {
                let flow = watch(Step::Describing);
                stopped |= flow.is_break();
                flow
            });
        if stopped { Err(TriageError::Stopped) } else { Ok(features?) }
    }

    /// The bare risk that a scorer gives, for measurements.
    pub(crate) fn risk(
        &mut self,
        unit: &UnitId,
        inputs: &Features,
    ) -> Result<Risk, TriageError> {
        Ok(self.workers.score(unit, inputs)?.risk)
    }

    fn score(
        &mut self,
        unit: &UnitId,
        shadow: bool,
        inputs: &Features,
        provenance: &Provenance,
        profile_of: &ProfileOf<'_>,
    ) -> Result<ScorerResult, TriageError> {
        let profile = self.profile(unit, &profile_of(unit)?)?;
        let Scored { risk, contributions, .. } = self.workers.score(unit, inputs)?;
        let installed = self.workers.installed(unit)?;
        let kind = match judge(risk, &profile) {
            Verdict::Expands(_) => VerdictKind::Expands,
            Verdict::Stable(_) => VerdictKind::Stable,
            Verdict::Withheld(_) => VerdictKind::Withheld,
        };
        let wanted = |value: &ClinicalValue| {
            let bare =
                |push: &Contribution| ClinicalName::of_input(&push.name).map(str::to_owned);
            contributions.iter().filter_map(bare).any(|name| name == value.name)
        };
        let clinical = provenance.clinical.iter().filter(|value| wanted(value));
        let unknown = contributions.iter().filter(|push| push.value.is_none());
        let missing = unknown.filter_map(|push| ClinicalName::of_input(&push.name));
        let provenance = Provenance {
            clinical: clinical.cloned().collect(),
            clinical_missing: missing.map(str::to_owned).collect(),
            scorer: Some(unit.clone()),
            plugin_version: Some(installed.version().to_owned()),
            plugin_sha256: Some(installed.sha256().to_owned()),
            weights_sha256: Some(installed.weights_sha256(&unit.unit)?),
            profile: Some(profile.name.clone()),
            threshold: Some(profile.threshold),
            simulated_labels: profile.simulated_labels,
            ..provenance.clone()
        };
        Ok(ScorerResult {
            kind,
            withheld: None,
            risk: Some(risk),
            threshold: Some(profile.threshold),
            shadow,
            provenance,
            contributions,
        })
    }
}

/// How many names, and the first of them.
pub(crate) fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=3 => shown,
        n => format!("{n} inputs, such as {shown}"),
    }
}

/// That `scorer` will always miss the inputs called `names`, and what can be done about it.
pub(crate) fn never_words(scorer: &UnitId, names: &[String]) -> String {
    let said = some_of(names);
    format!(
        "scorer {scorer}: nothing gives {said}: always missing; look for an extractor or network \
         to add to score.extractors or score.cnn"
    )
}

/// The one result of a study that gets no answer.
pub(crate) fn declined(why: Withheld, provenance: Provenance) -> ScorerResult {
    ScorerResult {
        kind: VerdictKind::Withheld,
        withheld: Some(why),
        risk: None,
        threshold: None,
        shadow: false,
        provenance,
        contributions: Vec::new(),
    }
}
