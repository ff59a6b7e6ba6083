//! The signs and scores on phantoms, whose signs are known. Everything here is simulated.
//!
//! `phantoms signs N SEED` prints sensitivity and specificity of every sign on N cases of the
//! clinical cohort, with Wilson's intervals of 95 %. `phantoms profiles N DATE OUT` chooses the
//! thresholds of `bat` and `brain` on N cases of the development cohort, seed 2, reports on N of
//! the clinical one, seed 3, and writes the profiles under OUT. Masks are those that were drawn.

mod cases;
mod profiles;
mod table;

use std::error::Error;
use std::path::Path;

use ichor_study::phantom::Cohort;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["signs", n, seed] => {
            let cohort = Cohort::clinical(n.parse()?, seed.parse()?);
            table::print(&cases::described(&cohort)?, &cohort)
        }
        ["profiles", n, date, out] => {
            let chosen_on = Cohort::development(n.parse()?, 2);
            let reported_on = Cohort::clinical(n.parse()?, 3);
            profiles::write(&chosen_on, &reported_on, date, Path::new(out))
        }
        _ => Err("usage: phantoms signs N SEED | phantoms profiles N DATE OUT".into()),
    }
}
