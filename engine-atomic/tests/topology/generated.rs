//! Machines that proptest makes up: true ones, and arbitrary bytes.

use engine_atomic::topology::{Distance, Topology};
use proptest::prelude::*;

use super::broken::LAPTOP;
use super::sysfs::Sysfs;
use super::{CHIPLETS, all, check_laws};

/// A regular machine: so many of each in the next larger one.
#[derive(Clone, Copy, Debug)]
struct Machine {
    sockets: usize,
    nodes: usize,
    l3s: usize,
    cores: usize,
    threads: usize,
    /// Whether a core's threads are numbered side by side, or half the machine apart.
    side_by_side: bool,
}

/// Where one processor sits: numbers of the socket, node, L3 and core, each
/// unique in the machine.
type Seat = [usize; 4];

impl Machine {
    fn cores_in_all(self) -> usize {
        self.sockets * self.nodes * self.l3s * self.cores
    }

    fn seats(self) -> Vec<Seat> {
        (0..self.cores_in_all() * self.threads)
            .map(|cpu| {
                let core = if self.side_by_side {
                    cpu / self.threads
                } else {
                    cpu % self.cores_in_all()
                };
                let l3 = core / self.cores;
                let node = l3 / self.l3s;
                [node / self.nodes, node, l3, core]
            })
            .collect()
    }

    fn sysfs(self) -> Sysfs {
        let seats = self.seats();
        let list = |what: usize, number: usize| {
            let members = (0..seats.len()).filter(|&cpu| seats[cpu][what] == number);
            members
                .map(|cpu| cpu.to_string())
                .collect::<Vec<_>>()
                .join(",")
        };
        let sysfs = Sysfs::empty();
        for (cpu, seat) in seats.iter().enumerate() {
            let home = format!("cpu/cpu{cpu}");
            sysfs.write(&format!("{home}/topology/core_cpus_list"), list(3, seat[3]));
            sysfs.write(
                &format!("{home}/topology/physical_package_id"),
                seat[0].to_string(),
            );
            for (index, level, what) in [(0, "1", 3), (1, "3", 2)] {
                let cache = format!("{home}/cache/index{index}");
                sysfs.write(&format!("{cache}/level"), level);
                sysfs.write(&format!("{cache}/type"), "Unified");
                sysfs.write(&format!("{cache}/shared_cpu_list"), list(what, seat[what]));
            }
            sysfs.write(&format!("node/node{}/cpulist", seat[1]), list(1, seat[1]));
        }
        sysfs
    }
}

fn expected(a: Seat, b: Seat) -> Distance {
    if a[3] == b[3] {
        Distance::Smt
    } else if a[2] == b[2] {
        Distance::SharedCache(3)
    } else if a[1] == b[1] {
        Distance::SameNode
    } else {
        Distance::Remote
    }
}

fn machines() -> impl Strategy<Value = Machine> {
    (
        1..3usize,
        1..3usize,
        1..3usize,
        1..4usize,
        1..3usize,
        any::<bool>(),
    )
        .prop_map(
            |(sockets, nodes, l3s, cores, threads, side_by_side)| Machine {
                sockets,
                nodes,
                l3s,
                cores,
                threads,
                side_by_side,
            },
        )
}

/// Bytes that often look like what belongs there.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[0-9,\\-\n]{0,12}".prop_map(String::into_bytes),
        "(0|1|2|3|8|15)(-(8|15|1099511627776))?(,(3|11))?\n?".prop_map(String::into_bytes),
        "(Data|Unified|Instruction|[1-4])\n?".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn regular_machines_are_understood(machine in machines(), subset in any::<u64>()) {
        let seats = machine.seats();
        let allowed: Vec<usize> = (0..seats.len()).filter(|cpu| subset >> cpu & 1 == 1).collect();
        let topology = Topology::from_sysfs(machine.sysfs().root(), &allowed);
        check_laws(&topology);
        prop_assert_eq!(topology.cpus(), &allowed[..]);
        for &a in &allowed {
            for &b in allowed.iter().filter(|&&b| b != a) {
                prop_assert_eq!(topology.distance(a, b), expected(seats[a], seats[b]));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), contents()), 1..12),
        allowed in proptest::collection::vec(prop_oneof![0..20usize, any::<usize>()], 0..20),
    ) {
        for (machine, count) in [(LAPTOP, 4), (CHIPLETS, 8)] {
            let sysfs = Sysfs::machine(machine);
            let files = sysfs.files();
            for (file, content) in &changes {
                sysfs.write(file.get(&files[..]).as_str(), content);
            }
            check_laws(&Topology::from_sysfs(sysfs.root(), &all(count)));
            check_laws(&Topology::from_sysfs(sysfs.root(), &allowed));
        }
    }
}
