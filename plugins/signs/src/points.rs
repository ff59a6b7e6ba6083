//! Scores that count points: how points become a risk, and what an unknown item does to it.
//!
//! Every point adds the same log-odds. The table of a scorer has one risk and no interval, so an
//! item that is unknown counts with half the points it could have: the risk is then the middle of
//! the interval, in log-odds. Nothing is lost by that: the unknown items are those whose input is
//! missing, and each of their contributions is half the width of what the item could add, so
//! [`interval`] is read off the score itself.

use ichor_plugin::{Refused, Score, Settings};

/// From points to log-odds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// Log-odds of growth at 0 points.
    pub(crate) at_0: f64,
    /// Log-odds that a point adds.
    pub(crate) a_point: f64,
}

/// One item of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Item {
    /// Points it gives; none where that is unknown.
    pub(crate) points: Option<u8>,
    /// Points it can give.
    pub(crate) most: u8,
}

impl Line {
    /// Reads `log_odds_at_0` and `log_odds_a_point`; a point never lowers the risk.
    pub(crate) fn read(config: &str) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        let line = Self {
            at_0: settings.number("log_odds_at_0")?,
            a_point: settings.number("log_odds_a_point")?,
        };
        settings.finish()?;
        if line.at_0.abs() <= 10.0 && (0.0..=5.0).contains(&line.a_point) {
            return Ok(line);
        }
        Err(Refused::config(format!(
            "log-odds of {} at 0 points and {} a point: -10 to 10 and 0 to 5 are needed",
            line.at_0, line.a_point
        )))
    }

    /// The score of `items`, and what each adds, into `contributions`.
    pub(crate) fn score(&self, items: &[Item], contributions: &mut [f64]) -> Score {
        for (item, slot) in items.iter().zip(contributions.iter_mut()) {
            let points = item.points.map_or(f64::from(item.most) / 2.0, f64::from);
            *slot = self.a_point * points;
        }
        Score::from_log_odds(self.at_0, contributions)
    }
}

/// The lowest and the highest risk that the missing ones among `inputs` allow, from the score
/// that a scorer of this plugin gave for them.
pub fn interval(score: Score, inputs: &[f64], contributions: &[f64]) -> [f64; 2] {
    let log_odds = score.base + contributions.iter().sum::<f64>();
    let missing = inputs.iter().zip(contributions).filter(|(input, _)| input.is_nan());
    let half: f64 = missing.map(|(_, contribution)| contribution).sum();
    [log_odds - half, log_odds + half].map(|log_odds| 1.0 / (1.0 + (-log_odds).exp()))
}

/// A yes or no that gives `most` points; missing is unknown, anything but 0 and 1 is refused.
pub(crate) fn yes_or_no(name: &str, value: f64, most: u8) -> Result<Item, Refused> {
    let points = if value.is_nan() {
        None
    } else if (value - 1.0).abs() < f64::EPSILON {
        Some(most)
    } else if value.abs() < f64::EPSILON {
        Some(0)
    } else {
        return Err(Refused::input(format!(
            "{name} = {value}: 0 for no or 1 for yes is needed"
        )));
    };
    Ok(Item { points, most })
}

/// A quantity from 0 on that gives the points that `points` says; missing is unknown.
pub(crate) fn quantity(
    name: &str,
    value: f64,
    most: u8,
    points: impl Fn(f64) -> u8,
) -> Result<Item, Refused> {
    if value < 0.0 || value.is_infinite() {
        return Err(Refused::input(format!("{name} = {value}: a number from 0 on is needed")));
    }
    Ok(Item { points: (!value.is_nan()).then(|| points(value)), most })
}
