//! NRRD files (teem.sourceforge.net/nrrd/format.html), attached or with a data file of their own.
//!
//! Read are three dimensions of any number type but `block`, raw, gzip or text. Everything else is
//! refused by its name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{Frame, Raw};

/// Most voxels of a file: more than any CT has.
const MOST_VOXELS: usize = 1 << 31;
/// Most bytes of a header.
const MOST_HEADER: u64 = 1 << 20;

/// Reads `path`; the error says what is wrong in it.
pub(super) fn read(path: &Path) -> Result<Raw, String> {
    let mut file = open(path)?;
    let header = Header::read(&mut file)?;
    let sizes = header.sizes()?;
    let kind = header.kind()?;
    let n_voxels = sizes.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
    let n_voxels = n_voxels
        .filter(|&n| (1..=MOST_VOXELS).contains(&n))
        .ok_or_else(|| format!("sizes {sizes:?} are of no image that could be read"))?;
    let numbers = match header.get("data file").or_else(|| header.get("datafile")) {
        None => header.numbers(file, kind, n_voxels)?,
        Some(name) if name.contains(['%', ' ']) || name == "LIST" => {
            return Err(format!("data file {name}: one file of data is read, not several"));
        }
        Some(name) => {
            let mut data = open(&path.parent().unwrap_or(Path::new("")).join(name))?;
            header.skip(&mut data, n_voxels * kind.n_bytes)?;
            header.numbers(data, kind, n_voxels)?
        }
    };
    Raw::new(numbers, sizes, header.frame()?)
}

fn open(path: &Path) -> Result<BufReader<File>, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(BufReader::new(file))
}

/// How one number is stored.
#[derive(Clone, Copy)]
struct Kind {
    n_bytes: usize,
    /// From its bytes, the first the lowest.
    number: fn(&[u8]) -> f64,
}

/// The bytes of one number, filled up with zeros.
fn bytes<const N: usize>(from: &[u8]) -> [u8; N] {
    let mut all = [0; N];
    for (to, &byte) in all.iter_mut().zip(from) {
        *to = byte;
    }
    all
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        let (n_bytes, number): (usize, fn(&[u8]) -> f64) = match name {
            "signed char" | "int8" | "int8_t" => {
                (1, |b| f64::from(i8::from_le_bytes(bytes(b))))
            }
            "uchar" | "unsigned char" | "uint8" | "uint8_t" => {
                (1, |b| f64::from(u8::from_le_bytes(bytes(b))))
            }
            "short" | "short int" | "signed short" | "signed short int" | "int16"
            | "int16_t" => (2, |b| f64::from(i16::from_le_bytes(bytes(b)))),
            "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => {
                (2, |b| f64::from(u16::from_le_bytes(bytes(b))))
            }
            "int" | "signed int" | "int32" | "int32_t" => {
                (4, |b| f64::from(i32::from_le_bytes(bytes(b))))
            }
            "uint" | "unsigned int" | "uint32" | "uint32_t" => {
                (4, |b| f64::from(u32::from_le_bytes(bytes(b))))
            }
            "longlong"
            | "long long"
            | "long long int"
            | "signed long long"
            | "signed long long int"
            | "int64"
            | "int64_t" => (8, |b| i64::from_le_bytes(bytes(b)) as f64),
            "ulonglong"
            | "unsigned long long"
            | "unsigned long long int"
            | "uint64"
            | "uint64_t" => (8, |b| u64::from_le_bytes(bytes(b)) as f64),
            "float" => (4, |b| f64::from(f32::from_le_bytes(bytes(b)))),
            "double" => (8, |b| f64::from_le_bytes(bytes(b))),
            _ => return None,
        };
        Some(Self { n_bytes, number })
    }
}

struct Header(BTreeMap<String, String>);

impl Header {
    fn read(file: &mut BufReader<File>) -> Result<Self, String> {
        let mut fields = BTreeMap::new();
        let mut head = file.take(MOST_HEADER);
        let mut line = Vec::new();
        for at in 0.. {
            line.clear();
            let n = head.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if at == 0 {
                if !text.starts_with("NRRD000") {
                    return Err(
                        "this is no NRRD file: its first line is not NRRD000x".to_owned()
                    );
                }
            } else if text.is_empty() {
                let whole = n > 0 || fields.contains_key("data file");
                return if whole { Ok(Self(fields)) } else { Err(cut_off()) };
            } else if !text.starts_with('#') && !text.contains(":=") {
                let (name, value) = text
                    .split_once(':')
                    .ok_or_else(|| format!("the header's line {text:?} is no field"))?;
                fields.insert(name.trim().to_lowercase(), value.trim().to_owned());
            }
        }
        Err(cut_off())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn needed(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("the header has no {name:?}"))
    }

    fn sizes(&self) -> Result<[usize; 3], String> {
        let sizes = self.needed("sizes")?;
        let numbers: Vec<usize> =
            sizes.split_whitespace().filter_map(|size| size.parse().ok()).collect();
        let fits = self.needed("dimension")? == "3";
        let sizes = <[usize; 3]>::try_from(numbers).ok().filter(|_| fits);
        sizes.ok_or_else(|| {
            format!(
                "three dimensions are expected, not {} of sizes {}",
                self.get("dimension").unwrap_or("?"),
                self.get("sizes").unwrap_or("?")
            )
        })
    }

    fn kind(&self) -> Result<Kind, String> {
        let name = self.needed("type")?;
        Kind::named(&name.to_lowercase())
            .ok_or_else(|| format!("numbers of type {name:?} are not read"))
    }

