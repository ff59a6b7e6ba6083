//! Island sign.
//!
//! Li et al. 2017, Stroke 48:3019: three or more scattered small hematomas, all apart from the
//! main one; or four or more small ones, some or all of which may be joined to it like bubbles
//! or sprouts, but not as lobes. What hangs on a neck is a bubble, what has a broad base is a
//! lobe: how wide a neck may be is a free choice.

use ichor_plugin::Refused;

use crate::components::{Joined, components};
use crate::finding::Finding;
use crate::hematoma::Slice;
use crate::pace::Pace;

/// Small hematomas apart from the main one that make the sign.
const APART: usize = 3;
/// Small hematomas, apart or joined, that make the sign.
const APART_OR_JOINED: usize = 4;
/// Area of a small hematoma at most, as a share of the main one's largest.
const SMALL: f64 = 0.35;

/// One connected part of one slice, without its necks.
#[derive(Debug)]
struct Part {
    n_pixels: usize,
    place: [usize; 3],
    /// Not the largest part of its slice.
    beside: bool,
}

/// What the slices show of the sign.
#[derive(Debug, Default)]
pub(crate) struct Island {
    parts: Vec<Part>,
    /// Parts that touch from slice to slice.
    touching: Groups,
    /// Those of them that both lie beside a larger part.
    beside: Groups,
    /// Part of each pixel of the last slice, counted from 1.
    below: Vec<usize>,
}

impl Island {
    /// A slice that the mask does not meet parts what lies above from what lies below.
    pub(crate) fn skip(&mut self) {
        self.below.clear();
    }

    /// Looks at the next slice: cuts necks narrower than `neck_mm`; what is smaller than
    /// `smallest_mm2` after that is a speck.
    pub(crate) fn look(
        &mut self,
        slice: &Slice,
        (neck_mm, smallest_mm2): (f64, f64),
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let plane = &slice.plane;
        let mut here = vec![0; plane.len()];
        let mut found = without_necks(slice, neck_mm, pace)?;
        found.retain(|pixels| pixels.len() as f64 * plane.pixel_mm2() >= smallest_mm2);
        let largest = found.iter().map(Vec::len).max().unwrap_or(0);
        let mut main_seen = false;
        for pixels in found {
            let Some(middle) = plane.middle(&pixels) else { continue };
            let beside = pixels.len() < largest || main_seen;
            main_seen |= !beside;
            let part = self.parts.len();
            self.parts.push(Part {
                n_pixels: pixels.len(),
                place: slice.place(middle),
                beside,
            });
            self.touching.add();
            self.beside.add();
            for at in pixels {
                here[at] = part + 1;
                let below = self.below.get(at).copied().unwrap_or(0);
                if below > 0 {
                    self.touching.join(part, below - 1);
                    if beside && self.parts[below - 1].beside {
                        self.beside.join(part, below - 1);
                    }
                }
            }
            pace.work(plane.columns)?;
        }
        self.below = here;
        Ok(())
    }

    /// Small hematomas apart from the main one, those joined to it, and the largest of all.
    fn counted(&self) -> (usize, usize, Option<[usize; 3]>) {
        let groups = self.touching.roots();
        let mut sizes = vec![0; self.parts.len()];
        let mut widest = vec![0; self.parts.len()];
        for (part, &group) in self.parts.iter().zip(&groups) {
            sizes[group] += part.n_pixels;
            widest[group] = widest[group].max(part.n_pixels);
        }
        let Some(main) = (0..sizes.len()).max_by_key(|&group| sizes[group]) else {
            return (0, 0, None);
        };
        let small = |n_pixels: usize| n_pixels as f64 <= SMALL * widest[main] as f64;
        let is_apart = |group: usize| group != main && sizes[group] > 0 && small(widest[group]);
        let apart = (0..sizes.len()).filter(|&group| is_apart(group)).count();
        let chains = self.beside.roots();
        let mut joined: Vec<usize> = Vec::new();
        let mut best: Option<&Part> = None;
        for (idx, part) in self.parts.iter().enumerate() {
            let hangs_on = groups[idx] == main && part.beside && small(part.n_pixels);
            if hangs_on {
                joined.push(chains[idx]);
            }
            if (hangs_on || is_apart(groups[idx]))
                && best.is_none_or(|best| part.n_pixels > best.n_pixels)
            {
                best = Some(part);
            }
        }
        joined.sort_unstable();
        joined.dedup();
        (apart, joined.len(), best.map(|part| part.place))
    }

    /// Number of small hematomas, apart or joined.
    pub(crate) fn count(&self) -> f64 {
        let (apart, joined, _) = self.counted();
        (apart + joined) as f64
    }

    /// The place is the largest small hematoma's.
    pub(crate) fn finding(&self) -> Finding {
        let (apart, joined, place) = self.counted();
        Finding::at(place.filter(|_| apart >= APART || apart + joined >= APART_OR_JOINED))
    }
}

/// The connected parts of a slice once its necks are cut; a part that is nowhere wider than a
/// neck is whole.
fn without_necks(
    slice: &Slice,
    neck_mm: f64,
    pace: &mut Pace<'_, '_>,
) -> Result<Vec<Vec<usize>>, Refused> {
    let cut = slice.interior(neck_mm / 2.0);
    let mut parts = components(&slice.plane, &slice.inside, Joined::ByEdge, pace)?;
    parts.retain(|pixels| !pixels.iter().any(|&at| cut[at]));
    parts.extend(components(&slice.plane, &cut, Joined::ByEdge, pace)?);
    Ok(parts)
}

/// Sets that grow together (Tarjan 1975), over numbers from 0 on.
#[derive(Debug, Default)]
struct Groups {
    parent: Vec<usize>,
}

impl Groups {
    /// A new set of one.
    fn add(&mut self) {
        self.parent.push(self.parent.len());
    }

    fn root(&self, mut of: usize) -> usize {
        while self.parent[of] != of {
            of = self.parent[of];
        }
        of
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The older number stays: sets of one slice hang on those below, so paths stay short.
        let (root, child) = (a.min(b), a.max(b));
        self.parent[child] = root;
    }

    fn roots(&self) -> Vec<usize> {
        (0..self.parent.len()).map(|of| self.root(of)).collect()
    }
}
