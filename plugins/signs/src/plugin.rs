//! The table of this plugin.

use crate::{Bat, Brain, Signs};

ichor_plugin::plugin! {
    id: "org.ichor.signs",
    version: env!("CARGO_PKG_VERSION"),
    extractors: [("signs", Signs)],
    scorers: [("bat", Bat), ("brain", Brain)],
}
