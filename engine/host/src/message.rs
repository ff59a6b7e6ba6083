//! What host and worker say to each other over the socket.
//!
//! The host speaks first (`Load`, with the library as a descriptor) and is answered once. Then it
//! hands over the pages through which calls are made ([`pages`](crate::pages)), and a volume, each
//! time that a call is about another one than the last; neither is answered.

use crate::pages::Room;
use crate::wire::{Decoder, Encoder, Short};

/// From the host.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ToWorker {
    /// Open the library that comes along.
    Load(Load),
    /// Take calls from the pages that come along; wake the host by the counter behind them.
    Pages(Room),
    /// Map the volume that comes along, in place of the one before.
    Volume { number: u64, geometry: Geometry },
}

/// From the worker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FromWorker {
    /// The library is open; each unit of `Load` was opened or refused.
    Ready { confined: u8, units: Vec<Result<Opened, Refusal>> },
    /// The library is not what the manifest says.
    Failed(String),
}

/// What to open.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) file: String,
    pub(crate) folder: String,
    pub(crate) memory_mib: u64,
    pub(crate) units: Vec<LoadUnit>,
}

/// A unit to open.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadUnit {
    pub(crate) id: String,
    pub(crate) kind: u32,
    pub(crate) config: String,
}

/// Shape and place of a volume: voxels in HU, then the mask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geometry {
    pub(crate) shape: [u32; 3],
    pub(crate) spacing_mm: [f64; 3],
    pub(crate) direction: [f64; 9],
    pub(crate) slice_origin_mm: Vec<f64>,
    pub(crate) slice_pos_mm: Vec<f64>,
}

/// An open unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opened {
    pub(crate) deterministic: bool,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
}

/// A plugin's own words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: i32,
    pub(crate) text: String,
}

impl ToWorker {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        match self {
            Self::Load(load) => load.encode(&mut e),
            Self::Pages(Room { inputs, outputs }) => {
                e.u8(1);
                e.u32(*inputs);
                e.u32(*outputs);
            }
            Self::Volume { number, geometry } => {
                e.u8(2);
                e.u64(*number);
                geometry.encode(&mut e);
            }
        }
        e.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Short> {
        let d = &mut Decoder(bytes);
        let message = match d.u8()? {
            0 => Self::Load(Load::decode(d)?),
            1 => Self::Pages(Room { inputs: d.u32()?, outputs: d.u32()? }),
            2 => Self::Volume { number: d.u64()?, geometry: Geometry::decode(d)? },
            _ => return Err(Short),
        };
        d.end()?;
        Ok(message)
    }
}

