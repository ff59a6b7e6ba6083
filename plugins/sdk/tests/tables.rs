//! What a host gets from the tables when a plugin, or the host itself, does wrong.

#![expect(unsafe_code, reason = "the host's side of the C ABI")]
#![expect(clippy::panic, reason = "plugins that panic are what is tested")]

use std::ffi::c_void;
use std::path::Path;
use std::ptr::{null, null_mut};

use ichor_plugin::abi::{Description, ErrorText, Request, Response, Str, Unit};
use ichor_plugin::{Call, Refused, RefusedKind, Score, Scorer, export};

/// Panics where its configuration says.
struct Rogue {
    inputs: Vec<String>,
}

impl Scorer for Rogue {
    fn open(config: &str, _: &Path) -> Result<Self, Refused> {
        match config {
            "panic" => panic!("no memory for {} trees", 300),
            "refuse" => Err(Refused::config("trees = 0: must be at least 1")),
            _ => Ok(Self { inputs: vec!["a".to_owned(), "b".to_owned()] }),
        }
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn score(&self, inputs: &[f64], sums: &mut [f64], _: &mut Call) -> Result<Score, Refused> {
        assert!(inputs[0] >= 0.0, "a negative volume");
        sums[1] = inputs[1];
        Ok(Score::from_log_odds(1.0, sums))
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        panic!("a destructor that panics must not leave the library");
    }
}

const UNIT: Unit = export::scorer::<Rogue>("rogue");

/// Calls with a buffer of `cap` bytes for the reason; gives status and reason.
fn with_reason(cap: usize, call: impl FnOnce(&mut ErrorText) -> i32) -> (i32, String) {
    let mut bytes = vec![0_u8; cap];
    let mut error = ErrorText {
        struct_size: size_of::<ErrorText>() as u32,
        cap: cap as u32,
        len: 0,
        reserved: 0,
        buf: bytes.as_mut_ptr(),
    };
    let status = call(&mut error);
    (status, String::from_utf8_lossy(&bytes[..error.len as usize]).into_owned())
}

fn create(config: &str, cap: usize) -> (i32, String, *mut c_void) {
    let mut instance = null_mut();
    let (status, reason) = with_reason(cap, |error| {
        let create = UNIT.create.unwrap_or_else(|| panic!("no create"));
        // SAFETY: texts and buffers live during the call.
        unsafe { create(null(), Str::new(config), Str::new("."), &raw mut instance, error) }
    });
    (status, reason, instance)
}

fn run(instance: *mut c_void, inputs: &[f64]) -> (i32, String, Response, f64) {
    let (mut risk, mut contributions) = (0.0, [0.0; 2]);
    let request = Request {
        struct_size: size_of::<Request>() as u32,
        n_in: inputs.len() as u32,
        job: 1,
        volume: null(),
        input: inputs.as_ptr(),
    };
    let mut response = Response {
        struct_size: size_of::<Response>() as u32,
        n_out: 1,
        out: &raw mut risk,
        n_contributions: 2,
        reserved: 0,
        contributions: contributions.as_mut_ptr(),
        base: 0.0,
    };
    let (status, reason) = with_reason(200, |error| {
        let run = UNIT.run.unwrap_or_else(|| panic!("no run"));
        // SAFETY: an instance of this unit; all buffers live during the call.
        unsafe { run(instance, &raw const request, &raw mut response, error) }
    });
    (status, reason, response, risk)
}

#[test]
fn a_panic_while_opening_comes_back_as_its_text() {
    let (status, reason, instance) = create("panic", 200);
    assert_eq!(status, RefusedKind::Panic.status());
    assert_eq!(reason, "panicked: no memory for 300 trees");
    assert!(instance.is_null());
}

#[test]
fn a_reason_that_does_not_fit_is_cut_off() {
    let (status, reason, _) = create("refuse", 9);
    assert_eq!((status, reason.as_str()), (RefusedKind::Config.status(), "trees = 0"));
}

#[test]
fn a_scorer_is_described_scored_and_destroyed() {
    let (status, _, instance) = create("", 200);
    assert_eq!(status, 0);
    // SAFETY: all zeros is a valid value of every field.
    let mut described: Description = unsafe { std::mem::zeroed() };
    described.struct_size = size_of::<Description>() as u32;
    let describe = UNIT.describe.unwrap_or_else(|| panic!("no describe"));
    // SAFETY: an instance of this unit; the description lives during the call.
    let status = unsafe { describe(instance, &raw mut described, null_mut()) };
    assert_eq!((status, described.n_in, described.n_out), (0, 2, 0));

    let (status, _, response, risk) = run(instance, &[2.0, -1.0]);
    assert_eq!((status, response.base, risk), (0, 1.0, 0.5));

    let (status, reason, ..) = run(instance, &[-1.0, 0.0]);
    assert_eq!(
        (status, reason.as_str()),
        (RefusedKind::Panic.status(), "panicked: a negative volume")
    );

    let (status, reason, ..) = run(instance, &[1.0]);
    assert_eq!(
        (status, reason.as_str()),
        (RefusedKind::Internal.status(), "1 inputs for 2 described")
    );

    let destroy = UNIT.destroy.unwrap_or_else(|| panic!("no destroy"));
    // SAFETY: an instance of this unit that is not used again.
    unsafe { destroy(instance) };
}
