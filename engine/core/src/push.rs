//! What pushed a risk, as staff reads it: the console, `ichor show` and `ichor score` say the same.
//!
//! A push is what an input added to the logit of the risk, in log-odds. Pushes and the scorer's base
//! add up to it, so what is not shown is summed up in a line of its own and nothing is lost.

use std::fmt;

use crate::{Contribution, input_value, input_words_at};

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// What was added, in log-odds; above 0 it raised the risk.
    pub log_odds: f64,
    /// How much that is beside the strongest: full blocks where it raised the risk, light ones where
    /// it lowered it, blanks up to the width asked for.
    pub bar: String,
    /// The input, as [`input_words_at`] has it.
    pub words: String,
    /// Its value, as [`input_value`] has it; empty for several inputs together.
    pub value: String,
}

impl Push {
    /// Inputs shown of each sign.
    pub const SHOWN: usize = 5;

    /// Of `all`, the five that raised the risk most, the five that lowered it most, each the strongest
    /// first, and all others together; bars take `cells` characters. An input that moved nothing is
    /// none of them.
    pub fn of(all: &[Contribution], cells: usize) -> Vec<Self> {
        let mut moved: Vec<&Contribution> =
            all.iter().filter(|push| push.log_odds != 0.0).collect();
        moved.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()));
        let (up, down): (Vec<&Contribution>, Vec<_>) =
            moved.into_iter().partition(|push| push.log_odds > 0.0);
        let shown = |pushes: &[&Contribution]| pushes.len().min(Self::SHOWN);
        let (up, more_up) = up.split_at(shown(&up));
        let (down, more_down) = down.split_at(shown(&down));
        let line = |push: &&Contribution| Self {
            log_odds: push.log_odds,
            bar: String::new(),
            words: input_words_at(&push.name, push.value),
            value: input_value(&push.name, push.value),
        };
        let mut lines: Vec<Self> = up.iter().chain(down).map(line).collect();
        let n_others = more_up.len() + more_down.len();
        if n_others > 0 {
            lines.push(Self {
                log_odds: more_up.iter().chain(more_down).map(|push| push.log_odds).sum(),
                bar: String::new(),
                words: match n_others {
                    1 => "1 other".to_owned(),
                    n => format!("{n} others together"),
                },
                value: String::new(),
            });
        }
        let most = lines.iter().map(|line| line.log_odds.abs()).fold(0.0, f64::max);
        for line in &mut lines {
            line.bar = bar(line.log_odds, most, cells);
        }
        lines
    }
}

/// Part of `most` in cells, at least one.
fn bar(log_odds: f64, most: f64, cells: usize) -> String {
    let filled =
        ((log_odds.abs() / most * cells as f64).round() as usize).clamp(1, cells.max(1));
    let block = if log_odds > 0.0 { "█" } else { "░" };
    let blanks = " ".repeat(cells.saturating_sub(filled));
    block.repeat(filled) + &blanks
}

impl fmt::Display for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log_odds, bar, words, value } = self;
        write!(f, "{log_odds:>+6.2} {bar} {words}")?;
        if value.is_empty() { Ok(()) } else { write!(f, ": {value}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushes(all: &[(&str, Option<f64>, f64)]) -> Vec<String> {
        let push = |(name, value, log_odds): &(&str, Option<f64>, f64)| Contribution {
            name: (*name).to_owned(),
            value: *value,
            log_odds: *log_odds,
        };
        let all: Vec<Contribution> = all.iter().map(push).collect();
        Push::of(&all, 4).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_raised_the_risk_comes_first_and_both_by_strength() {
        let lines = pushes(&[
            ("clinical.gcs", Some(14.0), -0.2),
            ("clinical.anticoagulant", Some(1.0), 0.4),
            ("original_shape_Sphericity", Some(0.41), 1.2),
            ("original_firstorder_Mean", Some(61.0), 0.0),
            ("clinical.onset_to_ct_h", None, -0.6),
        ]);
        assert_eq!(
            lines,
            [
                " +1.20 ████ irregular surface: 0.41",
                " +0.40 █    on an anticoagulant: yes",
                " -0.60 ░░   onset to CT, hours: missing",
                " -0.20 ░    Glasgow coma scale: 14",
            ]
        );
    }

    #[test]
    fn five_of_each_sign_are_shown_and_the_rest_is_summed_up() {
        let names: Vec<String> = (0..14).map(|n| format!("cnn_{n:03}")).collect();
        let all: Vec<(&str, Option<f64>, f64)> = names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                let size = (n + 1) as f64 / 10.0;
                (name.as_str(), Some(0.5), if n % 2 == 0 { size } else { -size })
            })
            .collect();
        let lines = pushes(&all);
        assert_eq!(lines.len(), 11);
        assert_eq!(lines[0], " +1.30 ████ pattern 12 of the network: 0.5");
        assert_eq!(lines[5], " -1.40 ░░░░ pattern 13 of the network: 0.5");
        assert_eq!(lines[10], " -0.20 ░    4 others together");
        assert_eq!(pushes(&all[..11])[10], " +0.10 █    1 other");
        assert_eq!(pushes(&[]), [""; 0]);
    }
}
