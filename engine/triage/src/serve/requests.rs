//! What staff asks of the engine: rows of the `request` table.

use ichor_core::UnixMs;
use ichor_store::{Request, RequestKind, Store};

use crate::TriageError;
use crate::scorers::Scorers;

/// Serves every open request; one that cannot be served is closed with its reason. `otherwise` is
/// the profile of scorers for which none was chosen.
pub(super) fn serve(
    store: &mut Store,
    scorers: &Scorers,
    otherwise: &str,
    now: UnixMs,
) -> Result<(), TriageError> {
    for request in store.open_requests()? {
        let outcome = serve_one(store, scorers, otherwise, &request, now)
            .map_err(|error| error.to_string());
        if let Err(why) = &outcome {
            tracing::warn!("request of {}: {why}", request.by);
        }
        store.close_request(request.id, outcome, now)?;
    }
    Ok(())
}

fn serve_one(
    store: &mut Store,
    scorers: &Scorers,
    otherwise: &str,
    request: &Request,
    now: UnixMs,
) -> Result<(), TriageError> {
    match &request.kind {
        RequestKind::Rescore { study } => {
            store.requeue(*study, &request.by, now)?;
        }
        RequestKind::UseProfile { scorer, profile } => {
            // A profile that does not fit the scorer as installed is refused here, not at 3 a.m.
            scorers.profile(scorer, profile)?;
            store.set_active_profile(scorer, profile, otherwise, &request.by, now)?;
        }
    }
    Ok(())
}
