//! What is said about one sign.

/// One sign of one hematoma.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    /// Whether it is there; none where the hematoma does not allow to say.
    pub(crate) present: Option<bool>,
    /// Index `(z, y, x)` of the voxel to look at; none where there is nothing to see.
    pub(crate) place: Option<[usize; 3]>,
}

impl Finding {
    /// A sign that is there at `place`, or is not there.
    pub(crate) fn at(place: Option<[usize; 3]>) -> Self {
        Self { present: Some(place.is_some()), place }
    }

    /// 1 there, 0 not there, NaN unknown.
    pub(crate) fn value(&self) -> f64 {
        self.present.map_or(f64::NAN, |present| if present { 1.0 } else { 0.0 })
    }

    /// One index of the place along `axis` of `(z, y, x)`; NaN without one.
    pub(crate) fn index(&self, axis: usize) -> f64 {
        self.place.map_or(f64::NAN, |place| place[axis] as f64)
    }
}

/// Keeps the best of what the slices show: the value and where it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Best {
    found: Option<(f64, [usize; 3])>,
}

impl Best {
    /// Takes `value` at `place` when it is larger than all before.
    pub(crate) fn offer(&mut self, value: f64, place: [usize; 3]) {
        if self.found.is_none_or(|(best, _)| value > best) {
            self.found = Some((value, place));
        }
    }

    /// The largest value; NaN of none.
    pub(crate) fn value(&self) -> f64 {
        self.found.map_or(f64::NAN, |(value, _)| value)
    }

    /// The place of the largest value, when that is at least `floor`.
    pub(crate) fn place(&self, floor: f64) -> Option<[usize; 3]> {
        self.found.filter(|(value, _)| *value >= floor).map(|(_, place)| place)
    }
}
