//! Which of the machine's memory is near which processor.

use std::fs;
use std::path::Path;

/// Where Linux tells of its nodes.
pub const NODES: &str = "/sys/devices/system/node";

/// The nodes of a machine; none where it has only one, or does not tell.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The node of each processor.
    nodes: Vec<u16>,
}

impl Topology {
    /// Read a tree such as [`NODES`]: folders `node0`, `node1`, ... each with a file `cpulist`.
    pub fn read(root: &Path) -> Self {
        let mut nodes = Vec::new();
        let mut count = 0;
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("node"));
            let Some(number) = number.and_then(|text| text.parse::<u16>().ok()) else {
                continue;
            };
            let list = fs::read_to_string(entry.path().join("cpulist")).unwrap_or_default();
            let cpus = processors(&list);
            count += usize::from(!cpus.is_empty());
            for cpu in cpus {
                if nodes.len() <= cpu {
                    nodes.resize(cpu + 1, 0);
                }
                nodes[cpu] = number;
            }
        }
        if count < 2 {
            nodes.clear();
        }
        Topology { nodes }
    }

    /// The node that a processor belongs to; zero if it is not known.
    pub fn node_of(&self, cpu: usize) -> u16 {
        self.nodes.get(cpu).copied().unwrap_or_default()
    }

    /// The node that this thread runs on. Costs nothing where there is only one.
    pub fn here(&self) -> u16 {
        #[cfg(target_os = "linux")]
        if !self.nodes.is_empty() {
            return self.node_of(rustix::thread::sched_getcpu());
        }
        0
    }
}

/// The numbers in a list such as `0-3,8-11`; what is no number is left out.
fn processors(list: &str) -> Vec<usize> {
    /// More processors than any machine has: a list is not believed to name later ones.
    const MOST: usize = 1 << 16;
    let parts = list.trim().split(',').filter_map(|part| {
        let (begin, end) = part.split_once('-').unwrap_or((part, part));
        Some(begin.parse::<usize>().ok()?..=end.parse::<usize>().ok()?.min(MOST))
    });
    parts.flatten().collect()
}
