//! Scores that count points: how points become a risk, and what an unknown item does to it.
//!
//! Every point adds the same log-odds. The table of a scorer has one risk and no interval, so an
//! item that is unknown counts with half the points it could have: the risk is then the middle of
//! the interval, in log-odds. Nothing is lost by that: the unknown items are those whose input is
//! missing, and each of their contributions is half the width of what the item could add, so
//! [`interval`] is read off the score itself.

use std::marker::PhantomData;
use std::path::Path;

use ichor_plugin::{Call, Refused, Score, Scorer, Settings};

/// A published score: its items, in the order of the scorer's inputs.
pub trait Published {
    /// What gives points.
    const ITEMS: &'static [Item];
}

/// A scorer that counts the points of `P`; unknown items give an interval, see [`interval`].
#[derive(Debug)]
pub struct Counted<P> {
    line: Line,
    inputs: Vec<String>,
    published: PhantomData<P>,
}

impl<P: Published + Send> Scorer for Counted<P> {
    /// `config` holds `log_odds_at_0` and `log_odds_a_point`.
    fn open(config: &str, _folder: &Path) -> Result<Self, Refused> {
        let inputs = P::ITEMS.iter().map(|item| item.input.to_owned()).collect();
        Ok(Self { line: Line::read(config)?, inputs, published: PhantomData })
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn score(
        &self,
        inputs: &[f64],
        contributions: &mut [f64],
        _call: &mut Call<'_>,
    ) -> Result<Score, Refused> {
        let (came, needed) = (inputs.len(), P::ITEMS.len());
        if came != needed {
            return Err(Refused::internal(format!("{came} inputs came, not {needed}")));
        }
        for ((item, &value), slot) in P::ITEMS.iter().zip(inputs).zip(contributions.iter_mut())
        {
            let points = item.points(value)?.map_or(f64::from(item.most) / 2.0, f64::from);
            *slot = self.line.a_point * points;
        }
        Ok(Score::from_log_odds(self.line.at_0, contributions))
    }
}

/// From points to log-odds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    /// Log-odds of growth at 0 points.
    at_0: f64,
    /// Log-odds that a point adds.
    a_point: f64,
}

impl Line {
    /// Reads `log_odds_at_0` and `log_odds_a_point`; a point never lowers the risk.
    fn read(config: &str) -> Result<Self, Refused> {
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
}

/// One item of a score.
#[derive(Debug)]
pub struct Item {
    input: &'static str,
    /// Points it can give.
    most: u8,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    YesOrNo,
    Quantity(fn(f64) -> u8),
}

impl Item {
    /// A yes or no that gives `most` points; anything but 0 and 1 is refused.
    pub(crate) const fn yes_or_no(input: &'static str, most: u8) -> Self {
        Self { input, most, kind: Kind::YesOrNo }
    }

    /// A quantity from 0 on that gives the points that `points` says.
    pub(crate) const fn quantity(input: &'static str, most: u8, points: fn(f64) -> u8) -> Self {
        Self { input, most, kind: Kind::Quantity(points) }
    }

    /// Points for `value`; none where it is missing.
    fn points(&self, value: f64) -> Result<Option<u8>, Refused> {
        let refused = |needed: &str| {
            Err(Refused::input(format!("{} = {value}: {needed} is needed", self.input)))
        };
        match self.kind {
            _ if value.is_nan() => Ok(None),
            Kind::YesOrNo if (value - 1.0).abs() < f64::EPSILON => Ok(Some(self.most)),
            Kind::YesOrNo if value.abs() < f64::EPSILON => Ok(Some(0)),
            Kind::YesOrNo => refused("0 for no or 1 for yes"),
            Kind::Quantity(_) if value < 0.0 || value.is_infinite() => {
                refused("a number from 0 on")
            }
            Kind::Quantity(points) => Ok(Some(points(value))),
        }
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
