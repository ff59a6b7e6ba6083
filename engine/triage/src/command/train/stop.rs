//! What every long training is told from outside: when to stop, and what it may take.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ichor_net::Gpus;

use crate::{Settings, TriageError};

/// Becomes true at SIGINT or SIGTERM; a second signal ends the process at once. `checkpoint` is
/// only named in errors.
pub(super) fn stop_flag(checkpoint: &Path) -> Result<Arc<AtomicBool>, TriageError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|source| TriageError::file("listen for signals in", checkpoint, source))?;
    }
    Ok(stop)
}

/// The number asked for, or one for each core.
pub(super) fn threads(asked: Option<u16>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    asked.map_or_else(cores, usize::from)
}

/// The GPUs that `--device` names, else `none`: a training is long, and goes to a GPU only where the
/// command says so.
pub(super) fn asked<'a>(settings: &'a Settings, none: &'a Gpus) -> &'a Gpus {
    if settings.devices.is_empty() { none } else { &settings.gpus }
}
