//! What staff asks of the engine: rows that it takes up when it runs.

use ichor_core::UnixMs;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

use crate::audit::{ENGINE, append};
use crate::columns::{Json, all};
use crate::queue::uid;
use crate::{Request, RequestKind, Result, Store, StoreError};

impl Store {
    /// Asks; returns the request's row, the open one's where the same is asked already.
    pub fn request(&mut self, kind: &RequestKind, by: &str, now: UnixMs) -> Result<i64> {
        self.write(|tx| {
            let study_uid = match kind {
                RequestKind::Rescore { study } => Some(uid(tx, *study)?),
                RequestKind::UseProfile { .. } => None,
            };
            let open: Option<i64> = tx
                .query_row(
                    "SELECT id FROM request WHERE kind = ?1 AND closed_ms IS NULL",
                    [Json(kind)],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(id) = open {
                return Ok(id);
            }
            tx.execute(
                "INSERT INTO request (kind, who, at_ms) VALUES (?1, ?2, ?3)",
                params![Json(kind), by, now.0],
            )?;
            let id = tx.last_insert_rowid();
            let detail = json!({"request": id, "what": kind});
            append(tx, now, by, "requested", study_uid.as_deref(), &detail)?;
            Ok(id)
        })
    }

    /// Requests that wait for the engine, oldest first.
    pub fn open_requests(&self) -> Result<Vec<Request>> {
        let sql = "SELECT id, who, at_ms, kind FROM request
                   WHERE closed_ms IS NULL ORDER BY id";
        all(&self.conn, sql, [], |row| {
            Ok(Request {
                id: row.get(0)?,
                by: row.get(1)?,
                at: UnixMs(row.get(2)?),
                kind: row.get::<_, Json<_>>(3)?.0,
            })
        })
    }

    /// Ends a request: done, or refused with the engine's words. Fails when it is not open.
    pub fn close_request(
        &mut self,
        id: i64,
        result: std::result::Result<(), String>,
        now: UnixMs,
    ) -> Result<()> {
        let error = result.err();
        self.write(|tx| {
            let kind: Option<Json<RequestKind>> = tx
                .query_row(
                    "UPDATE request SET closed_ms = ?2, error = ?3
                     WHERE id = ?1 AND closed_ms IS NULL RETURNING kind",
                    params![id, now.0, error],
                    |row| row.get(0),
                )
                .optional()?;
            let study_uid = match kind.ok_or(StoreError::NotOpen { id })?.0 {
                RequestKind::Rescore { study } => Some(uid(tx, study)?),
                RequestKind::UseProfile { .. } => None,
            };
            let detail = json!({"request": id, "error": error});
            append(tx, now, ENGINE, "request-closed", study_uid.as_deref(), &detail)
        })
    }
}

impl Store {
    /// What became of a request: none while it waits, else done, or the engine's words.
    pub fn request_outcome(&self, id: i64) -> Result<Option<std::result::Result<(), String>>> {
        let closed: Option<(Option<i64>, Option<String>)> = self
            .conn
            .prepare_cached("SELECT closed_ms, error FROM request WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (closed_ms, error) = closed.ok_or(StoreError::NotOpen { id })?;
        Ok(closed_ms.map(|_| error.map_or(Ok(()), Err)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, actions, at, image, unit};

    #[test]
    fn a_request_waits_until_the_engine_closes_it() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        let rescore = RequestKind::Rescore { study: 1 };
        let profile = RequestKind::UseProfile {
            scorer: unit("org.ichor.boosting/boosting"),
            profile: "rule-out".to_owned(),
        };
        let first = store.request(&rescore, "ana", at(1.0)).unwrap();
        let second = store.request(&profile, "ben", at(2.0)).unwrap();
        assert_eq!(store.request(&rescore, "ben", at(3.0)).unwrap(), first);
        assert_eq!(
            store.open_requests().unwrap(),
            [
                Request { id: first, by: "ana".to_owned(), at: at(1.0), kind: rescore.clone() },
                Request { id: second, by: "ben".to_owned(), at: at(2.0), kind: profile },
            ]
        );
        assert_eq!(store.request_outcome(first).unwrap(), None);
        store.close_request(first, Ok(()), at(4.0)).unwrap();
        store.close_request(second, Err("no such profile".to_owned()), at(5.0)).unwrap();
        assert_eq!(store.open_requests().unwrap(), []);
        assert_eq!(store.request_outcome(first).unwrap(), Some(Ok(())));
        let refused = Some(Err("no such profile".to_owned()));
        assert_eq!(store.request_outcome(second).unwrap(), refused);
        assert!(matches!(
            store.close_request(first, Ok(()), at(6.0)),
            Err(StoreError::NotOpen { id: 1 })
        ));
        assert!(store.request(&rescore, "ana", at(7.0)).unwrap() > second);
        let last = store.audit(1, 100).unwrap();
        assert!(last.iter().any(|entry| entry.detail.contains("no such profile")));
        assert_eq!(actions(&store).iter().filter(|a| *a == "requested").count(), 3);
    }

    #[test]
    fn nothing_is_asked_of_a_study_that_is_none() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let error =
            store.request(&RequestKind::Rescore { study: 7 }, "ana", START).unwrap_err();
        assert!(error.to_string().starts_with("no study #7: "), "{error}");
        assert_eq!(store.open_requests().unwrap(), []);
    }
}
