//! The listener: a thread for each association, up to a limit.

use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use ichor_core::UnixMs;

use crate::DicomError;
use crate::negotiate::checked_title;
use crate::spool::{Spool, Taken};
use crate::store_scp::Desk;
use crate::wire::Wire;

/// Connections beyond the limit that are told so; further ones are closed without a word.
const CROWD: usize = 16;
/// How often the request to stop is looked for.
const TICK: Duration = Duration::from_millis(50);

/// How objects are received.
#[derive(Debug, Clone)]
pub struct ReceiverSettings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Our application entity title; associations that call another are rejected.
    pub ae_title: String,
    /// Calling titles that may send; empty: all.
    pub allow_calling: Vec<String>,
    /// Associations at a time; further ones are rejected as a transient overload.
    pub max_associations: usize,
    /// The largest object taken, in bytes.
    pub max_object_bytes: u64,
    /// How long a peer may be silent.
    pub silence: Duration,
    /// How long running associations may go on after the request to stop.
    pub grace: Duration,
    /// The time of day, in UTC.
    pub clock: fn() -> UnixMs,
}

/// What reception tells.
#[derive(Debug)]
pub enum Received {
    /// An object lies durable in the spool, or in the quarantine.
    Taken(Taken),
    /// An association was rejected or broke, or the disk failed.
    Failed {
        /// Who was connected.
        source: String,
        /// What happened.
        error: DicomError,
    },
}

/// A C-STORE and C-ECHO provider that listens.
#[derive(Debug)]
pub struct Receiver {
    listener: TcpListener,
    local: SocketAddr,
    settings: ReceiverSettings,
    spool: Arc<Spool>,
}

impl Receiver {
    /// Begins to listen; nothing is answered before [`Self::run`].
    pub fn bind(settings: ReceiverSettings, spool: Arc<Spool>) -> Result<Self, DicomError> {
        checked_title(&settings.ae_title)?;
        let failed = |source| DicomError::Network {
            doing: "listen at",
            peer: settings.listen.to_string(),
            source,
        };
        let listener = TcpListener::bind(settings.listen).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local, settings, spool })
    }

    /// The address that peers connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Receives until `stop` turns true; then running associations have the grace period to
    /// finish, and all threads end before this returns. What is taken goes to `received`.
    pub fn run(&self, stop: &AtomicBool, received: &Sender<Received>) {
        let over = AtomicBool::new(false);
        let is_closed = AtomicBool::new(false);
        let count = AtomicUsize::new(0);
        thread::scope(|scope| {
            let watch = || self.watch(stop, &over, &is_closed, &count);
            let watching = thread::Builder::new().name("dicom stop".to_owned());
            if watching.spawn_scoped(scope, watch).is_err() {
                return;
            }
            for stream in self.listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else {
                    // Out of file handles: running associations will give some back.
                    thread::sleep(TICK);
                    continue;
                };
                let before = count.fetch_add(1, Ordering::Relaxed);
                let limit = self.settings.max_associations;
                let desk = Desk {
                    settings: &self.settings,
                    spool: &self.spool,
                    received: received.clone(),
                };
                let (over, count) = (&over, &count);
                let association = move || {
                    desk.connect(stream, over, before >= limit);
                    count.fetch_sub(1, Ordering::Relaxed);
                };
                let thread = thread::Builder::new().name("dicom association".to_owned());
                let is_served = before < limit + CROWD;
                if !is_served || thread.spawn_scoped(scope, association).is_err() {
                    count.fetch_sub(1, Ordering::Relaxed);
                }
            }
            is_closed.store(true, Ordering::Relaxed);
        });
    }

    /// Waits for the request to stop, wakes the listener, and ends what is still running after
    /// the grace period.
    fn watch(
        &self,
        stop: &AtomicBool,
        over: &AtomicBool,
        is_closed: &AtomicBool,
        count: &AtomicUsize,
    ) {
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(TICK);
        }
        while !is_closed.load(Ordering::Relaxed) {
            if let Ok(stream) = TcpStream::connect_timeout(&self.own_address(), TICK) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            thread::sleep(TICK);
        }
        let begin = Instant::now();
        while count.load(Ordering::Relaxed) > 0 && begin.elapsed() < self.settings.grace {
            thread::sleep(TICK);
        }
        over.store(true, Ordering::Relaxed);
    }

    /// Where this machine reaches its own listener.
    fn own_address(&self) -> SocketAddr {
        let mut address = self.local;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }
}

