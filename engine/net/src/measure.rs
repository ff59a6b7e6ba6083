//! Clocks and benches: what a slice costs on a path, in CPU time.
//!
//! CPU time is what a slice takes of a core, however many slices run side by side and whatever
//! else the machine does; wall time is what a person waits.

use std::ops::ControlFlow;
use std::time::Instant;

use ichor_core::{Head, Volume};
use ndarray::Array2;
use rustix::time::{ClockId, clock_gettime};

use crate::forward::{Slice, Slices, StepTime};
use crate::frame::{FRAME, Patch};
use crate::{NetError, Network};

/// CPU time of this thread, seconds.
pub(crate) fn thread_cpu_s() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process, seconds.
pub fn process_cpu_s() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// One slice, or all of a head, to be timed on a network.
#[derive(Debug, Clone)]
pub struct Bench {
    slices: Vec<Slice>,
}

impl Bench {
    /// One slice of the frame's size, every pixel of which is computed.
    pub fn whole_slice() -> Self {
        Self::whole_slices(1)
    }

    /// `n` such slices, no two of the first hundred alike.
    pub fn whole_slices(n: usize) -> Self {
        // Neither air nor constant, so that no arithmetic is easier than on a head.
        let pixel =
            |z: usize, y: usize, x: usize| ((y * 7 + x * 13 + z) % 100 + 1) as f32 / 101.0;
        let slice = |z| Slice {
            windowed: Array2::from_shape_fn((FRAME, FRAME), |(y, x)| pixel(z, y, x)),
            wanted: None,
        };
        Self { slices: (0..n).map(slice).collect() }
    }

    /// The slices of a head, computed where the head needs it.
    pub fn head(volume: &Volume, head: &Head) -> Self {
        let (n_z, n_y, n_x) = volume.dim();
        let frame = Patch::whole((n_y, n_x));
        let slice = |z| Slice {
            windowed: frame.cut(volume.slice(z)),
            wanted: Some(frame.map(false, |at| head.voxels()[[z, at.0, at.1]])),
        };
        let with_head = (0..n_z).filter(|&z| head.slice_box(z).is_some());
        Self { slices: with_head.map(slice).collect() }
    }

    /// Slice `index` alone, every pixel of which is computed.
    #[must_use]
    pub fn all_of(&self, index: usize) -> Self {
        let windowed = self.slices[index].windowed.clone();
        Self { slices: vec![Slice { windowed, wanted: None }] }
    }

    /// Where the probability of slice `index` is wanted, `(y, x)`; everywhere when none.
    pub fn wanted(&self, index: usize) -> Option<&Array2<bool>> {
        self.slices[index].wanted.as_ref()
    }

    /// Number of slices.
    pub fn n_slices(&self) -> usize {
        self.slices.len()
    }

    /// Runs all slices once on as many threads as the network takes: wall and CPU seconds, and
    /// what came out.
    pub fn run(&self, network: &Network) -> Result<(f64, f64, Vec<Array2<f32>>), NetError> {
        let mut out = vec![Array2::zeros((0, 0)); self.slices.len()];
        let (wall, cpu) = (Instant::now(), process_cpu_s());
        let make = |index: usize| self.slices[index].clone();
        let mut keep = |index: usize, probability| {
            out[index] = probability;
            ControlFlow::Continue(())
        };
        network.forward().run(&Slices { n: self.slices.len(), make: &make }, &mut keep)?;
        Ok((wall.elapsed().as_secs_f64(), process_cpu_s() - cpu, out))
    }

    /// What every step took, summed over the slices, on one thread; none where the network's
    /// device cannot tell steps apart.
    pub fn steps(&self, network: &Network) -> Result<Option<Vec<StepTime>>, NetError> {
        let mut sum: Option<Vec<StepTime>> = None;
        for slice in &self.slices {
            let Some(times) = network.forward().timed(slice)? else { return Ok(None) };
            match &mut sum {
                None => sum = Some(times),
                Some(sum) => sum.iter_mut().zip(times).for_each(|(sum, time)| {
                    sum.flop += time.flop;
                    sum.whole_flop += time.whole_flop;
                    sum.cpu_s += time.cpu_s;
                }),
            }
        }
        Ok(sum)
    }
}
