//! The Rust mirror of the C tables lies in memory as the header says.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use ichor_plugin::abi;

/// A struct of both sides: its C name, its size here, and `(C field, offset here)`.
type Struct = (&'static str, usize, Vec<(&'static str, usize)>);

macro_rules! mirrored {
    ($c:literal, $rust:ty, $($c_field:literal = $field:ident),+) => {
        ($c, size_of::<$rust>(), vec![$(($c_field, offset_of!($rust, $field))),+])
    };
}

fn structs() -> Vec<Struct> {
    vec![
        mirrored!("ichor_str", abi::Str, "ptr" = ptr, "len" = len),
        mirrored!(
            "ichor_err",
            abi::ErrorText,
            "struct_size" = struct_size,
            "cap" = cap,
            "len" = len,
            "reserved" = reserved,
            "buf" = buf
        ),
        mirrored!(
            "ichor_host",
            abi::Host,
            "struct_size" = struct_size,
            "abi_major" = abi_major,
            "abi_minor" = abi_minor,
            "ctx" = ctx,
            "poll" = poll
        ),
        mirrored!(
            "ichor_volume",
            abi::Volume,
            "struct_size" = struct_size,
            "nx" = nx,
            "ny" = ny,
            "nz" = nz,
            "hu" = hu,
            "mask" = mask,
            "spacing_mm" = spacing_mm,
            "direction" = direction,
            "slice_origin_mm" = slice_origin_mm,
            "slice_pos_mm" = slice_pos_mm
        ),
        mirrored!(
            "ichor_request",
            abi::Request,
            "struct_size" = struct_size,
            "n_in" = n_in,
            "job" = job,
            "volume" = volume,
            "in" = input
        ),
        mirrored!(
            "ichor_response",
            abi::Response,
            "struct_size" = struct_size,
            "n_out" = n_out,
            "out" = out,
            "n_contrib" = n_contributions,
            "reserved" = reserved,
            "contrib" = contributions,
            "base" = base
        ),
        mirrored!(
            "ichor_desc",
            abi::Description,
            "struct_size" = struct_size,
            "flags" = flags,
            "n_in" = n_in,
            "n_out" = n_out,
            "in_names" = in_names,
            "out_names" = out_names
        ),
        mirrored!(
            "ichor_unit",
            abi::Unit,
            "struct_size" = struct_size,
            "kind" = kind,
            "id" = id,
            "create" = create,
            "describe" = describe,
            "run" = run,
            "destroy" = destroy
        ),
        mirrored!(
            "ichor_plugin",
            abi::Plugin,
            "magic" = magic,
            "struct_size" = struct_size,
            "abi_major" = abi_major,
            "abi_minor" = abi_minor,
            "n_units" = n_units,
            "id" = id,
            "version" = version,
            "units" = units
        ),
    ]
}

/// A C program that prints what [`structs`] says, as the header has it.
fn program(structs: &[Struct]) -> String {
    let mut source =
        "#include <stdio.h>\n#include \"ichor_plugin.h\"\nint main(void) {\n".to_owned();
    let mut print = |expression: &str| {
        writeln!(source, "printf(\"%zu\\n\", (size_t)({expression}));").unwrap();
    };
    print("ICHOR_MAGIC");
    print("ICHOR_ABI_MAJOR * 1000 + ICHOR_ABI_MINOR");
    print("ICHOR_KIND_EXTRACTOR * 1000 + ICHOR_KIND_SCORER * 10 + ICHOR_F_DETERMINISTIC");
    for (name, _, fields) in structs {
        print(&format!("sizeof({name})"));
        for (field, _) in fields {
            print(&format!("offsetof({name}, {field})"));
        }
    }
    source + "return 0; }\n"
}

#[test]
fn the_header_and_its_mirror_agree() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let structs = structs();
    std::fs::write(folder.join("layout.c"), program(&structs)).unwrap();
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
    let compiled = Command::new("cc")
        .args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-I", include])
        .args(["layout.c", "-o", "layout"])
        .current_dir(folder)
        .status();
    let Ok(status) = compiled else {
        println!("skipped: no C compiler");
        return;
    };
    assert!(status.success());
    let printed = Command::new(folder.join("layout")).output().unwrap().stdout;
    let found: Vec<usize> =
        String::from_utf8(printed).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    let mut wanted = vec![
        abi::MAGIC as usize,
        usize::from(abi::ABI_MAJOR) * 1000 + usize::from(abi::ABI_MINOR),
        (abi::KIND_EXTRACTOR * 1000 + abi::KIND_SCORER * 10 + abi::FLAG_DETERMINISTIC) as usize,
    ];
    for (_, size, fields) in structs {
        wanted.push(size);
        wanted.extend(fields.iter().map(|(_, offset)| offset));
    }
    assert_eq!(found, wanted);
}
