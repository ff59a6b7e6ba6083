//! Which series of a study is scored, and why.
//!
//! First what cannot be a plain axial head CT goes, then what is left is ranked: names the head,
//! soft kernel, slices of 2.5 to 6 mm, coverage, number of slices, lowest series number. The
//! same headers in any order give the same choice.

use std::collections::BTreeSet;

use ichor_core::Withheld;

use crate::Header;
use crate::candidates::{Candidate, candidates};
use crate::kernel::has_contrast;
use crate::stack::{cross, dot};
use crate::uid::{CT_IMAGE, ENHANCED_CT, is_uncompressed};

/// A head has more slices than this in any protocol.
const FEWEST_SLICES: usize = 5;
/// Gantry tilt stays below; coronal and sagittal reformats lie far beyond.
const STEEPEST_DEGREES: f64 = 35.0;

/// The series that is scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its `SeriesInstanceUID`.
    pub series_uid: String,
    /// Its slices: indices into the headers that were given, rising.
    pub members: Vec<usize>,
    /// Why this one and not another, in words.
    pub why: String,
}

/// Chooses among the objects of one study; says why none will do.
pub fn choose_series(headers: &[Header]) -> Result<Choice, Withheld> {
    let sorted = Sorted::new(headers);
    if sorted.axial.is_empty() {
        return Err(sorted.why_none(headers));
    }
    let mut candidates = candidates(headers, &sorted.axial);
    let few = Withheld::TooFewSlices { slices: most_slices(&candidates) };
    let compressed = Withheld::TransferSyntax { uid: compressed_syntax(&candidates) };
    let mut left_out = sorted.left_out();
    let mut keep = |what: &str, good: &dyn Fn(&Candidate) -> bool, otherwise: Withheld| {
        if !candidates.iter().any(good) {
            return Err(otherwise);
        }
        let before = candidates.len();
        candidates.retain(good);
        let gone = before - candidates.len();
        if gone > 0 {
            left_out.push(format!("{gone} {what}"));
        }
        Ok(())
    };
    keep("series of under 5 slices", &|c| c.n_positions >= FEWEST_SLICES, few)?;
    keep("series with contrast agent", &|c| !has_contrast(c.first), Withheld::Contrast)?;
    keep("compressed series", &|c| is_uncompressed(&c.first.transfer_syntax), compressed)?;
    candidates.sort_by(|a, b| a.rank().cmp(&b.rank()).then_with(|| a.tie().cmp(&b.tie())));
    let Some(best) = candidates.first() else { return Err(Withheld::LocalizerOnly) };
    let mut why = best.text();
    if let Some(second) = candidates.get(1) {
        let reason = best.reason_over(second);
        why = format!("{why}, preferred to {} ({reason})", second.text());
    }
    if !left_out.is_empty() {
        why = format!("{why}; left out: {}", left_out.join(", "));
    }
    let members = best.members.clone();
    Ok(Choice { series_uid: best.first.series_uid.clone(), members, why })
}

/// The objects by what they are; indices into the headers.
#[derive(Default)]
struct Sorted {
    axial: Vec<usize>,
    tilted: usize,
    localizers: usize,
    secondary: usize,
    not_ct: usize,
    multi_frame: usize,
    unplaced: usize,
}

impl Sorted {
    fn new(headers: &[Header]) -> Self {
        let mut sorted = Self::default();
        for (index, header) in headers.iter().enumerate() {
            let says =
                |word: &str| header.image_type.iter().any(|v| v.eq_ignore_ascii_case(word));
            if header.modality != "CT" {
                sorted.not_ct += 1;
            } else if says("LOCALIZER") || says("SCOUT") || says("TOPOGRAM") {
                sorted.localizers += 1;
            } else if ENHANCED_CT.contains(&header.sop_class.as_str()) || header.frames > 1 {
                sorted.multi_frame += 1;
            } else if header.sop_class != CT_IMAGE || is_secondary(header) {
                sorted.secondary += 1;
            } else {
                match steepness(header) {
                    None => sorted.unplaced += 1,
                    Some(degrees) if degrees > STEEPEST_DEGREES => sorted.tilted += 1,
                    Some(_) => sorted.axial.push(index),
                }
            }
        }
        sorted
    }

