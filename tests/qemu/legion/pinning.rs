//! Where the threads of legion run.

use super::*;

/// The host CPUs on which a thread of the process may run, by the thread's name.
fn affinity(process: u32) -> Vec<(String, String)> {
    let status = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).unwrap();
    let field = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    };
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.map(|thread| status(thread.unwrap())).map(|status| (field(&status, "Name"), field(&status, "Cpus_allowed_list"))).collect()
}

#[test]
fn each_virtual_cpu_has_a_host_cpu_of_its_own_before_the_guest_runs() {
    // Two tests' worth of host CPUs are everywhere; which of them, the kernel says.
    let allowed = affinity(std::process::id())[0].1.clone();
    let persona::config::value::Cpus::Pinned(host) = allowed.parse().unwrap() else { panic!("{allowed}") };
    let (first, last) = (host[0], *host.last().unwrap());
    let mut bench = debug_console(Bench::new(&boot_sector(&[SAY_SO, HALT])).ladder(0, 0, NEVER));
    bench.legion.cpus = persona::config::value::Cpus::Count(2);
    bench.pinning = Pinning { vcpus: vec![last, first], rest: vec![first] };
    let running = bench.start();
    running.await_guest();
    running.await_notice("READY=1");
    let threads = affinity(running.qemu());
    let on = |name: &str| threads.iter().find(|(thread, _)| thread == name).map(|(_, cpus)| cpus.clone());
    assert_eq!((on("CPU 0/TCG"), on("CPU 1/TCG")), (Some(last.to_string()), Some(first.to_string())), "{threads:?}");
    assert!(threads.iter().all(|(name, cpus)| name.starts_with("CPU ") || *cpus == first.to_string()), "{threads:?}");
    running.stop();
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}
