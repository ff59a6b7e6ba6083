//! The extractor `signs`: which signs of expansion a hematoma shows, how clearly, and where.

use std::path::Path;

use ichor_plugin::{Call, Extractor, Refused, VolumeView};

use crate::basins::basins;
use crate::black_hole::BlackHole;
use crate::blend::Blend;
use crate::choices::Choices;
use crate::finding::Finding;
use crate::fluid_level::FluidLevel;
use crate::hematoma::{Hematoma, Slice};
use crate::heterogeneous::Heterogeneous;
use crate::hypodensity::Hypodensity;
use crate::irregular::Irregular;
use crate::island::Island;
use crate::pace::Pace;
use crate::satellite::Satellite;
use crate::swirl::Swirl;

/// The signs, each with the further features it gives beside its place.
const SIGNS: [(&str, &[&str]); 9] = [
    ("blend", &["blend_hu"]),
    ("black_hole", &["black_hole_hu"]),
    ("swirl", &["swirl_share"]),
    ("hypodensity", &["hypodensity_hu"]),
    ("heterogeneous", &["heterogeneous_grade", "heterogeneous_variation"]),
    ("irregular", &["irregular_grade", "irregular_solidity"]),
    ("island", &["island_count"]),
    ("satellite", &["satellite_count"]),
    ("fluid_level", &["fluid_level_hu"]),
];

/// Looks for the signs of expansion on a scan without contrast.
///
/// Of each sign it gives `sign.NAME` (1, 0, NaN where nothing can be said), what it measured for
/// it, and `sign.NAME.z`, `.y`, `.x`, the voxel to look at, NaN where the sign is absent.
#[derive(Debug)]
pub struct Signs {
    choices: Choices,
    names: Vec<String>,
}

impl Signs {
    /// Names of the features, in the order in which they are given.
    pub fn names() -> impl Iterator<Item = String> {
        SIGNS.into_iter().flat_map(|(sign, measured)| {
            let own = std::iter::once(format!("sign.{sign}"));
            let place = ["z", "y", "x"].map(|axis| format!("sign.{sign}.{axis}"));
            own.chain(measured.iter().map(|name| format!("sign.{name}"))).chain(place)
        })
    }
}

impl Extractor for Signs {
    /// `config` holds what the definitions leave open, see `signs.toml`.
    fn open(config: &str, _folder: &Path) -> Result<Self, Refused> {
        Ok(Self { choices: Choices::read(config)?, names: Self::names().collect() })
    }

    fn outputs(&self) -> &[String] {
        &self.names
    }

    fn extract(
        &self,
        volume: &VolumeView<'_>,
        _inputs: &[f64],
        features: &mut [f64],
        call: &mut Call<'_>,
    ) -> Result<(), Refused> {
        let mut pace = Pace::new(call);
        pace.ask()?;
        let hematoma = Hematoma::find(volume, &mut pace)?;
        let mut seen = Seen::new(volume, &hematoma);
        let n_slices = hematoma.slices().count() as f32;
        for (done, z) in hematoma.slices().enumerate() {
            pace.share = 0.1 + 0.9 * done as f32 / n_slices;
            match hematoma.slice(z, self.choices.sigma_mm, &mut pace)? {
                Some(slice) => {
                    seen.look(&slice, z == hematoma.largest, &self.choices, &mut pace)?;
                }
                None => seen.skip(),
            }
        }
        for (slot, value) in features.iter_mut().zip(seen.features(&self.choices)) {
            *slot = if value.is_finite() { value } else { f64::NAN };
        }
        pace.share = 1.0;
        pace.ask()
    }
}

/// All signs while the slices go by.
#[derive(Debug)]
struct Seen {
    blend: Blend,
    black_hole: BlackHole,
    swirl: Swirl,
    hypodensity: Hypodensity,
    heterogeneous: Heterogeneous,
    irregular: Irregular,
    island: Island,
    satellite: Satellite,
    fluid_level: FluidLevel,
}

impl Seen {
    fn new(volume: &VolumeView<'_>, hematoma: &Hematoma<'_>) -> Self {
        Self {
            blend: Blend::default(),
            black_hole: BlackHole::default(),
            swirl: Swirl::new(hematoma, volume.spacing_mm[0]),
            hypodensity: Hypodensity::default(),
            heterogeneous: Heterogeneous::default(),
            irregular: Irregular::default(),
            island: Island::default(),
            satellite: Satellite::default(),
            fluid_level: FluidLevel::new(volume),
        }
    }

