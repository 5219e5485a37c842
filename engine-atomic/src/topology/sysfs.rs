//! Reading `/sys/devices/system/{cpu,node}`.
//!
//! Everything here returns `None` for what is missing, garbled, too long or
//! contradictory; the caller then assumes nothing at all. A wrong topology would
//! be worse than none: a flat one is always true to some degree.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::{Place, cpulist};

/// Longest file that is read: a list of 1,024 single processors takes under 5 KiB.
const MAX_BYTES: u64 = 16 * 1024;
/// Most caches of one processor, and most nodes of a machine (the kernel's own
/// limit for nodes is 1,024).
const MAX_CACHES: usize = 16;
const MAX_NODES: usize = 1024;

/// The processors that the calling thread may use.
pub(super) fn allowed() -> Option<Vec<usize>> {
    #[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
    {
        // Fails on a kernel built for more processors than the set has room for.
        let set = rustix::thread::sched_getaffinity(None).ok()?;
        let cpus: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .collect();
        (!cpus.is_empty()).then_some(cpus)
    }
    #[cfg(not(all(any(target_os = "linux", target_os = "android"), not(miri))))]
    None
}

/// Where each of `cpus` (sorted, no number twice) sits.
pub(super) fn places(root: &Path, cpus: &[usize]) -> Option<Vec<Place>> {
    let system = root.join("devices/system");
    let mut cores = Vec::with_capacity(cpus.len());
    let mut caches = Vec::with_capacity(cpus.len());
    let mut places = Vec::with_capacity(cpus.len());
    for &cpu in cpus {
        let home = system.join(format!("cpu/cpu{cpu}"));
        cores.push(siblings(&home.join("topology"), cpus)?);
        caches.push(data_caches(&home.join("cache"), cpu, cpus)?);
        places.push(Place {
            package: package(&home.join("topology"))?,
            ..Place::default()
        });
    }

    for (place, core) in places.iter_mut().zip(groups(cpus, &cores)?) {
        place.core = core;
    }
    let mut levels: Vec<u8> = caches.iter().flatten().map(|cache| cache.0).collect();
    levels.sort_unstable();
    levels.dedup();
    for level in levels {
        // A processor without a cache of this level shares it with nobody.
        let sets: Vec<Vec<usize>> = cpus
            .iter()
            .zip(&caches)
            .map(|(&cpu, caches)| {
                let cache = caches.iter().find(|cache| cache.0 == level);
                cache.map_or_else(|| vec![cpu], |cache| cache.1.clone())
            })
            .collect();
        for (place, cache) in places.iter_mut().zip(groups(cpus, &sets)?) {
            place.caches.push((level, cache));
        }
    }
    for (place, node) in places.iter_mut().zip(nodes(&system.join("node"), cpus)?) {
        place.node = node;
    }

    // Two threads of one core cannot be in two places.
    let first_of_core = |place: &Place| cpus.binary_search(&place.core).ok();
    let consistent = places.iter().all(|place| {
        first_of_core(place).is_some_and(|first| {
            (places[first].package, places[first].node) == (place.package, place.node)
        })
    });
    consistent.then_some(places)
}

/// For each processor the number of its group, which is its lowest member; `None` if
/// the sets, one for each processor, do not divide the processors into groups.
fn groups(cpus: &[usize], sets: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut covered = 0;
    let mut groups = Vec::with_capacity(cpus.len());
    for (cpu, set) in cpus.iter().zip(sets) {
        let lowest = *set.first()?;
        let at = cpus.binary_search(&lowest).ok()?;
        if set.binary_search(cpu).is_err() || sets[at] != *set {
            return None;
        }
        if lowest == *cpu {
            covered += set.len();
        }
        groups.push(lowest);
    }
    // Each processor is in its own set, so the sets cover all of them; and they
    // do not overlap if they do not cover any of them twice.
    (covered == cpus.len()).then_some(groups)
}

/// The hardware threads of one core.
fn siblings(topology: &Path, cpus: &[usize]) -> Option<Vec<usize>> {
    // The second is the older name of the first.
    let list = match read(&topology.join("core_cpus_list"))? {
        Some(list) => list,
        None => read(&topology.join("thread_siblings_list"))??,
    };
    cpulist::members(&list, cpus)
}

/// The package's number; those that do not know it say -1.
fn package(topology: &Path) -> Option<usize> {
    let text = read(&topology.join("physical_package_id"))??;
    match text.trim() {
        "-1" => Some(usize::MAX),
        text => cpulist::number(text),
    }
}

/// Level and sharers of each cache that holds data; none if the system has no such
/// directory, as on many virtual machines.
fn data_caches(cache: &Path, cpu: usize, cpus: &[usize]) -> Option<Vec<(u8, Vec<usize>)>> {
    let mut caches: Vec<(u8, Vec<usize>)> = Vec::new();
    for index in 0..=MAX_CACHES {
        let home = cache.join(format!("index{index}"));
        let Some(level) = read(&home.join("level"))? else {
            // Past the last one; a directory without this file is no cache.
            return (!home.exists()).then_some(caches);
        };
        let level = cpulist::number(level.trim())
            .and_then(|level| u8::try_from(level).ok())
            .filter(|level| (1..=9).contains(level))?;
        let sharers = cpulist::members(&read(&home.join("shared_cpu_list"))??, cpus)?;
        if sharers.binary_search(&cpu).is_err() {
            return None;
        }
        match read(&home.join("type"))??.trim() {
            "Instruction" => {}
            "Data" | "Unified" => {
                if caches.iter().any(|cache| cache.0 == level) {
                    return None;
                }
                caches.push((level, sharers));
            }
            _ => return None,
        }
    }
    None
}

/// The NUMA node of each processor; all in one if the system knows no nodes.
fn nodes(directory: &Path, cpus: &[usize]) -> Option<Vec<usize>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(why) if why.kind() == ErrorKind::NotFound => return Some(vec![0; cpus.len()]),
        Err(_) => return None,
    };
    let mut nodes: Vec<Option<usize>> = vec![None; cpus.len()];
    let mut count = 0;
    for entry in entries {
        let entry = entry.ok()?;
        let name = entry.file_name();
        // `online`, `possible` and the like lie beside the nodes.
        let Some(node) = name.to_str().and_then(|name| name.strip_prefix("node")) else {
            continue;
        };
        let node = (!node.is_empty()).then(|| cpulist::number(node))??;
        count += 1;
        if count > MAX_NODES {
            return None;
        }
        for cpu in cpulist::members(&read(&entry.path().join("cpulist"))??, cpus)? {
            let at = cpus.binary_search(&cpu).ok()?;
            // In two nodes at once.
            if nodes[at].replace(node).is_some() {
                return None;
            }
        }
    }
    if count == 0 {
        return Some(vec![0; cpus.len()]);
    }
    nodes.into_iter().collect()
}

/// The text of a file, `Some(None)` if there is none of that name.
fn read(path: &Path) -> Option<Option<String>> {
    match fs::metadata(path) {
        // A pipe, say, would have us wait for a writer.
        Ok(what) if !what.is_file() => return None,
        Ok(_) => {}
        Err(why) if why.kind() == ErrorKind::NotFound => return Some(None),
        Err(_) => return None,
    }
    let file = File::open(path).ok()?;
    let mut text = String::new();
    // One byte more tells a file of the limit's length from a longer one.
    file.take(MAX_BYTES + 1).read_to_string(&mut text).ok()?;
    (text.len() as u64 <= MAX_BYTES).then_some(Some(text))
}
