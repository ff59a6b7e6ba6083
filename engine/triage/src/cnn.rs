//! The features of the second branch, among those of the extractors.

use ichor_core::UnitId;
use ichor_net::{Cnn, NetError};

use crate::{Settings, TriageError};

/// The network that need not be there: a site without its weights has no such features.
const OPTIONAL: &str = "cnn-w16";

/// What its set of features is stored under: a unit of the engine itself.
pub(crate) fn unit() -> UnitId {
    UnitId { plugin: "ichor".to_owned(), unit: "cnn".to_owned() }
}

/// Loads the network that `score.cnn` names, onto the site's GPUs and onto f32 kernels of the path
/// that is in force; none where the key is empty, or names the default and no manifest does.
///
/// Fails when the weights are not the manifest's, or another name is in no manifest.
pub(crate) fn load(settings: &Settings) -> Result<Option<Cnn>, TriageError> {
    let name = &settings.config.score.cnn;
    if name.is_empty() {
        return Ok(None);
    }
    let (folders, path) = (settings.weights_dirs(), settings.instructions.forced());
    match Cnn::load_on(&folders, name, path, &settings.gpus) {
        Err(NetError::Unknown { .. }) if name == OPTIONAL => Ok(None),
        loaded => Ok(Some(loaded?)),
    }
}

/// What provenance says about the set: unit, network and the hash of its weights, and where a GPU
/// has the network, what computed the last one.
pub(crate) fn made_by(cnn: &Cnn) -> String {
    let on = cnn.on_gpu().map_or_else(String::new, |device| format!(" on {device}"));
    format!("{} {} sha256 {}{on}", unit(), cnn.name(), cnn.sha256())
}

/// What there is, in words.
pub(crate) fn said(settings: &Settings) -> Result<String, TriageError> {
    let name = &settings.config.score.cnn;
    Ok(match load(settings)? {
        None if name.is_empty() => "none: score.cnn is empty".to_owned(),
        None => format!("{name} is in no manifest here: no cnn_ features"),
        Some(cnn) => format!(
            "{name} {}, {} features on {}; {}",
            &cnn.sha256()[..12],
            cnn.names().len(),
            cnn.on_gpu().unwrap_or_else(|| format!("cpu {}", cnn.path())),
            cnn.entry().licence
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ichor_core::Config;

    #[test]
    fn the_network_that_may_be_missing_is_the_default() {
        assert_eq!(Config::parse("").unwrap().score.cnn, OPTIONAL);
    }

    #[test]
    fn the_set_has_the_name_of_a_unit() {
        assert_eq!(unit().to_string().parse::<UnitId>(), Ok(unit()));
    }
}
