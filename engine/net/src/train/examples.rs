//! What a training learns from: slices cut to the head, with their masks, kept small.
//!
//! A pixel takes two bytes (0 to 100 HU in 65,536 steps), a mask one byte a pixel and only where
//! it holds anything. Patients are held out whole; held-out slices never train.

use std::collections::BTreeSet;

use ichor_core::HeadBox;
use ndarray::{Array2, ArrayView2};

use super::random::{Random, Stream};
use super::recipe::Recipe;
use crate::NetError;
use crate::frame::{Patch, windowed};
use crate::weights::sha256;

/// Pixels around blood in the ventricles that are a mixture of labels too.
const RIM: usize = 2;

/// Where a slice comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A patient.
    Real,
    /// The phantom cohort.
    Phantom,
}

/// One slice before it is cut, `(y, x)`.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// Patient or phantom; slices of one subject train together or not at all.
    pub subject: &'a str,
    /// Where it comes from.
    pub origin: Origin,
    /// Pixels in HU.
    pub hu: ArrayView2<'a, f32>,
    /// The hematoma, without blood in the ventricles.
    pub blood: ArrayView2<'a, bool>,
    /// Blood in the ventricles, where it is known.
    pub ivh: Option<ArrayView2<'a, bool>>,
    /// Rows and columns that hold the head.
    pub head: HeadBox,
}

/// One slice that can train, cut to the head.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    subject: String,
    origin: Origin,
    pixels: Array2<u16>,
    blood: Option<Array2<u8>>,
    ivh: Option<Array2<u8>>,
}

impl Example {
    /// Cuts the head of `slice` out, with the margin and to the sides that `recipe` asks for;
    /// none where the network's frame shows no head.
    ///
    /// Fails when a mask has another shape than the slice.
    pub fn cut(slice: &Slice<'_>, recipe: &Recipe) -> Result<Option<Self>, NetError> {
        let dim = slice.hu.dim();
        for mask in std::iter::once(slice.blood).chain(slice.ivh) {
            if mask.dim() != dim {
                return Err(NetError::ExampleShape {
                    subject: slice.subject.to_owned(),
                    found: mask.dim().into(),
                    expected: dim.into(),
                });
            }
        }
        let multiple = recipe.shape()?.multiple();
        let Some(patch) = Patch::around(dim, slice.head, recipe.margin, multiple) else {
            return Ok(None);
        };
        let stored = |hu: f32| (windowed(hu) * f32::from(u16::MAX)).round() as u16;
        let blood = patch.map(0, |at| u8::from(slice.blood[at]));
        let ivh = slice.ivh.and_then(|ivh| held(patch.map(0, |at| u8::from(ivh[at]))));
        let ivh = ivh.map(|ivh| without(widened(ivh), &blood));
        Ok(Some(Self {
            subject: slice.subject.to_owned(),
            origin: slice.origin,
            pixels: patch.map(0, |at| stored(slice.hu[at])),
            blood: held(blood),
            ivh: ivh.and_then(held),
        }))
    }

    /// Patient or phantom.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether it shows hematoma.
    pub fn bleeds(&self) -> bool {
        self.blood.is_some()
    }

    /// Rows and columns.
    pub fn dim(&self) -> (usize, usize) {
        self.pixels.dim()
    }

    /// A pixel as the network sees it, `0.0..=1.0`.
    pub(super) fn pixel(&self, at: (usize, usize)) -> f32 {
        f32::from(self.pixels[at]) / f32::from(u16::MAX)
    }

    /// All pixels as the network sees them.
    pub(super) fn pixels(&self) -> Array2<f32> {
        Array2::from_shape_fn(self.dim(), |at| self.pixel(at))
    }

    /// The hematoma, 0 or 1; none where there is none.
    pub(super) fn blood(&self) -> Option<&Array2<u8>> {
        self.blood.as_ref()
    }

    /// Blood in the ventricles with its rim, 0 or 1, none of it hematoma.
    pub(super) fn ivh(&self) -> Option<&Array2<u8>> {
        self.ivh.as_ref()
    }
}

/// The mask where it holds anything.
fn held(mask: Array2<u8>) -> Option<Array2<u8>> {
    mask.iter().any(|&inside| inside > 0).then_some(mask)
}

