#![allow(clippy::unwrap_used)]
use super::*;
use std::fs;
use std::path::PathBuf;

/// A host below a temporary folder.
struct Host(tempfile::TempDir);

impl Host {
    /// `cpus` gives for every CPU its siblings and the CPUs at the same L3 cache, as the kernel lists them.
    fn new(count: u16, cpus: impl Fn(u16) -> (String, Option<String>)) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        host.write("online", &format!("0-{}", count - 1));
        for number in 0..count {
            let (siblings, cache) = cpus(number);
            host.write(&format!("cpu{number}/topology/thread_siblings_list"), &siblings);
            host.write(&format!("cpu{number}/topology/physical_package_id"), "0");
            if let Some(cache) = cache {
                host.write(&format!("cpu{number}/cache/index3/level"), "3");
                host.write(&format!("cpu{number}/cache/index3/shared_cpu_list"), &cache);
            }
        }
        host
    }

    fn paths(&self) -> Paths {
        Paths::new(self.0.path(), None)
    }

    fn write(&self, name: &str, text: &str) {
        let file: PathBuf = self.paths().cpus().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{text}\n")).unwrap();
    }

    fn pin(&self, list: &str) -> Processors {
        Processors::find(&self.paths(), &list.parse().unwrap()).unwrap()
    }
}

/// Twelve cores in four CCXs of three, with an L3 cache each; threads 12 to 23 are the cores' second threads.
fn ryzen_3900x() -> Host {
    Host::new(24, |cpu| {
        let (core, first) = (cpu % 12, cpu % 12 / 3 * 3);
        (format!("{core},{}", core + 12), Some(format!("{first}-{},{}-{}", first + 2, first + 12, first + 14)))
    })
}

fn shape(processors: &Processors) -> (usize, usize, usize, usize) {
    let Topology { sockets, dies, cores, threads } = processors.topology;
    assert_eq!(sockets * dies * cores * threads, processors.pinning.vcpus.len());
    (sockets, dies, cores, threads)
}

fn pinning(processors: &Processors) -> (&[u16], &[u16]) {
    (&processors.pinning.vcpus, &processors.pinning.rest)
}

fn notes(processors: &Processors, code: &str) -> bool {
    processors.notes.iter().any(|note| note.code == code && note.hint.is_some())
}

#[test]
fn caches_of_a_ryzen_become_dies_and_siblings_neighbours() {
    let host = ryzen_3900x();
    let three = host.pin("3-11,15-23");
    assert_eq!((shape(&three), three.host_caches, three.notes.len()), ((1, 3, 3, 2), true, 0));
    let expected = [3, 15, 4, 16, 5, 17, 6, 18, 7, 19, 8, 20, 9, 21, 10, 22, 11, 23];
    assert_eq!(pinning(&three), (&expected[..], &[0, 1, 2, 12, 13, 14][..]));
    // Two cores of each of two caches: the cache's own description counts three.
    let part = host.pin("4,5,16,17,7,8,19,20");
    assert_eq!((shape(&part), part.host_caches), ((1, 2, 2, 2), false));
    // With one cache only, its description is valid all the same.
    assert!(host.pin("4,5,16,17").host_caches);
    let uneven = host.pin("2-5,14-17");
    assert_eq!(shape(&uneven), (1, 1, 4, 2));
    assert!(notes(&uneven, "caches-uneven"));
}

#[test]
fn caches_of_two_sizes_are_not_described_to_the_guest() {
    let host = ryzen_3900x();
    for cpu in 0..24 {
        host.write(&format!("cpu{cpu}/cache/index3/size"), "16384K");
    }
    assert!(host.pin("6-11,18-23").host_caches);
    // More cache on the dies that are left for the host: QEMU begins there.
    for cpu in [0, 1, 2, 12, 13, 14] {
        host.write(&format!("cpu{cpu}/cache/index3/size"), "98304K");
    }
    assert!(!host.pin("6-11,18-23").host_caches);
}

#[test]
fn list_of_one_cpu_is_noted_and_none_of_caches_that_are_not_there() {
    let host = Host::new(8, |cpu| (cpu.to_string(), (cpu < 4).then(|| "0-3".to_owned())));
    let one = host.pin("4");
    assert!(notes(&one, "pinned-to-one-cpu"), "{:?}", one.notes);
    let uneven = host.pin("2-6");
    assert!(!notes(&uneven, "caches-uneven") && !notes(&uneven, "pinned-to-one-cpu"), "{:?}", uneven.notes);
}

