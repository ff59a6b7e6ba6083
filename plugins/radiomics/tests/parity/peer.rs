//! Settings beyond the set, beside the numbers of pyradiomics' own baseline tables.

use crate::golden::difference;
use crate::{case, features_of, shared};

/// Settings of the original image with all its features.
const ORIGINAL: &str = "images = 'original'\nglcm = 'all'\n";

/// Fields of one CSV line; those in quotes may hold commas.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// Compares with `column` of the table of every class that has it; `but` are left out.
fn check(column: &str, config: &str, but: &[&str], n_expected: usize) {
    let (Some(images), Some(folder)) = (case("brain1"), shared()) else { return };
    let features = features_of(&images, &format!("{ORIGINAL}{config}"));
    let (mut n, mut worst) = (0, (0.0_f64, String::new()));
    for class in ["shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"] {
        let path = folder.join(format!("golden/baseline_{class}.csv"));
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<Vec<String>> = text.lines().map(fields).collect();
        let Some(at) = rows[0].iter().position(|name| name == column) else { continue };
        for row in rows.iter().filter(|row| row[0].starts_with("original_")) {
            let Some((name, found)) = features.iter().find(|(name, _)| *name == row[0]) else {
                continue;
            };
            if but.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let apart = difference(name, *found, row[at].parse().unwrap());
            n += 1;
            if apart > worst.0 {
                worst = (apart, name.clone());
            }
        }
    }
    println!("{column}: {n} features, at most {:.1e} apart ({})", worst.0, worst.1);
    // The tables are rounded to twelve digits.
    assert!(worst.0 <= 1e-9, "{} of {column} is {:.1e} apart", worst.1, worst.0);
    assert_eq!(n, n_expected);
}

#[test]
fn all_features_of_brain1_are_in_the_baseline_tables() {
    // Energies were computed with 2000 added to every grey value, the mesh was an older one.
    let but = [
        "Energy",
        "RootMeanSquared",
        "MeshVolume",
        "SurfaceArea",
        "Sphericity",
        "SurfaceVolumeRatio",
    ];
    check("brain1", "", &but, 99);
}

#[test]
fn sixty_four_bins_are_numpys() {
    check("brain1_FBN", "bin_count = 64", &[], 75);
}

#[test]
fn a_grid_of_two_millimetres_is_itks() {
    check("brain1_resampling", "resampled_mm = '2 2 2'", &[], 107);
}
