//! Whole screens of the dialogs: the form of clinical values, the threshold profiles.

use ichor_core::{ClinicalSource, ClinicalValue, Profile};
use ichor_store::Row;

use super::{
    app::App,
    event::{Event, Wish},
    screens::{filled, open, opened, press, text},
};
use crate::{golden, profile::Choice, sample};

const BOOSTING: &str = "org.ichor.boosting/boosting";
const SIGNATURE: &str = "org.ichor.radiomics/signature";

fn profile(scorer: &str, name: &str, threshold: f64, in_use: bool) -> Choice {
    let text = format!(
        r#"
scorer = "{scorer}"
plugin_version = "0.1.0"
weights_sha256 = "c3"
threshold = {threshold}
criterion = "youden"
tuned_on = "phantom development cohort, seed 2, n 605, simulated labels"
apparent = false
prevalence = 0.237
sensitivity = {{ value = 0.79, low = 0.70, high = 0.86, n = 140 }}
specificity = {{ value = 0.61, low = 0.56, high = 0.65, n = 458 }}
date = "2026-01-01"
"#
    );
    let profile = Profile::parse(name, &text).unwrap();
    Choice { name: name.to_owned(), in_use, void: None, file: "x.toml".into(), profile }
}

/// Two profiles of the active scorer, a void one of its shadow, one of a scorer that does not run.
fn choices() -> Event {
    let why = "profile youden is void: tuned for weights c3, installed is d4".to_owned();
    let choices = vec![
        Choice { void: Some(why), ..profile(SIGNATURE, "youden", 0.3, true) },
        profile(BOOSTING, "youden", 0.412, true),
        profile(BOOSTING, "rule-out", 0.2, false),
        profile("org.ichor.signs/bat", "youden", 0.5, true),
    ];
    let running = [BOOSTING, SIGNATURE].map(|id| id.parse().unwrap()).into();
    Event::Profiles { choices, running }
}

#[test]
fn the_clinical_form_at_80_by_24() {
    let mut app = filled(80, 24, false);
    press(&mut app, "j");
    open(&mut app, "screen-form");
    assert_eq!(press(&mut app, "c"), []);
    golden::check("form-80x24", &text(&app));
    let enters = |app: &mut App, keys: &str, name, value: f64| {
        let wishes = press(app, keys);
        let [Wish::Clinical { study: 2, name: named, value: given }] = wishes[..] else {
            panic!("{keys}: {wishes:?}")
        };
        assert_eq!((named, given.to_bits()), (name, value.to_bits()), "{keys}");
    };
    enters(&mut app, "2,5⏎", "onset_to_ct_h", 2.5);
    enters(&mut app, "-", "onset_to_ct_h", f64::NAN);
    assert_eq!(press(&mut app, "jjj99⏎"), [], "no such coma");
    assert!(text(&app).contains("99 is no gcs: it must be a whole number from 3 to 15"));
    assert_eq!(press(&mut app, "⎋1.5.⏎⎋"), [], "neither is this a number");
    enters(&mut app, "jy", "anticoagulant", 1.0);
    enters(&mut app, "n", "anticoagulant", 0.0);
    assert_eq!(press(&mut app, "r"), [Wish::Rescore(2)], "and the form is over");
    assert_eq!(press(&mut app, "c⎋q"), [Wish::Close], "Esc closes the form, q the study");
}

#[test]
fn the_clinical_form_at_200_by_50() {
    let mut app = filled(200, 50, false);
    press(&mut app, "j");
    open(&mut app, "screen-form-200");
    press(&mut app, "cjjjj1");
    golden::check("form-200x50", &text(&app));
    assert_eq!(press(&mut app, "a"), [], "letters are no numbers");
}

#[test]
fn a_verdict_made_before_a_value_changed_says_so() {
    let mut app = filled(80, 24, false);
    press(&mut app, "j");
    open(&mut app, "screen-changed");
    assert!(!text(&app).contains("Made before"));
    let row = Row { clinical_changed: true, ..sample::expands(2, 0.871) };
    let mut changed = opened(row, "screen-changed");
    changed.detail.clinical_changed = vec!["anticoagulant".to_owned()];
    changed.detail.clinical.push(ClinicalValue {
        name: "anticoagulant".to_owned(),
        value: 1.0,
        source: ClinicalSource::Staff { by: "ana".to_owned(), at: sample::NOW },
    });
    app.update(Event::Study(Box::new(changed)));
    golden::check("study-changed-80x24", &text(&app));
}

#[test]
fn the_threshold_profiles_at_80_by_24() {
    let mut app = filled(80, 24, false);
    assert_eq!(press(&mut app, "t"), [Wish::Profiles]);
    assert_eq!(app.update(choices()), []);
    golden::check("profiles-80x24", &text(&app));
    assert_eq!(press(&mut app, "⏎"), [], "it is in use");
    assert!(text(&app).contains("it is in use already"));
    assert_eq!(press(&mut app, "k⏎n"), [], "asked, and not meant");
    assert_eq!(press(&mut app, "⏎"), []);
    golden::check("profiles-asked-80x24", &text(&app));
    let scorer = BOOSTING.parse().unwrap();
    let profile = "rule-out".to_owned();
    assert_eq!(press(&mut app, "y"), [Wish::UseProfile { scorer, profile }]);
}

#[test]
fn a_void_profile_says_why_and_cannot_be_chosen() {
    let mut app = filled(80, 24, false);
    press(&mut app, "t");
    app.update(choices());
    press(&mut app, "jj");
    golden::check("profiles-void-80x24", &text(&app));
    assert_eq!(press(&mut app, "⏎y"), [], "it is never asked about");
    assert_eq!(press(&mut app, "⎋q"), [Wish::Quit]);
}

#[test]
fn a_long_list_of_profiles_scrolls_and_the_question_is_always_seen() {
    let mut app = filled(80, 24, false);
    press(&mut app, "t");
    let names: Vec<String> = (0..30).map(|n| format!("site-{n:02}")).collect();
    let of_site = |name: &String| profile(BOOSTING, name, 0.3, name == "site-00");
    let running = vec![BOOSTING.parse().unwrap()];
    app.update(Event::Profiles { choices: names.iter().map(of_site).collect(), running });
    press(&mut app, &"j".repeat(20));
    golden::check("profiles-long-80x24", &text(&app));
    press(&mut app, &"j".repeat(20));
    assert!(text(&app).contains("> site-29") || text(&app).contains(">  site-29"));
    press(&mut app, "⏎");
    assert!(text(&app).contains("y yes, any other key no"));
}
