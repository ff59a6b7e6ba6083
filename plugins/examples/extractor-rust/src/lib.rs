//! An extractor: how many voxels the hematoma has, and their mean density in HU.

use ichor_plugin::{Call, Extractor, Refused, VolumeView};
use std::path::Path;

struct Yours([String; 2]);

impl Extractor for Yours {
    fn open(_config: &str, _folder: &Path) -> Result<Self, Refused> {
        Ok(Self(["yours_voxels", "yours_mean_hu"].map(str::to_owned)))
    }

    fn outputs(&self) -> &[String] {
        &self.0
    }

    fn extract(&self, ct: &VolumeView, _: &[f64], out: &mut [f64], call: &mut Call) -> Result<(), Refused> {
        call.progress(0.0)?; // Long work comes here every 50 ms.
        let inside = ct.hu.iter().zip(ct.mask).filter(|(_, mask)| **mask > 0);
        let (n, sum) = inside.fold((0.0, 0.0), |(n, sum), (&hu, _)| (n + 1.0, sum + f64::from(hu)));
        out.copy_from_slice(&[n, sum / n]); // NaN where there is none: missing.
        Ok(())
    }
}

ichor_plugin::plugin! { id: "org.example.yours", version: "0.1.0", extractors: [("yours", Yours)] }
