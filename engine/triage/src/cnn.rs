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

/// Loads the network that `score.cnn` names, onto f32 kernels of the path that is in force; none
/// where the key is empty, or names the default and no manifest does.
///
/// Fails when the weights are not the manifest's, or another name is in no manifest.
pub(crate) fn load(settings: &Settings) -> Result<Option<Cnn>, TriageError> {
    let name = &settings.config.score.cnn;
    if name.is_empty() {
        return Ok(None);
    }
    let (folders, forced) = (settings.weights_dirs(), settings.instructions.forced());
    match Cnn::load_on(&folders, name, forced, &settings.gpus) {
        Err(NetError::Unknown { .. }) if name == OPTIONAL => Ok(None),
        loaded => Ok(Some(loaded?)),
    }
}

/// What provenance says about the set: unit, network, the hash of its weights, and the GPU where one
/// computed it.
pub(crate) fn made_by(cnn: &Cnn) -> String {
    let (name, sha256, device) = (cnn.name(), cnn.sha256(), cnn.device());
    let gpu = if device.starts_with("cpu") { String::new() } else { format!(" on {device}") };
    format!("{} {name} sha256 {sha256}{gpu}", unit())
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
            cnn.device(),
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
