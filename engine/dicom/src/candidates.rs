//! The series of a study as candidates for scoring: what belongs together, and how it ranks.

use std::collections::BTreeMap;

use crate::Header;
use crate::kernel::{has_contrast, is_soft, names_head, sounds_like_contrast};
use crate::stack::{cross, dot};

/// The thickness that the networks saw.
const THICKNESS_MM: std::ops::RangeInclusive<f64> = 2.5..=6.0;
/// Positions nearer to each other are the same.
pub(crate) const SAME_POSITION_MM: f64 = 0.01;

/// A series, or the part of one that belongs together.
pub(crate) struct Candidate<'a> {
    pub(crate) first: &'a Header,
    pub(crate) members: Vec<usize>,
    pub(crate) n_positions: usize,
    coverage_mm: f64,
    thickness_mm: f64,
    thinnest_mm: f64,
    thickest_mm: f64,
}

impl<'a> Candidate<'a> {
    fn new(headers: &'a [Header], members: Vec<usize>) -> Option<Self> {
        let first = &headers[*members.first()?];
        let positions = positions(headers, &members);
        let n_positions = distinct(&positions);
        let coverage_mm = positions.last()? - positions.first()?;
        let mut given: Vec<f64> =
            members.iter().filter_map(|&index| headers[index].thickness_mm).collect();
        given.sort_by(f64::total_cmp);
        let step = coverage_mm / (n_positions.max(2) - 1) as f64;
        let thickness_mm = given.get(given.len() / 2).copied().unwrap_or(step);
        let thinnest_mm = given.first().copied().unwrap_or(step);
        let thickest_mm = given.last().copied().unwrap_or(step);
        Some(Self {
            first,
            members,
            n_positions,
            coverage_mm,
            thickness_mm,
            thinnest_mm,
            thickest_mm,
        })
    }

    /// Smaller is better, in the order in which the module's header names them.
    pub(crate) fn rank(&self) -> [i64; 6] {
        [
            i64::from(!names_head(self.first)),
            i64::from(sounds_like_contrast(self.first)),
            i64::from(!is_soft(self.first)),
            i64::from(!THICKNESS_MM.contains(&self.thickness_mm)),
            // In steps of a centimetre, and no more than a head: a body scan is no better.
            -((self.coverage_mm / 10.0).round().min(20.0) as i64),
            -i64::try_from(self.n_positions).unwrap_or(i64::MAX),
        ]
    }

    /// What decides between equals.
    pub(crate) fn tie(&self) -> (i64, &str, Option<i64>) {
        let number = self.first.series_number.unwrap_or(i64::MAX);
        (number, &self.first.series_uid, self.first.acquisition_number)
    }

    pub(crate) fn reason_over(&self, other: &Self) -> &'static str {
        let reasons = [
            "names the head",
            "not called contrast",
            "soft-tissue kernel",
            "slices of 2.5 to 6 mm",
            "more coverage",
            "more slices",
        ];
        let (ours, theirs) = (self.rank(), other.rank());
        let differs = ours.iter().zip(theirs).position(|(a, b)| *a != b);
        differs.map_or("lower series number", |index| reasons[index])
    }

    pub(crate) fn text(&self) -> String {
        let header = self.first;
        let number = header.series_number.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let name = match header.series_description.as_str() {
            "" => String::new(),
            name => format!(" '{name}'"),
        };
        let kernel = match header.kernel.as_str() {
            "" => "no kernel named".to_owned(),
            kernel => format!("kernel {kernel}"),
        };
        let (thin, thick) = (self.thinnest_mm, self.thickest_mm);
        let each = if thick - thin < 0.05 {
            format!("{thick:.1} mm")
        } else {
            format!("{thin:.1} to {thick:.1} mm")
        };
        let (slices, far) = (self.n_positions, self.coverage_mm);
        format!(
            "series {number}{name}: {slices} axial slices of {each} over {far:.0} mm, {kernel}"
        )
    }
}

/// Series split into parts that do not overlap themselves, without orientation outliers.
pub(crate) fn candidates<'a>(headers: &'a [Header], axial: &[usize]) -> Vec<Candidate<'a>> {
    let mut series: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &index in axial {
        series.entry(&headers[index].series_uid).or_default().push(index);
    }
    series
        .into_values()
        .map(|members| same_orientation(headers, members))
        .flat_map(|members| split_repeats(headers, members))
        .filter_map(|members| Candidate::new(headers, members))
        .collect()
}

/// The members that share the orientation of most; the first one's among equals.
fn same_orientation(headers: &[Header], members: Vec<usize>) -> Vec<usize> {
    let like = |a: usize, b: usize| match (headers[a].orientation, headers[b].orientation) {
        (Some([r1, c1]), Some([r2, c2])) => dot(r1, r2) > 0.999 && dot(c1, c2) > 0.999,
        _ => false,
    };
    let support = |a: usize| members.iter().filter(|&&b| like(a, b)).count();
    let mut leader = None;
    for &member in &members {
        let n = support(member);
        if leader.is_none_or(|(best, _)| n > best) {
            leader = Some((n, member));
        }
        if 2 * n > members.len() {
            break;
        }
    }
    let Some((_, leader)) = leader else { return members };
    members.into_iter().filter(|&member| like(leader, member)).collect()
}

/// Two acquisitions in one series lie on each other. The first attribute that tells them apart
/// splits them; where none does, they stay together for the stack to judge.
fn split_repeats(headers: &[Header], members: Vec<usize>) -> Vec<Vec<usize>> {
    let repeats = |part: &[usize]| distinct(&positions(headers, part)) < part.len();
    if !repeats(&members) {
        return vec![members];
    }
    let keys: [&dyn Fn(&Header) -> String; 5] = [
        &|h| has_contrast(h).to_string(),
        &|h| h.kernel.clone(),
        &|h| format!("{:?} {:?}", h.spacing, h.pixels.as_ref().map(|p| (p.rows, p.columns))),
        &|h| format!("{:?}", h.image_type),
        &|h| format!("{:?}", h.acquisition_number),
    ];
    for key in keys {
        let mut parts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for &member in &members {
            parts.entry(key(&headers[member])).or_default().push(member);
        }
        if parts.values().all(|part| !repeats(part)) {
            return parts.into_values().collect();
        }
    }
    vec![members]
}

/// Positions along the first member's normal, rising.
fn positions(headers: &[Header], members: &[usize]) -> Vec<f64> {
    let orientation = members.first().and_then(|&index| headers[index].orientation);
    let Some([row, column]) = orientation else { return Vec::new() };
    let normal = cross(row, column);
    let mut found: Vec<f64> = members
        .iter()
        .filter_map(|&index| headers[index].position.map(|position| dot(position, normal)))
        .collect();
    found.sort_by(f64::total_cmp);
    found
}

fn distinct(rising: &[f64]) -> usize {
    let steps = rising.windows(2).filter(|pair| pair[1] - pair[0] >= SAME_POSITION_MM);
    steps.count() + usize::from(!rising.is_empty())
}
