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

impl Class {
    /// Names of all features of the class.
    pub fn all(self) -> Vec<&'static str> {
        self.definitions().into_iter().map(|definition| definition.name).collect()
    }

    /// Names of the features of the class that belong to the set `teng2021`.
    pub fn in_set(self) -> Vec<&'static str> {
        let mut names = self.all();
        names.truncate(if self == Self::Glcm { IN_SET } else { names.len() });
        names
    }
}

impl Parameters {
    /// The features of every image, with their class.
    pub(crate) fn of_image(&self) -> impl Iterator<Item = (Class, &'static str)> {
        let of_image = self.features.iter().filter(|(class, _)| *class != Class::Shape);
        of_image.flat_map(|(class, names)| names.iter().map(|name| (*class, *name)))
    }

    /// The features of the shape.
    pub(crate) fn of_shape(&self) -> impl Iterator<Item = &'static str> {
        let of_shape = self.features.iter().filter(|(class, _)| *class == Class::Shape);
        of_shape.flat_map(|(_, names)| names.iter().copied())
    }
}

/// The features called `names`; NaN for one that is not there.
pub(crate) fn pick<T>(
    table: &[Feature<T>],
    names: &[&'static str],
    mut of: impl FnMut(&Feature<T>) -> Result<f64, Refused>,
) -> Result<Vec<f64>, Refused> {
    let row = |name: &&'static str| table.iter().find(|row| row.name == *name);
    names.iter().map(|name| row(name).map_or(Ok(f64::NAN), &mut of)).collect()
}

/// What the texture classes are computed from, as far as it is wanted.
struct Textures<'a> {
    neighbours: Neighbours,
    angles: Vec<Joint>,
    grid: &'a Grid<'a>,
}

impl Textures<'_> {
    fn features(
        &self,
        class: Class,
        names: &[&'static str],
        pace: &dyn Pace,
    ) -> Result<Vec<f64>, Refused> {
        match class {
            Class::Shape | Class::FirstOrder => Ok(Vec::new()),
            Class::Glcm => pick(&GLCM, names, |row| {
                pace.check()?;
                Ok(mean(self.angles.iter().map(row.of)))
            }),
            Class::Glrlm => {
                pick(&GLRLM, names, |row| Ok(mean(self.neighbours.runs.iter().map(row.of))))
            }
            Class::Glszm => {
                let zones = zones(self.grid, pace)?;
                pick(&GLSZM, names, |row| Ok((row.of)(&zones)))
            }
            Class::Gldm => pick(&GLDM, names, |row| Ok((row.of)(&self.neighbours.dependences))),
            Class::Ngtdm => {
                let tones = Tones::new(self.grid.levels, &self.neighbours.distances);
                pick(&NGTDM, names, |row| {
                    pace.check()?;
                    Ok((row.of)(&tones))
                })
            }
        }
    }
}

/// The features of `image`, in the order of [`Parameters::of_image`].
pub(crate) fn describe(
    image: &Image,
    region: &Region,
    parameters: &Parameters,
    pace: &dyn Pace,
) -> Result<Vec<f64>, Refused> {
    pace.check()?;
    let levels = Levels::sort(&image.values, parameters.binning, image.single, pace)?;
    let grid = Grid::new(region, &levels);
    let mut textures = None;
    let mut features = Vec::new();
    for (class, names) in &parameters.features {
        pace.check()?;
        match class {
            Class::Shape => {}
            Class::FirstOrder => {
                let grey =
                    FirstOrder::measure(&image.values, &levels, region.voxel_mm3(), pace)?;
                let less = |row: &Feature<_>| {
                    let excess = parameters.mode == Mode::Ibsi && row.name == "Kurtosis";
                    if excess { 3.0 } else { 0.0 }
                };
                let of = |row: &Feature<_>| Ok((row.of)(&grey) - less(row));
                features.extend(pick(&FIRST_ORDER, names, of)?);
            }
            _ => {
                let textures = match &mut textures {
                    Some(known) => known,
                    none => none.insert(look_at(&grid, parameters, pace)?),
                };
                features.extend(textures.features(*class, names, pace)?);
            }
        }
    }
    Ok(features)
}

fn look_at<'a>(
    grid: &'a Grid<'a>,
    parameters: &Parameters,
    pace: &dyn Pace,
) -> Result<Textures<'a>, Refused> {
    let neighbours = Neighbours::count(grid, pace)?;
    let mut angles = Vec::new();
    if parameters.features.iter().any(|(class, _)| *class == Class::Glcm) {
        for pairs in &neighbours.pairs {
            pace.check()?;
            angles.extend(Joint::new(pairs, grid.levels));
        }
    }
    Ok(Textures { neighbours, angles, grid })
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
