//! `serve`: the daemon in the foreground, as a service manager wants it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use tracing_subscriber::filter::LevelFilter;

use crate::serve::Engine;
use crate::{Settings, TriageError};

/// Receive, score and write, until SIGTERM or SIGINT.
///
/// Logs go to stderr. A second signal ends the process at once; nothing is lost by that.
#[derive(Args)]
pub(crate) struct Serve {
    /// Log only what went wrong
    #[arg(long)]
    quiet: bool,
}

impl Serve {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        log_to_stderr(if self.quiet { LevelFilter::WARN } else { LevelFilter::INFO });
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            let armed =
                signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
                    .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
            armed.map_err(|source| {
                TriageError::file("listen for signals in", settings.layout.root(), source)
            })?;
        }
        let engine = Engine::start(settings, &stop)?;
        let config = &settings.config;
        tracing::info!(
            "listening on {} as {}, data in {}, network {}, scorer {}",
            engine.address(),
            config.dicom.ae_title,
            config.data_dir.display(),
            config.score.network,
            config.score.scorer
        );
        engine.wait()?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Our own lines from `ours` on, those of libraries from `warn` on.
fn log_to_stderr(ours: LevelFilter) {
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let levels =
        Targets::new().with_default(LevelFilter::WARN).with_target("ichor_triage", ours);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // A second call in one process keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(levels).with(lines).try_init();
}
