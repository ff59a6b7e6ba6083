//! The light commands, driven as a script drives them: the binary, its output, its exit code.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../src/console/phantom.rs"]
#[expect(dead_code, reason = "the console's own tests use the rest")]
mod phantom;
mod site;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use ichor_core::UnixMs;
use ichor_store::{RequestKind, VoidProfile};
use serde_json::Value;
use site::Site;

const NOW: UnixMs = UnixMs(1_760_000_000_000);

fn command(site: &Site, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ichor"));
    command.arg("--config").arg(site.config()).args(["--user", "ana"]);
    command.args(arguments.split_whitespace());
    command
}

fn run(site: &Site, arguments: &str) -> Output {
    command(site, arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a successful command prints.
fn printed(site: &Site, arguments: &str) -> String {
    let output = run(site, arguments);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaint.is_empty(), "{arguments}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command complains about, and its exit code.
fn complaint(site: &Site, arguments: &str) -> (String, i32) {
    let output = run(site, arguments);
    (String::from_utf8(output.stderr).unwrap(), output.status.code().unwrap())
}

fn json(site: &Site, arguments: &str) -> Value {
    serde_json::from_str(&printed(site, arguments)).unwrap()
}

/// The study's number in the list.
fn number(site: &Site, patient_id: &str) -> i64 {
    site.store().find_study(patient_id).unwrap()
}

#[test]
fn the_list_as_json_is_in_the_order_of_the_store() {
    let site = Site::filled(NOW);
    let rows = json(&site, "list --json");
    let kinds: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["kind"].as_str().unwrap_or(row["state"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds[..2], ["expands", "expands"]);
    assert_eq!(kinds[4..], ["stable", "receiving"]);
    assert_eq!(rows[0]["risk"], 0.871);
    assert_eq!(rows[0]["profile"], "youden");
    assert!(kinds[2..4].contains(&"withheld") && kinds[2..4].contains(&"failed"));
}

#[test]
fn the_list_in_a_pipe_holds_no_escape_sequence() {
    let text = printed(&Site::filled(NOW), "list");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("▲ EXPANDS") && text.contains("RESEARCH USE ONLY"), "{text}");
}

#[test]
fn a_watched_list_is_printed_again_when_it_changes() {
    let site = Site::filled(NOW);
    let mut child =
        command(&site, "list --watch --json").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next =
        || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let study = number(&site, "MRN00002");
    assert_ne!(next()[0]["study"], study);
    site.store().set_priority(study, 3, "ana", NOW).unwrap();
    assert_eq!(next()[0]["study"], study);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::filled(NOW);
    let mut child = command(&site, "list --watch")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    site.store().set_priority(number(&site, "MRN00002"), 3, "ana", NOW).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_study_is_shown_by_number_uid_and_patient() {
    let site = Site::filled(NOW);
    let study = number(&site, "MRN00000");
    let by_patient = json(&site, "show MRN00000 --json");
    assert_eq!(by_patient["row"]["study"], study);
    assert_eq!(json(&site, "show 1.2.826.0.1.0 --json"), by_patient);
    assert_eq!(json(&site, &format!("show #{study} --json")), by_patient);
    let text = printed(&site, "show MRN00000");
    assert!(text.contains("threshold  41.2 %") && text.contains("a1b2a1b2a1b2"), "{text}");
    let (words, code) = complaint(&site, "show nobody");
    assert_eq!(code, 1);
    assert!(words.starts_with("ichor: no study nobody: give a row number"), "{words}");
}

#[test]
fn requests_wait_for_the_engine_under_the_users_name() {
    let site = Site::filled(NOW);
    let study = number(&site, "MRN00000");
    assert!(printed(&site, "requeue MRN00000").contains(&format!("study {study} again")));
    let (words, code) = complaint(&site, "profile use boosting rule-out");
    assert!(code == 1 && words.contains("give --yes"), "nobody can be asked here: {words}");
    assert_eq!(site.store().open_requests().unwrap().len(), 1);
    let said = printed(&site, "profile use boosting rule-out --yes");
    assert!(said.contains("from  youden") && said.contains("to    rule-out"), "{said}");
    let requests = site.store().open_requests().unwrap();
    assert_eq!(requests[0].kind, RequestKind::Rescore { study });
    assert_eq!(
        requests[1].kind,
        RequestKind::UseProfile {
            scorer: "org.ichor.boosting/boosting".parse().unwrap(),
            profile: "rule-out".to_owned(),
        }
    );
    assert!(requests.iter().all(|request| request.by == "ana"));
    let (words, code) = complaint(&site, "profile use boosting lucky");
    assert_eq!(code, 1);
    assert!(words.contains("has no profile lucky; it has: ") && words.contains("rule-out"));
}

#[test]
fn clinical_values_are_entered_checked_and_taken_back() {
    let site = Site::filled(NOW);
    let set = |values: &str| format!("clinical set MRN00000 {values}");
    printed(&site, &set("onset_to_ct_h=1.5 gcs=14"));
    let values = json(&site, "show MRN00000 --json")["clinical"].clone();
    assert_eq!(
        (&values[0]["name"], &values[0]["value"]),
        (&"onset_to_ct_h".into(), &1.5.into())
    );
    assert_eq!((&values[0]["source"], &values[0]["by"]), (&"staff".into(), &"ana".into()));
    assert_eq!(
        (&values[1]["name"], &values[1]["source"]),
        (&"age_years".into(), &"dicom".into())
    );
    printed(&site, &set("gcs=-"));
    assert_eq!(json(&site, "show MRN00000 --json")["clinical"].as_array().unwrap().len(), 2);
    assert_eq!(complaint(&site, &set("gcs=99")).1, 1);
    assert!(complaint(&site, &set("gcs")).0.contains("write NAME=NUMBER"));
}

#[test]
fn the_profile_in_use_is_marked() {
    let site = Site::filled(NOW);
    let in_use = |name: &str| {
        let profiles = json(&site, "profile list --json");
        let profiles = profiles.as_array().unwrap();
        let ours = |profile: &&Value| {
            profile["name"] == name && profile["scorer"] == "org.ichor.boosting/boosting"
        };
        profiles.iter().find(ours).unwrap()["in_use"].as_bool().unwrap()
    };
    assert!(in_use("youden") && !in_use("rule-out"));
    let scorer = "org.ichor.boosting/boosting".parse().unwrap();
    site.store().set_active_profile(&scorer, "rule-out", "youden", "engine", NOW).unwrap();
    assert!(!in_use("youden") && in_use("rule-out"));
}

#[test]
fn a_profile_alone_is_one_of_the_active_scorer() {
    let site = Site::filled(NOW);
    let said = printed(&site, "profile use youden --yes");
    assert!(said.contains("judged by youden already"), "{said}");
    assert_eq!(site.store().open_requests().unwrap(), []);
    let said = printed(&site, "profile use rule-out --yes");
    for words in [
        "from  youden        41 %  sensitivity 89 % (73 to 96, n 28)  specificity 78 % (68 to 85, n 90)",
        "to    rule-out      11 %  sensitivity 89 % (73 to 96, n 28)",
        "      youden; phantom development, simulated labels",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let kind = RequestKind::UseProfile {
        scorer: "org.ichor.boosting/boosting".parse().unwrap(),
        profile: "rule-out".to_owned(),
    };
    assert_eq!(site.store().open_requests().unwrap()[0].kind, kind);
    assert_eq!(complaint(&site, "profile use a b c").1, 2);
}

#[test]
fn a_void_profile_is_listed_with_its_reason_and_not_used() {
    let site = Site::filled(NOW);
    let void = VoidProfile {
        scorer: "org.ichor.boosting/boosting".parse().unwrap(),
        profile: "rule-out".to_owned(),
        why: "tuned for weights c3, installed is d4".to_owned(),
    };
    site.store().set_void_profiles(&[void]).unwrap();
    let list = printed(&site, "profile list");
    assert!(list.contains("VOID: tuned for weights c3, installed is d4"), "{list}");
    let (words, code) = complaint(&site, "profile use rule-out --yes");
    assert_eq!(code, 1);
    assert!(words.contains("tuned for weights c3, installed is d4"), "{words}");
    assert_eq!(site.store().open_requests().unwrap(), []);
}

#[test]
fn what_pushed_the_risk_is_shown_in_words_and_kept_by_name() {
    let site = Site::filled(NOW);
    let text = printed(&site, "show MRN00000");
    let (_, pushes) = text.split_once("WHAT PUSHED THE RISK, log-odds\n").unwrap();
    let first = pushes.lines().next().unwrap();
    assert!(first.starts_with(" +1.32 ████████████ largest diameter, mm"), "{first}");
    assert!(first.ends_with(" 48.25"), "{first}");
    let verdict = &json(&site, "show MRN00000 --json")["verdicts"][0];
    let push = &verdict["contributions"][0];
    assert_eq!(push["name"], "original_shape_Maximum3DDiameter");
    assert_eq!(push["words"], "largest diameter, mm");
}

#[test]
fn the_audit_trail_is_exported_and_verified() {
    let site = Site::filled(NOW);
    let entries = printed(&site, "audit export").lines().count() as u64;
    let check = json(&site, "audit verify --json");
    assert_eq!(check["entries"], entries);
    assert_eq!(check["broken_at"], Value::Null);
}

#[test]
fn without_a_database_a_command_says_what_to_do() {
    let site = Site::empty();
    let (words, code) = complaint(&site, "list");
    assert_eq!(code, 1);
    assert!(words.contains("start the engine first or check data_dir"), "{words}");
}

#[test]
fn wrong_usage_is_2_and_names_the_word() {
    let site = Site::empty();
    for arguments in ["serv", "list --jsn", "show", "clinical set X"] {
        let (words, code) = complaint(&site, arguments);
        assert_eq!(code, 2, "{arguments}: {words}");
    }
    assert!(complaint(&site, "serv").0.contains("unrecognized command serv"));
}

#[test]
fn a_named_configuration_must_be_there() {
    let output = Command::new(env!("CARGO_BIN_EXE_ichor"))
        .args(["list", "--config", "/nowhere/ichor.toml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/ichor.toml: "));
}

#[test]
fn the_printed_configuration_is_the_default() {
    let site = Site::empty();
    assert_eq!(printed(&site, "config"), ichor_core::DEFAULT_TOML);
    assert_eq!(printed(&site, "config --path").trim(), site.config().to_str().unwrap());
}

#[test]
fn the_console_needs_a_terminal() {
    let (words, code) = complaint(&Site::filled(NOW), "");
    assert_eq!(code, 1);
    assert!(words.contains("use `ichor list`"), "{words}");
}

#[test]
#[ignore = "keeps a site in $ICHOR_SCRATCH, with its engine alive for ten minutes, to look at"]
fn a_site_to_look_at() {
    let folder = std::env::var_os("ICHOR_SCRATCH").unwrap();
    let now = || UnixMs(jiff::Timestamp::now().as_millisecond());
    let site = std::mem::ManuallyDrop::new(Site::at(folder.into()));
    site.fill(now());
    for _ in 0..120 {
        std::thread::sleep(std::time::Duration::from_secs(5));
        site.store().engine_beat(1, "0.1.0", now()).unwrap();
    }
}