impl Load {
    fn encode(&self, e: &mut Encoder) {
        e.u8(0);
        for text in [&self.id, &self.version, &self.file, &self.folder] {
            e.text(text);
        }
        e.u64(self.memory_mib);
        e.u32(self.units.len() as u32);
        for unit in &self.units {
            e.text(&unit.id);
            e.u32(unit.kind);
            e.text(&unit.config);
        }
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Short> {
        Ok(Self {
            id: d.text()?,
            version: d.text()?,
            file: d.text()?,
            folder: d.text()?,
            memory_mib: d.u64()?,
            units: (0..d.len(12)?)
                .map(|_| Ok(LoadUnit { id: d.text()?, kind: d.u32()?, config: d.text()? }))
                .collect::<Result<_, Short>>()?,
        })
    }
}

impl Geometry {
    fn encode(&self, e: &mut Encoder) {
        self.shape.iter().for_each(|n| e.u32(*n));
        self.spacing_mm.iter().chain(&self.direction).for_each(|v| e.f64(*v));
        e.values(&self.slice_origin_mm);
        e.values(&self.slice_pos_mm);
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Short> {
        let (mut shape, mut spacing_mm, mut direction) = ([0; 3], [0.0; 3], [0.0; 9]);
        for n in &mut shape {
            *n = d.u32()?;
        }
        for v in spacing_mm.iter_mut().chain(&mut direction) {
            *v = d.f64()?;
        }
        let (slice_origin_mm, slice_pos_mm) = (d.values()?, d.values()?);
        Ok(Self { shape, spacing_mm, direction, slice_origin_mm, slice_pos_mm })
    }

    /// Number of voxels, when it can be counted and there is one origin and position a slice.
    pub(crate) fn voxels(&self) -> Option<usize> {
        let slices = self.shape[0] as usize;
        let complete =
            self.slice_pos_mm.len() == slices && self.slice_origin_mm.len() == slices * 3;
        let count = self.shape.iter().try_fold(1_usize, |n, &m| n.checked_mul(m as usize));
        count.filter(|_| complete)
    }
}

impl FromWorker {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        match self {
            Self::Ready { confined, units } => {
                e.u8(0);
                e.u8(*confined);
                e.u32(units.len() as u32);
                for unit in units {
                    encode_unit(unit, &mut e);
                }
            }
            Self::Failed(text) => {
                e.u8(1);
                e.text(text);
            }
        }
        e.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Short> {
        let d = &mut Decoder(bytes);
        let message = match d.u8()? {
            0 => Self::Ready {
                confined: d.u8()?,
                units: (0..d.len(9)?).map(|_| decode_unit(d)).collect::<Result<_, _>>()?,
            },
            1 => Self::Failed(d.text()?),
            _ => return Err(Short),
        };
        d.end()?;
        Ok(message)
    }
}

impl Refusal {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, Short> {
        Ok(Self { status: d.u32()?.cast_signed(), text: d.text()? })
    }
}

fn encode_unit(unit: &Result<Opened, Refusal>, e: &mut Encoder) {
    match unit {
        Ok(opened) => {
            e.u8(u8::from(opened.deterministic));
            e.texts(&opened.inputs);
            e.texts(&opened.outputs);
        }
        Err(refusal) => {
            e.u8(2);
            e.u32(refusal.status.cast_unsigned());
            e.text(&refusal.text);
        }
    }
}

fn decode_unit(d: &mut Decoder<'_>) -> Result<Result<Opened, Refusal>, Short> {
    match d.u8()? {
        flag @ (0 | 1) => {
            Ok(Ok(Opened { deterministic: flag == 1, inputs: d.texts()?, outputs: d.texts()? }))
        }
        2 => Ok(Err(Refusal::decode(d)?)),
        _ => Err(Short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> (Vec<ToWorker>, Vec<FromWorker>) {
        let load = Load {
            id: "org.example.a".to_owned(),
            version: "1".to_owned(),
            file: "liba.so".to_owned(),
            folder: "/plugins/org.example.a".to_owned(),
            memory_mib: 64,
            units: vec![LoadUnit { id: "a".to_owned(), kind: 2, config: "k = 1".to_owned() }],
        };
        let geometry = Geometry {
            shape: [2, 1, 3],
            spacing_mm: [5.0, 0.5, 0.4],
            direction: [0.0; 9],
            slice_origin_mm: vec![1.0; 6],
            slice_pos_mm: vec![0.0, 5.0],
        };
        let room = Room { inputs: 1379, outputs: 1 };
        let refusal = Refusal { status: -3, text: "ü".to_owned() };
        let opened =
            Opened { deterministic: true, inputs: vec!["a".to_owned()], outputs: vec![] };
        (
            vec![
                ToWorker::Load(load),
                ToWorker::Pages(room),
                ToWorker::Volume { number: 7, geometry },
            ],
            vec![
                FromWorker::Ready { confined: 1, units: vec![Ok(opened), Err(refusal)] },
                FromWorker::Failed("no".to_owned()),
            ],
        )
    }

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        let (to, from) = messages();
        for message in to {
            assert_eq!(ToWorker::decode(&message.encode()), Ok(message));
        }
        for message in from {
            assert_eq!(FromWorker::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn cut_or_changed_bytes_never_panic_and_cut_ones_are_refused() {
        let (to, from) = messages();
        let to: Vec<_> = to.iter().map(ToWorker::encode).collect();
        let from: Vec<_> = from.iter().map(FromWorker::encode).collect();
        let cut = |bytes: &Vec<u8>| (0..bytes.len()).map(|at| bytes[..at].to_vec()).collect();
        let cut_to: Vec<Vec<u8>> = to.iter().flat_map::<Vec<_>, _>(cut).collect();
        let cut_from: Vec<Vec<u8>> = from.iter().flat_map::<Vec<_>, _>(cut).collect();
        assert!(cut_to.iter().all(|bytes| ToWorker::decode(bytes).is_err()));
        assert!(cut_from.iter().all(|bytes| FromWorker::decode(bytes).is_err()));
        for mut bytes in to.into_iter().chain(from) {
            for at in 0..bytes.len() {
                for flip in [1, 0x80, 0xff] {
                    bytes[at] ^= flip;
                    let _ = (ToWorker::decode(&bytes), FromWorker::decode(&bytes));
                    bytes[at] ^= flip;
                }
            }
        }
    }
}
