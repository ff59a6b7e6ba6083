//! Styles by meaning. Colour only repeats what words and symbols say: without it, bold and
//! reversed remain.

use ratatui::style::{Color, Modifier, Style};

use crate::words::Tone;

/// The styles of one terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// False under `NO_COLOR` and on terminals that have none.
    pub(crate) colour: bool,
}

impl Theme {
    /// What the environment asks for: <https://no-color.org>, and terminals that cannot.
    pub(crate) fn of(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let no_color = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let term = env("TERM").unwrap_or_default();
        Self { colour: !no_color && term != "dumb" && !term.starts_with("vt") }
    }

    /// A word of a verdict.
    pub(crate) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Expands => self.coloured(Color::LightRed).add_modifier(Modifier::BOLD),
            Tone::Look => self.coloured(Color::Yellow),
            Tone::Stable => self.coloured(Color::Green),
            Tone::Waiting => self.dim(),
        }
    }

    /// The banner over every screen.
    pub(crate) fn banner(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Black).bg(Color::Yellow)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }

    /// What nobody may overlook: the engine is down.
    pub(crate) fn loud(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colour {
            style.fg(Color::White).bg(Color::Red)
        } else {
            style.add_modifier(Modifier::REVERSED)
        }
    }

    /// Titles of columns and sections.
    pub(crate) fn title(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What is there for reference only.
    pub(crate) fn dim(self) -> Style {
        if self.colour { Style::new().fg(Color::Indexed(246)) } else { Style::new() }
    }

    /// What pushes the risk up, and down.
    pub(crate) fn push(self, up: bool) -> Style {
        self.coloured(if up { Color::LightRed } else { Color::Green })
    }

    fn coloured(self, color: Color) -> Style {
        if self.colour { Style::new().fg(color) } else { Style::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_holds_unless_it_is_empty() {
        let check = |no_color: Option<&str>, term: &str, colour: bool| {
            let env = |key: &str| match key {
                "NO_COLOR" => no_color.map(str::to_owned),
                "TERM" => Some(term.to_owned()),
                _ => None,
            };
            assert_eq!(Theme::of(&env).colour, colour, "{no_color:?} {term}");
        };
        check(None, "xterm-256color", true);
        check(Some(""), "screen", true);
        check(Some("1"), "xterm-256color", false);
        check(None, "vt220", false);
    }

    #[test]
    fn without_colour_no_style_has_one() {
        let theme = Theme { colour: false };
        let tones = [Tone::Expands, Tone::Look, Tone::Stable, Tone::Waiting];
        let mut styles: Vec<Style> = tones.map(|tone| theme.tone(tone)).to_vec();
        styles.extend([theme.banner(), theme.loud(), theme.title(), theme.dim()]);
        styles.extend([theme.push(true), theme.push(false)]);
        for style in styles {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }
}
