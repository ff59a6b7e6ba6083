//! All features of one image, class by class.

use ichor_plugin::Refused;

use crate::bins::Levels;
use crate::derived::Image;
use crate::feature::Feature;
use crate::firstorder::{FIRST_ORDER, FirstOrder};
use crate::glcm::{GLCM, IN_SET, Joint};
use crate::gldm::GLDM;
use crate::glrlm::GLRLM;
use crate::glszm::GLSZM;
use crate::grid::Grid;
use crate::neighbours::Neighbours;
use crate::ngtdm::{NGTDM, Tones};
use crate::pace::Pace;
use crate::parameters::{CLASSES, Class, Mode, Parameters};
use crate::region::Region;
use crate::shape::SHAPE;
use crate::zones::zones;

/// Name, formula, unit and IBSI code of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Name within its class.
    pub name: &'static str,
    /// In the symbols of the class.
    pub formula: &'static str,
    /// `1` for a number without a unit.
    pub unit: &'static str,
    /// Empty where IBSI has no such feature.
    pub ibsi: &'static str,
}

fn definitions<T>(table: &[Feature<T>]) -> Vec<Definition> {
    let row = |row: &Feature<T>| Definition {
        name: row.name,
        formula: row.formula,
        unit: row.unit,
        ibsi: row.ibsi,
    };
    table.iter().map(row).collect()
}

impl Class {
    /// pyradiomics' name of the class.
    pub fn name(self) -> &'static str {
        CLASSES.iter().find(|(_, class)| *class == self).map_or("", |(name, _)| name)
    }

    /// The features of the class, in the order in which they are given.
    pub fn definitions(self) -> Vec<Definition> {
        match self {
            Self::Shape => definitions(&SHAPE),
            Self::FirstOrder => definitions(&FIRST_ORDER),
            Self::Glcm => definitions(&GLCM),
            Self::Glrlm => definitions(&GLRLM),
            Self::Glszm => definitions(&GLSZM),
            Self::Gldm => definitions(&GLDM),
            Self::Ngtdm => definitions(&NGTDM),
        }
    }
}

impl Parameters {
    /// Whether `class` is wanted.
    pub(crate) fn wants(&self, class: Class) -> bool {
        self.classes.contains(&class)
    }

    /// Names within their class of the features of every image, with their class.
    pub(crate) fn of_image(&self) -> Vec<(Class, &'static str)> {
        let mut names = Vec::new();
        for (_, class) in CLASSES {
            if class == Class::Shape || !self.wants(class) {
                continue;
            }
            let all = class.definitions();
            let n = if class == Class::Glcm && !self.all_glcm { IN_SET } else { all.len() };
            names.extend(all[..n].iter().map(|definition| (class, definition.name)));
        }
        names
    }
}

/// The features of `image`, in the order of [`Parameters::of_image`].
pub(crate) fn describe(
    image: &Image,
    region: &Region,
    parameters: &Parameters,
    pace: &dyn Pace,
) -> Result<Vec<f64>, Refused> {
    let wants = |class: Class| parameters.wants(class);
    pace.check()?;
    let levels = Levels::sort(&image.values, parameters.binning, image.single)?;
    let mut features = Vec::new();
    if wants(Class::FirstOrder) {
        pace.check()?;
        let grey = FirstOrder::measure(&image.values, &levels, region.voxel_mm3());
        features.extend(FIRST_ORDER.iter().map(|row| {
            let excess = parameters.mode == Mode::Ibsi && row.name == "Kurtosis";
            (row.of)(&grey) - if excess { 3.0 } else { 0.0 }
        }));
    }
    let textures = [Class::Glcm, Class::Glrlm, Class::Glszm, Class::Gldm, Class::Ngtdm];
    if !textures.into_iter().any(wants) {
        return Ok(features);
    }
    let grid = Grid::new(region, &levels);
    let neighbours = Neighbours::count(&grid, pace)?;
    if wants(Class::Glcm) {
        let mut angles = Vec::new();
        for pairs in &neighbours.pairs {
            pace.check()?;
            angles.extend(Joint::new(pairs, &levels));
        }
        let n = if parameters.all_glcm { GLCM.len() } else { IN_SET };
        for row in &GLCM[..n] {
            pace.check()?;
            features.push(mean(angles.iter().map(row.of)));
        }
    }
    if wants(Class::Glrlm) {
        features.extend(GLRLM.iter().map(|row| mean(neighbours.runs.iter().map(row.of))));
    }
    if wants(Class::Glszm) {
        let zones = zones(&grid, pace)?;
        features.extend(GLSZM.iter().map(|row| (row.of)(&zones)));
    }
    if wants(Class::Gldm) {
        features.extend(GLDM.iter().map(|row| (row.of)(&neighbours.dependences)));
    }
    if wants(Class::Ngtdm) {
        let tones = Tones::new(&levels, &neighbours.distances);
        for row in &NGTDM {
            pace.check()?;
            features.push((row.of)(&tones));
        }
    }
    Ok(features)
}

/// Over the angles that have a value; missing without any.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for value in values.filter(|value| !value.is_nan()) {
        sum += value;
        n += 1.0;
    }
    sum / n
}
