//! What crosses crates, in one binary.
//!
//! Rules of the house first (layering, tidiness), then the programs themselves: they are built
//! once and driven as people drive them, over DICOM, files and the command line.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod house;
mod layering;
mod tidy;

mod plugins;
mod programs;
mod site;

mod bayes;
mod clinical;
mod command_line;
mod first_light;
mod killed;
mod words;
