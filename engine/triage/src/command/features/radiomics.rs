//! Radiomics in this process, with parameters of one's own and the time of every stage.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ichor_core::Features;
use ichor_net::process_cpu_s;
use ichor_plugin::{Call, VolumeView};
use ichor_radiomics::{Class, Filter, Parameters};

use super::case::Case;
use crate::TriageError;

/// What a file of parameters asks for, and the label in the mask that it names.
///
/// pyradiomics' parameter file where `config` is named .yaml or .yml, else the plugin's own TOML; the
/// set `teng2021` without one.
pub(super) fn parameters(
    config: Option<&Path>,
    threads: usize,
) -> Result<(Parameters, Option<i32>), TriageError> {
    let mut parameters = Parameters::default();
    if let Some(path) = config {
        let text = fs::read_to_string(path)
            .map_err(|source| TriageError::file("read", path, source))?;
        let foreign = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        let read = if foreign {
            Parameters::from_parameter_file(&text)
        } else {
            Parameters::read(&text)
        };
        parameters = read.map_err(|refused| {
            TriageError::Input(format!("{}: {}", path.display(), refused.text))
        })?;
    }
    parameters.threads = threads;
    // What is read from the mask's file is what is inside, whatever number that had there.
    let label = parameters.label.take();
    Ok((parameters, label.map(i32::from)))
}

/// The features of `case`.
pub(super) fn describe(parameters: &Parameters, case: &Case) -> Result<Features, TriageError> {
    let names = parameters.names();
    let mut values = vec![f64::NAN; names.len()];
    extract(parameters, case, &mut values)?;
    Ok(Features::new(names, values)?)
}

/// Time of each stage run alone, as lines of stage, features, wall and CPU milliseconds.
pub(super) fn profile(parameters: &Parameters, case: &Case) -> Result<String, TriageError> {
    let mut lines = vec!["stage,features,wall_ms,cpu_ms".to_owned()];
    let mut time = |stage: &str, parameters: &Parameters| {
        let mut values = vec![f64::NAN; parameters.names().len()];
        let (began, cpu) = (Instant::now(), process_cpu_s());
        extract(parameters, case, &mut values)?;
        let (wall, cpu) = (began.elapsed().as_secs_f64() * 1e3, (process_cpu_s() - cpu) * 1e3);
        lines.push(format!("{stage},{},{wall:.2},{cpu:.2}", values.len()));
        Ok::<(), TriageError>(())
    };
    let (shape, others): (Vec<_>, Vec<_>) =
        parameters.features.iter().cloned().partition(|(class, _)| *class == Class::Shape);
    let first = parameters.filters.first().cloned().unwrap_or(Filter::Original);
    let alone =
        |filters, features| Parameters { filters, features, threads: 1, ..parameters.clone() };
    if !shape.is_empty() {
        time("shape", &alone(vec![first], shape))?;
    }
    for filter in &parameters.filters {
        let images = filter.images();
        let name = match &images[..] {
            [one] => one.clone(),
            [first, .., last] => format!("{first} to {last}"),
            [] => continue,
        };
        time(&name, &alone(vec![filter.clone()], others.clone()))?;
    }
    for (class, features) in &others {
        let filters = vec![Filter::Original];
        let name = format!("original {}", class.name());
        time(&name, &alone(filters, vec![(*class, features.clone())]))?;
    }
    time("all", parameters)?;
    Ok(lines.join("\n"))
}

fn extract(
    parameters: &Parameters,
    case: &Case,
    values: &mut [f64],
) -> Result<(), TriageError> {
    let grid = case.volume.grid();
    let (n_z, n_y, n_x) = case.volume.dim();
    let mask: Vec<u8> = case.mask.voxels().iter().map(|&inside| u8::from(inside)).collect();
    let hu: Vec<i16> = case.volume.hu().iter().copied().collect();
    let volume = VolumeView {
        hu: &hu,
        mask: &mask,
        shape: [n_z, n_y, n_x],
        spacing_mm: [grid.step_mm(), grid.pixel().y, grid.pixel().x],
        direction: [grid.normal(), grid.column(), grid.row()],
        slice_origins_mm: grid.origins(),
        slice_pos_mm: grid.positions_mm(),
    };
    let mut go_on = |_| ControlFlow::Continue(());
    parameters
        .extract(&volume, values, &mut Call::new(&mut go_on))
        .map_err(|refused| TriageError::Input(refused.text))
}
