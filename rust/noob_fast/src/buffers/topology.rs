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

#[cfg(test)]
mod tests {
    use super::Topology;
    use crate::buffers::{Limits, Pool, SharedFile};
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;

    /// A made-up tree of nodes, removed when it is dropped.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str, nodes: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("noob-{}-{name}", std::process::id()));
            for (node, cpus) in nodes {
                fs::create_dir_all(root.join(node)).unwrap();
                fs::write(root.join(node).join("cpulist"), cpus).unwrap();
            }
            Tree(root)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn nodes_are_read_from_a_tree() {
        let nodes = [
            ("node0", "0-1,4\n"),
            ("node3", "2-3\n"),
            ("node4", "\n"),
            ("power", "7"),
        ];
        let tree = Tree::new("several", &nodes);
        let topology = Topology::read(&tree.0);
        let found: Vec<u16> = (0..7).map(|cpu| topology.node_of(cpu)).collect();
        assert_eq!(found, [0, 0, 3, 3, 0, 0, 0]);
        let file = SharedFile::create().unwrap();
        let pool = Arc::new(Pool::new(file, Limits::default(), topology).unwrap());
        assert!([0, 3].contains(&pool.acquire(1).unwrap().node));
    }

    #[test]
    fn one_node_is_none() {
        let tree = Tree::new("one", &[("node0", "0-63"), ("node1", "")]);
        assert_eq!(Topology::read(&tree.0), Topology::default());
        assert_eq!(Topology::read(&tree.0.join("nothing")), Topology::default());
        assert_eq!(Topology::default().here(), 0);
    }

    #[test]
    fn nonsense_in_a_tree_is_left_out() {
        let nodes = [
            ("node1", "x,3-2,1-,-,5,0-99999999999999999999"),
            ("node2", "4-99999999"),
        ];
        let tree = Tree::new("nonsense", &nodes);
        let topology = Topology::read(&tree.0);
        let found: Vec<u16> = [1, 3, 5, 4, 9].map(|cpu| topology.node_of(cpu)).into();
        assert_eq!(found[..2], [0, 0]);
        assert_eq!(found[3..], [2, 2]);
    }
}