    fn skip(&mut self) {
        self.swirl.skip();
        self.island.skip();
    }

    fn look(
        &mut self,
        slice: &Slice,
        largest: bool,
        choices: &Choices,
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let basins = basins(slice, choices.hypodensity_hu / 2.0, pace)?;
        self.black_hole.look(slice, &basins, choices.smallest_mm2);
        self.hypodensity.look(slice, &basins, choices.smallest_mm2);
        self.blend.look(slice, choices.blend(), pace)?;
        self.fluid_level.look(slice, choices.fluid_level(), pace)?;
        let swirl = (choices.swirl_share, choices.rim_mm, choices.smallest_mm2);
        self.swirl.look(slice, swirl, pace)?;
        self.island.look(slice, (choices.neck_mm, choices.bubble_mm2), pace)?;
        self.satellite.look(slice, choices.smallest_mm2, pace)?;
        self.heterogeneous.add(slice, choices.rim_mm);
        if largest {
            self.heterogeneous.grade_slice(slice, choices.heterogeneous(), pace)?;
            self.irregular.grade_slice(slice, choices.bay, pace)?;
        }
        Ok(())
    }

    /// The values, in the order of [`SIGNS`].
    fn features(&self, choices: &Choices) -> Vec<f64> {
        let heterogeneous = [self.heterogeneous.grade(), self.heterogeneous.variation()];
        let irregular = [self.irregular.grade(), self.irregular.solidity()];
        let signs: [(Finding, &[f64]); SIGNS.len()] = [
            (self.blend.finding(), &[self.blend.hu()]),
            (self.black_hole.finding(), &[self.black_hole.hu()]),
            (self.swirl.finding(), &[self.swirl.share()]),
            (self.hypodensity.finding(choices.hypodensity_hu), &[self.hypodensity.hu()]),
            (self.heterogeneous.finding(), &heterogeneous),
            (self.irregular.finding(), &irregular),
            (self.island.finding(), &[self.island.count()]),
            (self.satellite.finding(), &[self.satellite.count()]),
            (self.fluid_level.finding(choices.fluid_level_hu), &[self.fluid_level.hu()]),
        ];
        let mut values = Vec::new();
        for (finding, measured) in signs {
            values.push(finding.value());
            values.extend_from_slice(measured);
            values.extend([0, 1, 2].map(|axis| finding.index(axis)));
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::testing::{Noise, Scene, call};

    fn signs() -> Signs {
        Signs::open(include_str!("../signs.toml"), Path::new("")).unwrap()
    }

    fn extract(scene: &Scene) -> Result<Vec<f64>, Refused> {
        let signs = signs();
        let mut features = vec![f64::NAN; signs.outputs().len()];
        scene.view(|view| call(|call| signs.extract(view, &[], &mut features, call)))?;
        Ok(features)
    }

    fn of(features: &[f64], name: &str) -> f64 {
        features[Signs::names().position(|known| known == name).unwrap()]
    }

    /// The signs that a scene shows, by name.
    fn shown(scene: &Scene) -> Vec<&'static str> {
        let features = extract(scene).unwrap();
        let there = |sign: &&str| of(&features, &format!("sign.{sign}")) > 0.5;
        SIGNS.map(|(sign, _)| sign).into_iter().filter(there).collect()
    }

    /// A round hematoma of 60 HU, 24 mm wide, over three slices.
    fn round() -> Scene {
        Scene::new(5).disc(1..4, (20.0, 20.0), 12.0, 60)
    }

    fn check(scene: Scene, expected: &[&str]) {
        assert_eq!(shown(&scene), expected);
        assert_eq!(shown(&scene.noisy()), expected, "with noise");
    }

    #[test]
    fn a_round_even_hematoma_shows_no_sign() {
        check(round(), &[]);
    }

    #[test]
    fn a_dark_disc_within_is_a_black_hole_from_28_hu_on() {
        let hole = |hu| round().disc(2..3, (22.0, 18.0), 3.0, hu);
        check(hole(30), &["black_hole", "hypodensity"]);
        check(hole(36), &["hypodensity"]);
        let features = extract(&hole(30)).unwrap();
        assert!((of(&features, "sign.black_hole_hu") - 30.0).abs() < 1.0);
        let place =
            ["z", "y", "x"].map(|axis| of(&features, &format!("sign.black_hole.{axis}")));
        assert_eq!(place.map(|index| index as usize), [2, 44, 36]);
    }

    #[test]
    fn a_dark_region_that_reaches_the_surface_is_no_hole() {
        let bay = round().disc(2..3, (31.0, 20.0), 3.0, 30);
        assert!(!shown(&bay).contains(&"black_hole"));
        assert!(!shown(&bay).contains(&"hypodensity"));
    }

    #[test]
    fn a_hole_that_the_mask_leaves_out_still_counts() {
        let mut scene = round().disc(2..3, (22.0, 18.0), 3.0, 30);
        let dark: Vec<usize> = (0..scene.hu.len()).filter(|&at| scene.hu[at] == 30).collect();
        for at in dark {
            scene.mask[at] = 0;
        }
        assert!(shown(&scene).contains(&"black_hole"));
    }

    #[test]
    fn a_swirl_goes_through_two_slices() {
        let swirl = |slices| round().disc(slices, (22.0, 18.0), 4.0, 42);
        check(swirl(2..4), &["swirl", "hypodensity"]);
        check(swirl(2..3), &["hypodensity"]);
    }

    #[test]
    fn a_blend_has_18_hu_between_its_parts() {
        // The darker part lies to the side: below or above it would be a fluid level.
        let halves = |hu| {
            let mut scene = round();
            scene.paint(|z, y, x| z == 2 && (y - 20.0).hypot(x - 20.0) <= 12.0 && x > 24.0, hu);
            scene
        };
        check(halves(40), &["blend"]);
        check(halves(45), &[]);
    }

    #[test]
    fn plasma_over_cells_is_a_fluid_level_and_cells_over_plasma_are_not() {
        let halves = |above, below| {
            let mut scene = round();
            let inside = |y: f64, x: f64| (y - 20.0).hypot(x - 20.0) <= 12.0;
            scene.paint(|z, y, x| z == 2 && inside(y, x) && y < 18.0, above);
            scene.paint(|z, y, x| z == 2 && inside(y, x) && y >= 18.0, below);
            scene
        };
        assert!(shown(&halves(44, 66)).contains(&"fluid_level"));
        assert!(!shown(&halves(66, 44)).contains(&"fluid_level"));
    }

    #[test]
    fn islands_are_three_apart_and_a_satellite_is_one() {
        let one = round().disc(2..3, (36.0, 20.0), 2.5, 60);
        check(one.clone(), &["satellite"]);
        let three = one.disc(2..3, (20.0, 36.0), 2.5, 60).disc(2..3, (4.0, 20.0), 2.5, 60);
        let features = extract(&three).unwrap();
        assert!(shown(&three).contains(&"island"), "{features:?}");
        assert!((of(&features, "sign.island_count") - 3.0).abs() < 1e-9);
        assert!((of(&features, "sign.satellite_count") - 3.0).abs() < 1e-9);
    }

    #[test]
    fn four_bubbles_on_necks_are_islands_and_four_lobes_are_not() {
        let around = [(34.2, 20.0), (20.0, 34.2), (5.8, 20.0), (20.0, 5.8)];
        let with = |radius_mm| {
            let add = |scene: Scene, place| scene.disc(2..3, place, radius_mm, 60);
            around.into_iter().fold(round(), add)
        };
        assert!(shown(&with(2.6)).contains(&"island"));
        assert!(!shown(&with(5.0)).contains(&"island"));
    }

    #[test]
    fn two_deep_bays_make_a_shape_irregular() {
        let mut scene = Scene::new(5);
        // A clover of three leaves.
        for place in [(14.0, 14.0), (14.0, 27.0), (26.0, 20.0)] {
            scene = scene.disc(1..4, place, 7.5, 60);
        }
        let features = extract(&scene).unwrap();
        assert!((of(&features, "sign.irregular_grade") - 4.0).abs() < 1e-9, "{features:?}");
        assert!(of(&features, "sign.irregular_solidity") < 0.95);
        assert!(shown(&scene).contains(&"irregular"));
    }

    #[test]
    fn three_foci_on_the_largest_slice_are_heterogeneous() {
        let focus = |scene: Scene, place| scene.disc(2..3, place, 2.0, 52);
        let two = [(15.0, 15.0), (15.0, 25.0)].into_iter().fold(round(), focus);
        // The largest slice is the first of equals.
        let two = two.disc(2..3, (20.0, 20.0), 0.1, 60).disc(2..3, (20.0, 32.4), 0.6, 60);
        assert!(!shown(&two).contains(&"heterogeneous"));
        let three = focus(two, (26.0, 20.0));
        assert!(shown(&three).contains(&"heterogeneous"));
    }

    #[test]
    fn what_is_no_volume_is_refused_in_words() {
        let text = |scene: &Scene| extract(scene).unwrap_err().text;
        assert_eq!(text(&Scene::new(2)), "the mask is empty: there is no hematoma to look at");
        let mut scene = round();
        scene.spacing_mm[1] = f64::NAN;
        assert_eq!(text(&scene), "NaN mm is no distance between voxels");
        let mut scene = round();
        scene.shape = [usize::MAX, 2, 2];
        scene.spacing_mm[1] = 0.5;
        scene.hu.truncate(8);
        // Only the shape is wrong, so the view cannot be made from it: say it directly.
        let view = VolumeView { shape: [usize::MAX, 2, 2], ..empty_view() };
        let refused = call(|call| signs().extract(&view, &[], &mut [0.0; 3], call));
        assert!(refused.unwrap_err().text.ends_with("0 grey values and 0 mask values came"));
    }

    fn empty_view() -> VolumeView<'static> {
        VolumeView {
            hu: &[],
            mask: &[],
            shape: [0; 3],
            spacing_mm: [1.0; 3],
            direction: [[0.0; 3]; 3],
            slice_origins_mm: &[],
            slice_pos_mm: &[],
        }
    }

