//! What the definitions leave open, read from the extractor's settings.

use ichor_plugin::{Refused, Settings};

use crate::{blend, fluid_level, heterogeneous};

/// Free choices of all signs; `signs.toml` says what each is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    pub(crate) sigma_mm: f64,
    pub(crate) rim_mm: f64,
    pub(crate) smallest_mm2: f64,
    pub(crate) blend_mm2: f64,
    pub(crate) blend_border_mm: f64,
    pub(crate) hypodensity_hu: f64,
    pub(crate) swirl_share: f64,
    pub(crate) focus_hu: f64,
    pub(crate) bay: f64,
    pub(crate) neck_mm: f64,
    pub(crate) bubble_mm2: f64,
    pub(crate) fluid_level_hu: f64,
    pub(crate) fluid_level_explained: f64,
}

impl Choices {
    /// Reads every choice; each is a number from 0 on.
    pub(crate) fn read(config: &str) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        let mut take = |name: &str| {
            let value = settings.number(name)?;
            if (0.0..=1000.0).contains(&value) {
                return Ok(value);
            }
            Err(Refused::config(format!("{name} = {value}: a number from 0 to 1000 is needed")))
        };
        let choices = Self {
            sigma_mm: take("sigma_mm")?,
            rim_mm: take("rim_mm")?,
            smallest_mm2: take("smallest_mm2")?,
            blend_mm2: take("blend_mm2")?,
            blend_border_mm: take("blend_border_mm")?,
            hypodensity_hu: take("hypodensity_hu")?,
            swirl_share: take("swirl_share")?,
            focus_hu: take("focus_hu")?,
            bay: take("bay")?,
            neck_mm: take("neck_mm")?,
            bubble_mm2: take("bubble_mm2")?,
            fluid_level_hu: take("fluid_level_hu")?,
            fluid_level_explained: take("fluid_level_explained")?,
        };
        settings.finish()?;
        Ok(choices)
    }

    pub(crate) fn blend(&self) -> blend::Choices {
        blend::Choices {
            rim_mm: self.rim_mm,
            smallest_mm2: self.blend_mm2,
            border_mm: self.blend_border_mm,
        }
    }

    pub(crate) fn heterogeneous(&self) -> heterogeneous::Choices {
        heterogeneous::Choices {
            rim_mm: self.rim_mm,
            focus_hu: self.focus_hu,
            smallest_mm2: self.smallest_mm2,
        }
    }

    pub(crate) fn fluid_level(&self) -> fluid_level::Choices {
        fluid_level::Choices {
            rim_mm: self.rim_mm,
            smallest_mm2: self.blend_mm2,
            explained: self.fluid_level_explained,
        }
    }
}
