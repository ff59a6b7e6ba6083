//! A library's bytes, read before anything of them runs.
//!
//! Opening a library runs its initialisers, so what can be refused is refused here: what is no
//! library of this machine, is cut off, or has no table of this ABI. The plain numbers of the
//! table lie in the file at the address of its symbol; its pointers are the loader's business.

use std::mem::offset_of;

use ichor_plugin::abi::{self, Plugin};
use object::elf::{EM_386, EM_AARCH64, EM_RISCV, EM_X86_64, ET_DYN, FileHeader64, Machine};
use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSegment, ObjectSymbol};

/// Bytes of an ELF file by which its class is known.
const CLASS: usize = 4;

/// Names under which a library called `file` may export its table, the first wins.
pub(crate) fn names(file: &str) -> [String; 2] {
    let stem = file.strip_prefix("lib").unwrap_or(file);
    let stem = stem.split_once('.').map_or(stem, |(stem, _)| stem);
    [format!("{}_{stem}", abi::SYMBOL), abi::SYMBOL.to_owned()]
}

/// Fails, in words, when the library `file` cannot be a plugin of this host.
pub(crate) fn check(bytes: &[u8], file: &str) -> Result<(), String> {
    if !bytes.starts_with(&object::elf::ELFMAG) {
        return Err("it is no shared library: it does not begin like an ELF file".to_owned());
    }
    if bytes.get(CLASS) == Some(&object::elf::ELFCLASS32.0) {
        return Err("it is a library of 32 bits, this host has 64".to_owned());
    }
    let cut = |e: object::Error| format!("it is cut off or broken: {e}");
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(cut)?;
    let endian = header.endian().map_err(cut)?;
    let machine = header.e_machine(endian);
    if machine != here() {
        let [is, here] = [machine, here()].map(machine_name);
        return Err(format!("it was built for {is}, this host is {here}"));
    }
    if header.e_type(endian) != ET_DYN {
        return Err("it is an ELF file, but no shared library".to_owned());
    }
    let elf = ElfFile64::<Endianness>::parse(bytes).map_err(cut)?;
    for segment in elf.segments() {
        segment.data().map_err(cut)?;
    }
    let [named, plain] = names(file);
    let at = |name: &str| {
        let mut symbols = elf.dynamic_symbols();
        symbols.find(|symbol| !symbol.is_undefined() && symbol.name() == Ok(name))
    };
    let symbol = at(&named).or_else(|| at(&plain));
    let symbol = symbol.ok_or_else(|| format!("it exports neither {named} nor {plain}"))?;
    let table = elf.segments().find_map(|segment| {
        let from = symbol.address().checked_sub(segment.address())?;
        segment.data().ok()?.get(usize::try_from(from).ok()?..)?.get(..size_of::<Plugin>())
    });
    numbers(table.ok_or("its table has no bytes in the file")?)
}

/// The numbers at the beginning of a table: magic, size, version.
fn numbers(table: &[u8]) -> Result<(), String> {
    let number =
        |at: usize| table[at..].first_chunk().map_or(0, |word| u32::from_ne_bytes(*word));
    let magic = number(offset_of!(Plugin, magic));
    if magic != abi::MAGIC {
        return Err(format!("its table begins with {magic:#x}, not with {:#x}", abi::MAGIC));
    }
    let major = number(offset_of!(Plugin, abi_major)).to_ne_bytes();
    let major = u16::from_ne_bytes([major[0], major[1]]);
    if major != abi::ABI_MAJOR {
        return Err(format!("it was built for ABI {major}, this host has {}", abi::ABI_MAJOR));
    }
    let (size, needed) = (number(offset_of!(Plugin, struct_size)), size_of::<Plugin>());
    if (size as usize) < needed {
        return Err(format!("its table has {size} bytes, {needed} are needed"));
    }
    Ok(())
}

fn here() -> Machine {
    match std::env::consts::ARCH {
        "aarch64" => EM_AARCH64,
        "riscv64" => EM_RISCV,
        _ => EM_X86_64,
    }
}

fn machine_name(machine: Machine) -> String {
    match machine {
        EM_X86_64 => "x86_64".to_owned(),
        EM_AARCH64 => "aarch64".to_owned(),
        EM_RISCV => "riscv64".to_owned(),
        EM_386 => "x86".to_owned(),
        Machine(other) => format!("machine {other}"),
    }
}
