//! What staff decides from the command line: re-score, clinical values.

use std::io::Write;

use ichor_core::{ClinicalName, input_value};
use ichor_store::{RequestKind, Store};

use crate::{clock, error::Error, json, settings::Settings, show, text::clean};

/// Asks the engine to score `study` again.
pub(crate) fn requeue(
    settings: &Settings,
    study: &str,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut store = Store::open_existing(&settings.layout.database())?;
    let study = store.find_study(study)?;
    let kind = RequestKind::Rescore { study };
    let request = store.request(&kind, &settings.user(), clock::now())?;
    writeln!(out, "request {request}: the engine will score study {study} again")?;
    Ok(())
}

/// Enters clinical values; all texts are read before the first value is written.
pub(crate) fn set_clinical(
    settings: &Settings,
    study: &str,
    values: &[String],
    out: &mut dyn Write,
) -> Result<(), Error> {
    let values = values.iter().map(|text| assignment(text)).collect::<Result<Vec<_>, _>>()?;
    let mut store = Store::open_existing(&settings.layout.database())?;
    let study = store.find_study(study)?;
    for (name, value) in values {
        store.set_clinical(study, name, value, &settings.user(), clock::now())?;
        let text = if value.is_nan() { "-".to_owned() } else { value.to_string() };
        writeln!(out, "study {study}: {name} = {text}")?;
    }
    Ok(())
}

/// Prints every name with its value, where it comes from, and what may be entered.
pub(crate) fn show_clinical(
    settings: &Settings,
    study: &str,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let detail = show::detail(settings, study)?;
    if json {
        return json::print(&detail.clinical, out);
    }
    for name in ClinicalName::ALL {
        let known = detail.clinical.iter().find(|value| value.name == name.name);
        let (value, who) = known.map_or(("-".to_owned(), "-".to_owned()), |known| {
            (
                input_value(&ClinicalName::input(name.name), Some(known.value)),
                clean(known.source.who()),
            )
        });
        let ClinicalName { words, low, high, .. } = name;
        let range = if name.is_yes_or_no() {
            "0 no, 1 yes".to_owned()
        } else {
            format!("{low} to {high}")
        };
        writeln!(out, "{:<15} {value:>7}  {who:<12} {words}, {range}", name.name)?;
    }
    Ok(())
}

/// `NAME=NUMBER`, or `NAME=-` for NaN, which takes a value back.
fn assignment(text: &str) -> Result<(&str, f64), Error> {
    let wrong = || Error::Assignment(text.to_owned());
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let name = name.trim();
    let name = ClinicalName::of_input(name).unwrap_or(name);
    let value = match value.trim() {
        "-" => f64::NAN,
        number => {
            number.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(wrong)?
        }
    };
    if name.is_empty() { Err(wrong()) } else { Ok((name, value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_a_name_and_a_number() {
        assert_eq!(assignment("onset_to_ct_h=1.5").unwrap(), ("onset_to_ct_h", 1.5));
        assert_eq!(assignment("clinical.gcs = 14").unwrap(), ("gcs", 14.0));
        assert!(assignment("gcs=-").unwrap().1.is_nan());
        for bad in ["gcs", "gcs=", "=3", "gcs=high", "gcs=nan", "gcs=inf"] {
            assert!(assignment(bad).is_err(), "{bad}");
        }
    }
}
