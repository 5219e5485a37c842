//! Files that say what cannot be.

use engine_atomic::topology::{Distance, Topology};

use super::sysfs::Sysfs;
use super::{CHIPLETS, HYBRID, SMT_DESKTOP, all, check_laws};

/// Asserts that nothing is assumed: only `SameNode` is left.
fn assert_knows_nothing(sysfs: &Sysfs, count: usize, why: &str) {
    let topology = Topology::from_sysfs(sysfs.root(), &all(count));
    check_laws(&topology);
    assert!(topology.is_flat(), "{why}");
    assert_eq!(topology.cpus(), all(count), "{why}");
    assert_eq!(topology.distance(0, 1), Distance::SameNode, "{why}");
}

/// The desktop with one file replaced.
fn with(path: &str, content: impl AsRef<[u8]>) -> Sysfs {
    let sysfs = Sysfs::machine(SMT_DESKTOP);
    assert!(sysfs.path(path).is_file(), "{path} is not in the fixture");
    sysfs.write(path, content);
    sysfs
}

#[test]
fn nothing_there() {
    assert_knows_nothing(&Sysfs::empty(), 4, "an empty directory");
    let topology = Topology::from_sysfs("/nowhere/at/all".as_ref(), &all(4));
    assert!(topology.is_flat());
    let topology = Topology::from_sysfs("\0".as_ref(), &all(4));
    assert!(topology.is_flat());
}

/// Two cores with two threads each, of every kind of file one or more.
pub const LAPTOP: &str = "\
cpu/cpu{0,2}/topology/core_cpus_list 0,2
cpu/cpu{1,3}/topology/core_cpus_list 1,3
cpu/cpu{0-3}/topology/physical_package_id 0
cpu/cpu{0-3}/cache/index0/level 1
cpu/cpu{0-3}/cache/index0/type Data
cpu/cpu{0-3}/cache/index1/level 1
cpu/cpu{0-3}/cache/index1/type Instruction
cpu/cpu{0-3}/cache/index2/level 2
cpu/cpu{0-3}/cache/index2/type Unified
cpu/cpu{0,2}/cache/index{0-1}/shared_cpu_list 0,2
cpu/cpu{1,3}/cache/index{0-1}/shared_cpu_list 1,3
cpu/cpu{0-3}/cache/index2/shared_cpu_list 0-3
node/node0/cpulist 0-3";

/// For each file of the laptop: breaks it, checks that nothing is
/// assumed, and mends it again.
fn each_file(why: &str, breaks: impl Fn(&Sysfs, &str)) {
    let sysfs = Sysfs::machine(LAPTOP);
    let files = sysfs.files();
    assert_eq!(files.len(), 4 * 11 + 1);
    for path in &files {
        let original = std::fs::read(sysfs.path(path)).unwrap();
        breaks(&sysfs, path);
        assert_knows_nothing(&sysfs, 4, &format!("{path}: {why}"));
        if sysfs.path(path).exists() {
            sysfs.remove(path);
        }
        sysfs.write(path, original);
    }
    assert!(!Topology::from_sysfs(sysfs.root(), &all(4)).is_flat());
}

#[test]
fn each_file_garbled() {
    let contents: [&[u8]; 10] = [
        b"",
        b"garbage\n",
        b"\xff\xfe\x00",
        b"15-0\n",
        b"-7\n",
        b"0-\n",
        b"1;2\n",
        b"\n0-\n3",
        b"99999999999999999999999999999999\n",
        &[b'1'; 100_000],
    ];
    for content in contents {
        let why = format!("{:?}", &content[..content.len().min(20)]);
        each_file(&why, |sysfs, path| sysfs.write(path, content));
    }
}

#[test]
fn each_file_a_directory() {
    each_file("a directory", |sysfs, path| {
        sysfs.remove(path);
        std::fs::create_dir(sysfs.path(path)).unwrap();
    });
}

#[test]
fn each_file_missing() {
    each_file("missing", |sysfs, path| sysfs.remove(path));
}

#[test]
fn huge_numbers() {
    for list in [
        "0-1099511627776",
        "1099511627776",
        "0,8,1099511627775-1099511627776",
    ] {
        // The first two contradict the other files; the third says more than is asked.
        let topology = Topology::from_sysfs(
            with("cpu/cpu0/topology/core_cpus_list", list).root(),
            &all(16),
        );
        check_laws(&topology);
        assert_eq!(topology.is_flat(), !list.starts_with("0,8"), "{list}");
    }
    // A range over everything is a truth like another, and costs nothing.
    let sysfs = Sysfs::machine(SMT_DESKTOP);
    for cpu in 0..16 {
        sysfs.write(
            &format!("cpu/cpu{cpu}/cache/index3/shared_cpu_list"),
            "0-18446744073709551615",
        );
    }
    let topology = Topology::from_sysfs(sysfs.root(), &all(16));
    check_laws(&topology);
    assert_eq!(topology.distance(0, 1), Distance::SharedCache(3));
    // So is a processor with a huge number.
    let topology = Topology::from_sysfs(sysfs.root(), &[0, 1, 1 << 40, usize::MAX]);
    check_laws(&topology);
    assert!(topology.is_flat());
}

