//! The topology of machines that are not here.

mod broken;
mod generated;
mod sysfs;

use engine_atomic::topology::{Distance, Distance::*, Topology};
use sysfs::Sysfs;

const SMT_DESKTOP: &str = include_str!("../fixtures/smt-desktop.txt");
const SMT_LAPTOP: &str = include_str!("../fixtures/smt-laptop.txt");
const TWO_SOCKETS: &str = include_str!("../fixtures/two-sockets.txt");
const CHIPLETS: &str = include_str!("../fixtures/made-up-chiplets.txt");
const HYBRID: &str = include_str!("../fixtures/hybrid.txt");
const CAPTURED_VM: &str = include_str!("../fixtures/captured-vm.txt");
const BARE_VM: &str = include_str!("../fixtures/made-up-vm.txt");

fn read(machine: &str, allowed: &[usize]) -> Topology {
    let topology = Topology::from_sysfs(Sysfs::machine(machine).root(), allowed);
    check_laws(&topology);
    topology
}

fn all(count: usize) -> Vec<usize> {
    (0..count).collect()
}

/// What holds for every topology.
fn check_laws(topology: &Topology) {
    let cpus = topology.cpus();
    assert!(cpus.is_sorted_by(|a, b| a < b));
    let mut distances = std::collections::BTreeSet::new();
    for &a in cpus {
        let neighbours = topology.neighbours(a);
        assert!(neighbours.is_sorted_by(|a, b| a.0 < b.0));
        let mut others = vec![a];
        for (distance, group) in neighbours {
            assert!(!group.is_empty() && group.is_sorted_by(|a, b| a < b));
            for b in group {
                assert_eq!(topology.distance(a, b), distance);
                assert_eq!(topology.distance(b, a), distance);
                assert_ne!(distance, Same);
                distances.insert(distance);
                others.push(b);
            }
        }
        others.sort_unstable();
        assert_eq!(others, cpus);
        assert_eq!(topology.distance(a, a), Same);
    }
    assert_eq!(topology.is_flat(), distances.len() < 2);
}

#[test]
fn distances_are_ordered() {
    let order: [Distance; 6] = [Same, Smt, SharedCache(2), SharedCache(3), SameNode, Remote];
    assert!(order.is_sorted_by(|a, b| a < b));
}

#[test]
fn smt_desktop() {
    let topology = read(SMT_DESKTOP, &all(16));
    assert_eq!(topology.cpus(), all(16));
    assert!(!topology.is_flat());
    let others = vec![0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15];
    assert_eq!(
        topology.neighbours(3),
        [(Smt, vec![11]), (SharedCache(3), others)]
    );
}

#[test]
fn smt_laptop() {
    let topology = read(SMT_LAPTOP, &all(4));
    assert_eq!(
        topology.neighbours(3),
        [(Smt, vec![1]), (SharedCache(3), vec![0, 2])]
    );
}

#[test]
fn two_sockets() {
    let topology = read(TWO_SOCKETS, &all(16));
    assert_eq!(
        topology.neighbours(4),
        [
            (Smt, vec![12]),
            (SharedCache(3), vec![0, 2, 6, 8, 10, 14]),
            (Remote, vec![1, 3, 5, 7, 9, 11, 13, 15])
        ]
    );
    assert!(!topology.is_flat());
}

#[test]
fn chiplets() {
    let topology = read(CHIPLETS, &all(8));
    assert_eq!(
        topology.neighbours(4),
        [
            (SharedCache(3), vec![6]),
            (SameNode, vec![0, 2]),
            (Remote, vec![1, 3, 5, 7])
        ]
    );
    assert!(!topology.is_flat());
}

#[test]
fn hybrid() {
    let topology = read(HYBRID, &all(22));
    // The first performance core's second thread is not next to it.
    assert_eq!(
        topology.neighbours(0),
        [
            (Smt, vec![5]),
            (
                SharedCache(3),
                [1, 2, 3, 4].into_iter().chain(6..20).collect()
            ),
            (SameNode, vec![20, 21])
        ]
    );
    assert_eq!(
        topology.neighbours(17),
        [
            (SharedCache(2), vec![16, 18, 19]),
            (SharedCache(3), (0..16).collect()),
            (SameNode, vec![20, 21])
        ]
    );
    assert_eq!(
        topology.neighbours(20),
        [(SharedCache(2), vec![21]), (SameNode, (0..20).collect())]
    );
}

