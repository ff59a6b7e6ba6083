//! The engine's side of `tests/peers/boosting.py`: what our trees answer, and how fast.
//!
//! ```text
//! peer train ROWS LABELS MODEL [SETTING=VALUE…]   CPU seconds, and the model as UBJSON
//! peer score MODEL ROWS OUT                        margins and contributions, and CPU seconds a row
//! ```
//!
//! ROWS are doubles, LABELS bytes, both raw and little-endian. OUT gets, for every row, the margin,
//! what each input contributes, and the base. The format of MODEL is known by how its name ends.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;

use ichor_boosting::{Model, TrainSettings, train};

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> Done<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["train", rows, labels, model, ref settings @ ..] => {
            trained(rows, labels, model, settings)
        }
        ["score", model, rows, out] => scored(model, rows, out),
        _ => {
            Err("peer train ROWS LABELS MODEL [SETTING=VALUE…] | peer score MODEL ROWS OUT"
                .into())
        }
    }
}

fn doubles(path: &str) -> Done<Vec<f64>> {
    let bytes = fs::read(path)?;
    let number = |bytes: &[u8]| -> Done<f64> { Ok(f64::from_le_bytes(bytes.try_into()?)) };
    bytes.chunks_exact(8).map(number).collect()
}

fn trained(rows: &str, labels: &str, model: &str, words: &[&str]) -> Done<()> {
    let labels: Vec<bool> = fs::read(labels)?.iter().map(|label| *label == 1).collect();
    let values = doubles(rows)?;
    let n_inputs = values.len() / labels.len();
    let rows: Vec<Vec<f64>> = values.chunks_exact(n_inputs).map(<[f64]>::to_vec).collect();
    let names: Vec<String> = (0..n_inputs).map(|input| format!("cnn_{input:03}")).collect();
    let mut settings = TrainSettings::default();
    for word in words {
        match word.split_once('=').ok_or("SETTING=VALUE is needed")? {
            ("trees", value) => settings.trees = value.parse()?,
            ("depth", value) => settings.depth = value.parse()?,
            ("rate", value) => settings.rate = value.parse()?,
            ("row_share", value) => settings.row_share = value.parse()?,
            ("column_share", value) => settings.column_share = value.parse()?,
            ("least_hessian", value) => settings.least_hessian = value.parse()?,
            (name, _) => return Err(format!("no setting {name}").into()),
        }
    }
    let start = cpu_seconds()?;
    let mut on = |_, _| ControlFlow::Continue(());
    let trained = train(&names, &rows, &labels, &settings, &mut on)?;
    println!("{}", cpu_seconds()? - start);
    fs::write(model, trained.to_ubj()?)?;
    Ok(())
}

fn scored(path: &str, rows: &str, out: &str) -> Done<()> {
    let bytes = fs::read(path)?;
    let start = cpu_seconds()?;
    let model = match path.rsplit('.').next() {
        Some("ubj") => Model::from_xgboost_ubj(&bytes)?,
        Some("json") => Model::from_xgboost_json(&bytes)?,
        _ => Model::from_lightgbm(std::str::from_utf8(&bytes)?)?,
    };
    let opened = cpu_seconds()? - start;
    let n_inputs = model.names().len();
    let values = doubles(rows)?;
    let rows: Vec<&[f64]> = values.chunks_exact(n_inputs).collect();
    let mut answers: Vec<u8> = Vec::new();
    let mut contributions = vec![0.0; n_inputs];
    for row in &rows {
        let base = model.contributions(row, &mut contributions)?;
        for value in [model.margin(row)].iter().chain(&contributions).chain([&base]) {
            answers.extend(value.to_le_bytes());
        }
    }
    fs::write(out, answers)?;
    let mut sum = 0.0;
    let score = fastest(&rows, &mut |row| sum += model.margin(row))?;
    let explain = fastest(&rows, &mut |row| {
        sum += model.contributions(row, &mut contributions).unwrap_or(f64::NAN);
    })?;
    let (trees, nodes) = (model.n_trees(), model.n_nodes());
    // The sum keeps the compiler from leaving the work out.
    println!("{score} {explain} {opened} {trees} {nodes} {sum}");
    Ok(())
}

/// Seconds that this thread has had a core, by Linux's count; others may keep it waiting.
fn cpu_seconds() -> Done<f64> {
    let counted = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = counted.split(' ').next().ok_or("an empty schedstat")?;
    Ok(nanoseconds.parse::<f64>()? * 1e-9)
}

/// CPU seconds a row, one row after the other, in the fastest of five passes; a pass goes over the
/// rows until the count of CPU time, which moves in steps of some milliseconds, is good to 1 %.
fn fastest(rows: &[&[f64]], work: &mut dyn FnMut(&[f64])) -> Done<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let (start, mut done, mut seconds) = (cpu_seconds()?, 0, 0.0);
        while seconds < 0.4 {
            for row in rows {
                work(row);
            }
            done += rows.len();
            seconds = cpu_seconds()? - start;
        }
        least = least.min(seconds / done as f64);
    }
    Ok(least)
}
