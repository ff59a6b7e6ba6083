//! What each misdeed of a plugin costs, as a table.

use super::{
    Bench, Duration, Features, Instant, SharedVolume, Workers, command, features, go_on, unit,
    volume,
};

/// Prints what the host says, how long it took, and how long until the next call was served.
pub(crate) fn whatever_a_plugin_does_the_next_call_is_served(bench: &Bench) {
    println!("| the plugin | the host says | ms | next call after ms |\n|---|---|---|---|");
    let check = |how: &str, words: &str| {
        let (scorer, extractor) = match how {
            "write to the volume" => ("", how),
            _ => (how, ""),
        };
        let (volume, mask) = volume();
        let shared = SharedVolume::new(&volume, &mask).unwrap();
        let none = Features::default();
        let mut workers =
            Workers::new(command(), vec![bench.installed(scorer, extractor)], &bench.folder);
        workers.worker(&unit("scorer")).unwrap();
        let began = Instant::now();
        let said = if extractor.is_empty() {
            workers.score(&unit("scorer"), &features(20.0, 1.0)).map(drop)
        } else {
            workers.extract(&unit("extractor"), &shared, &none, &mut go_on).map(drop)
        };
        let failed = began.elapsed();
        // The unit that does no wrong.
        let next = if extractor.is_empty() {
            workers.extract(&unit("extractor"), &shared, &none, &mut go_on).map(drop)
        } else {
            workers.score(&unit("scorer"), &features(20.0, 1.0)).map(drop)
        };
        let served = began.elapsed().saturating_sub(failed);
        assert!(next.is_ok(), "{how}: {next:?}");
        let said =
            said.map_or_else(|e| e.to_string(), |()| "a score: it was not let".to_owned());
        assert!(said.contains(words), "{how}: {said}");
        let ms = |took: Duration| took.as_secs_f64() * 1e3;
        println!("| {how} | {said} | {:.2} | {:.2} |", ms(failed), ms(served));
    };
    check("abort", "SIGABRT");
    check("exit", "died (exit status: 3)");
    check("fault", "SIGSEGV");
    // By the handler of the standard library.
    check("overflow the stack", "SIGABRT");
    check("hang", "took longer than its 400 ms");
    check("take memory", "its memory limit is 64 MiB");
    check("write to the volume", "SIGSEGV");
    check("fork", "not let");
    check("open a socket", "not let");
    check("write a file", "not let");
    check("answer NaN", "gave NaN for the risk");
    check("count wrongly", "1 results and 7 contributions");
    check("explain badly", "add up to");
}

pub(crate) fn crashes_among_many_calls_lose_none_and_leave_nothing(bench: &Bench) {
    let mut seen = Vec::new();
    let crashes = super::endurance::endure(bench, 300, 150, &mut |_, _, held| seen.push(held));
    assert!((5..=6).contains(&crashes), "{crashes}");
    // One worker, and no more descriptors than its own.
    assert_eq!((seen[1].descriptors, seen[1].children), (seen[2].descriptors, 1));
    assert_eq!(seen[2].children, 1);
    assert!(seen[2].rss_kib < seen[1].rss_kib + 1024, "{seen:?}");
}
