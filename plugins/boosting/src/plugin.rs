//! The table of this plugin.

use crate::Boosting;

ichor_plugin::plugin! {
    id: "org.ichor.boosting",
    version: env!("CARGO_PKG_VERSION"),
    scorers: [("boosting", Boosting)],
}
