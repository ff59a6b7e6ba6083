//! As much of YAML as pyradiomics' parameter files use.
//!
//! Maps and lists by indentation, lists and maps in brackets on one line, scalars in quotes or
//! bare, comments. Anchors, tags, texts over several lines and several documents are refused as
//! lines that are no `name: value`.

use ichor_plugin::Refused;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Yaml {
    /// Nothing, `null` or `~`.
    Null,
    /// A number, a word or a text; what it is depends on who asks.
    Scalar(String),
    List(Vec<Yaml>),
    /// In the order of the file.
    Map(Vec<(String, Yaml)>),
}

/// A line that is not empty.
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

impl Yaml {
    /// Reads a file.
    pub(crate) fn read(text: &str) -> Result<Self, Refused> {
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let text = without_comment(line).trim_end();
            let bare = text.trim_start_matches(' ');
            if !bare.is_empty() && bare != "---" {
                lines.push(Line {
                    number: at + 1,
                    indent: text.len() - bare.len(),
                    text: bare,
                });
            }
        }
        let mut rest = &lines[..];
        let value = block(&mut rest, 0)?;
        match rest.first() {
            None => Ok(value),
            Some(line) => Err(refused(line, "is indented like no line before it")),
        }
    }
}

fn refused(line: &Line<'_>, why: &str) -> Refused {
    Refused::config(format!(
        "line {} of the parameter file, `{}`, {why}",
        line.number, line.text
    ))
}

/// The lines from here on that are indented by `indent` or more.
fn block(rest: &mut &[Line<'_>], indent: usize) -> Result<Yaml, Refused> {
    let Some(first) = rest.first().filter(|line| line.indent >= indent) else {
        return Ok(Yaml::Null);
    };
    if first.text == "-" || first.text.starts_with("- ") {
        return items(rest, first.indent).map(Yaml::List);
    }
    let own = first.indent;
    let mut pairs: Vec<(String, Yaml)> = Vec::new();
    while let Some(line) = rest.first().filter(|line| line.indent == own) {
        let Some((name, value)) = pair(line.text) else {
            return Err(refused(line, "is no `name: value`"));
        };
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(refused(line, "sets a name for the second time"));
        }
        *rest = &rest[1..];
        // A list may stand under its name without being indented.
        let list =
            rest.first().is_some_and(|next| next.indent == own && next.text.starts_with('-'));
        let value = match value {
            "" if list => Yaml::List(items(rest, own)?),
            "" => block(rest, own + 1)?,
            text => {
                flow(text).ok_or_else(|| refused(line, "has brackets that do not close"))?
            }
        };
        pairs.push((name, value));
    }
    Ok(Yaml::Map(pairs))
}

fn items(rest: &mut &[Line<'_>], indent: usize) -> Result<Vec<Yaml>, Refused> {
    let mut items = Vec::new();
    while let Some(line) = rest.first().filter(|line| line.indent == indent) {
        let Some(text) = line.text.strip_prefix('-') else { break };
        let value = flow(text.trim());
        items.push(value.ok_or_else(|| refused(line, "has brackets that do not close"))?);
        *rest = &rest[1..];
    }
    Ok(items)
}

/// `name: value`; the value may be empty.
fn pair(text: &str) -> Option<(String, &str)> {
    let at = text.match_indices(':').map(|(at, _)| at);
    let mut at = at.filter(|at| text[at + 1..].is_empty() || text[at + 1..].starts_with(' '));
    let at = at.next()?;
    let name = unquoted(text[..at].trim());
    (!name.is_empty()).then(|| (name.to_owned(), text[at + 1..].trim()))
}

/// A value on one line.
fn flow(text: &str) -> Option<Yaml> {
    let within =
        |open: char, close: char| text.strip_prefix(open).map(|t| t.strip_suffix(close));
    if let Some(inner) = within('[', ']') {
        let parts = parts(inner?)?;
        return parts.into_iter().map(flow).collect::<Option<_>>().map(Yaml::List);
    }
    if let Some(inner) = within('{', '}') {
        let pairs = parts(inner?)?.into_iter().map(|part| {
            let (name, value) = pair(part)?;
            Some((name, flow(value)?))
        });
        return pairs.collect::<Option<_>>().map(Yaml::Map);
    }
    Some(match text {
        "" | "null" | "~" | "None" => Yaml::Null,
        _ => Yaml::Scalar(unquoted(text).to_owned()),
    })
}

/// Between the commas that stand in no brackets.
fn parts(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
        if depth > 16 {
            return None;
        }
    }
    let last = text[from..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    (depth == 0).then_some(parts)
}

fn unquoted(text: &str) -> &str {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"')).unwrap_or(text)
}

/// The line up to a `#` at its start or after a space, outside of quotes.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in line.char_indices() {
        match quote {
            None if c == '#' && before == ' ' => return &line[..at],
            None if (c == '"' || c == '\'') && " [{,".contains(before) => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    fn word(text: &str) -> Yaml {
        Yaml::Scalar(text.to_owned())
    }

    #[test]
    fn maps_lists_and_scalars_are_read() {
        let text = "# a comment\na: {}\nb:\n  c: [1.0, 2]  # two\n  d:\n  - 'x y'\n  - z\ne: # none\nf: null\n";
        let expected = Yaml::Map(vec![
            ("a".to_owned(), Yaml::Map(vec![])),
            (
                "b".to_owned(),
                Yaml::Map(vec![
                    ("c".to_owned(), Yaml::List(vec![word("1.0"), word("2")])),
                    ("d".to_owned(), Yaml::List(vec![word("x y"), word("z")])),
                ]),
            ),
            ("e".to_owned(), Yaml::Null),
            ("f".to_owned(), Yaml::Null),
        ]);
        assert_eq!(Yaml::read(text), Ok(expected));
    }

    #[test]
    fn what_is_no_yaml_is_refused_by_its_line() {
        for (text, expected) in [
            ("a: 1\nb", "line 2 of the parameter file, `b`, is no `name: value`"),
            ("a: [1", "line 1 of the parameter file, `a: [1`, has brackets that do not close"),
            (
                "a: 1\na: 2",
                "line 2 of the parameter file, `a: 2`, sets a name for the second time",
            ),
            (
                "a: 1\n  b: 2",
                "line 2 of the parameter file, `b: 2`, is indented like no line before it",
            ),
        ] {
            assert_eq!(Yaml::read(text).unwrap_err().text, expected);
        }
    }

    #[test]
    fn no_file_makes_the_reader_panic_or_hang() {
        let mut noise = Noise::new(51);
        let text = b"imageType:\n  LoG: {sigma: [1.0, 2.0]}\nsetting:\n  binWidth: 25\n  x:\n  - 'a'\n";
        let mut refused = 0;
        for _ in 0..20_000 {
            let changed = noise.mutated(text);
            refused += usize::from(Yaml::read(&String::from_utf8_lossy(&changed)).is_err());
        }
        assert!((1..20_000).contains(&refused), "{refused}");
    }
}
