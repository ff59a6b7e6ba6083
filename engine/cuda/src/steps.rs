//! Whether the steps of a network fit each other, before anything is made of them.

use candle_core::{Error, Result};

use crate::interface::{CONVOLVE, LOGITS, POOL, Step, UP};

/// The longest way between the taps of a convolution: maps are padded by it.
const MAX_DILATION: u32 = 64;

/// Number of slots of `steps` over an input of `channels`.
///
/// Fails where a step reads what is not written, or not as many channels; where it writes what is
/// written already, or a slot that no list of so many steps needs; and where its kind is unknown.
pub(crate) fn n_slots(steps: &[Step], channels: u32) -> Result<usize> {
    // Channels of each group, as they are written.
    let mut slots: Vec<[Option<u32>; 2]> = vec![[None, None]; steps.len() + 1];
    slots[0][0] = Some(channels);
    for (number, step) in steps.iter().enumerate() {
        let wrong = |what: &str| Error::msg(format!("step {number} {what}: {step:?}"));
        let read = slots.get(step.source as usize).copied().unwrap_or_default();
        let first = read[0].ok_or_else(|| wrong("reads what is not written"))?;
        let all = first.checked_add(read[1].unwrap_or(0));
        let fits = step.kind == POOL || all == Some(step.channels_in);
        if !fits {
            return Err(wrong("reads another number of channels"));
        }
        let written = match step.kind {
            POOL => first,
            CONVOLVE if (1..=MAX_DILATION).contains(&step.dilation) => step.channels_out,
            UP => step.channels_out,
            LOGITS if step.channels_out == 1 && number + 1 == steps.len() => continue,
            _ => return Err(wrong("is of no kind that is known")),
        };
        let place = slots.get_mut(step.target as usize).filter(|_| step.target > 0);
        let place = place.and_then(|slot| slot.get_mut(step.group as usize));
        match place {
            Some(place @ None) if written > 0 => *place = Some(written),
            _ => return Err(wrong("writes where it cannot")),
        }
    }
    if steps.is_empty() { Err(Error::msg("a network without a step")) } else { Ok(slots.len()) }
}
