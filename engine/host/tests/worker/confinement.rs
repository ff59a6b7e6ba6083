//! What a worker may not do, and that it does not outlive its host.

use super::{Bench, Command, Confinement, Duration, HOST, Instant, Path, WORKER, features, fs};

pub(crate) fn a_worker_reads_its_folder_only(bench: &Bench) {
    let mut worker = bench.worker("write a file", "");
    if worker.confinement() == Confinement::None {
        println!("skipped: this kernel confines nobody");
        return;
    }
    println!("confinement: {:?}", worker.confinement());
    assert!(worker.score("scorer", &features(20.0, 1.0)).is_ok());
    assert!(bench.worker("read a secret", "").score("scorer", &features(20.0, 1.0)).is_ok());
}

pub(crate) fn a_worker_stays_alone(bench: &Bench) {
    // Each would answer with a refusal, or not at all, had it got its way.
    for how in ["fork", "open a socket", "start a program", "signal its host"] {
        let mut worker = bench.worker(how, "");
        if worker.confinement() == Confinement::None {
            println!("skipped: this kernel confines nobody");
            return;
        }
        let answer = worker.score("scorer", &features(20.0, 1.0));
        assert!(answer.is_ok(), "{how}: {answer:?}");
    }
}

pub(crate) fn a_worker_ends_with_its_host(bench: &Bench) {
    let plugin = bench.installed("hang", "");
    let mut host = Command::new(std::env::current_exe().unwrap())
        .arg(HOST)
        .arg(plugin.folder())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(host.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "started\n");
    let list = format!("/proc/{0}/task/{0}/children", host.id());
    let workers = fs::read_to_string(list).unwrap();
    let worker = Path::new("/proc").join(workers.trim());
    assert!(worker.join("stat").exists(), "{workers:?}");
    host.kill().unwrap();
    host.wait().unwrap();
    let ended = || {
        // A zombie whose new parent does not reap it has ended, too.
        fs::read_to_string(worker.join("stat")).map_or(true, |stat| stat.contains(") Z "))
    };
    let until = Instant::now() + Duration::from_secs(2);
    while !ended() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(ended());
}

pub(crate) fn a_worker_without_a_host_says_so(_: &Bench) {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(WORKER)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.ends_with("this command is run by the engine only\n"), "{words}");
}
