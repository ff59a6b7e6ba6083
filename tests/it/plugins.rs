//! A plugin of one's own: started, built, tried out, and found out where it does wrong.

use std::path::PathBuf;
use std::process::Command;

use crate::programs::{stderr, stdout};
use crate::site::Site;

/// A scorer in C by `plugin new`, changed by `change` and built; none without a C compiler.
fn scorer(site: &Site, name: &str, change: impl Fn(String) -> String) -> Option<PathBuf> {
    let folder = site.layout().root().join(name);
    let out = folder.to_str().expect("scratch paths are UTF-8");
    let args = ["plugin", "new", name, "--language", "c", "--out", out];
    let made = site.ichor("ichor", &args);
    assert!(made.status.success(), "{}", stderr(&made));
    let source = folder.join("scorer.c");
    let text = std::fs::read_to_string(&source).expect("plugin new writes it");
    let changed = change(text.clone());
    assert_eq!(changed == text, name == "mine", "the change does something");
    std::fs::write(&source, changed).expect("the scratch folder is writable");
    let library = folder.join(format!("lib{name}.so"));
    let built = Command::new("cc")
        .args(["-std=c11", "-O1", "-fPIC", "-shared", "-o"])
        .args([&library, &source])
        .arg("-lm")
        .status();
    let Ok(built) = built else {
        println!("skipped: no C compiler");
        return None;
    };
    assert!(built.success());
    Some(folder)
}

fn check(site: &Site, folder: &std::path::Path) -> (bool, String) {
    let tried = site.ichor("ichor-engine", &["plugin", "check", &folder.to_string_lossy()]);
    (tried.status.success(), stdout(&tried) + &stderr(&tried))
}

#[test]
fn a_new_scorer_passes_installs_and_is_listed() {
    let site = Site::new("own-plugin");
    let Some(folder) = scorer(&site, "mine", |text| text) else { return };
    let (passed, report) = check(&site, &folder);
    assert!(passed, "{report}");
    assert!(report.contains("memory: ") && report.contains("after 10000 calls"), "{report}");
    let text = folder.to_string_lossy();
    let installed = site.ichor("ichor-engine", &["plugin", "install", &text]);
    assert!(installed.status.success(), "{}", stderr(&installed));
    let listed = stdout(&site.ichor("ichor-engine", &["plugin", "list"]));
    assert!(listed.contains("org.example.mine/mine"), "{listed}");
}

#[test]
fn a_scorer_that_does_wrong_is_found_out() {
    let site = Site::new("wrong-plugin");
    let base = "response->base = -1.2;";
    let wrongs = [
        // Another risk every time.
        (
            "drifts",
            "static double n; response->base = -1.2 + (n += 0.001);",
            "promised, and not so",
        ),
        ("sums", "response->base = -1.2; ml += 1.0;", ""),
        (
            "leaks",
            "response->base = -1.2; *(volatile char *)malloc(4000) = 1;",
            "KiB more after 10000 calls",
        ),
        ("faults", "response->base = -1.2; if (isnan(ml)) *(volatile int *)8 = 0;", "died"),
        ("nan", "response->base = ml > 1e8 ? NAN : -1.2;", "gave NaN for the base"),
    ];
    for (name, instead, words) in wrongs {
        let change = |text: String| {
            text.replace(base, instead)
                .replace("#include <math.h>", "#include <math.h>\n#include <stdlib.h>")
        };
        let Some(folder) = scorer(&site, name, change) else { return };
        let (passed, report) = check(&site, &folder);
        // One that only answers otherwise is within its rights.
        assert_eq!(passed, words.is_empty(), "{name}: {report}");
        assert!(report.contains(words), "{name}: {report}");
    }
}