    #[test]
    fn any_mask_and_any_grey_values_give_numbers_or_a_refusal_and_never_infinity() {
        let mut noise = Noise::new(11);
        for _ in 0..600 {
            let shape = [1 + noise.below(4), 1 + noise.below(14), 1 + noise.below(14)];
            let percent = [1, 20, 50, 100][noise.below(4)];
            let n = shape.iter().product();
            let extremes = [i16::MIN, i16::MAX, -1024, 3071, 0, 60];
            let spacings = [0.001, 0.5, 5.0, 1000.0];
            let scene = Scene {
                shape,
                spacing_mm: [0, 1, 2].map(|_| spacings[noise.below(4)]),
                hu: (0..n).map(|_| extremes[noise.below(6)]).collect(),
                mask: (0..n).map(|_| u8::from(noise.below(100) < percent)).collect(),
            };
            match extract(&scene) {
                Ok(features) => assert!(features.iter().all(|value| !value.is_infinite())),
                Err(refused) => assert!(refused.text.starts_with("the mask is empty")),
            }
        }
    }

    #[test]
    fn a_mask_over_the_whole_volume_is_worked_on_with_a_question_every_little_while() {
        let mut noise = Noise::new(13);
        let n = 2 * 256 * 256;
        let scene = Scene {
            shape: [2, 256, 256],
            spacing_mm: [5.0, 0.5, 0.5],
            hu: (0..n).map(|_| noise.hu()).collect(),
            mask: vec![1; n],
        };
        let mut n_asked = 0;
        let mut poll = |_: f32| {
            n_asked += 1;
            ControlFlow::Continue(())
        };
        let signs = signs();
        let mut features = vec![f64::NAN; signs.outputs().len()];
        let done = scene
            .view(|view| signs.extract(view, &[], &mut features, &mut Call::new(&mut poll)));
        assert_eq!(done, Ok(()));
        assert!(n_asked > 50, "{n_asked} questions");
    }

    #[test]
    fn the_extractor_stops_when_it_is_asked_to() {
        for patience in [0, 1, 7] {
            let mut asked = 0;
            let mut poll = |_: f32| {
                asked += 1;
                if asked > patience {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let stopped = round().view(|view| {
                signs().extract(view, &[], &mut [0.0; 64], &mut Call::new(&mut poll))
            });
            assert_eq!(stopped, Err(Refused::cancelled()), "after {patience} questions");
        }
    }

    #[test]
    fn a_choice_that_is_missing_or_unknown_is_refused() {
        let config = include_str!("../signs.toml");
        assert!(Signs::open("", Path::new("")).is_err());
        assert!(Signs::open(&format!("{config}\ncolor_hu = 1\n"), Path::new("")).is_err());
        assert!(Signs::open(&config.replace("bay = 0.05", "bay = -1"), Path::new("")).is_err());
    }
}
