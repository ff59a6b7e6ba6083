//! The CNN's model card: what it learned from, how it went, what it is worth on phantoms.

use std::fs;
use std::path::Path;

use ichor_net::{CnnCase, CnnCases, CnnRecipe, CnnValidation, Curves, Saved};
use ichor_study::stats::{Auc, mean};

use super::card::loss_lines;
use super::chart::{self, DARK, Line};
use super::cnn::auc_of;
use crate::TriageError;

/// What a set of cases says about a network.
pub(super) struct Figures {
    n: usize,
    n_expand: usize,
    /// Of the network's probability.
    pub(super) auc: Auc,
    /// Of the volume alone.
    volume: Auc,
    /// Of the Bayes score, where it was asked for.
    bayes: Option<Auc>,
    mean_probability: f64,
}

impl Figures {
    /// Fails without cases of both kinds.
    pub(super) fn of(
        cases: &[CnnCase],
        risks: &[f64],
        bayes: Option<&[f64]>,
    ) -> Result<Self, TriageError> {
        let volumes: Vec<f64> = cases.iter().map(|case| case.bleed.volume_ml()).collect();
        Ok(Self {
            n: cases.len(),
            n_expand: cases.iter().filter(|case| case.expands).count(),
            auc: auc_of(risks, cases)?,
            volume: auc_of(&volumes, cases)?,
            bayes: bayes.map(|scores| auc_of(scores, cases)).transpose()?,
            mean_probability: mean(risks).unwrap_or(f64::NAN),
        })
    }

    /// The row of a table: AUCs of network, volume and Bayes score.
    fn row(&self) -> String {
        format!(
            "{} ({}) | {} | {} | {} | {:.3}",
            self.n,
            self.n_expand,
            text(&self.auc),
            text(&self.volume),
            self.bayes.as_ref().map_or_else(|| "-".to_owned(), text),
            self.mean_probability
        )
    }
}

/// An area under the curve with its interval, where there is one.
fn text(auc: &Auc) -> String {
    let sure = auc.interval.map(|i| format!(" ({:.3}-{:.3})", i.low, i.high));
    format!("{:.3}{}", auc.value, sure.unwrap_or_default())
}

/// What the card says.
pub(super) struct Card<'a> {
    pub(super) recipe: &'a CnnRecipe,
    /// Text of the recipe file.
    pub(super) recipe_text: &'a str,
    pub(super) cases: &'a CnnCases,
    pub(super) curves: &'a Curves<CnnValidation>,
    pub(super) saved: &'a Saved,
    /// On the cases that trained.
    pub(super) learned: Figures,
    /// On the clinical cohort.
    pub(super) reported: Figures,
}