    fn left_out(&self) -> Vec<String> {
        let counts = [
            (self.localizers, "localizer", "localizers"),
            (self.secondary, "secondary image", "secondary images"),
            (self.not_ct, "object that is not CT", "objects that are not CT"),
            (self.tilted, "reformatted slice", "reformatted slices"),
            (self.unplaced, "image without position", "images without position"),
            (self.multi_frame, "multi-frame object", "multi-frame objects"),
        ];
        let some = counts.into_iter().filter(|(n, _, _)| *n > 0);
        some.map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many })).collect()
    }

    /// Why nothing is left to score.
    fn why_none(&self, headers: &[Header]) -> Withheld {
        let why = |text: &str| Withheld::Geometry { why: text.to_owned() };
        if self.not_ct == headers.len() {
            let modalities: BTreeSet<&str> =
                headers.iter().map(|h| h.modality.as_str()).filter(|m| !m.is_empty()).collect();
            let named: Vec<&str> = modalities.into_iter().collect();
            let modality = if named.is_empty() {
                "objects of unknown modality".to_owned()
            } else {
                named.join(", ")
            };
            return Withheld::NotCt { modality };
        }
        match (self.multi_frame, self.tilted, self.unplaced) {
            (1.., _, _) => why("its slices lie in one multi-frame object, which is not read"),
            (_, 1.., _) => why("no series lies within 35 degrees of the axial plane"),
            (_, _, 1..) => why("no image says where it lies"),
            _ if self.localizers > 0 => Withheld::LocalizerOnly,
            _ => why("it holds captured or calculated images only, no CT slices"),
        }
    }
}

/// Captured from a screen or calculated: dose pages, summaries.
fn is_secondary(header: &Header) -> bool {
    header.image_type.get(1).is_some_and(|value| value.eq_ignore_ascii_case("SECONDARY"))
        || header.pixels.as_ref().is_none_or(|pixels| pixels.samples != 1)
}

/// Angle in degrees between the slice normal and the patient's long axis; none where the image
/// does not say where it lies.
fn steepness(header: &Header) -> Option<f64> {
    let ([row, column], _, _) = (header.orientation?, header.position?, header.spacing?);
    let normal = cross(row, column);
    let length = dot(normal, normal).sqrt();
    (length > 0.5).then(|| (normal[2].abs() / length).min(1.0).acos().to_degrees())
}

/// The most slices that one series has.
fn most_slices(candidates: &[Candidate]) -> usize {
    candidates.iter().map(|candidate| candidate.n_positions).max().unwrap_or(0)
}

