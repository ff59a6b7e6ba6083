//! Plugin `org.ichor.signs`: the signs of expansion on a head CT without contrast.
//!
//! The extractor `signs` looks for the signs by their published definitions, one module each. What
//! a definition leaves open stands in `signs.toml`. The scorers `bat` and `brain` count points of
//! the scores of these names; with an item unknown they give the middle of an interval.

mod components;
mod distance;
mod histogram;
mod hull;
mod pace;
mod plane;
mod smooth;

mod basins;
mod finding;
mod hematoma;

mod black_hole;
mod blend;
mod fluid_level;
mod heterogeneous;
mod hypodensity;
mod irregular;
mod island;
mod satellite;
mod swirl;

mod choices;
mod plugin;
mod signs;

mod bat;
mod brain;
mod points;

#[cfg(test)]
mod testing;

pub use bat::Bat;
pub use brain::Brain;
pub use points::interval;
pub use signs::Signs;
