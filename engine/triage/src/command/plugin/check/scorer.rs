//! What a scorer is tried with: inputs that are there, missing, and far out.

use ichor_core::{ClinicalName, Features};
use ichor_host::{HostError, Scored};

use super::{Bench, answered, compared};
use crate::TriageError;

/// Values that every input takes at once.
const FAR_OUT: [f64; 6] = [0.0, -1.0, 1e9, -1e9, 1e300, f64::MIN_POSITIVE];

pub(super) fn try_all(
    bench: &Bench,
    unit: &str,
    add: &mut dyn FnMut(&'static str, Result<String, String>),
) -> Result<(), TriageError> {
    let mut worker = bench.spawn()?;
    let names = worker.describe(unit)?.inputs.clone();
    let deterministic = worker.describe(unit)?.deterministic;
    let all = |value: &dyn Fn(usize) -> f64| {
        Features::new(names.clone(), (0..names.len()).map(value).collect())
    };
    // Different for every input, so that two that are mixed up show.
    let plain = all(&|at| 1.0 + at as f64 * 0.37)?;
    let risk = |scored: &Scored| format!("risk {:.3}", scored.risk.probability());

    let first = worker.score(unit, &plain);
    let again = worker.score(unit, &plain);
    let elsewhere = bench.spawn()?.score(unit, &plain);
    let same = compared(deterministic, &first, &[again, elsewhere]);
    let mut scored = first.is_ok();
    add("scores", answered(&first, risk));
    add("same bits", same);

    let mut clinical = names.iter().filter_map(|name| ClinicalName::of_input(name));
    let unknown = clinical.find_map(|name| ClinicalName::find(name).err());
    add(
        "names",
        unknown.map_or_else(
            || Ok("known where they must be".to_owned()),
            |why| Err(why.to_string()),
        ),
    );

    let none = worker.score(unit, &Features::default());
    scored |= none.is_ok();
    add("all inputs missing", answered(&none, risk));
    let mut each = Ok(format!("{} tried", names.len()));
    for (missing, name) in names.iter().enumerate() {
        let values = all(&|at| if at == missing { f64::NAN } else { plain.values()[at] })?;
        let answer = worker.score(unit, &values);
        scored |= answer.is_ok();
        if let Err(why) = answered(&answer, risk) {
            each = Err(format!("{name}: {why}"));
            worker = bench.spawn()?;
        }
    }
    add("each input missing", each);
    let mut far = Ok(format!("{} tried", FAR_OUT.len()));
    for value in FAR_OUT {
        let answer = worker.score(unit, &all(&|_| value)?);
        scored |= answer.is_ok();
        if let Err(why) = answered(&answer, risk) {
            far = Err(format!("all inputs {value:e}: {why}"));
            worker = bench.spawn()?;
        }
    }
    add("inputs far out", far);
    if !scored {
        add("gives a risk", Err("no call that was tried got one".to_owned()));
    }
    bench.many(add, |worker| tolerated(worker.score(unit, &plain)))
}

/// A refusal ends no series of calls.
pub(super) fn tolerated<T>(answer: Result<T, HostError>) -> Result<(), HostError> {
    match answer {
        Ok(_) | Err(HostError::Refused { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