/// The first compressed syntax in use, by name.
fn compressed_syntax(candidates: &[Candidate]) -> String {
    let used = candidates.iter().map(|candidate| candidate.first.transfer_syntax.as_str());
    used.filter(|uid| !is_uncompressed(uid)).min().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{files, header, shared};

    /// `n` slices of a series, 5 mm apart.
    fn series(number: i64, n: usize) -> Vec<Header> {
        let slice = |z: usize| Header {
            series_uid: format!("1.2.{number}"),
            sop_uid: format!("1.2.{number}.{z}"),
            series_number: Some(number),
            instance_number: i64::try_from(z + 1).ok(),
            position: Some([0.0, 0.0, z as f64 * 5.0]),
            ..header()
        };
        (0..n).map(slice).collect()
    }

    fn with(mut headers: Vec<Header>, change: impl Fn(&mut Header)) -> Vec<Header> {
        headers.iter_mut().for_each(change);
        headers
    }

    /// The chosen series is the same in every order.
    fn check(studies: &[Vec<Header>], chosen: &str) -> String {
        let mut all = studies.concat();
        let choice = choose_series(&all).unwrap();
        assert_eq!(choice.series_uid, chosen, "{}", choice.why);
        all.reverse();
        let reversed = choose_series(&all).unwrap();
        assert_eq!((reversed.series_uid.as_str(), &reversed.why), (chosen, &choice.why));
        choice.why
    }

    #[test]
    fn the_soft_kernel_goes_before_the_sharp_one_and_says_so() {
        let bone = with(series(1, 28), |h| h.kernel = "BONEPLUS".to_owned());
        let why = check(&[bone, series(2, 28)], "1.2.2");
        assert_eq!(
            why,
            "series 2 'HEAD 5.0': 28 axial slices of 5.0 mm over 135 mm, kernel H31s, preferred \
             to series 1 'HEAD 5.0': 28 axial slices of 5.0 mm over 135 mm, kernel BONEPLUS \
             (soft-tissue kernel)"
        );
    }

    #[test]
    fn thickness_then_coverage_then_number_decide() {
        let thin = with(series(1, 28), |h| h.thickness_mm = Some(0.625));
        check(&[thin, series(2, 28)], "1.2.2");
        check(&[series(1, 10), series(2, 28)], "1.2.2");
        check(&[series(3, 28), series(2, 28)], "1.2.2");
        let chest = with(series(1, 60), |h| {
            h.body_part = "CHEST".to_owned();
            h.series_description = "CHEST".to_owned();
        });
        check(&[chest, series(2, 28)], "1.2.2");
    }

    #[test]
    fn contrast_is_left_out_where_a_plain_series_exists() {
        let given = with(series(1, 28), |h| h.contrast_agent = "ULTRAVIST".to_owned());
        let why = check(&[given.clone(), series(2, 20)], "1.2.2");
        assert!(why.ends_with("left out: 1 series with contrast agent"), "{why}");
        assert_eq!(choose_series(&given), Err(Withheld::Contrast));
    }

    #[test]
    fn a_reason_is_given_where_nothing_can_be_scored() {
        let check = |headers: Vec<Header>, withheld: Withheld| {
            assert_eq!(choose_series(&headers), Err(withheld));
        };
        let mr = with(series(1, 28), |h| h.modality = "MR".to_owned());
        check(mr, Withheld::NotCt { modality: "MR".to_owned() });
        let scout = with(series(1, 2), |h| h.image_type[2] = "LOCALIZER".to_owned());
        check(scout, Withheld::LocalizerOnly);
        check(series(1, 4), Withheld::TooFewSlices { slices: 4 });
        let jpeg = "1.2.840.10008.1.2.4.90";
        let packed = with(series(1, 28), |h| h.transfer_syntax = jpeg.to_owned());
        check(packed, Withheld::TransferSyntax { uid: jpeg.to_owned() });
        let coronal = with(series(1, 28), |h| {
            h.orientation = Some([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]);
        });
        let why = "no series lies within 35 degrees of the axial plane".to_owned();
        check(coronal, Withheld::Geometry { why });
    }

    #[test]
    fn two_acquisitions_in_one_series_are_told_apart() {
        let second = with(series(1, 28), |h| {
            h.acquisition_number = Some(2);
            h.sop_uid += ".2";
        });
        let choice = choose_series(&[series(1, 28), second].concat()).unwrap();
        assert_eq!(choice.members, (0..28).collect::<Vec<_>>());
    }

    #[test]
    fn a_slice_that_points_elsewhere_is_dropped() {
        let mut headers = series(1, 28);
        headers[5].orientation = Some([[0.9, 0.4359, 0.0], [-0.4359, 0.9, 0.0]]);
        let choice = choose_series(&headers).unwrap();
        assert_eq!((choice.members.len(), choice.members.contains(&5)), (27, false));
    }

    #[test]
    fn of_a_real_exam_the_brain_series_is_chosen() {
        let Some(folder) = shared("head-ct/philips-phantom") else { return };
        let paths: Vec<_> =
            files(&folder).into_iter().filter(|path| !path.ends_with("DIRFILE")).collect();
        let headers: Vec<Header> =
            paths.iter().map(|path| crate::read_header(path).unwrap()).collect();
        let choice = choose_series(&headers).unwrap();
        println!("{}", choice.why);
        assert_eq!(headers[choice.members[0]].series_description, "STD BRAIN 5MM");
        assert!(choice.why.ends_with("left out: 1 localizer, 6 secondary images"));
    }
}