    /// Leaves `data` where the numbers, of `n_bytes` unpacked, begin.
    fn skip(&self, data: &mut BufReader<File>, n_bytes: usize) -> Result<(), String> {
        let number = |name: &str| -> Result<i64, String> {
            let text = self.get(name).unwrap_or("0");
            text.parse().map_err(|_| format!("{name} {text:?} is no whole number"))
        };
        for _ in 0..number("line skip").or_else(|_| number("lineskip"))? {
            data.read_until(b'\n', &mut Vec::new()).map_err(|error| error.to_string())?;
        }
        let to = match number("byte skip").or_else(|_| number("byteskip"))? {
            0 => return Ok(()),
            -1 => SeekFrom::End(-i64::try_from(n_bytes).map_err(|error| error.to_string())?),
            n if n > 0 => SeekFrom::Current(n),
            n => return Err(format!("byte skip {n} is not read")),
        };
        data.seek(to).map(|_| ()).map_err(|error| error.to_string())
    }

    /// The numbers in the order of the file, x fastest.
    fn numbers(
        &self,
        data: impl Read,
        kind: Kind,
        n_voxels: usize,
    ) -> Result<Vec<f32>, String> {
        let encoding = self.needed("encoding")?.to_lowercase();
        match encoding.as_str() {
            "raw" => self.binary(data, kind, n_voxels),
            "gzip" | "gz" => self.binary(MultiGzDecoder::new(data), kind, n_voxels),
            "ascii" | "text" | "txt" => text(data, n_voxels),
            _ => Err(format!("encoding {encoding:?} is not read; store it as gzip or raw")),
        }
    }

    fn binary(&self, data: impl Read, kind: Kind, n_voxels: usize) -> Result<Vec<f32>, String> {
        let swapped = match self.get("endian") {
            _ if kind.n_bytes == 1 => false,
            Some("little") => false,
            Some("big") => true,
            other => {
                return Err(format!("endian {:?} is not known", other.unwrap_or("missing")));
            }
        };
        let mut stored = Vec::new();
        let n_bytes = n_voxels * kind.n_bytes;
        data.take(n_bytes as u64)
            .read_to_end(&mut stored)
            .map_err(|error| error.to_string())?;
        if stored.len() != n_bytes {
            return Err(format!("{} bytes of numbers, {n_bytes} were announced", stored.len()));
        }
        if swapped {
            stored.chunks_exact_mut(kind.n_bytes).for_each(<[u8]>::reverse);
        }
        Ok(stored.chunks_exact(kind.n_bytes).map(|b| (kind.number)(b) as f32).collect())
    }

    /// Steps of x, y and z and the origin, in LPS where the file says how it lies.
    fn frame(&self) -> Result<Frame, String> {
        let Some(directions) = self.get("space directions") else {
            let spacings = self.get("spacings").unwrap_or("1 1 1");
            let mm: Vec<f64> =
                spacings.split_whitespace().filter_map(|v| v.parse().ok()).collect();
            let [x, y, z] = <[f64; 3]>::try_from(mm)
                .map_err(|_| format!("spacings {spacings:?} are no three numbers"))?;
            return Ok(Frame::unplaced([x, y, z]));
        };
        let space = self.get("space").unwrap_or("left-posterior-superior").to_lowercase();
        let sign = match space.as_str() {
            "left-posterior-superior" | "lps" => [1.0, 1.0, 1.0],
            "right-anterior-superior" | "ras" => [-1.0, -1.0, 1.0],
            "left-anterior-superior" | "las" => [1.0, -1.0, 1.0],
            _ => return Err(format!("space {space:?} is not read")),
        };
        let vectors = vectors(directions);
        let steps = <[[f64; 3]; 3]>::try_from(vectors)
            .map_err(|_| format!("space directions {directions:?} are no three vectors"))?;
        let origin = self.get("space origin").unwrap_or("(0,0,0)");
        let origin = vectors_of_one(origin)
            .ok_or_else(|| format!("space origin {origin:?} is no vector"))?;
        let lps = |v: [f64; 3]| [0, 1, 2].map(|axis| sign[axis] * v[axis]);
        Ok(Frame { steps: steps.map(lps), origin: lps(origin), placed: true })
    }
}

fn cut_off() -> String {
    "the header has no end: the file is cut off".to_owned()
}

fn text(data: impl Read, n_voxels: usize) -> Result<Vec<f32>, String> {
    // At most some 30 characters a number.
    let mut text = String::new();
    data.take(32 * n_voxels as u64)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let numbers: Result<Vec<f32>, String> = text
        .split_whitespace()
        .take(n_voxels)
        .map(|word| word.parse().map_err(|_| format!("{word:?} is no number")))
        .collect();
    let numbers = numbers?;
    if numbers.len() != n_voxels {
        return Err(format!("{} numbers, {n_voxels} were announced", numbers.len()));
    }
    Ok(numbers)
}

/// The vectors of "(1,0,0) (0,1,0)"; what is none ends the list.
fn vectors(text: &str) -> Vec<[f64; 3]> {
    text.split_inclusive(')').map_while(vectors_of_one).collect()
}

fn vectors_of_one(text: &str) -> Option<[f64; 3]> {
    let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let numbers: Vec<f64> =
        inner.split(',').map(|v| v.trim().parse().ok()).collect::<Option<_>>()?;
    <[f64; 3]>::try_from(numbers).ok().filter(|v| v.iter().all(|c| c.is_finite()))
}
