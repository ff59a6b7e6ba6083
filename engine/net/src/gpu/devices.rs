//! Which devices are asked for, and what came of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ichor_cuda::interface::{BF16, F32};
use ichor_cuda::{Absent, Driver, Library};

use super::pool::{Patience, Pool, Task};
use crate::NetError;

/// What a GPU computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuPrecision {
    /// Maps and weights in bf16, sums in f32.
    Bf16,
    /// f32 throughout.
    F32,
}

impl GpuPrecision {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
        }
    }

    /// How far any probability of the known slice may lie from that of the CPU in f32. Our own
    /// bf16 is 1.5e-2 away where a network is steepest, another network over 1e-1.
    pub fn allowed(self) -> f32 {
        match self {
            Self::Bf16 => 3e-2,
            Self::F32 => 1e-4,
        }
    }

    pub(super) fn code(self) -> u32 {
        if self == Self::Bf16 { BF16 } else { F32 }
    }

    pub(super) fn bytes(self) -> usize {
        if self == Self::Bf16 { 2 } else { 4 }
    }
}

impl FromStr for GpuPrecision {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let known = [Self::Bf16, Self::F32].into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| NetError::UnknownPrecision { name: text.to_owned() })
    }
}

/// Devices that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Devices {
    /// Every GPU that the driver finds.
    Auto,
    /// None: the driver is not asked.
    Cpu,
    /// These, by their numbers.
    These(Vec<u16>),
}

impl Devices {
    /// Reads `["auto"]`, `["cpu"]`, or a list such as `["cuda:0", "cuda:1"]`; nothing is `auto`.
    pub fn of(names: &[String]) -> Result<Self, NetError> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let number = |name: &&str| {
            let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
            number.ok_or_else(|| NetError::UnknownDevice { name: (*name).to_owned() })
        };
        match names[..] {
            [] | ["auto"] => Ok(Self::Auto),
            ["cpu"] => Ok(Self::Cpu),
            _ => {
                let mut numbers: Vec<u16> =
                    names.iter().map(number).collect::<Result<_, _>>()?;
                numbers.sort_unstable();
                numbers.dedup();
                Ok(Self::These(numbers))
            }
        }
    }
}

/// Networks on devices by hash, each with its name, or why it is on none.
type Pools = BTreeMap<String, (String, Result<Arc<Pool>, String>)>;

/// The GPUs of a process: opened when a network first wants them, then shared by all its users.
#[derive(Debug)]
pub struct Gpus {
    devices: Devices,
    precision: GpuPrecision,
    driver: PathBuf,
    folders: Vec<PathBuf>,
    patience: Patience,
    pools: Mutex<Pools>,
}

/// A driver may compile for a newer card at first use; an answer comes within a study's lease.
const PATIENCE: Patience =
    Patience { opening: Duration::from_mins(3), answer: Duration::from_secs(30) };

impl Gpus {
    /// `devices`, computing in `precision`, by the library in the first of `folders` that has it.
    pub fn new(devices: Devices, precision: GpuPrecision, folders: Vec<PathBuf>) -> Self {
        Self::behind(PathBuf::from(Driver::FILE), devices, precision, folders)
    }

    /// No GPU.
    pub fn none() -> Self {
        Self::new(Devices::Cpu, GpuPrecision::Bf16, Vec::new())
    }

    /// The same behind another driver's file.
    pub(crate) fn behind(
        driver: PathBuf,
        devices: Devices,
        precision: GpuPrecision,
        folders: Vec<PathBuf>,
    ) -> Self {
        let (patience, pools) = (PATIENCE, Mutex::default());
        Self { devices, precision, driver, folders, patience, pools }
    }