#[test]
fn a_list_that_splits_cores_gets_no_threads_and_is_told_so() {
    let split = ryzen_3900x().pin("4-15");
    assert_eq!((shape(&split).3, split.host_caches), (1, false));
    assert!(notes(&split, "core-shared-with-host"));
    assert!(split.notes[0].what.contains("0-3, 16-23"), "which CPUs: {:?}", split.notes);
    let mixed = ryzen_3900x().pin("0,1,12");
    assert_eq!(shape(&mixed), (1, 1, 3, 1));
    assert!(notes(&mixed, "core-shared-with-host"));
}

#[test]
fn a_hybrid_has_threads_where_all_cores_have() {
    // Four large cores with two threads, four small ones.
    let host = Host::new(12, |cpu| {
        let large = cpu / 2 * 2;
        (if cpu < 8 { format!("{large}-{}", large + 1) } else { cpu.to_string() }, Some("0-11".into()))
    });
    host.write("../../cpu_atom/type", "10");
    let large = host.pin("2-7");
    assert_eq!((shape(&large), pinning(&large).0, large.host_caches), ((1, 1, 3, 2), &[2, 3, 4, 5, 6, 7][..], false));
    assert_eq!(shape(&host.pin("8-11")), (1, 1, 4, 1));
    let both = host.pin("2-11");
    assert_eq!(shape(&both), (1, 1, 10, 1));
    assert!(notes(&both, "cores-of-several-kinds"));
}

#[test]
fn four_plain_cores() {
    let host = Host::new(4, |cpu| (cpu.to_string(), Some("0-3".into())));
    let three = host.pin("1-3");
    assert_eq!((shape(&three), pinning(&three), three.host_caches), ((1, 1, 3, 1), (&[1, 2, 3][..], &[0][..]), true));
    let all = host.pin("0-3");
    assert_eq!(pinning(&all).1, [0, 1, 2, 3]);
    assert!(notes(&all, "pinned-to-all-cpus"));
    // Without an L3 cache they share none.
    assert_eq!(shape(&Host::new(4, |cpu| (cpu.to_string(), None)).pin("0-1")), (1, 1, 2, 1));
}

#[test]
fn with_smt_off_the_siblings_are_offline() {
    let host = ryzen_3900x();
    host.write("online", "0-11");
    for cpu in 0..12 {
        host.write(&format!("cpu{cpu}/topology/thread_siblings_list"), &cpu.to_string());
        let first = cpu / 3 * 3;
        host.write(&format!("cpu{cpu}/cache/index3/shared_cpu_list"), &format!("{first}-{}", first + 2));
    }
    let half = host.pin("6-11");
    assert_eq!((shape(&half), half.host_caches, half.notes.len()), ((1, 2, 3, 1), true, 0));
    let error = Processors::find(&host.paths(), &"10-13".parse().unwrap()).unwrap_err();
    assert!(error.code() == Some("pinned-cpus-missing") && error.reason().contains("12-13"), "which: {error}");
}

#[test]
fn two_packages_are_two_sockets() {
    let host = Host::new(8, |cpu| (cpu.to_string(), Some(if cpu < 4 { "0-3" } else { "4-7" }.into())));
    (4..8).for_each(|cpu| host.write(&format!("cpu{cpu}/topology/physical_package_id"), "1"));
    assert_eq!(shape(&host.pin("2-5")), (2, 1, 2, 1));
    assert_eq!(shape(&host.pin("3-6")), (1, 1, 4, 1));
}

#[test]
fn an_unseen_host_gets_plain_cores() {
    let processors = Host::new(1, |_| (String::new(), None));
    fs::remove_file(processors.paths().cpus().join("online")).unwrap();
    let processors = processors.pin("4-7");
    assert_eq!((shape(&processors), pinning(&processors).1), ((1, 1, 4, 1), &[4, 5, 6, 7][..]));
    assert!(notes(&processors, "host-cpus-unknown"));
}

proptest::proptest! {
    #[test]
    fn whatever_the_kernel_says_adds_up(
        cpus in proptest::collection::vec((0..3u16, 0..4u16, 0..6u16, proptest::bool::ANY), 1..24), one_kind: bool,
    ) {
        let host: Vec<_> = (0..).zip(&cpus).map(|(number, &(package, cache, core, _))| HostCpu { number, package, cache, core, caches: Vec::new() }).collect();
        let wanted: Vec<u16> = (0..).zip(&cpus).filter(|(_, cpu)| cpu.3).map(|(number, _)| number).collect();
        proptest::prop_assume!(!wanted.is_empty());
        let processors = pinned(&host, &wanted, one_kind).unwrap();
        shape(&processors);
        let mut pinned = pinning(&processors).0.to_vec();
        pinned.sort_unstable();
        proptest::prop_assert_eq!(pinned, wanted);
        proptest::prop_assert!(!pinning(&processors).1.is_empty());
    }
}