impl Desk<'_> {
    /// Serves a connection; not even a defect in a parser takes more than this one down.
    fn connect(&self, stream: TcpStream, over: &AtomicBool, is_crowded: bool) {
        let peer = stream.peer_addr().map_or_else(|_| "?".to_owned(), |a| a.ip().to_string());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let wire = Wire::new(stream, peer.clone(), self.settings.silence, Some(over))?;
            self.serve(wire, is_crowded);
            Ok(())
        }));
        let error = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => DicomError::Protocol {
                peer: peer.clone(),
                why: "sent what our reader cannot bear",
            },
        };
        self.hand_on(Received::Failed { source: peer, error });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::path::PathBuf;
    use std::sync::mpsc;

    use super::*;
    use crate::Peer;
    use crate::samples::{Folder, tags, volume};
    use crate::write_ct_series;

    /// Runs a receiver for as long as `with` takes; what it received.
    fn check(
        change: impl Fn(&mut ReceiverSettings),
        with: impl FnOnce(&Folder, Peer),
    ) -> Vec<Received> {
        let folder = Folder::new();
        let mut settings = ReceiverSettings {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            ae_title: "ICHOR".to_owned(),
            allow_calling: Vec::new(),
            max_associations: 4,
            max_object_bytes: 1 << 20,
            silence: Duration::from_secs(5),
            grace: Duration::from_secs(2),
            clock: || UnixMs(1000),
        };
        change(&mut settings);
        let spool = Spool::open(&folder.join("spool"), &folder.join("quarantine")).unwrap();
        let receiver = Receiver::bind(settings, Arc::new(spool)).unwrap();
        let (sender, received) = mpsc::channel();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let running = scope.spawn(|| receiver.run(&stop, &sender));
            let peer = Peer {
                address: receiver.local_addr(),
                called: "ICHOR".to_owned(),
                calling: "CT4".to_owned(),
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| with(&folder, peer)));
            stop.store(true, Ordering::Relaxed);
            running.join().unwrap();
            outcome.unwrap();
        });
        drop(sender);
        received.into_iter().collect()
    }

    fn series(folder: &Folder, n_slices: usize) -> Vec<PathBuf> {
        write_ct_series(&volume(n_slices, 64, 64), &tags("scp"), &folder.join("out")).unwrap()
    }

    #[test]
    fn what_is_acknowledged_lies_in_the_spool() {
        let received = check(
            |_| {},
            |folder, peer| {
                peer.echo().unwrap();
                let mut n_on_disk = Vec::new();
                let files = series(folder, 6);
                let report = peer.send(&files, &mut |sent| {
                    assert!(sent.is_stored());
                    // Seen at the moment of the answer, before the next object goes out.
                    n_on_disk.push(std::fs::read_dir(folder.join("spool")).unwrap().count());
                });
                assert_eq!(report.unwrap().n_stored, 6);
                assert_eq!(n_on_disk, [1, 2, 3, 4, 5, 6]);
            },
        );
        assert_eq!(received.len(), 6);
        for received in received {
            let Received::Taken(Taken::Arrived(arrival)) = received else {
                panic!("{received:?}")
            };
            assert_eq!(arrival.source, "CT4 @ 127.0.0.1");
            assert_eq!(arrival.header.sender, "CT4");
            assert_eq!((arrival.received, arrival.warnings.len()), (UnixMs(1000), 0));
        }
    }

    #[test]
    fn a_received_series_is_the_one_that_was_sent() {
        check(
            |_| {},
            |folder, peer| {
                let files = series(folder, 6);
                peer.send(&files, &mut |_| {}).unwrap();
                let stored: Vec<PathBuf> = crate::samples::files(&folder.join("spool"));
                let crate::Opened::Volume { volume: read, .. } =
                    crate::open_study(&stored).unwrap()
                else {
                    panic!("withheld")
                };
                assert_eq!(read, volume(6, 64, 64));
            },
        );
    }

    #[test]
    fn wrong_titles_are_rejected_with_the_reason() {
        let received = check(
            |settings| settings.allow_calling = vec!["CT4".to_owned()],
            |_, peer| {
                let refused = |peer: Peer| peer.echo().unwrap_err().to_string();
                let other = Peer { called: "OTHER".to_owned(), ..peer.clone() };
                assert!(refused(other).ends_with("called AE title not recognized"));
                let evil = Peer { calling: "EVIL".to_owned(), ..peer.clone() };
                assert!(refused(evil).ends_with("calling AE title not recognized"));
                peer.echo().unwrap();
            },
        );
        assert_eq!(received.len(), 2);
    }

    #[test]
    fn one_association_too_many_is_told_to_come_again() {
        check(
            |settings| settings.max_associations = 0,
            |_, peer| {
                let error = peer.echo().unwrap_err().to_string();
                assert!(
                    error.ends_with("refused the association: local limit exceeded"),
                    "{error}"
                );
            },
        );
    }

    #[test]
    fn an_object_too_large_is_refused_and_the_next_one_is_taken() {
        let received = check(
            |settings| settings.max_object_bytes = 5000,
            |folder, peer| {
                let large = series(folder, 1);
                let small = write_ct_series(&volume(1, 8, 8), &tags("small"), folder.path());
                let files = [large, small.unwrap()].concat();
                let report = peer.send(&files, &mut |_| {}).unwrap();
                assert_eq!((report.n_stored, report.failed.len()), (1, 1));
                assert!(matches!(report.failed[0].outcome, Ok(0xa700)));
            },
        );
        assert_eq!(received.len(), 1, "{received:?}");
    }

    /// An association by hand, then whatever bytes: how a peer that is none of ours speaks.
    fn hostile(peer: &Peer, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(peer.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(bytes).unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    #[test]
    fn hostile_bytes_end_one_association_and_nothing_else() {
        let received = check(
            |_| {},
            |_, peer| {
                // An A-ASSOCIATE-RQ of 4 GB, an unknown PDU, P-DATA before any association.
                let huge = hostile(&peer, &[1, 0, 0xff, 0xff, 0xff, 0xff, 0, 1]);
                assert_eq!(huge.first(), Some(&7), "A-ABORT");
                let unknown = hostile(&peer, &[0x55, 0, 0, 0, 0, 0]);
                assert_eq!(unknown.first(), Some(&7));
                hostile(&peer, &[4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 3]);
                hostile(&peer, b"GET / HTTP/1.1\r\n\r\n");
                hostile(&peer, &[]);
                let mut numbers = crate::samples::Numbers(3);
                for _ in 0..200 {
                    let mut bytes: Vec<u8> =
                        (0..80).map(|_| numbers.below(256) as u8).collect();
                    bytes[..6].copy_from_slice(&[1, 0, 0, 0, 0, 74]);
                    hostile(&peer, &bytes);
                }
                peer.echo().unwrap();
            },
        );
        assert!(received.iter().all(|r| matches!(r, Received::Failed { .. })));
        assert_eq!(received.len(), 205);
    }

    /// What our side says when this follows an association that was accepted.
    fn broken_by(commands: &[u8]) -> String {
        use dicom_ul::pdu::{AssociationRQ, PresentationContextProposed};
        let received = check(
            |_| {},
            |_, peer| {
                let request = AssociationRQ {
                    protocol_version: 1,
                    calling_ae_title: "CT4".to_owned(),
                    called_ae_title: "ICHOR".to_owned(),
                    application_context_name: "1.2.840.10008.3.1.1.1".to_owned(),
                    presentation_contexts: vec![PresentationContextProposed {
                        id: 1,
                        abstract_syntax: "1.2.840.10008.1.1".to_owned(),
                        transfer_syntaxes: vec!["1.2.840.10008.1.2".to_owned()],
                    }],
                    user_variables: Vec::new(),
                };
                let mut bytes = Vec::new();
                dicom_ul::write_pdu(&mut bytes, &request.into()).unwrap();
                bytes.extend_from_slice(commands);
                assert_eq!(hostile(&peer, &bytes).first(), Some(&2), "A-ASSOCIATE-AC");
                peer.echo().unwrap();
            },
        );
        match &received[..] {
            [Received::Failed { error, .. }] => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn hostile_commands_are_refused_by_what_they_claim() {
        let check = |context: u8, control: u8, data: &[u8], why: &str| {
            let n = data.len() as u8;
            let mut bytes = vec![4, 0, 0, 0, 0, n + 6, 0, 0, 0, n + 2, context, control];
            bytes.extend_from_slice(data);
            let said = broken_by(&bytes);
            assert_eq!(said, format!("127.0.0.1 broke the protocol: {why}"));
        };
        let four_gb = [0, 0, 0, 0x10, 0xff, 0xff, 0xff, 0xff, 1, 2];
        check(1, 3, &four_gb, "a command set that is none");
        check(1, 0, &[1, 2], "data without a command");
        let echo = crate::command::Command {
            field: crate::command::ECHO,
            ..crate::command::Command::default()
        };
        check(3, 3, &echo.encode(), "a presentation context that was not accepted");
        let answer = echo.answer(0, "").encode();
        check(1, 3, &answer, "a response that nobody asked for");
    }

    #[test]
    fn bytes_that_are_no_object_are_quarantined_and_answered_with_an_error() {
        let received = check(
            |_| {},
            |folder, peer| {
                let header = crate::read_header(&series(folder, 1)[0]).unwrap();
                let status =
                    peer.send_raw(&header, b"these are words and no data set").unwrap();
                assert_eq!(status, 0xc000);
                assert_eq!(std::fs::read_dir(folder.join("quarantine")).unwrap().count(), 2);
                assert_eq!(std::fs::read_dir(folder.join("spool")).unwrap().count(), 0);
            },
        );
        assert!(
            matches!(received[..], [Received::Taken(Taken::Quarantined(_))]),
            "{received:?}"
        );
    }

    #[test]
    fn a_silent_peer_is_let_go() {
        let received = check(
            |settings| settings.silence = Duration::from_millis(300),
            |_, peer| {
                let mut stream = TcpStream::connect(peer.address).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                assert_eq!(answer.first(), Some(&7), "A-ABORT");
            },
        );
        assert!(matches!(
            &received[..],
            [Received::Failed { error: DicomError::Silent { .. }, .. }]
        ));
    }

    #[test]
    fn stopping_waits_no_longer_than_the_grace_period() {
        let begin = Instant::now();
        let mut held = None;
        check(
            |settings| settings.grace = Duration::from_millis(300),
            |_, peer| held = Some(TcpStream::connect(peer.address).unwrap()),
        );
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
        drop(held);
    }
}
