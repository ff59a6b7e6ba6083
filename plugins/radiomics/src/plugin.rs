//! The table of this plugin.

use crate::{Features, Signature};

ichor_plugin::plugin! {
    id: "org.ichor.radiomics",
    version: env!("CARGO_PKG_VERSION"),
    extractors: [("features", Features)],
    scorers: [("signature", Signature)],
}
