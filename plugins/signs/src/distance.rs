//! Distance of every pixel from the nearest pixel of a set, exact.
//!
//! Felzenszwalb & Huttenlocher 2012, Theory of Computing 8:415: columns by two scans, rows by
//! the lower envelope of parabolas.

use ichor_plugin::Refused;

use crate::pace::Pace;
use crate::plane::Plane;

/// Millimetres from each pixel's centre to the nearest one of `set`; infinite without any.
pub(crate) fn distance_mm(
    plane: &Plane,
    set: &[bool],
    pace: &mut Pace<'_, '_>,
) -> Result<Vec<f32>, Refused> {
    let mut along = vec![f64::INFINITY; plane.len()];
    for x in 0..plane.columns {
        pace.work(2 * plane.rows)?;
        let mut last = f64::INFINITY;
        let rows = (0..plane.rows).chain((0..plane.rows).rev());
        for at in rows.map(|y| y * plane.columns + x) {
            last = if set[at] { 0.0 } else { last + plane.spacing_mm[0] };
            along[at] = along[at].min(last);
        }
    }
    let mut distance = Vec::with_capacity(plane.len());
    let mut envelope = Vec::new();
    for row in along.chunks_exact(plane.columns.max(1)) {
        pace.work(4 * plane.columns)?;
        lower_envelope(row, plane.spacing_mm[1], &mut envelope);
        let mut lowest = 0;
        distance.extend((0..plane.columns).map(|x| {
            let here = x as f64 * plane.spacing_mm[1];
            while envelope.get(lowest + 1).is_some_and(|next: &Parabola| next.from <= here) {
                lowest += 1;
            }
            envelope.get(lowest).map_or(f32::INFINITY, |parabola| {
                ((here - parabola.at).powi(2) + parabola.low).sqrt() as f32
            })
        }));
    }
    Ok(distance)
}

/// `(x - at)^2 + low`, the lowest of all from `from` on.
#[derive(Debug, Clone, Copy)]
struct Parabola {
    at: f64,
    low: f64,
    from: f64,
}

fn lower_envelope(row: &[f64], spacing_mm: f64, envelope: &mut Vec<Parabola>) {
    envelope.clear();
    for (x, along) in row.iter().enumerate().filter(|(_, along)| along.is_finite()) {
        let (at, low) = (x as f64 * spacing_mm, along * along);
        let mut from = f64::NEG_INFINITY;
        while let Some(last) = envelope.last() {
            let meet = (at * at + low - last.at * last.at - last.low) / (2.0 * (at - last.at));
            if meet > last.from {
                from = meet;
                break;
            }
            envelope.pop();
        }
        envelope.push(Parabola { at, low, from });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, unhurried};

    #[test]
    fn distances_are_those_of_brute_force() {
        let mut noise = Noise::new(3);
        for _ in 0..200 {
            let (rows, columns) = (1 + noise.below(12), 1 + noise.below(12));
            let plane = Plane { rows, columns, spacing_mm: [0.7, 0.4] };
            let percent = noise.below(30);
            let set: Vec<bool> = (0..plane.len()).map(|_| noise.below(100) < percent).collect();
            let found = unhurried(|pace| distance_mm(&plane, &set, pace)).unwrap();
            for (at, &found) in found.iter().enumerate() {
                let [y, x] = plane.in_mm(at);
                let far = |other: usize| {
                    let [oy, ox] = plane.in_mm(other);
                    (y - oy).hypot(x - ox)
                };
                let set = (0..plane.len()).filter(|&other| set[other]);
                let nearest = set.map(far).fold(f64::INFINITY, f64::min) as f32;
                let same = found.is_infinite() && nearest.is_infinite();
                assert!(same || (found - nearest).abs() < 1e-4, "{found} {nearest}");
            }
        }
    }
}
