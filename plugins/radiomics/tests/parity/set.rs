//! The tables of features beside the tables of golden numbers.

use std::path::Path;

use ichor_radiomics::{Class, Parameters};

use crate::HERE;

const CLASSES: [Class; 7] = [
    Class::Shape,
    Class::FirstOrder,
    Class::Glcm,
    Class::Glrlm,
    Class::Glszm,
    Class::Gldm,
    Class::Ngtdm,
];

/// Name, unit and IBSI code of every row of the committed table of `class`.
fn baseline(class: &str) -> Vec<[String; 3]> {
    let path = Path::new(HERE).join(format!("../../tests/data/baseline_{class}.csv"));
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let mut cells = line.split(',').map(str::to_owned);
        std::array::from_fn(|_| cells.next().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn every_feature_has_a_row_in_the_table_of_its_class() {
    for class in CLASSES {
        let given = class.definitions().into_iter().map(|definition| {
            let name = format!("original_{}_{}", class.name(), definition.name);
            [name, definition.unit.to_owned(), definition.ibsi.to_owned()]
        });
        let mut given: Vec<[String; 3]> = given.collect();
        let mut tabled = baseline(class.name());
        given.sort_unstable();
        tabled.sort_unstable();
        assert_eq!(given, tabled);
    }
}

#[test]
fn every_feature_has_its_formula_and_codes_in_the_documentation() {
    let path = Path::new(HERE).join("../../docs/radiomics.md");
    let text = std::fs::read_to_string(path).unwrap();
    for class in CLASSES {
        for definition in class.definitions() {
            let code = if definition.ibsi.is_empty() { "-" } else { definition.ibsi };
            let formula = definition.formula.replace('|', "\\|");
            let row =
                format!("| {} | `{formula}` | {} | {code} |", definition.name, definition.unit);
            assert!(text.contains(&row), "{row}");
        }
    }
}

#[test]
fn the_set_has_1379_names_and_none_twice() {
    let mut names = Parameters::default().names();
    assert_eq!(names.len(), 1379);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 1379);
}
