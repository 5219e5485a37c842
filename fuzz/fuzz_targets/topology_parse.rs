//! `Topology::from_sysfs` on a machine of eight processors in which some files hold
//! something else.
//!
//! Whatever they hold, there is no panic, and the answer obeys the laws of distances.

#![no_main]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
    process,
};

use arbitrary::Arbitrary;
use engine_atomic::topology::{Distance, Topology};
use libfuzzer_sys::{Corpus, fuzz_target};

/// Which file.
#[derive(Arbitrary, Debug)]
enum Slot {
    CoreCpus { cpu: u8 },
    ThreadSiblings { cpu: u8 },
    Package { cpu: u8 },
    CacheLevel { cpu: u8, index: u8 },
    CacheType { cpu: u8, index: u8 },
    CacheShared { cpu: u8, index: u8 },
    Node { node: u16 },
}

impl Slot {
    fn path(&self) -> String {
        let cpu = |cpu: u8| cpu % 8;
        match *self {
            Self::CoreCpus { cpu: n } => format!("cpu/cpu{}/topology/core_cpus_list", cpu(n)),
            Self::ThreadSiblings { cpu: n } => {
                format!("cpu/cpu{}/topology/thread_siblings_list", cpu(n))
            }
            Self::Package { cpu: n } => format!("cpu/cpu{}/topology/physical_package_id", cpu(n)),
            Self::CacheLevel { cpu: n, index } => cache(cpu(n), index % 4, "level"),
            Self::CacheType { cpu: n, index } => cache(cpu(n), index % 4, "type"),
            Self::CacheShared { cpu: n, index } => cache(cpu(n), index % 4, "shared_cpu_list"),
            Self::Node { node } => format!("node/node{node}/cpulist"),
        }
    }
}

fn cache(cpu: u8, index: u8, file: &str) -> String {
    format!("cpu/cpu{cpu}/cache/index{index}/{file}")
}

#[derive(Arbitrary, Debug)]
struct Change {
    slot: Slot,
    /// `None` removes the file.
    content: Option<Content>,
}

/// Something like a list, or anything at all.
#[derive(Arbitrary, Debug)]
enum Content {
    Numbers(Vec<(u8, Option<u8>)>),
    Bytes(Vec<u8>),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Numbers(ranges) => {
                let ranges: Vec<String> = ranges
                    .iter()
                    .map(|(first, last)| match last {
                        Some(last) => format!("{first}-{last}"),
                        None => first.to_string(),
                    })
                    .collect();
                ranges.join(",").into_bytes()
            }
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// A directory like `/sys`, which changes back after each input.
struct Machine {
    root: PathBuf,
    files: BTreeMap<String, String>,
}

impl Machine {
    /// Two packages, each a node, of two cores with two threads.
    fn new() -> Self {
        let mut files = BTreeMap::new();
        for cpu in 0..8_u8 {
            let core = cpu / 2 * 2;
            let package = cpu / 4;
            let core_list = format!("{core}-{}", core + 1);
            let package_list = format!("{}-{}", package * 4, package * 4 + 3);
            let home = format!("cpu/cpu{cpu}/topology");
            files.insert(format!("{home}/core_cpus_list"), core_list.clone());
            files.insert(format!("{home}/physical_package_id"), package.to_string());
            for (index, level, list) in [(0, "1", &core_list), (1, "3", &package_list)] {
                files.insert(cache(cpu, index, "level"), level.to_owned());
                files.insert(cache(cpu, index, "type"), "Unified".to_owned());
                files.insert(cache(cpu, index, "shared_cpu_list"), list.clone());
            }
            files.insert(format!("node/node{package}/cpulist"), package_list);
        }
        let machine = Self {
            root: own_folder(),
            files,
        };
        for name in machine.files.keys() {
            machine.restore(name);
        }
        machine
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.root.join("devices/system").join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn remove(&self, name: &str) {
        // It may not be there.
        let _ = fs::remove_file(self.root.join("devices/system").join(name));
    }

    fn restore(&self, name: &str) {
        match self.files.get(name) {
            Some(content) => self.write(name, content.as_bytes()),
            None => {
                self.remove(name);
                // The folder too, if it was made for this file: an empty `index2`
                // or `node7` means something.
                let path = self.root.join("devices/system").join(name);
                let _ = fs::remove_dir(path.parent().expect("it has one"));
            }
        }
    }
}

/// A folder for this process, in memory where there is such a place. libFuzzer ends
/// without a word, so what earlier ones left goes now.
fn own_folder() -> PathBuf {
    const NAME: &str = "engine-topology-";
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        env::temp_dir()
    };
    for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(NAME);
        if pid.is_some_and(|pid| !PathBuf::from("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    parent.join(format!("{NAME}{}", process::id()))
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::new(Machine::new());
}

fn check_laws(topology: &Topology, allowed: &BTreeSet<usize>) {
    assert!(topology.cpus().iter().eq(allowed));
    for &a in topology.cpus() {
        assert_eq!(topology.distance(a, a), Distance::Same);
        let neighbours = topology.neighbours(a);
        assert!(neighbours.is_sorted_by(|a, b| a.0 < b.0));
        let mut seen = 1;
        for (distance, group) in neighbours {
            assert_ne!(distance, Distance::Same);
            seen += group.len();
            for b in group {
                assert_eq!(topology.distance(a, b), distance);
                assert_eq!(topology.distance(b, a), distance);
            }
        }
        assert_eq!(seen, allowed.len(), "everyone is somewhere, once");
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    allowed: BTreeSet<u8>,
    changes: Vec<Change>,
}

fuzz_target!(|input: Input| -> Corpus {
    // A folder for each of many nodes takes time and shows nothing new.
    if input.changes.len() > 16 {
        return Corpus::Reject;
    }
    let allowed: BTreeSet<usize> = input
        .allowed
        .iter()
        .map(|cpu| usize::from(*cpu % 8))
        .collect();
    MACHINE.with_borrow(|machine| {
        let names: Vec<String> = input
            .changes
            .iter()
            .map(|change| change.slot.path())
            .collect();
        for (name, change) in names.iter().zip(&input.changes) {
            match &change.content {
                Some(content) => machine.write(name, &content.bytes()),
                None => machine.remove(name),
            }
        }
        let list: Vec<usize> = allowed.iter().copied().collect();
        let topology = Topology::from_sysfs(&machine.root, &list);
        for name in &names {
            machine.restore(name);
        }
        check_laws(&topology, &allowed);
    });
    Corpus::Keep
});
