//! Named numbers that describe one hematoma.
//!
//! Order is part of a model, so names and values are kept in the order in which the extractors
//! gave them. Missing is NaN and stays NaN.

use serde::{Deserialize, Serialize};

/// Why named numbers are no set of features.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// One value for each name.
    #[error("{names} feature names for {values} values")]
    Count {
        /// Number of names.
        names: usize,
        /// Number of values.
        values: usize,
    },
    /// Two sources gave the same name.
    #[error("two features are called {0:?}: rename one of them in its extractor")]
    Twice(String),
}

/// Names and values in one order; no name twice, NaN where missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Features {
    names: Vec<String>,
    values: Vec<f64>,
}

impl Features {
    /// Fails when the counts differ or a name comes twice.
    pub fn new(names: Vec<String>, values: Vec<f64>) -> Result<Self, FeatureError> {
        if names.len() != values.len() {
            return Err(FeatureError::Count { names: names.len(), values: values.len() });
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(FeatureError::Twice(pair[0].clone()));
        }
        Ok(Self { names, values })
    }

    /// Appends one named value.
    pub fn push(&mut self, name: &str, value: f64) -> Result<(), FeatureError> {
        if self.names.iter().any(|known| known == name) {
            return Err(FeatureError::Twice(name.to_owned()));
        }
        self.names.push(name.to_owned());
        self.values.push(value);
        Ok(())
    }

    /// Appends all of `others`, in their order.
    pub fn extend(&mut self, others: Self) -> Result<(), FeatureError> {
        let names = [std::mem::take(&mut self.names), others.names].concat();
        let values = [std::mem::take(&mut self.values), others.values].concat();
        *self = Self::new(names, values)?;
        Ok(())
    }

    /// Names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Values, in the order of the names; NaN where missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The value called `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.names.iter().position(|known| known == name).map(|at| self.values[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_extractors_giving_one_name_is_an_error() {
        let one = |v| Features::new(vec!["original_firstorder_Mean".to_owned()], vec![v]);
        let mut features = one(60.0).unwrap();
        assert_eq!(
            features.extend(one(61.0).unwrap()),
            Err(FeatureError::Twice("original_firstorder_Mean".to_owned()))
        );
    }

    #[test]
    fn order_is_kept() {
        let mut features = Features::default();
        features.push("b", 2.0).unwrap();
        features.push("a", 1.0).unwrap();
        assert_eq!(features.names(), ["b", "a"]);
        assert_eq!(features.get("a"), Some(1.0));
    }
}
