//! What the operating system lets the process have: file descriptors and memory.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Descriptors for everything but gRPC's connections: the admin port, models that are loaded,
/// connections that are leaving.
const RESERVE: usize = 64;

/// What a process gets if it is not limited.
const UNLIMITED: u64 = u64::MAX;

/// How many connections the limit of descriptors allows beside what is open now and a reserve. A
/// small limit has a small reserve.
pub(crate) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED);
    let open = fs::read_dir("/proc/self/fd").map_or(RESERVE, Iterator::count);
    share(usize::try_from(limit).unwrap_or(usize::MAX), open)
}

fn share(limit: usize, open: usize) -> usize {
    let free = limit.saturating_sub(open);
    let reserve = RESERVE.min(free / 2);
    // More sockets than this take all memory anyway.
    (free - reserve).clamp(1, 1 << 20)
}

/// The memory in bytes that the process may take: the least of its container's limit, its own
/// limits and the machine's memory.
pub(crate) fn memory() -> u64 {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let read = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    let cgroups = files.iter().filter_map(|path| read(path));
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(total);
    let own = [Resource::Data, Resource::As].map(|resource| getrlimit(resource).current);
    let limits = cgroups.chain(machine).chain(own.into_iter().flatten());
    limits.min().unwrap_or(UNLIMITED)
}

/// The bytes of the line `MemTotal:  16384 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_limit_of_descriptors_has_a_reserve_too() {
        for (limit, open, expected) in [
            (1024, 24, 936),
            (48, 20, 14),
            (usize::MAX, 24, 1 << 20),
            (16, 24, 1),
        ] {
            assert_eq!(share(limit, open), expected, "{limit}");
        }
    }

    #[test]
    fn the_machines_memory_is_read() {
        let text = "MemTotal:       16384 kB\nMemFree:         1 kB\n";
        assert_eq!(total(text), Some(16 << 20));
        assert_eq!(total(""), None);
    }
}
