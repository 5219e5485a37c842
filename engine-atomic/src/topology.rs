//! How far apart the processors are that this process may use.
//!
//! Work that moves to another processor leaves its cache behind, and a line that
//! moves between processors takes longer the farther they are apart. So steal from,
//! wake, and hand work to the nearest first.
//!
//! # Example
//!
//! ```
//! use engine_atomic::topology::Topology;
//!
//! let topology = Topology::current();
//! for &cpu in topology.cpus() {
//!     for (distance, others) in topology.neighbours(cpu) {
//!         println!("cpu {cpu}: {distance:?}: {others:?}");
//!     }
//! }
//! ```
//!
//! # Guarantees
//!
//! - A [`Topology`] is what was read at one moment; it does not follow hotplug or a
//!   change of the affinity mask. Reading it takes a few system calls for each processor.
//! - [`Topology::current`] and [`Topology::from_sysfs`] always return one. Where the
//!   system tells nothing, or tells what cannot be true, it is *flat*: every processor
//!   is as far from every other.
//! - Distances are symmetric, and only a processor itself is [`Distance::Same`].
//! - Memory and time are bounded by the number of allowed processors and by
//!   16 KiB for each file, whatever the files hold.
//!
//! # Where it comes from
//!
//! | target | processors | distances |
//! |---|---|---|
//! | Linux, Android | `sched_getaffinity` of the calling thread | `/sys/devices/system/{cpu,node}` |
//! | elsewhere, and on kernels for more than 1,024 processors | `available_parallelism`, numbered from 0 | flat |
//!
//! Source: Linux, `Documentation/admin-guide/cputopology.rst` and
//! `Documentation/ABI/stable/sysfs-devices-node`.

use std::collections::BTreeMap;
use std::path::Path;

mod cpulist;
mod sysfs;

/// How far apart two processors are, nearest first.
///
/// The order of the variants, and of the levels in [`SharedCache`](Self::SharedCache),
/// is the order of the distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Distance {
    /// The same processor.
    Same,
    /// Two hardware threads of one core: they share everything, the execution
    /// units included.
    Smt,
    /// The nearest data cache that both use is of this level (2, 3, ..).
    SharedCache(u8),
    /// One package and one NUMA node, and no cache in common that is known.
    SameNode,
    /// Another package or another NUMA node.
    Remote,
}

/// The processors that this process may use, and how far apart they are.
///
/// See the [module](self) for an example, the guarantees and the sources.
#[derive(Clone, PartialEq, Eq)]
pub struct Topology {
    /// Sorted, no number twice.
    cpus: Vec<usize>,
    /// One for each of `cpus`.
    places: Vec<Place>,
}

/// Where one processor sits. Two processors share what has the same number.
#[derive(Clone, Default, PartialEq, Eq)]
struct Place {
    core: usize,
    /// Level and number, lowest level first.
    caches: Vec<(u8, usize)>,
    package: usize,
    node: usize,
}

impl Topology {
    /// Reads the topology of the processors that the calling thread may use.
    pub fn current() -> Self {
        match sysfs::allowed() {
            Some(allowed) => Self::from_sysfs(Path::new("/sys"), &allowed),
            None => {
                // Not the facade's: a question to the system, nothing between threads.
                let count = std::thread::available_parallelism(); // facade: asks the system
                let count = count.map_or(1, usize::from);
                Self::flat((0..count).collect())
            }
        }
    }

    /// Reads the topology of the processors `allowed` from a directory that is laid
    /// out like Linux's `/sys`; flat if that fails.
    ///
    /// Made for tests, and for looking at another machine's saved `/sys`. No
    /// content of the files makes it panic.
    pub fn from_sysfs(root: &Path, allowed: &[usize]) -> Self {
        let mut cpus = allowed.to_vec();
        cpus.sort_unstable();
        cpus.dedup();
        match sysfs::places(root, &cpus) {
            Some(places) => Self { cpus, places },
            None => Self::flat(cpus),
        }
    }

    /// One core to each, all in one node.
    fn flat(cpus: Vec<usize>) -> Self {
        let places = cpus
            .iter()
            .map(|&cpu| Place {
                core: cpu,
                ..Place::default()
            })
            .collect();
        Self { cpus, places }
    }

    /// The processors, by the numbers that the system gives them, ascending.
    #[inline]
    pub fn cpus(&self) -> &[usize] {
        &self.cpus
    }

    /// How far `a` and `b` are apart.
    ///
    /// A number that is not among [`cpus`](Self::cpus) is [`Remote`](Distance::Remote)
    /// to every other.
    pub fn distance(&self, a: usize, b: usize) -> Distance {
        if a == b {
            return Distance::Same;
        }
        match (self.place(a), self.place(b)) {
            (Some(a), Some(b)) => a.distance(b),
            _ => Distance::Remote,
        }
    }

    /// All the others, grouped by their distance from `cpu`, the nearest group first
    /// and ascending within it.
    pub fn neighbours(&self, cpu: usize) -> Vec<(Distance, Vec<usize>)> {
        let mut groups: BTreeMap<Distance, Vec<usize>> = BTreeMap::new();
        for &other in self.cpus.iter().filter(|&&other| other != cpu) {
            groups
                .entry(self.distance(cpu, other))
                .or_default()
                .push(other);
        }
        groups.into_iter().collect()
    }

    /// Whether any two processors are equally far apart, so that there is no order
    /// to go by: nothing is known, or there is nothing to know.
    pub fn is_flat(&self) -> bool {
        let mut distances = self.places.iter().enumerate().flat_map(|(n, place)| {
            self.places[n + 1..]
                .iter()
                .map(|other| place.distance(other))
        });
        match distances.next() {
            None => true,
            Some(first) => distances.all(|distance| distance == first),
        }
    }

    fn place(&self, cpu: usize) -> Option<&Place> {
        let at = self.cpus.binary_search(&cpu).ok()?;
        Some(&self.places[at])
    }
}

impl Place {
    /// The distance to another processor's place.
    fn distance(&self, other: &Place) -> Distance {
        if self.core == other.core {
            return Distance::Smt;
        }
        let shared = self
            .caches
            .iter()
            .find(|cache| other.caches.contains(cache));
        if let Some(&(level, _)) = shared {
            Distance::SharedCache(level)
        } else if self.package == other.package && self.node == other.node {
            Distance::SameNode
        } else {
            Distance::Remote
        }
    }
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        struct Neighbours<'a>(&'a Topology, usize);

        impl std::fmt::Debug for Neighbours<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_map().entries(self.0.neighbours(self.1)).finish()
            }
        }

        f.debug_map()
            .entries(self.cpus.iter().map(|&cpu| (cpu, Neighbours(self, cpu))))
            .finish()
    }
}
