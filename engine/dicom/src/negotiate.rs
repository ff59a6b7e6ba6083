//! Who may connect, and in which encodings objects come (PS3.8 section 9.3.2 to 9.3.4).

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason,
    AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ,
    PresentationContextProposed, PresentationContextResult, PresentationContextResultReason,
    UserVariableItem,
};

use crate::DicomError;
use crate::encode::VERSION_NAME;
use crate::uid::{
    EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLEMENTATION, IMPLICIT_LITTLE, STANDARD, STORAGE,
    VERIFICATION,
};
use crate::wire::LONGEST_PDU;

/// PS3.7 annex A.2.1: the one application context there is.
pub(crate) const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// Pixels in frames by JPEG, JPEG-LS, JPEG 2000, HTJ2K, MPEG, JPEG XL; they are stored as they come.
const COMPRESSED: &str = "1.2.840.10008.1.2.4.";
/// Run lengths, which are stored as they come too.
const RUN_LENGTHS: &str = "1.2.840.10008.1.2.5";

/// A presentation context that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    /// Its odd number.
    pub(crate) id: u8,
    /// The encoding agreed on.
    pub(crate) transfer_syntax: String,
}

/// Whether a title is one: 1 to 16 printable characters of ASCII without backslash, not all
/// spaces (PS3.5 section 6.2, AE).
pub(crate) fn checked_title(title: &str) -> Result<(), DicomError> {
    let fits = (1..=16).contains(&title.len())
        && title.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\')
        && title.trim() == title;
    if fits { Ok(()) } else { Err(DicomError::Title { title: title.to_owned() }) }
}

/// The answer to a request: the acceptance with its contexts, or the rejection.
pub(crate) fn decide(
    request: &AssociationRQ,
    our_title: &str,
    allow_calling: &[String],
) -> Result<(AssociationAC, Vec<Context>), AssociationRJ> {
    use AssociationRJServiceUserReason::{
        ApplicationContextNameNotSupported, CalledAETitleNotRecognized,
        CallingAETitleNotRecognized,
    };
    if request.protocol_version & 1 == 0 {
        let reason = AssociationRJServiceProviderASCEReason::ProtocolVersionNotSupported;
        return Err(rejection(AssociationRJSource::ServiceProviderASCE(reason)));
    }
    if request.application_context_name.trim_end_matches('\0') != APPLICATION_CONTEXT {
        return Err(rejection(AssociationRJSource::ServiceUser(
            ApplicationContextNameNotSupported,
        )));
    }
    if request.called_ae_title != our_title {
        return Err(rejection(AssociationRJSource::ServiceUser(CalledAETitleNotRecognized)));
    }
    if !allow_calling.is_empty() && !allow_calling.contains(&request.calling_ae_title) {
        return Err(rejection(AssociationRJSource::ServiceUser(CallingAETitleNotRecognized)));
    }
    let results: Vec<PresentationContextResult> =
        request.presentation_contexts.iter().map(answer).collect();
    let accepted = results
        .iter()
        .filter(|result| result.reason == PresentationContextResultReason::Acceptance)
        .map(|r| Context { id: r.id, transfer_syntax: r.transfer_syntax.clone() })
        .collect();
    let acceptance = AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title.clone(),
        called_ae_title: request.called_ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: results,
        user_variables: user_variables(),
    };
    Ok((acceptance, accepted))
}

/// What we say about ourselves.
pub(crate) fn user_variables() -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(LONGEST_PDU),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION.to_owned()),
        UserVariableItem::ImplementationVersionName(VERSION_NAME.to_owned()),
    ]
}

fn rejection(source: AssociationRJSource) -> AssociationRJ {
    AssociationRJ { result: AssociationRJResult::Permanent, source }
}

fn answer(proposed: &PresentationContextProposed) -> PresentationContextResult {
    use PresentationContextResultReason::{
        AbstractSyntaxNotSupported, Acceptance, NoReason, TransferSyntaxesNotSupported,
    };
    let abstract_syntax = plain(&proposed.abstract_syntax);
    let (reason, transfer_syntax) = match best_syntax(&proposed.transfer_syntaxes) {
        // Numbers of contexts are odd (PS3.8 section 9.3.2.2).
        _ if proposed.id.is_multiple_of(2) => (NoReason, IMPLICIT_LITTLE),
        _ if !is_taken(abstract_syntax) => (AbstractSyntaxNotSupported, IMPLICIT_LITTLE),
        None => (TransferSyntaxesNotSupported, IMPLICIT_LITTLE),
        Some(syntax) => (Acceptance, syntax),
    };
    let transfer_syntax = transfer_syntax.to_owned();
    PresentationContextResult { id: proposed.id, reason, transfer_syntax }
}

