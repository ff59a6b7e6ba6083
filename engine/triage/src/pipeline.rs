//! The order of the steps, from files to what the scorers say.
//!
//! DICOM bytes → slices → volume → head, motion → mask → features → risk → verdict. Nothing else
//! in Ichor knows this order. Declining is an outcome, not an error: an error means that the work
//! could not be done.

use std::ops::ControlFlow;
use std::path::PathBuf;

use ichor_core::{
    ClinicalValue, Guards, Head, Mask, Millilitres, MotionIndex, Provenance, Volume, Withheld,
    guard, motion_index,
};
use ichor_dicom::Opened;
use ichor_net::{NetError, Network};
use ichor_store::Outcome;

use crate::scorers::{ProfileOf, Scorers};
use crate::{Settings, TriageError};

/// Where a study is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Slices are read and stacked.
    Opening,
    /// Slices segmented so far, of how many.
    Segmenting(usize, usize),
    /// Plugins describe the hematoma.
    Describing,
    /// Plugins score it.
    Scoring,
}

/// Told at each step; breaking off ends the work with [`TriageError::Stopped`].
pub(crate) type Watch<'a> = dyn FnMut(Step) -> ControlFlow<()> + 'a;

/// What the images of a study show, before any scorer has seen it.
pub(crate) struct Seen {
    /// The volume; none when the study holds none.
    pub(crate) volume: Option<Volume>,
    /// The motion index; none when no head was found.
    pub(crate) motion: Option<MotionIndex>,
    /// The hematoma; none when it was not looked for.
    pub(crate) mask: Option<Mask>,
    /// Why the study gets no answer; none when it may be scored.
    pub(crate) withheld: Option<Withheld>,
    /// What was used so far.
    pub(crate) provenance: Provenance,
    /// Age at the scan, as the header has it.
    pub(crate) age_years: Option<f64>,
    /// What was odd about the slices but did not stop the work.
    pub(crate) warnings: Vec<String>,
}

/// One study, done.
pub(crate) struct Done {
    /// What its images show.
    pub(crate) seen: Seen,
    /// What is stored.
    pub(crate) outcome: Outcome,
}

/// Imaging and plugins, ready to score one study after the other.
pub(crate) struct Pipeline {
    imaging: Imaging,
    scorers: Scorers,
}

/// The steps from files to a hematoma: they need a network, but no plugin.
pub(crate) struct Imaging {
    network: Network,
    guards: Guards,
}

impl Pipeline {
    /// Loads the weights and starts the plugins that the configuration names.
    pub(crate) fn open(settings: &Settings) -> Result<Self, TriageError> {
        Ok(Self { imaging: Imaging::open(settings)?, scorers: Scorers::open(settings)? })
    }

    /// The plugins and their profiles.
    pub(crate) fn scorers(&self) -> &Scorers {
        &self.scorers
    }

    /// Says in the log which inputs a scorer will always miss at this site.
    pub(crate) fn warn_of_inputs_never_given(&mut self) {
        for (scorer, names) in self.scorers.never_given() {
            tracing::warn!("{}", crate::scorers::never_words(&scorer, &names));
        }
    }

    /// What computed the last study, or will compute the first.
    pub(crate) fn device(&self) -> String {
        self.imaging.network.device()
    }

    /// Goes on with `scorers`; the workers of those before end.
    pub(crate) fn move_to(&mut self, scorers: Scorers) {
        self.scorers = scorers;
    }

    /// Takes one study from its files to an outcome.
    ///
    /// `entered` holds what staff entered; what the header tells is added where they entered none.
    pub(crate) fn score(
        &mut self,
        files: &[PathBuf],
        entered: Vec<ClinicalValue>,
        profile_of: &ProfileOf<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Done, TriageError> {
        let seen = self.imaging.see(files, watch)?;
        let mut outcome = Outcome {
            volume: seen.mask.as_ref().map(Mask::volume),
            motion: seen.motion,
            results: Vec::new(),
            failures: Vec::new(),
            features: Vec::new(),
        };
        let clinical = ClinicalValue::known(entered, seen.age_years);
        match (&seen.withheld, &seen.volume, &seen.mask) {
            (None, Some(volume), Some(mask)) => {
                self.scorers.run(
                    volume,
                    mask,
                    &clinical,
                    &seen.provenance,
                    profile_of,
                    watch,
                    &mut outcome,
                )?;
            }
            (withheld, ..) => {
                let why = withheld.clone().unwrap_or(Withheld::NoHematoma);
                outcome.results.push(crate::scorers::declined(why, seen.provenance.clone()));
            }
        }
        Ok(Done { seen, outcome })
    }
}

impl Imaging {
    /// Loads the weights that the configuration names.
    pub(crate) fn open(settings: &Settings) -> Result<Self, TriageError> {
        Ok(Self { network: settings.network()?, guards: settings.config.guards })
    }

