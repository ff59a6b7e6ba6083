//! The model card's draft: what was trained on what, how it went, and the manifest's entry.

use std::fs;
use std::path::Path;

use ichor_net::{Curves, Example, Examples, Origin, Saved};

use super::chart::{self, DARK, LIGHT, Line, RED};
use crate::TriageError;

/// Steps over which the loss is averaged in its figure, as a share of all.
const SMOOTH: f64 = 0.02;

/// What the card says.
pub(super) struct Card<'a> {
    /// Text of the recipe file.
    pub(super) recipe_text: &'a str,
    /// Channels of the first level and number of poolings.
    pub(super) size: (usize, usize),
    /// What the training started from.
    pub(super) start: &'a str,
    pub(super) examples: &'a Examples,
    pub(super) curves: &'a Curves,
    pub(super) saved: &'a Saved,
}

impl Card<'_> {
    /// Writes `NAME.md` and its figures beside the weights `out`; gives the manifest's entry.
    pub(super) fn write(&self, out: &Path) -> Result<String, TriageError> {
        let name = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let beside = |ending: &str| out.with_file_name(format!("{name}{ending}"));
        chart::write(&loss_lines(&self.curves.loss), &beside("-loss.png"))?;
        chart::write(&self.iou_lines(), &beside("-iou.png"))?;
        let entry = self.manifest_entry(&name);
        let path = beside(".md");
        fs::write(&path, self.text(&name, &entry))
            .map_err(|source| TriageError::file("write", &path, source))?;
        Ok(entry)
    }

    fn text(&self, name: &str, entry: &str) -> String {
        let (width, depth) = self.size;
        let (training, validation) = (self.examples.training(), self.examples.validation());
        let best = self.curves.best().map_or_else(
            || "No patient was held out: the weights are the last running average.".to_owned(),
            |best| {
                format!(
                    "Kept: the running average after step {}, with a mean IoU of {:.4} over the held-out patients (least {:.4}). It was chosen by this figure, so the figure flatters it; where the start had trained on these patients, it flatters it more. What the weights are worth is measured on the test fold.",
                    best.step, best.mean_iou, best.least_iou
                )
            },
        );
        format!(
            "# {name}: hematoma segmentation on head NCCT\n\n\
             **Research use only, not a medical device. Non-commercial** where PHE-SICH-CT-IDS is among the data.\n\n\
             | | |\n|---|---|\n\
             | network | U-Net of Teng et al. 2021, figure 3: width {width}, depth {depth}, {} parameters |\n\
             | file | `{name}.safetensors`, stored as bf16; sha256 {} |\n\
             | started from | {} |\n\
             | training slices | {} |\n\
             | held-out slices | {} |\n\
             | steps | {} |\n\n\
             {best}\n\n\
             ![Loss by step: every batch, and a running mean]({name}-loss.png)\n\n\
             ![IoU of the held-out patients by step: mean in blue, least in red]({name}-iou.png)\n\n\
             ## Recipe\n\n```toml\n{}\n```\n\n\
             ## Manifest\n\n```toml\n{entry}```\n",
            self.saved.parameters,
            self.saved.sha256,
            self.start,
            counted(training),
            counted(validation),
            self.curves.loss.len(),
            self.recipe_text.trim_end()
        )
    }

    /// The entry of `manifest.toml`; the figures are for whoever measures to fill in.
    fn manifest_entry(&self, name: &str) -> String {
        let (width, depth) = self.size;
        let Saved { sha256, parameters } = self.saved;
        let training = counted(self.examples.training());
        let best = self.curves.best().map_or(String::new(), |best| {
            format!("held_out_patient_iou_mean = {:.4}\n", best.mean_iou)
        });
        format!(
            "[[network]]\nname = \"{name}\"\nkind = \"unet\"\nfile = \"{name}.safetensors\"\n\
             sha256 = \"{sha256}\"\nwidth = {width}\ndepth = {depth}\ninput = [1, 1, 512, 512]\n\
             parameters = {parameters}\ntraining_set = \"{training}; fold 3 never opened\"\n\
             licence = \"research use only, non-commercial: trained on PHE-SICH-CT-IDS\"\n\
             card = \"{name}.md\"\n\n[network.metrics]\n{best}"
        )
    }

    fn iou_lines(&self) -> [Line; 2] {
        let points = |iou: fn(&ichor_net::Validation) -> f64| {
            self.curves.validations.iter().map(|v| (v.step as f64, iou(v))).collect()
        };
        [
            Line { points: points(|v| v.least_iou), color: RED, thick: 2 },
            Line { points: points(|v| v.mean_iou), color: DARK, thick: 2 },
        ]
    }
}

/// The loss of every step, and a running mean of it.
pub(super) fn loss_lines(loss: &[f64]) -> [Line; 2] {
    let reach = ((loss.len() as f64 * SMOOTH) as usize).max(1);
    let smooth = loss.iter().enumerate().map(|(at, _)| {
        let part = &loss[at.saturating_sub(reach)..=at];
        (at as f64 + 1.0, part.iter().sum::<f64>() / part.len() as f64)
    });
    let each = loss.iter().enumerate().map(|(at, &loss)| (at as f64 + 1.0, loss));
    [
        Line { points: each.collect(), color: LIGHT, thick: 1 },
        Line { points: smooth.collect(), color: DARK, thick: 2 },
    ]
}

/// How many slices of how many patients and phantoms.
pub(super) fn counted(examples: &[Example]) -> String {
    let of = |origin: Origin| {
        let slices = || examples.iter().filter(|example| example.origin() == origin);
        let subjects: std::collections::BTreeSet<&str> =
            slices().map(Example::subject).collect();
        let n_bleeding = slices().filter(|example| example.bleeds()).count();
        (subjects.len(), slices().count(), n_bleeding)
    };
    let (patients, real, real_bleeding) = of(Origin::Real);
    let (phantoms, simulated, simulated_bleeding) = of(Origin::Phantom);
    format!(
        "{real} of {patients} patients ({real_bleeding} with blood), {simulated} of {phantoms} phantoms ({simulated_bleeding} with blood)"
    )
}
