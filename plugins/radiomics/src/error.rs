//! Why a signature cannot be trained or read.

/// What stands between training cases or a model file and a signature.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SignatureError {
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
        /// Name of the feature.
        name: String,
        /// The case, counted from 0.
        row: usize,
    },
    /// All cases have the same label, or there are none.
    OneClass {
        /// Number of cases.
        rows: usize,
        /// Number of cases that grew.
        positives: usize,
    },
    /// The penalty is not above 0.
    Penalty(f64),
    /// The steps did not come to rest.
    Unsettled {
        /// The penalty.
        l1: f64,
    },
    /// A line of a model file is not what has to stand there.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What has to stand there.
        expected: &'static str,
    },
}

impl std::fmt::Display for SignatureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shape { row, expected, found } => {
                write!(f, "case {row} has {found} values or labels where {expected} are needed")
            }
            Self::Infinite { name, row } => {
                write!(f, "{name} of case {row} is infinite; a missing value is NaN")
            }
            Self::OneClass { rows, positives } => write!(
                f,
                "{positives} of {rows} cases grew: training needs cases that grew and cases that did not"
            ),
            Self::Penalty(l1) => write!(f, "an L1 penalty of {l1} is not above 0"),
            Self::Unsettled { l1 } => {
                write!(
                    f,
                    "the regression did not settle at an L1 penalty of {l1}: use a larger one"
                )
            }
            Self::Malformed { line, expected } => {
                write!(f, "line {line} of the signature is not `{expected}`: train it again")
            }
        }
    }
}

impl std::error::Error for SignatureError {}
