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
    /// A value is infinite in single precision, in which models of XGBoost compare.
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
    /// A byte of a model file is not what has to stand there.
    Byte {
        /// The byte, counted from 0.
        at: usize,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A line of a model file or of a list is not what has to stand there.
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What has to stand there.
        wanted: &'static str,
    },
    /// A model file lacks a field.
    Absent {
        /// The way to it.
        path: String,
    },
    /// A field of a model file is of another kind.
    Field {
        /// The way to it.
        path: String,
        /// What is needed there.
        needed: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A list has too few or too many elements.
    Length {
        /// The way to it.
        path: String,
        /// How many elements it has.
        found: usize,
        /// How many it has to have.
        needed: usize,
    },
    /// A model file says what is not read, and would change an answer.
    Unsupported {
        /// The way to it.
        key: String,
        /// What it says.
        value: String,
        /// What is read.
        wanted: &'static str,
    },
    /// A tree of a model file is no tree that can be followed.
    Tree {
        /// The tree, counted from 0.
        tree: usize,
        /// The node, by its number in the file; in LightGBM's the leaves follow the splits.
        node: usize,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A model is larger than a study can wait for.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// The most that is allowed.
        most: usize,
    },
    /// A model has no inputs.
    NoInputs,
    /// An input's name cannot be used.
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// Base and contributions do not add up to the margin.
    NotAdditive {
        /// What they add up to.
        sum: f64,
        /// The margin.
        margin: f64,
    },
}

impl std::fmt::Display for BoostingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shape { row, expected, found } => {
                write!(f, "case {row} has {found} values or labels where {expected} are needed")
            }
            Self::Infinite { name, row } => {
                write!(f, "{name} of case {row} is beyond 3.4e38; a missing value is NaN")
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
            Self::Byte { at, wrong } => write!(f, "byte {at} of the model: {wrong}"),
            Self::Line { line, wanted } => write!(f, "line {line} is not {wanted}"),
            Self::Absent { path } => write!(f, "{path} is missing"),
            Self::Field { path, needed, found } => {
                write!(f, "{path} is {found} where {needed} is needed")
            }
            Self::Length { path, found, needed } => {
                write!(f, "{path} has {found} elements where {needed} are needed")
            }
            Self::Unsupported { key, value, wanted } => {
                write!(f, "{key} is {value}: {wanted}")
            }
            Self::Tree { tree, node, wrong } => write!(f, "tree {tree}, node {node}: {wrong}"),
            Self::TooLarge { what, found, most } => {
                write!(f, "{what}: {found} where {most} is the most")
            }
            Self::NoInputs => write!(f, "the model has no inputs"),
            Self::Name { name, wrong } => write!(f, "the input {name:?} {wrong}"),
            Self::NotAdditive { sum, margin } => write!(
                f,
                "base and contributions add up to {sum} and the trees to {margin}: report this model"
            ),
        }
    }
}

impl std::error::Error for BoostingError {}