    /// What the images show: volume, motion, mask, or why not.
    pub(crate) fn see(
        &self,
        files: &[PathBuf],
        watch: &mut Watch<'_>,
    ) -> Result<Seen, TriageError> {
        go_on(watch(Step::Opening))?;
        let mut seen = Seen {
            volume: None,
            motion: None,
            mask: None,
            withheld: None,
            provenance: self.provenance(),
            age_years: None,
            warnings: Vec::new(),
        };
        match ichor_dicom::open_study(files)? {
            Opened::Withheld { withheld, series_uid, why, warnings, header } => {
                seen.age_years = header.age_years;
                seen.provenance.series_uid = series_uid;
                seen.provenance.series_why = why;
                seen.warnings = warnings;
                seen.withheld = Some(withheld);
            }
            Opened::Volume { volume, series_uid, why, files, warnings, header } => {
                seen.age_years = header.age_years;
                seen.provenance.series_uid = Some(series_uid);
                seen.provenance.series_why = why;
                seen.provenance.images_sha256 = Some(ichor_dicom::sha256_of(&files)?);
                seen.warnings = warnings;
                self.look(&volume, &mut seen, watch)?;
                // A GPU that failed has handed over to the CPU.
                seen.provenance.device = self.network.device();
                seen.volume = Some(volume);
            }
        }
        Ok(seen)
    }

    /// Head, motion and hematoma of a volume, under the guards.
    fn look(
        &self,
        volume: &Volume,
        seen: &mut Seen,
        watch: &mut Watch<'_>,
    ) -> Result<(), TriageError> {
        let head = Head::find(volume);
        if !head.is_head() {
            seen.withheld = Some(Withheld::NotAHead);
            return Ok(());
        }
        let motion = motion_index(volume, &head);
        seen.motion = Some(motion);
        // Under motion nothing that the network finds can be believed, so it is not asked.
        if motion <= self.guards.max_motion {
            match self.segment(volume, &head, watch) {
                Ok(mask) => seen.mask = Some(mask),
                Err(TriageError::Net(error @ NetError::HeadOutside { .. })) => {
                    seen.withheld = Some(Withheld::Geometry { why: error.to_string() });
                    return Ok(());
                }
                Err(other) => return Err(other),
            }
        }
        let found = seen.mask.as_ref().map_or(Millilitres::ZERO, Mask::volume);
        seen.withheld = guard(found, motion, &self.guards);
        Ok(())
    }

    /// The limits under which a study is answered.
    pub(crate) fn guards(&self) -> &Guards {
        &self.guards
    }

    /// The hematoma of a head, on exactly the grid of `volume`.
    pub(crate) fn segment(
        &self,
        volume: &Volume,
        head: &Head,
        watch: &mut Watch<'_>,
    ) -> Result<Mask, TriageError> {
        let mut stopped = false;
        let probability = self.network.probability(volume, head, &mut |done, of| {
            let flow = watch(Step::Segmenting(done, of));
            stopped |= flow.is_break();
            flow
        });
        if stopped {
            return Err(TriageError::Stopped);
        }
        Ok(Mask::from_probability(probability?.view(), volume)?)
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            device: self.network.device(),
            network: self.network.name().to_owned(),
            network_sha256: self.network.sha256().to_owned(),
            scorer: None,
            plugin_version: None,
            plugin_sha256: None,
            weights_sha256: None,
            profile: None,
            threshold: None,
            extractors: Vec::new(),
            clinical: Vec::new(),
            clinical_missing: Vec::new(),
            series_uid: None,
            series_why: String::new(),
            images_sha256: None,
            simulated_labels: false,
        }
    }
}

/// Turns a broken-off step into the error that ends the work.
pub(crate) fn go_on(flow: ControlFlow<()>) -> Result<(), TriageError> {
    if flow.is_break() { Err(TriageError::Stopped) } else { Ok(()) }
}
