//! Why a model cannot be trained or read.

/// What stands between training cases or a model file and a model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BoostingError {
    /// Every case has one value for each name, and one label.
    Shape {
        /// The case, counted from 0.
        row: usize,
        /// Values and labels that were needed.
        expected: usize,
        /// Values or labels that came.
        found: usize,
    },
    /// A value is infinite.
    Infinite {
        /// Name of the input.
        name: String,
        /// The case, counted from 0.
        row: usize,
    },
    /// More cases than sums of their gradients can hold.
    TooMany {
        /// Number of cases.
        rows: usize,
        /// The most that can be trained on.
        most: usize,
    },
    /// All cases have the same label, or there are none.
    OneClass {
        /// Number of cases.
        rows: usize,
        /// Number of cases that grew.
        positives: usize,
    },
    /// A setting is out of its range.
    Setting {
        /// Its name in `TrainSettings`.
        name: &'static str,
        /// What it was set to.
        value: f64,
    },
    /// The caller asked to stop.
    Stopped {
        /// Trees grown by then.
        trees: usize,
    },
    /// A line of a model file is not what has to stand there.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What has to stand there.
        expected: &'static str,
    },
}

impl std::fmt::Display for BoostingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shape { row, expected, found } => {
                write!(f, "case {row} has {found} values or labels where {expected} are needed")
            }
            Self::Infinite { name, row } => {
                write!(f, "{name} of case {row} is infinite; a missing value is NaN")
            }
            Self::TooMany { rows, most } => {
                write!(f, "{rows} cases are more than the {most} that training can sum up")
            }
            Self::OneClass { rows, positives } => write!(
                f,
                "{positives} of {rows} cases grew: training needs cases that grew and cases that did not"
            ),
            Self::Setting { name, value } => {
                write!(f, "{name} = {value} is out of its range, see TrainSettings")
            }
            Self::Stopped { trees } => write!(f, "training was stopped after {trees} trees"),
            Self::Malformed { line, expected } => {
                write!(f, "line {line} of the model is not `{expected}`: train it again")
            }
        }
    }
}

impl std::error::Error for BoostingError {}