/// The mask and [`RIM`] pixels around it, by 4-neighbours.
fn widened(mut mask: Array2<u8>) -> Array2<u8> {
    for _ in 0..RIM {
        let before = mask.clone();
        let (n_y, n_x) = mask.dim();
        for ((y, x), _) in before.indexed_iter().filter(|&(_, &inside)| inside > 0) {
            mask[(y.saturating_sub(1), x)] = 1;
            mask[((y + 1).min(n_y - 1), x)] = 1;
            mask[(y, x.saturating_sub(1))] = 1;
            mask[(y, (x + 1).min(n_x - 1))] = 1;
        }
    }
    mask
}

fn without(mut mask: Array2<u8>, other: &Array2<u8>) -> Array2<u8> {
    mask.zip_mut_with(other, |inside, &other| *inside *= 1 - other);
    mask
}

/// The slices of a training: those that train, by what they show, and those that are held out.
#[derive(Debug)]
pub struct Examples {
    training: Vec<Example>,
    validation: Vec<Example>,
    /// Indices into `training`, by origin and then by whether there is blood.
    pools: [[Vec<usize>; 2]; 2],
}

impl Examples {
    /// Holds out the patients that `recipe` names, or its share of the patients with blood.
    ///
    /// Fails when nothing is left to train on.
    pub fn split(all: Vec<Example>, recipe: &Recipe) -> Result<Self, NetError> {
        let names = held_out(&all, recipe);
        let (validation, training): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|example| names.contains(&example.subject));
        let mut pools: [[Vec<usize>; 2]; 2] = Default::default();
        for (index, example) in training.iter().enumerate() {
            pools[example.origin as usize][usize::from(example.bleeds())].push(index);
        }
        if training.is_empty() {
            return Err(NetError::NoExamples { found: 0 });
        }
        Ok(Self { training, validation, pools })
    }

    /// Slices that train.
    pub fn training(&self) -> &[Example] {
        &self.training
    }

    /// Slices of the patients that are held out.
    pub fn validation(&self) -> &[Example] {
        &self.validation
    }

    /// A slice for training, by the chances of `recipe`; where there is none of the kind that was
    /// drawn, another kind takes its place.
    pub(super) fn draw(&self, recipe: &Recipe, random: &mut Random) -> &Example {
        let origin = usize::from(random.chance(recipe.phantom));
        let blood = usize::from(random.chance(recipe.blood));
        let kinds = [
            (origin, blood),
            (1 - origin, blood),
            (origin, 1 - blood),
            (1 - origin, 1 - blood),
        ];
        let pools = kinds.map(|(origin, blood)| &self.pools[origin][blood]);
        let pool = pools.into_iter().find(|pool| !pool.is_empty()).unwrap_or(pools[0]);
        &self.training[pool[random.below(pool.len())]]
    }

    /// SHA-256 of what tells these examples from others: names, shapes, sums.
    pub(super) fn sha256(&self) -> String {
        let mut bytes = Vec::new();
        for example in self.training.iter().chain(&self.validation) {
            bytes.extend(example.subject.bytes());
            let count = |mask: &Option<Array2<u8>>| {
                mask.iter().flatten().map(|&inside| u64::from(inside)).sum()
            };
            let brightness = example.pixels.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
            let (y, x) = example.dim();
            let sums = [y as u64, x as u64, brightness];
            for sum in sums.into_iter().chain([count(&example.blood), count(&example.ivh)]) {
                bytes.extend(sum.to_le_bytes());
            }
        }
        bytes.extend((self.training.len() as u64).to_le_bytes());
        sha256(&bytes)
    }
}