/// C-ECHO, everything that the standard stores, and what the standard does not know.
fn is_taken(abstract_syntax: &str) -> bool {
    abstract_syntax == VERIFICATION
        || abstract_syntax.starts_with(STORAGE)
        || !(abstract_syntax.is_empty() || abstract_syntax.starts_with(STANDARD))
}

/// An uncompressed one if there is any, else the first that is stored as it comes. A deflated
/// data set is not taken: its header could not be read.
fn best_syntax(offered: &[String]) -> Option<&str> {
    let offered: Vec<&str> = offered.iter().map(|uid| plain(uid)).collect();
    let is_kept = |uid: &&&str| uid.starts_with(COMPRESSED) || **uid == RUN_LENGTHS;
    [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]
        .into_iter()
        .find(|uid| offered.contains(uid))
        .or_else(|| offered.iter().find(is_kept).copied())
}

fn plain(uid: &str) -> &str {
    uid.trim_matches(|c: char| c == '\0' || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(id: u8, abstract_syntax: &str, offered: &[&str]) -> PresentationContextProposed {
        PresentationContextProposed {
            id,
            abstract_syntax: abstract_syntax.to_owned(),
            transfer_syntaxes: offered.iter().map(|&uid| uid.to_owned()).collect(),
        }
    }

    const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
    const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";

    #[test]
    fn an_uncompressed_encoding_is_taken_before_a_compressed_one() {
        let check = |abstract_syntax: &str, offered: &[&str], taken: Option<&str>| {
            let result = answer(&context(1, abstract_syntax, offered));
            let accepted = result.reason == PresentationContextResultReason::Acceptance;
            assert_eq!(
                accepted.then_some(result.transfer_syntax.as_str()),
                taken,
                "{offered:?}"
            );
        };
        check(CT, &[JPEG_LS, IMPLICIT_LITTLE], Some(IMPLICIT_LITTLE));
        check(CT, &[IMPLICIT_LITTLE, "1.2.840.10008.1.2.1\0"], Some(EXPLICIT_LITTLE));
        check(CT, &["1.2.840.10008.1.2.1.99", JPEG_LS, RUN_LENGTHS], Some(JPEG_LS));
        check(CT, &["1.2.840.10008.1.2.1.99"], None);
        check(VERIFICATION, &[IMPLICIT_LITTLE], Some(IMPLICIT_LITTLE));
        check("1.3.12.2.1107.5.9.1", &[EXPLICIT_LITTLE], Some(EXPLICIT_LITTLE));
        // Query and retrieve is not storage.
        check("1.2.840.10008.5.1.4.1.2.2.1", &[IMPLICIT_LITTLE], None);
        let even = answer(&context(2, CT, &[IMPLICIT_LITTLE]));
        assert_eq!(even.reason, PresentationContextResultReason::NoReason);
    }

    #[test]
    fn titles_are_checked_both_ways() {
        let request = |called: &str, calling: &str| AssociationRQ {
            protocol_version: 1,
            calling_ae_title: calling.to_owned(),
            called_ae_title: called.to_owned(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: vec![context(1, CT, &[IMPLICIT_LITTLE])],
            user_variables: Vec::new(),
        };
        let allowed = ["CT4".to_owned()];
        let check = |called: &str, calling: &str, allowed: &[String], refused: Option<&str>| {
            let decided = decide(&request(called, calling), "ICHOR", allowed);
            let reason = decided.err().map(|rejection| rejection.source.to_string());
            assert_eq!(reason.as_deref(), refused);
        };
        check("ICHOR", "CT4", &allowed, None);
        check("ICHOR", "ANY", &[], None);
        check("OTHER", "CT4", &allowed, Some("called AE title not recognized"));
        check("ICHOR", "EVIL", &allowed, Some("calling AE title not recognized"));
    }

    #[test]
    fn a_title_has_one_to_sixteen_printable_characters() {
        assert!(checked_title("ICHOR").is_ok());
        for bad in ["", "SEVENTEEN_LETTERS", "A\\B", "É", " ICHOR"] {
            assert!(checked_title(bad).is_err(), "{bad:?}");
        }
    }
}
