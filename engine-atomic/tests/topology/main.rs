//! The topology of machines that are not here.

mod broken;
mod generated;
mod sysfs;

use engine_atomic::topology::{Distance, Distance::*, Topology};
use sysfs::Sysfs;

const SMT_DESKTOP: &str = include_str!("../fixtures/smt-desktop.txt");
const TWO_SOCKETS: &str = include_str!("../fixtures/two-sockets.txt");
const HYBRID: &str = include_str!("../fixtures/hybrid.txt");
const SMALL_VM: &str = include_str!("../fixtures/small-vm.txt");

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
fn two_sockets() {
    let topology = read(TWO_SOCKETS, &all(8));
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
    let topology = read(HYBRID, &all(14));
    assert_eq!(
        topology.neighbours(1),
        [
            (Smt, vec![0]),
            (SharedCache(3), (2..12).collect()),
            (SameNode, vec![12, 13])
        ]
    );
    assert_eq!(
        topology.neighbours(9),
        [
            (SharedCache(2), vec![8, 10, 11]),
            (SharedCache(3), (0..8).collect()),
            (SameNode, vec![12, 13])
        ]
    );
    assert_eq!(topology.neighbours(12)[0], (SharedCache(2), vec![13]));
}

#[test]
fn without_caches_and_nodes() {
    let topology = read(SMALL_VM, &all(4));
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
    assert!(read(TWO_SOCKETS, &[0, 1]).is_flat());
    assert_eq!(read(TWO_SOCKETS, &[0, 1]).distance(0, 1), Remote);
    assert!(read(TWO_SOCKETS, &[5]).is_flat());
    assert!(read(TWO_SOCKETS, &[]).is_flat());
    assert_eq!(read(TWO_SOCKETS, &[]).cpus(), []);
}

#[test]
fn numbers_that_are_not_there() {
    let topology = read(TWO_SOCKETS, &all(8));
    assert_eq!(topology.distance(0, 8), Remote);
    assert_eq!(topology.distance(usize::MAX, 0), Remote);
    assert_eq!(topology.distance(8, 8), Same);
    assert_eq!(topology.neighbours(99), [(Remote, all(8))]);
    // Allowed, but not in /sys.
    let topology = read(TWO_SOCKETS, &[0, 2, 8]);
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

#[test]
fn debug_decodes() {
    let text = format!("{:?}", read(SMALL_VM, &[0, 1, 2]));
    assert_eq!(
        text,
        "{0: {Smt: [1], SameNode: [2]}, 1: {Smt: [0], SameNode: [2]}, 2: {SameNode: [0, 1]}}"
    );
}
