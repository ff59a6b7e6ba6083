//! What is installed is what is opened.

use super::{
    Bench, Command, HostError, Installed, Path, PermissionsExt, Worker, Workers, command,
    features, fs, header, install, installed, profile, profiles, roll_back, unit,
};

pub(crate) fn what_was_changed_after_installing_is_not_opened(bench: &Bench) {
    let plugin = bench.installed("", "changed");
    for file in ["librogue.so", "scorer.txt", "weights"] {
        let path = plugin.folder().join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, [&before[..], b"x"].concat()).unwrap();
        let error = Worker::spawn(&plugin, &command()).unwrap_err();
        assert!(matches!(error, HostError::Changed { .. }), "{error}");
        assert!(Installed::read(plugin.folder()).is_err());
        fs::write(&path, before).unwrap();
    }
    assert!(Worker::spawn(&plugin, &command()).is_ok());
    let source = bench.source("not-installed", "", "");
    let place = bench.folder.join("bare").join("org.example.rogue");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::rename(source, &place).unwrap();
    let error = Installed::read(&place).unwrap_err().to_string();
    assert!(error.contains("`ichor plugin install`"), "{error}");
}

pub(crate) fn what_others_could_change_is_not_opened(bench: &Bench) {
    let plugin = bench.installed("", "writable");
    let weights = plugin.folder().join("weights");
    let check = |words: &str| {
        let error = Installed::read(plugin.folder()).unwrap_err();
        assert!(matches!(error, HostError::Untrusted { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    fs::set_permissions(&weights, fs::Permissions::from_mode(0o664)).unwrap();
    check("is writable by its group");
    fs::rename(&weights, bench.folder.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(bench.folder.join("elsewhere"), &weights).unwrap();
    check("is a link");
    fs::remove_file(&weights).unwrap();
    fs::create_dir(&weights).unwrap();
    check("is no regular file");
    fs::set_permissions(plugin.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    check("is writable by its group or by all");
}

pub(crate) fn a_library_that_is_not_what_the_manifest_says_is_not_loaded(bench: &Bench) {
    let check = |from: &str, to: &str, library: &Path, words: &str| {
        let source = bench.source("other", "", "");
        let path = source.join("plugin.toml");
        let text = fs::read_to_string(&path).unwrap().replacen(from, to, 1);
        fs::write(&path, text).unwrap();
        let plugin = install(&source, library, &bench.folder.join("others")).unwrap();
        let error = Worker::spawn(&plugin, &command()).unwrap_err();
        assert!(matches!(error, HostError::Load { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let library = &bench.library;
    check("org.example.rogue", "org.example.other", library, "its id is \"org.example.rogue\"");
    check("version = \"1.0\"", "version = \"1.1\"", library, "its version is \"1.0\"");
    check("id = \"scorer\"", "id = \"risk\"", library, "it has no unit risk");
    check("kind = \"scorer\"", "kind = \"extractor\"", library, "is of another kind");
    let incomplete = bench.folder.join("incomplete.so");
    Bench::compile(&incomplete, &header(), &["-Dabort=no_such_function"]);
    check("1.0", "1.0", &incomplete, "undefined symbol: no_such_function");
    let text = bench.folder.join("text");
    fs::write(&text, "no library").unwrap();
    check("1.0", "1.0", &text, "org.example.rogue cannot be loaded");
}

pub(crate) fn the_first_folder_wins_and_a_newer_install_replaces(bench: &Bench) {
    let [site, shipped] = ["site", "shipped"].map(|name| bench.folder.join(name));
    let source = bench.source("first", "one", "");
    install(&source, &bench.library, &shipped).unwrap();
    let first = install(&source, &bench.library, &site).unwrap();
    fs::write(source.join("scorer.txt"), "another").unwrap();
    let newer = install(&source, &bench.library, &site).unwrap();
    assert_ne!(
        first.weights_sha256("scorer").unwrap(),
        newer.weights_sha256("scorer").unwrap()
    );
    // The plugin, and the folder of those that were replaced.
    assert_eq!(fs::read_dir(&site).unwrap().count(), 2, "something was left behind");
    let back = roll_back(&site, newer.id()).unwrap();
    assert_eq!(back, first);
    assert_eq!(roll_back(&site, newer.id()).unwrap(), newer, "a second one undoes the first");
    assert!(roll_back(&site, "org.example.other").is_err());
    let dirs = [bench.folder.join("absent"), site.clone(), shipped];
    let found: Vec<Installed> = installed(&dirs).into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [newer]);
    // A broken plugin of the site is said, not replaced by the shipped one.
    fs::remove_file(site.join("org.example.rogue").join("weights")).unwrap();
    assert!(installed(&dirs)[0].is_err());
}

pub(crate) fn who_runs_a_plugin_goes_on_with_it_after_it_was_replaced(bench: &Bench) {
    let site = bench.folder.join("going-on");
    let source = bench.source("going-on-source", "", "");
    let first = install(&source, &bench.library, &site).unwrap();
    let mut workers = Workers::new(command(), vec![first], &site);
    let risk = workers.score(&unit("scorer"), &features(20.0, 1.0)).unwrap().risk;
    fs::write(source.join("scorer.txt"), "abort").unwrap();
    install(&source, &bench.library, &site).unwrap();
    let pid = workers.worker(&unit("scorer")).unwrap().pid();
    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    while workers.worker(&unit("scorer")).unwrap().pid() == pid {}
    let again = workers.score(&unit("scorer"), &features(20.0, 1.0)).unwrap().risk;
    assert_eq!(again, risk);
    // Replaced once more it is nowhere.
    install(&source, &bench.library, &site).unwrap();
    let pid = workers.worker(&unit("scorer")).unwrap().pid();
    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    let error = loop {
        match workers.worker(&unit("scorer")).map(|worker| worker.pid()) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, HostError::Changed { .. }), "{error}");
}

pub(crate) fn a_profile_holds_for_the_weights_it_was_tuned_for(bench: &Bench) {
    let plugin = bench.installed("", "profiles");
    let unit = plugin.unit_ids().remove(0);
    let sums = Command::new("sh")
        .args(["-c", "sha256sum scorer.txt weights | sha256sum | cut -d' ' -f1"])
        .current_dir(plugin.folder())
        .output()
        .unwrap();
    let weights_sha256 = plugin.weights_sha256("scorer").unwrap();
    assert_eq!(String::from_utf8(sums.stdout).unwrap().trim(), weights_sha256);
    let write = |dir: &str, name: &str, threshold: f64, weights: &str| {
        let folder = bench.folder.join(dir).join(&unit.plugin).join(&unit.unit);
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "scorer = \"{unit}\"\nplugin_version = \"1.0\"\nweights_sha256 = \"{weights}\"\n\
             threshold = {threshold}\ncriterion = \"youden\"\ntuned_on = \"nothing\"\n\
             apparent = true\nprevalence = 0.2\ndate = \"2026-01-01\"\n\
             sensitivity = {{ value = 0.5, low = 0.4, high = 0.6, n = 9 }}\n\
             specificity = {{ value = 0.5, low = 0.4, high = 0.6, n = 9 }}\n"
        );
        fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    };
    write("profiles-site", "youden", 0.3, &weights_sha256);
    write("profiles-shipped", "youden", 0.4, &weights_sha256);
    write("profiles-shipped", "rule-out", 0.1, "ab");
    let dirs = ["profiles-site", "profiles-shipped"].map(|dir| bench.folder.join(dir));
    let youden = profile(&dirs, &plugin, &unit, "youden").unwrap();
    assert_eq!((youden.name.as_str(), youden.threshold.probability()), ("youden", 0.3));
    let void = profile(&dirs, &plugin, &unit, "rule-out").unwrap_err().to_string();
    let words = "profile rule-out is void: tuned for weights (scorer.txt, weights) of sha256 ab, \
                 installed is ";
    assert!(void.contains(words), "{void}");
    let missing = profile(&dirs, &plugin, &unit, "rule-in").unwrap_err().to_string();
    assert!(
        missing.ends_with("no threshold profile rule-in; there are rule-out, youden"),
        "{missing}"
    );
    assert_eq!(profiles(&dirs, &plugin, &unit).iter().filter(|(_, p)| p.is_ok()).count(), 1);
}