#[test]
fn captured() {
    let topology = read(CAPTURED_VM, &all(2));
    assert_eq!(topology.neighbours(0), [(SharedCache(3), vec![1])]);
    assert_eq!(topology.neighbours(1), [(SharedCache(3), vec![0])]);
    // Bound to one processor, with the same files.
    let topology = read(CAPTURED_VM, &[1]);
    assert_eq!((topology.cpus(), topology.is_flat()), (&[1][..], true));
}

#[test]
fn without_caches_and_nodes() {
    let topology = read(BARE_VM, &all(4));
    assert_eq!(
        topology.neighbours(2),
        [(Smt, vec![3]), (SameNode, vec![0, 1])]
    );
}

/// A container sees all of the machine's `/sys` and may use a part of it.
#[test]
fn a_subset() {
    let topology = read(SMT_DESKTOP, &[10, 2, 3, 2]);
    assert_eq!(topology.cpus(), [2, 3, 10]);
    assert_eq!(
        topology.neighbours(2),
        [(Smt, vec![10]), (SharedCache(3), vec![3])]
    );
    // The processors left are all equally far apart.
    assert!(read(SMT_DESKTOP, &[1, 2, 3]).is_flat());
    assert!(read(CHIPLETS, &[0, 1]).is_flat());
    assert_eq!(read(CHIPLETS, &[0, 1]).distance(0, 1), Remote);
    // One socket's, of which some threads are alone on their cores.
    let topology = read(TWO_SOCKETS, &[1, 3, 9, 15]);
    assert_eq!(
        topology.neighbours(1),
        [(Smt, vec![9]), (SharedCache(3), vec![3, 15])]
    );
    assert_eq!(topology.neighbours(15), [(SharedCache(3), vec![1, 3, 9])]);
    assert!(read(CHIPLETS, &[5]).is_flat());
    assert!(read(CHIPLETS, &[]).is_flat());
    assert_eq!(read(CHIPLETS, &[]).cpus(), []);
}

#[test]
fn numbers_that_are_not_there() {
    let topology = read(CHIPLETS, &all(8));
    assert_eq!(topology.distance(0, 8), Remote);
    assert_eq!(topology.distance(usize::MAX, 0), Remote);
    assert_eq!(topology.distance(8, 8), Same);
    assert_eq!(topology.neighbours(99), [(Remote, all(8))]);
    // Allowed, but not in /sys.
    let topology = read(CHIPLETS, &[0, 2, 8]);
    assert_eq!(topology.neighbours(0), [(SameNode, vec![2, 8])]);
}

#[test]
fn this_machine() {
    let topology = Topology::current();
    check_laws(&topology);
    let usable = std::thread::available_parallelism().unwrap().get();
    // A quota may make fewer usable than there are.
    assert!(topology.cpus().len() >= usable);
    // A second reading may differ only if somebody changes the machine meanwhile.
    println!("{topology:#?}");
}

/// As in a container with one processor: `/sys` shows them all, and the thread may use
/// this one.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn this_machine_bound_to_one_processor() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let everything = Topology::current();
    for &cpu in everything.cpus() {
        let bound = std::thread::spawn(move || {
            let mut one = CpuSet::new();
            one.set(cpu);
            sched_setaffinity(None, &one).unwrap();
            assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
            Topology::current()
        });
        let bound = bound.join().unwrap();
        check_laws(&bound);
        assert_eq!(bound.cpus(), [cpu]);
        assert!(bound.is_flat());
    }
}

#[test]
fn debug_decodes() {
    let text = format!("{:?}", read(BARE_VM, &[0, 1, 2]));
    assert_eq!(
        text,
        "{0: {Smt: [1], SameNode: [2]}, 1: {Smt: [0], SameNode: [2]}, 2: {SameNode: [0, 1]}}"
    );
}
