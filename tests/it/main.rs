//! What crosses crates, in one binary.
//!
//! Rules of the house first (layering, tidiness), then the programs themselves: they are built
//! once and driven as people drive them, over DICOM, files and the command line.

mod house;
mod layering;
mod tidy;