/// Names of the patients that are held out.
fn held_out(all: &[Example], recipe: &Recipe) -> BTreeSet<String> {
    if !recipe.validation_patients.is_empty() {
        return recipe.validation_patients.iter().cloned().collect();
    }
    let real = all.iter().filter(|example| example.origin == Origin::Real && example.bleeds());
    let mut names: Vec<&str> =
        real.map(Example::subject).collect::<BTreeSet<_>>().into_iter().collect();
    let n_held = (names.len() as f64 * recipe.validation).round() as usize;
    let mut random = Random::keyed(Stream::Hold, &[recipe.seed]);
    let mut held = BTreeSet::new();
    while held.len() < n_held && !names.is_empty() {
        held.insert(names.swap_remove(random.below(names.len())).to_owned());
    }
    held
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::path::Path;

    pub(in crate::train) fn recipe(text: &str) -> Recipe {
        Recipe::parse(text, Path::new("test.toml")).unwrap()
    }

    /// A head of 40 HU in air with a square of 70 HU, as large as `blood`, that is the label.
    pub(in crate::train) fn example(
        subject: &str,
        origin: Origin,
        blood: usize,
        recipe: &Recipe,
    ) -> Example {
        let inside = |at: usize| (10..54).contains(&at);
        let place = 14 + subject.bytes().map(usize::from).sum::<usize>() % 16;
        let label = Array2::from_shape_fn((64, 64), |(y, x)| {
            (place..place + blood).contains(&y) && (place..place + blood).contains(&x)
        });
        let hu = Array2::from_shape_fn((64, 64), |(y, x)| match (label[(y, x)], inside(y)) {
            (true, _) => 70.0,
            (false, true) if inside(x) => 30.0 + ((x * 7 + y * 3) % 11) as f32,
            _ => -1000.0,
        });
        let head = HeadBox { y0: 10, y1: 54, x0: 10, x1: 54 };
        let slice =
            Slice { subject, origin, hu: hu.view(), blood: label.view(), ivh: None, head };
        Example::cut(&slice, recipe).unwrap().unwrap()
    }

    #[test]
    fn a_slice_is_cut_to_the_head_with_its_margin_on_the_pooling_grid() {
        let recipe = recipe("margin = 1\ndepth = 3");
        let example = example("a", Origin::Real, 5, &recipe);
        // 64 x 64 lies at 224 of the frame: rows 233 to 279 with the margin, widened to eights.
        assert_eq!(example.dim(), (48, 48));
        assert_eq!(example.blood().unwrap().iter().filter(|&&inside| inside > 0).count(), 25);
        assert!(example.pixel((0, 0)) == 0.0 && example.pixel((10, 10)) > 0.25);
    }

    #[test]
    fn a_rim_around_ventricular_blood_counts_with_it_but_hematoma_does_not() {
        let recipe = recipe("margin = 0\ndepth = 1");
        let mut ivh = Array2::from_elem((8, 8), false);
        ivh[(4, 4)] = true;
        let mut blood = Array2::from_elem((8, 8), false);
        blood[(4, 5)] = true;
        let hu = Array2::zeros((8, 8));
        let slice = Slice {
            subject: "p",
            origin: Origin::Phantom,
            hu: hu.view(),
            blood: blood.view(),
            ivh: Some(ivh.view()),
            head: HeadBox { y0: 0, y1: 8, x0: 0, x1: 8 },
        };
        let example = Example::cut(&slice, &recipe).unwrap().unwrap();
        let n_rim = example.ivh().unwrap().iter().filter(|&&inside| inside > 0).count();
        // A diamond of 13 pixels without the one of the hematoma.
        assert_eq!(n_rim, 12);
    }

    #[test]
    fn patients_are_held_out_whole_and_phantoms_never() {
        let recipe = recipe("validation = 0.5");
        let all: Vec<Example> = ["a", "b", "c", "d"]
            .into_iter()
            .flat_map(|name| [(name, 4), (name, 0)])
            .map(|(name, blood)| example(name, Origin::Real, blood, &recipe))
            .chain([example("p", Origin::Phantom, 3, &recipe)])
            .collect();
        let examples = Examples::split(all, &recipe).unwrap();
        assert_eq!((examples.training().len(), examples.validation().len()), (5, 4));
        let trains: BTreeSet<_> = examples.training().iter().map(Example::subject).collect();
        assert!(examples.validation().iter().all(|held| !trains.contains(held.subject())));
    }

    #[test]
    fn slices_are_drawn_by_the_recipes_chances() {
        let recipe = recipe("validation = 0.0\nblood = 0.75\nphantom = 0.2");
        let all = vec![
            example("a", Origin::Real, 4, &recipe),
            example("a", Origin::Real, 0, &recipe),
            example("p", Origin::Phantom, 4, &recipe),
            example("p", Origin::Phantom, 0, &recipe),
        ];
        let examples = Examples::split(all, &recipe).unwrap();
        let mut random = Random::keyed(Stream::Sample, &[1]);
        let drawn: Vec<&Example> =
            (0..4000).map(|_| examples.draw(&recipe, &mut random)).collect();
        let share = |kind: fn(&Example) -> bool| {
            drawn.iter().filter(|&&example| kind(example)).count() as f64 / 4000.0
        };
        assert!((share(Example::bleeds) - 0.75).abs() < 0.03);
        assert!((share(|e| e.origin() == Origin::Phantom) - 0.2).abs() < 0.03);
    }
}
