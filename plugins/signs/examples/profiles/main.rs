//! The threshold profiles of `bat` and `brain`, on phantoms. Everything here is simulated.
//!
//! `profiles N DATE OUT` chooses the thresholds on N cases of the development cohort, seed 2,
//! reports on N of the clinical one, seed 3, and writes the profiles under OUT. Masks are those
//! that were drawn. The signs themselves are measured by `ichor evaluate signs`.

mod cases;
mod units;

use std::error::Error;
use std::path::Path;

use ichor_study::phantom::Cohort;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [n, date, out] = args.as_slice() else {
        return Err("usage: profiles N DATE OUT".into());
    };
    let chosen_on = Cohort::development(n.parse()?, 2);
    let reported_on = Cohort::clinical(n.parse()?, 3);
    units::write(&chosen_on, &reported_on, date, Path::new(out))
}
