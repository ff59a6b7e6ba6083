//! The macro that writes the C tables.

/// Exports extractors and scorers as a plugin.
///
/// `id` and `version` must equal those of `plugin.toml`, and so must the units' ids. One use in a
/// crate; the table is exported as `ichor_plugin_v1_` and the crate's name, so that several
/// plugin crates can be linked into one program as ordinary libraries.
#[macro_export]
macro_rules! plugin {
    (
        id: $id:expr,
        version: $version:expr
        $(, extractors: [$(($extractor_id:expr, $extractor:ty)),* $(,)?])?
        $(, scorers: [$(($scorer_id:expr, $scorer:ty)),* $(,)?])?
        $(,)?
    ) => {
        const _: () = {
            static UNITS: &[$crate::abi::Unit] = &[
                $($($crate::export::extractor::<$extractor>($extractor_id),)*)?
                $($($crate::export::scorer::<$scorer>($scorer_id),)*)?
            ];
            #[allow(unsafe_code)]
            #[unsafe(export_name = concat!("ichor_plugin_v1_", env!("CARGO_CRATE_NAME")))]
            static TABLE: $crate::abi::Plugin = $crate::export::table($id, $version, UNITS);
        };
    };
}
