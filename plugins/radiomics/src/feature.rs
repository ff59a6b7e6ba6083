//! One row of a feature table: what a feature is called, how it is defined and computed.

/// A feature of the class whose measurements are a `T`.
pub(crate) struct Feature<T> {
    /// Name within the class, as pyradiomics spells it.
    pub(crate) name: &'static str,
    /// Definition, in the symbols of the class's module header.
    pub(crate) formula: &'static str,
    /// Unit of the value; `1` for a number without one.
    pub(crate) unit: &'static str,
    /// Code in the IBSI reference manual; empty where IBSI has no such feature.
    pub(crate) ibsi: &'static str,
    /// Value, not finite where the formula gives none.
    pub(crate) of: fn(&T) -> f64,
}

/// Shorthand for the tables.
pub(crate) const fn feature<T>(
    name: &'static str,
    formula: &'static str,
    unit: &'static str,
    ibsi: &'static str,
    of: fn(&T) -> f64,
) -> Feature<T> {
    Feature { name, formula, unit, ibsi, of }
}
