//! `ichor profile`: the threshold profiles of every scorer, which one is in use, and another one.

mod shelf;

use std::{
    io::{BufRead, IsTerminal, Write, stdin},
    thread,
    time::{Duration, Instant},
};

use ichor_core::UnitId;
use ichor_store::{RequestKind, Store};

pub(crate) use self::shelf::{Choice, Shelf};
use crate::{
    clock, console::ENGINE_SILENT_S, error::Error, json, settings::Settings, text::clean,
};

/// How long the engine is waited for; it looks at requests every second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Prints every profile; `*` marks those in use. A file that cannot be read is named on stderr.
pub(crate) fn list(settings: &Settings, json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let store = Store::open_existing(&settings.layout.database()).ok();
    let (all, unreadable) = Shelf::of(settings).choices(store.as_ref())?;
    for why in unreadable {
        writeln!(std::io::stderr(), "left out: {why}")?;
    }
    if json {
        return json::print(&all, out);
    }
    if store.is_none() {
        writeln!(
            out,
            "which are void is known once the engine has run; `ichor doctor` checks those in use"
        )?;
    }
    let mut last = None;
    for choice in &all {
        let scorer = &choice.profile.scorer;
        if last != Some(scorer) {
            writeln!(out, "{scorer}")?;
            last = Some(scorer);
        }
        let mark = if choice.in_use { "*" } else { " " };
        let (name, figures) = (clean(&choice.name), choice.figures());
        writeln!(out, "{mark} {name:<12} {figures}  {}", choice.tuned_on())?;
        if let Some(why) = &choice.void {
            writeln!(out, "    VOID: {}", clean(why))?;
        }
    }
    Ok(())
}

/// Asks the engine to judge a scorer by another profile from now on, once the person has confirmed
/// what that changes, and says what the engine answers. `names` are the scorer and the profile, or
/// the profile alone for the active scorer.
pub(crate) fn switch(
    settings: &Settings,
    names: &[String],
    confirmed: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let active = settings.config.score.scorer.to_string();
    let (scorer, name) = match names {
        [name] => (active.as_str(), name.as_str()),
        [scorer, name, ..] => (scorer.as_str(), name.as_str()),
        [] => (active.as_str(), ""),
    };
    let mut store = Store::open_existing(&settings.layout.database())?;
    let (choices, _) = Shelf::of(settings).choices(Some(&store))?;
    let scorer = meant(scorer, choices.iter().map(|choice| &choice.profile.scorer))?;
    let mut of_scorer = choices.iter().filter(|choice| choice.profile.scorer == scorer);
    let Some(to) = of_scorer.clone().find(|choice| choice.name == name) else {
        return Err(Error::NoProfile {
            name: name.to_owned(),
            known: of_scorer.map(|choice| choice.name.as_str()).collect::<Vec<_>>().join(", "),
            scorer,
        });
    };
    if let Some(why) = &to.void {
        return Err(Error::Void { scorer, why: why.clone() });
    }
    if to.in_use {
        writeln!(out, "{scorer} is judged by {} already: nothing was changed", clean(name))?;
        return Ok(());
    }
    match of_scorer.find(|choice| choice.in_use) {
        Some(from) => change(out, "from", from)?,
        None => writeln!(out, "from  -")?,
    }
    change(out, "to", to)?;
    out.flush()?;
    if !confirmed {
        confirm(&scorer, name, out)?;
    }
    let kind = RequestKind::UseProfile { scorer: scorer.clone(), profile: name.to_owned() };
    let request = store.request(&kind, &settings.user(), clock::now())?;
    match answer(&store, request)? {
        Some(Ok(())) => writeln!(out, "{scorer} is judged by {name} from now on")?,
        Some(Err(why)) => return Err(Error::EngineRefused { why }),
        None => writeln!(
            out,
            "request {request}: the engine will judge {scorer} by {name} once it runs"
        )?,
    }
    Ok(())
}

/// One side of the change: threshold, sensitivity and specificity with n, on what they were found.
fn change(out: &mut dyn Write, side: &str, choice: &Choice) -> Result<(), Error> {
    writeln!(out, "{side:<5} {:<12} {}", clean(&choice.name), choice.figures())?;
    writeln!(out, "      {}", choice.tuned_on())?;
    if let Some(why) = &choice.void {
        writeln!(out, "      VOID: {}", clean(why))?;
    }
    Ok(())
}

/// Fails unless the person at the terminal says yes.
fn confirm(scorer: &UnitId, name: &str, out: &mut dyn Write) -> Result<(), Error> {
    if !stdin().is_terminal() {
        return Err(Error::NotConfirmed);
    }
    write!(
        out,
        "Every study scored from now on is judged so. Use {name} for {scorer}? [y/N] "
    )?;
    out.flush()?;
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    if line.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err(Error::NotConfirmed) }
}

/// What the engine says to a request; none where it does not run or takes long.
fn answer(store: &Store, request: i64) -> Result<Option<Result<(), String>>, Error> {
    let until = Instant::now() + PATIENCE;
    let runs = |store: &Store| -> Result<bool, Error> {
        let beat = store.engine_status()?.map(|engine| engine.beat);
        Ok(beat.is_some_and(|beat| clock::now().seconds_since(beat) < ENGINE_SILENT_S))
    };
    loop {
        let outcome = store.request_outcome(request)?;
        if outcome.is_some() || Instant::now() >= until || !runs(store)? {
            return Ok(outcome);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The scorer that `text` names in full or by its unit alone.
fn meant<'a>(text: &str, known: impl Iterator<Item = &'a UnitId>) -> Result<UnitId, Error> {
    let mut known: Vec<&UnitId> = known.collect();
    known.dedup();
    let fits = |id: &&&UnitId| id.to_string() == text || id.unit == text;
    match known.iter().filter(fits).collect::<Vec<_>>()[..] {
        [scorer] => Ok((*scorer).clone()),
        _ => Err(Error::NoScorer {
            scorer: text.to_owned(),
            known: known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scorer_may_be_named_by_its_unit_alone() {
        let known: Vec<UnitId> =
            ["a.b/signature", "org.x/boosting"].map(|id| id.parse().unwrap()).to_vec();
        assert_eq!(meant("boosting", known.iter()).unwrap(), known[1]);
        assert_eq!(meant("a.b/signature", known.iter()).unwrap(), known[0]);
        assert_eq!(
            meant("volume", known.iter()).unwrap_err().to_string(),
            "no profile belongs to scorer volume; there are profiles for: a.b/signature, \
             org.x/boosting"
        );
    }
}