    /// With another patience.
    #[cfg(test)]
    pub(super) fn patient_for(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Whether any is asked for.
    pub fn wanted(&self) -> bool {
        self.devices != Devices::Cpu
    }

    /// Whether they are asked for by their numbers.
    pub fn named(&self) -> bool {
        matches!(self.devices, Devices::These(_))
    }

    /// Driver, devices, memory and library in words, and for every network that was loaded what a
    /// batch of it takes; fails with why there is none.
    pub fn said(&self) -> Result<String, String> {
        let asked = || -> Result<String, Absent> {
            let (driver, library) = self.open()?;
            let (version, file) = (driver.version, library.path().display());
            let mut words =
                format!("driver with CUDA {}.{}, {file}", version / 1000, version % 1000 / 10);
            for index in self.numbers(&driver)? {
                let (free, total) = library.memory(i32::from(index))?;
                let (name, mib) = (named(&driver, index), |bytes: u64| bytes >> 20);
                let _ = write!(
                    words,
                    "; cuda:{index} {name}, {} of {} MiB free",
                    mib(free),
                    mib(total)
                );
            }
            for (name, pool) in self.lock().values() {
                if let Ok(pool) = pool {
                    let _ = write!(words, "; {name}: {}", pool.batches());
                }
            }
            Ok(words)
        };
        asked().map_err(|absent| absent.to_string())
    }

    fn open(&self) -> Result<(Driver, Library), Absent> {
        let driver = Driver::ask(&self.driver)?;
        Ok((driver, Library::open(&self.folders)?))
    }

    fn numbers(&self, driver: &Driver) -> Result<Vec<u16>, Absent> {
        let n = driver.devices.len();
        match &self.devices {
            Devices::These(numbers) => {
                match numbers.iter().map(|&index| usize::from(index)).find(|&index| index >= n)
                {
                    Some(index) => Err(Absent::NoSuchDevice { index, n }),
                    None => Ok(numbers.clone()),
                }
            }
            _ => Ok((0..u16::try_from(n).unwrap_or(u16::MAX)).collect()),
        }
    }

    /// The library, the first device, and its name: what a training runs on.
    pub(super) fn first(&self) -> Result<(Library, u16, String), Absent> {
        let (driver, library) = self.open()?;
        let index = self.numbers(&driver)?.first().copied().ok_or(Absent::NoDevice)?;
        let name = named(&driver, index);
        Ok((library, index, name))
    }

    fn lock(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The devices with the network `name`, of this hash, on them, or why there is none.
    pub(super) fn pool(
        &self,
        (name, sha256): (&str, &str),
        task: impl FnOnce(GpuPrecision, Patience) -> Task,
    ) -> Result<Arc<Pool>, String> {
        let mut pools = self.lock();
        if let Some((_, known)) = pools.get(sha256) {
            return known.clone();
        }
        let opened = self.open().and_then(|(driver, library)| {
            let numbers = self.numbers(&driver)?;
            Ok((driver, library, numbers))
        });
        let pool = opened.map_err(|absent| absent.to_string());
        let pool = pool.and_then(|(driver, library, numbers)| {
            let named = numbers.iter().map(|&n| (n, named(&driver, n))).collect();
            Pool::open(&library, named, task(self.precision, self.patience)).map(Arc::new)
        });
        pools.insert(sha256.to_owned(), (name.to_owned(), pool.clone()));
        pool
    }
}

/// The driver's name of one of its devices.
fn named(driver: &Driver, index: u16) -> String {
    driver.devices.get(usize::from(index)).map_or_else(String::new, |found| found.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: &Devices) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(Devices::of(&names).unwrap(), *expected);
    }

    #[test]
    fn devices_are_read_by_their_names() {
        check(&[], &Devices::Auto);
        check(&["auto"], &Devices::Auto);
        check(&["cpu"], &Devices::Cpu);
        check(&["cuda:1", "cuda:0", "cuda:1"], &Devices::These(vec![0, 1]));
        for name in ["gpu", "cuda", "cuda:", "cuda:-1", "CUDA:0"] {
            let said = Devices::of(&[name.to_owned()]).unwrap_err().to_string();
            assert!(said.contains(name), "{said}");
        }
        // A list of both would let the same study have other bits the next time.
        assert!(Devices::of(&["cpu".to_owned(), "cuda:0".to_owned()]).is_err());
    }
}