impl Card<'_> {
    /// The figures in two lines.
    pub(super) fn said(&self) -> String {
        let line = |name: &str, figures: &Figures| {
            let bayes = figures.bayes.as_ref();
            format!(
                "{name:<11} n {:>4}  AUC {}  volume alone {}{}",
                figures.n,
                text(&figures.auc),
                text(&figures.volume),
                bayes.map_or_else(String::new, |bayes| format!("  Bayes {}", text(bayes)))
            )
        };
        format!(
            "{}\n{}",
            line("trained on", &self.learned),
            line("reported on", &self.reported)
        )
    }

    /// Writes `NAME.md` and its figures beside the weights `out`; gives the manifest's entry.
    pub(super) fn write(&self, out: &Path) -> Result<String, TriageError> {
        let name = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let beside = |ending: &str| out.with_file_name(format!("{name}{ending}"));
        chart::write(&loss_lines(&self.curves.loss), &beside("-loss.png"))?;
        let points = self.curves.validations.iter().map(|v| (v.step as f64, v.auc)).collect();
        let line = Line { points, color: DARK, thick: 2 };
        chart::write(&[line], &beside("-auc.png"))?;
        let entry = self.manifest_entry(&name);
        let path = beside(".md");
        fs::write(&path, self.text(&name, &entry))
            .map_err(|source| TriageError::file("write", &path, source))?;
        Ok(entry)
    }

    fn text(&self, name: &str, entry: &str) -> String {
        let CnnRecipe { width, depth, .. } = *self.recipe;
        let n_features = 2 * (width << (depth - 1));
        let best = self.curves.best().map_or_else(
            || "No case was held out: the weights are the last running average.".to_owned(),
            |best| {
                format!(
                    "Kept: the running average after step {} of {}, with {best} on the {} held-out cases. It was chosen by this figure, so the figure flatters it.",
                    best.step,
                    self.curves.loss.len(),
                    self.cases.validation().len()
                )
            },
        );
        format!(
            "# {name}: features of a hematoma on head NCCT, and a probability of expansion\n\n\
             **Research use only, not a medical device. SIMULATED LABELS**: hematomas, their masks and what became of them are \
             phantoms of this repository. No figure here is clinical evidence, and no real patient was ever seen.\n\n\
             | | |\n|---|---|\n\
             | what | slices around a hematoma (96 mm, 128 x 128 pixels; HU 0 to 100 as 0 to 1, and the mask) to {n_features} features \
             `cnn_000` to `cnn_{:03}`; a fully connected layer and softmax give P(expands) |\n\
             | network | the U-Net's way down (Teng et al. 2021, second branch): width {width}, depth {depth}, {} parameters |\n\
             | features | mean of each last map over a slice; over slices the mean by blood, then the maximum |\n\
             | file | `{name}.safetensors`, stored as f16, computed in f32; sha256 {} |\n\
             | started from | random weights, seed {} |\n\
             | trained on | {} phantoms of the development cohort, seed 1200, of at least the smallest volume that gets an answer; masks as drawn |\n\
             | held out | {} phantoms of the same cohort |\n\n\
             ## Figures\n\n\
             Area under the curve with DeLong's interval of 95 %; the patient is the unit.\n\n\
             | cases | n (expand) | this network | volume alone | Bayes: the most that can be seen | mean probability |\n\
             |---|---|---|---|---|---|\n\
             | trained on | {} |\n\
             | clinical cohort, seed 1201 | {} |\n\n\
             {best}\n\n\
             The Bayes score knows the hours since onset, which no image shows. The mean probability is that of the development \
             cohort, of which 47 % expand, against 24 % of the clinical one: P(expands) is no calibrated risk, and no threshold \
             profile belongs to it. The network serves by its features.\n\n\
             ## Not measured\n\n\
             * Real bleeds: none has a label of expansion.\n\
             * Masks as the segmentation network draws them; here they are those that were drawn, a pixel wider or narrower in training.\n\
             * Slices other than 5 mm, bleeds wider than 96 mm, pixels far from 0.5 mm.\n\
             * What the features add to radiomics in a scorer.\n\n\
             ![Loss by step: every batch, and a running mean]({name}-loss.png)\n\n\
             ![AUC of the held-out cases by step]({name}-auc.png)\n\n\
             ## Recipe\n\n```toml\n{}\n```\n\n\
             ## Manifest\n\n```toml\n{entry}```\n",
            n_features - 1,
            self.saved.parameters,
            self.saved.sha256,
            self.recipe.seed,
            self.cases.training().len(),
            self.cases.validation().len(),
            self.learned.row(),
            self.reported.row(),
            self.recipe_text.trim_end()
        )
    }

    /// The entry of `manifest.toml`.
    fn manifest_entry(&self, name: &str) -> String {
        let CnnRecipe { width, depth, .. } = *self.recipe;
        let Saved { sha256, parameters } = self.saved;
        let Figures { n, auc, volume, bayes, .. } = &self.reported;
        let bayes = bayes.as_ref().map_or(f64::NAN, |bayes| bayes.value);
        format!(
            "[[network]]\nname = \"{name}\"\nkind = \"cnn\"\nfile = \"{name}.safetensors\"\n\
             sha256 = \"{sha256}\"\nwidth = {width}\ndepth = {depth}\ninput = [1, 2, 128, 128]\n\
             parameters = {parameters}\n\
             training_set = \"{} phantoms of the development cohort, seed 1200, simulated labels; {} of them held out\"\n\
             licence = \"MIT OR Apache-2.0: trained on phantoms alone; research use only\"\n\
             card = \"{name}.md\"\n\n[network.metrics]\n\
             phantom_clinical_n = {n}\nphantom_clinical_auc = {:.4}\n\
             phantom_clinical_auc_volume = {:.4}\nphantom_clinical_auc_bayes = {bayes:.4}\n",
            self.cases.training().len() + self.cases.validation().len(),
            self.cases.validation().len(),
            auc.value,
            volume.value
        )
    }
}
