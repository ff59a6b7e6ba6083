//! Sets of categories that splits ask for.

use crate::error::BoostingError;
use crate::forest::Convention;

/// Categories are numbered from 0 to this.
pub(crate) const LAST_CATEGORY: u32 = 65_535;
/// 16 MiB of sets; more than any model of a few thousand inputs.
const MOST_WORDS: usize = 1 << 22;

/// Sets of whole numbers, one bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Categories {
    words: Vec<u32>,
    /// Where each set ends in `words`.
    ends: Vec<usize>,
}

impl Categories {
    /// Adds the set of these categories, and says its number.
    pub(crate) fn push(&mut self, categories: &[u32]) -> Result<usize, BoostingError> {
        let last = categories.iter().copied().max().unwrap_or(0);
        if last > LAST_CATEGORY {
            let (found, most) = (last as usize, LAST_CATEGORY as usize);
            return Err(BoostingError::TooLarge {
                what: "the number of a category",
                found,
                most,
            });
        }
        let mut words = vec![0; last as usize / 32 + 1];
        for category in categories {
            words[*category as usize / 32] |= 1 << (category % 32);
        }
        self.push_words(&words)
    }

    /// Adds the set whose bits are `words`, the lowest first, and says its number.
    pub(crate) fn push_words(&mut self, words: &[u32]) -> Result<usize, BoostingError> {
        let (found, most) = (self.words.len() + words.len(), MOST_WORDS);
        if found > most {
            return Err(BoostingError::TooLarge {
                what: "words of sets of categories",
                found,
                most,
            });
        }
        self.words.extend_from_slice(words);
        self.ends.push(self.words.len());
        Ok(self.ends.len() - 1)
    }

    /// Whether the split on set `set` sends `value`, which is not NaN, left.
    ///
    /// LightGBM cuts the fraction off before it looks at the sign, XGBoost after.
    pub(crate) fn goes_left(&self, set: usize, value: f64, convention: Convention) -> bool {
        match convention {
            Convention::XGBoost => value < 0.0 || !self.holds(set, value),
            Convention::LightGBM => value > -1.0 && self.holds(set, value),
        }
    }

    fn holds(&self, set: usize, value: f64) -> bool {
        let start = if set == 0 { 0 } else { self.ends[set - 1] };
        let words = &self.words[start..self.ends[set]];
        let category = value as usize;
        words.get(category / 32).is_some_and(|word| word >> (category % 32) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_of_the_set_goes_right_in_one_library_and_left_in_the_other() {
        let mut sets = Categories::default();
        assert_eq!(sets.push(&[0]).unwrap(), 0);
        assert_eq!(sets.push(&[1, 40]).unwrap(), 1);
        let check = |value: f64, xgboost: bool, lightgbm: bool| {
            assert_eq!(sets.goes_left(1, value, Convention::XGBoost), xgboost, "{value}");
            assert_eq!(sets.goes_left(1, value, Convention::LightGBM), lightgbm, "{value}");
        };
        check(1.0, false, true);
        check(40.9, false, true);
        check(0.0, true, false);
        check(39.0, true, false);
        check(-1.0, true, false);
        check(1e300, true, false);
        assert!(sets.goes_left(0, -0.5, Convention::LightGBM));
        assert!(sets.goes_left(0, -0.5, Convention::XGBoost));
        assert!(!sets.goes_left(0, 0.5, Convention::XGBoost));
    }

    #[test]
    fn sets_are_bounded() {
        let refused = Categories::default().push(&[LAST_CATEGORY + 1]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the number of a category: 65536 where 65535 is the most"
        );
        let mut sets = Categories::default();
        let words = vec![0; 1 << 20];
        assert!((0..4).all(|_| sets.push_words(&words).is_ok()));
        assert!(sets.push_words(&[0]).is_err());
    }
}
