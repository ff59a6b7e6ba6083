//! Renders phantom cases into plain files, for programs that read no DICOM.
//!
//! `render_cohort COHORT N SEED OUT [KERNEL] [DOSE] [MOTION_MM]` writes, for each case,
//! `case_0000_hu.i16` and `case_0000_mask.u8` (little-endian, `(z, y, x)`; 1 hematoma, 2 blood in
//! the ventricles) and `case_0000.json` (shape, spacing, latents, label).

use std::error::Error;
use std::fs;
use std::path::Path;

use ichor_study::phantom::{Case, Cohort, Kernel, Phantom, Scan};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, n, seed, out, settings @ ..] = args.as_slice() else {
        return Err("usage: render_cohort COHORT N SEED OUT [KERNEL] [DOSE] [MOTION_MM]".into());
    };
    let cohort = Cohort::named(name, n.parse()?, seed.parse()?)
        .ok_or_else(|| format!("{name:?} is no cohort: write clinical or development"))?;
    let scan = scan(settings)?;
    fs::create_dir_all(out)?;
    for case in cohort.cases() {
        write(&case, &case.render(&scan)?, &scan, Path::new(out))?;
    }
    Ok(())
}

fn scan(settings: &[String]) -> Result<Scan, Box<dyn Error>> {
    let mut scan = Scan::default();
    if let Some(kernel) = settings.first() {
        scan.kernel = match kernel.as_str() {
            "soft" => Kernel::Soft,
            "standard" => Kernel::Standard,
            "sharp" => Kernel::Sharp,
            other => return Err(format!("{other:?}: write soft, standard or sharp").into()),
        };
    }
    if let Some(dose) = settings.get(1) {
        scan.dose = dose.parse()?;
    }
    if let Some(motion) = settings.get(2) {
        scan.motion_mm = motion.parse()?;
    }
    Ok(scan)
}

fn write(
    case: &Case,
    phantom: &Phantom,
    scan: &Scan,
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let stem = format!("case_{:04}", case.index);
    let volume = &phantom.volume;
    let hu: Vec<u8> = volume.hu().iter().flat_map(|hu| hu.to_le_bytes()).collect();
    fs::write(out.join(format!("{stem}_hu.i16")), hu)?;
    let voxels = phantom.hematoma.voxels().iter().zip(phantom.ivh.voxels());
    let mask: Vec<u8> =
        voxels.map(|(&blood, &ivh)| u8::from(blood) + 2 * u8::from(ivh)).collect();
    fs::write(out.join(format!("{stem}_mask.u8")), mask)?;
    let (z, y, x) = volume.dim();
    let pixel = volume.grid().pixel();
    let side = json!({
        "patient_id": case.patient_id(),
        "shape": [z, y, x],
        "spacing_mm": [volume.grid().step_mm(), pixel.y, pixel.x],
        "scan": scan,
        "seed": case.seed,
        "latents": case.latents,
        "expands": case.expands,
        "growth_ml": case.growth_ml,
        "probability": case.probability,
        "mask_volume_ml": phantom.hematoma.volume().ml(),
        "ivh_volume_ml": phantom.ivh.volume().ml(),
    });
    fs::write(out.join(format!("{stem}.json")), serde_json::to_vec_pretty(&side)?)?;
    Ok(())
}
