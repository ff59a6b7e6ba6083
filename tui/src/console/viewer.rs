//! The state of the study view: which slice, which window, what was decoded.

use std::{collections::BTreeMap, path::Path};

use ichor_store::StudyDetail;

use super::{
    event::{Album, Opened, Wish},
    slices::Slice,
};

/// Decoded slices that are kept; a scan of thin slices would take hundreds of megabytes.
const KEPT: usize = 64;

/// How the screen is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layout {
    /// Picture on the left, text on the right.
    #[default]
    Both,
    /// The picture alone.
    Picture,
    /// The text alone.
    Text,
}

/// A study that is looked at.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// The study's row in the store.
    pub(crate) study: i64,
    /// All about it; none until it was read.
    pub(crate) detail: Option<StudyDetail>,
    /// Its pictures, or why there are none.
    pub(crate) album: Result<Album, String>,
    /// Decoded slices; none for those that were asked for.
    decoded: BTreeMap<usize, Option<Result<Slice, String>>>,
    /// The slice on the screen, from the lowest.
    pub(crate) z: usize,
    /// The preset of the window.
    pub(crate) window: usize,
    /// Whether the hematoma is outlined.
    pub(crate) contour: bool,
    /// How the screen is divided.
    pub(crate) layout: Layout,
    /// Lines of the text that are scrolled away.
    pub(crate) scroll: usize,
}

impl Viewer {
    /// A study that was not read yet.
    pub(crate) fn new(study: i64) -> Self {
        Self {
            study,
            detail: None,
            album: Err("reading the pictures".to_owned()),
            decoded: BTreeMap::new(),
            z: 0,
            window: 0,
            contour: true,
            layout: Layout::default(),
            scroll: 0,
        }
    }

    /// Another study, looked at in the same way.
    pub(crate) fn turn_to(&self, study: i64) -> Self {
        Self {
            window: self.window,
            contour: self.contour,
            layout: self.layout,
            ..Self::new(study)
        }
    }

    /// Takes what was read; slices of the same pictures are kept. Other pictures start at the
    /// slice with most hematoma.
    pub(crate) fn arrive(&mut self, opened: Opened) -> Vec<Wish> {
        self.detail = Some(opened.detail);
        if self.album == opened.pictures {
            return vec![];
        }
        self.album = opened.pictures;
        self.decoded.clear();
        self.z = self.album.as_ref().map_or(0, |album| album.index.best_slice());
        self.missing()
    }

    /// Takes a decoded slice, unless it belongs to pictures that are gone.
    pub(crate) fn decoded(&mut self, folder: &Path, z: usize, slice: Result<Slice, String>) {
        if self.album.as_ref().is_ok_and(|album| album.folder == folder) {
            self.decoded.insert(z, Some(slice));
            self.forget_far();
        }
    }

    /// Moves by `step` slices, as far as there are any.
    pub(crate) fn step(&mut self, step: isize) -> Vec<Wish> {
        let last = self.n_slices().saturating_sub(1);
        self.z = self.z.saturating_add_signed(step).min(last);
        self.missing()
    }

    /// Slices of the pictures.
    pub(crate) fn n_slices(&self) -> usize {
        self.album.as_ref().map_or(0, |album| album.index.positions_mm.len())
    }

    /// The slice on the screen; none while it is decoded.
    pub(crate) fn slice(&self) -> Option<&Result<Slice, String>> {
        self.decoded.get(&self.z)?.as_ref()
    }

    /// Asks for the slice on the screen and its neighbours, each once.
    fn missing(&mut self) -> Vec<Wish> {
        let Ok(album) = &self.album else { return vec![] };
        let n_slices = album.index.positions_mm.len();
        let near = [Some(self.z), Some(self.z + 1), self.z.checked_sub(1)];
        let mut wishes = vec![];
        for z in near.into_iter().flatten().filter(|z| *z < n_slices) {
            if let std::collections::btree_map::Entry::Vacant(place) = self.decoded.entry(z) {
                place.insert(None);
                wishes.push(Wish::Slice { album: album.clone(), z });
            }
        }
        wishes
    }

    /// Drops the slices farthest from the one on the screen.
    fn forget_far(&mut self) {
        while self.decoded.len() > KEPT {
            let Some(far) = self.decoded.keys().copied().max_by_key(|z| z.abs_diff(self.z))
            else {
                return;
            };
            self.decoded.remove(&far);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{console::phantom, console::slices, sample};

    fn opened(name: &str) -> Opened {
        let folder = phantom::folder(name);
        let index = slices::index(&folder).unwrap();
        Opened {
            detail: sample::detail(sample::expands(1, 0.8)),
            pictures: Ok(Album { folder, revision: 2, index }),
        }
    }

    fn asked(wishes: &[Wish]) -> Vec<usize> {
        let z = |wish: &Wish| match wish {
            Wish::Slice { z, .. } => *z,
            other => panic!("{other:?}"),
        };
        wishes.iter().map(z).collect()
    }

    #[test]
    fn the_view_starts_at_the_slice_with_most_hematoma_and_asks_once() {
        let mut viewer = Viewer::new(1);
        let opened = opened("viewer");
        assert_eq!(asked(&viewer.arrive(opened.clone())), [3, 4, 2]);
        assert_eq!(asked(&viewer.step(1)), [5]);
        assert_eq!(asked(&viewer.step(100)), [0; 0]);
        assert_eq!(viewer.z, 5);
        assert!(viewer.arrive(opened).is_empty(), "the same pictures are kept");
        assert_eq!(viewer.z, 5);
        assert_eq!(asked(&viewer.step(isize::MIN)), [0, 1]);
    }

    #[test]
    fn a_slice_of_pictures_that_are_gone_is_dropped() {
        let mut viewer = Viewer::new(1);
        viewer.arrive(opened("viewer-gone"));
        viewer.decoded(Path::new("/elsewhere"), 3, Err("x".to_owned()));
        assert!(viewer.slice().is_none());
    }
}