#[test]
fn contradictions() {
    let desktop = |path: &str, content: &str| {
        assert_knows_nothing(&with(path, content), 16, &format!("{path}: {content}"));
    };
    // Says another core than its siblings do, or not even itself.
    desktop("cpu/cpu8/topology/core_cpus_list", "8");
    desktop("cpu/cpu8/topology/core_cpus_list", "0-1,8");
    desktop("cpu/cpu8/topology/core_cpus_list", "0");
    desktop("cpu/cpu8/topology/core_cpus_list", "1,9");
    // The threads of one core in two packages.
    desktop("cpu/cpu8/topology/physical_package_id", "1");
    // A cache shared in one direction.
    desktop("cpu/cpu3/cache/index3/shared_cpu_list", "0-14");
    desktop("cpu/cpu3/cache/index3/shared_cpu_list", "3");
    // Two data caches of one level, an unknown kind, no level.
    desktop("cpu/cpu3/cache/index2/level", "3");
    desktop("cpu/cpu3/cache/index2/level", "0");
    desktop("cpu/cpu3/cache/index2/level", "300");
    desktop("cpu/cpu3/cache/index2/type", "unified");
    // Not in any node.
    desktop("node/node0/cpulist", "0-14");
    desktop("node/node0/cpulist", "");
    // In two nodes at once, or in one that has no number.
    for node in [
        "node/node1/cpulist",
        "node/node/cpulist",
        "node/node-1/cpulist",
        "node/nodes/cpulist",
    ] {
        let sysfs = Sysfs::machine(SMT_DESKTOP);
        sysfs.write(node, "3");
        assert_knows_nothing(&sysfs, 16, node);
    }
    // The threads of one core in two nodes.
    let sysfs = with("node/node0/cpulist", "0-7");
    sysfs.write("node/node1/cpulist", "8-15");
    assert_knows_nothing(&sysfs, 16, "two nodes through each core");
    // One processor without the cache that others say they share with it.
    let sysfs = Sysfs::machine(HYBRID);
    sysfs.remove("cpu/cpu5/cache/index3");
    assert_knows_nothing(&sysfs, 22, "a shared cache on one side only");
    // Overlapping groups in which every other member agrees.
    let sysfs = Sysfs::machine(CHIPLETS);
    sysfs.write("cpu/cpu0/cache/index2/shared_cpu_list", "0,4");
    sysfs.write("cpu/cpu2/cache/index2/shared_cpu_list", "2,4");
    sysfs.write("cpu/cpu4/cache/index2/shared_cpu_list", "2,4");
    sysfs.write("cpu/cpu6/cache/index2/shared_cpu_list", "6");
    assert_knows_nothing(&sysfs, 8, "overlapping groups");
}

/// All processors tell the same wrong story.
#[test]
fn broken_everywhere() {
    let sysfs = Sysfs::machine(LAPTOP);
    for cpu in 0..4 {
        sysfs.write(&format!("cpu/cpu{cpu}/cache/index2/level"), "1");
    }
    assert_knows_nothing(&sysfs, 4, "two data caches of level 1");

    let sysfs = Sysfs::machine(LAPTOP);
    for cpu in 0..4 {
        sysfs.remove(&format!("cpu/cpu{cpu}/cache/index2/level"));
    }
    assert_knows_nothing(&sysfs, 4, "a cache of no level");

    let sysfs = Sysfs::machine(LAPTOP);
    let spaces = " ".repeat(16 * 1024);
    sysfs.write("cpu/cpu0/topology/core_cpus_list", format!("0,2{spaces}"));
    assert_knows_nothing(&sysfs, 4, "too long");
    sysfs.write(
        "cpu/cpu0/topology/core_cpus_list",
        format!("0,2{}", &spaces[3..]),
    );
    let topology = Topology::from_sysfs(sysfs.root(), &all(4));
    assert_eq!(topology.distance(0, 2), Distance::Smt, "just short enough");
}

/// What is absent everywhere is not known, and the rest still counts.
#[test]
fn whole_directories_missing() {
    let sysfs = Sysfs::machine(CHIPLETS);
    sysfs.remove("node");
    let topology = Topology::from_sysfs(sysfs.root(), &all(8));
    assert_eq!(topology.distance(0, 2), Distance::SharedCache(3));
    assert_eq!(topology.distance(0, 1), Distance::Remote, "another package");
    for cpu in 0..8 {
        sysfs.remove(&format!("cpu/cpu{cpu}/cache"));
    }
    let topology = Topology::from_sysfs(sysfs.root(), &all(8));
    check_laws(&topology);
    assert_eq!(topology.distance(0, 2), Distance::SameNode);
    assert_eq!(topology.distance(0, 1), Distance::Remote);
}

#[test]
fn endless_caches() {
    let sysfs = Sysfs::machine(SMT_DESKTOP);
    for index in 4..1000 {
        sysfs.write(&format!("cpu/cpu0/cache/index{index}/level"), "1");
        sysfs.write(&format!("cpu/cpu0/cache/index{index}/type"), "Instruction");
        sysfs.write(&format!("cpu/cpu0/cache/index{index}/shared_cpu_list"), "0");
    }
    assert_knows_nothing(&sysfs, 16, "a thousand caches");
}

/// Opening a pipe for reading would wait for a writer.
#[cfg(unix)]
#[test]
fn a_pipe_instead_of_a_file() {
    let sysfs = Sysfs::machine(SMT_DESKTOP);
    let path = sysfs.path("cpu/cpu3/cache/index3/level");
    std::fs::remove_file(&path).unwrap();
    match std::process::Command::new("mkfifo").arg(&path).status() {
        Ok(status) if status.success() => assert_knows_nothing(&sysfs, 16, "a pipe"),
        other => println!("skipped: mkfifo: {other:?}"),
    }
}
