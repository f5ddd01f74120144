//! Tubes written as text, and random ones.

use crate::error::Result;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::graph::{Edge, Node};
use crate::scheduler::items::{Item, Items};
use crate::scheduler::{Event, Scheduler};

/// A tube's scheduler, spoken to by names.
pub struct Tube {
    pub core: Scheduler,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

/// What a scheduler is made of.
#[derive(Default)]
pub struct Draft {
    pub items: Items,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

impl Draft {
    pub fn node(&mut self, id: &str, enabled: bool, stateful: bool) -> Item {
        let item = self.items.intern_node(id);
        self.nodes.push(Node {
            item,
            enabled,
            stateful,
        });
        item
    }

    pub fn edge(&mut self, source: &str, signal: &str, target: &str, slot: &str, required: bool) {
        let (source, target) = (
            self.items.intern_node(source),
            self.items.intern_node(target),
        );
        self.edges.push(Edge {
            source,
            signal: self.items.intern_signal(source, signal),
            target,
            slot: self.items.intern_slot(target, slot),
            required,
        });
    }

    /// Nodes as `"a b* c-"` (`*` stateful, `-` disabled), edges as `"a.value > b.x, a.value ? c.y"`
    /// (`>` required, `?` optional).
    pub fn parse(nodes: &str, edges: &str) -> Self {
        let mut draft = Draft::default();
        for text in nodes.split_whitespace() {
            let id = text.trim_end_matches(['*', '-']);
            draft.node(id, !text.ends_with('-'), text.ends_with('*'));
        }
        for edge in edges.split(',').filter(|edge| !edge.trim().is_empty()) {
            let parts: Vec<&str> = edge.split([' ', '.']).filter(|it| !it.is_empty()).collect();
            let [source, signal, kind, target, slot] = parts[..] else {
                panic!("not an edge: {edge}");
            };
            draft.edge(source, signal, target, slot, kind == ">");
        }
        draft
    }

    /// Up to `size` nodes, each with up to three inputs from nodes before it, in dependency order.
    pub fn random(random: &mut Random, size: u32) -> Self {
        let mut draft = Draft::default();
        let count = 1 + random.below(size);
        let names: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
        for (name, at) in names.iter().zip(0..) {
            draft.node(name, !random.chance(5), random.chance(15));
            let inputs = if at == 0 { 0 } else { random.below(4) };
            let mut taken = Vec::new();
            for slot in 0..inputs {
                let from = (random.below(at), random.below(2));
                if !taken.contains(&from) {
                    taken.push(from);
                    let (source, signal) = (&names[from.0 as usize], format!("s{}", from.1));
                    let required = !random.chance(30);
                    draft.edge(source, &signal, name, &format!("x{slot}"), required);
                }
            }
        }
        draft
    }

    pub fn tube(self) -> Tube {
        Tube {
            core: Scheduler::new(self.items, &self.nodes, self.edges.clone()),
            nodes: self.nodes,
            edges: self.edges,
        }
    }
}

impl Tube {
    pub fn new(nodes: &str, edges: &str) -> Self {
        Draft::parse(nodes, edges).tube()
    }

    pub fn node(&self, id: &str) -> Item {
        self.core.items.node(id).expect(id)
    }

    pub fn signal(&self, text: &str) -> Item {
        let (node, signal) = text.split_once('.').expect(text);
        self.core
            .items
            .signal(self.node(node), signal)
            .expect(signal)
    }

    /// The sub-epoch of root 0 that is called `"m0 n2"`: the third of `n`'s in the first of `m`'s.
    pub fn sub(&self, path: &str) -> Epoch {
        let segments = path.split_whitespace().map(|segment| {
            let (node, index) = segment.split_at(1);
            (self.node(node), index.parse().expect(segment))
        });
        Epoch {
            root: 0,
            path: segments.collect(),
        }
    }

    pub fn name(&self, epoch: &Epoch) -> String {
        let path = epoch.path.iter();
        let path = path.map(|&(node, index)| format!("{}{index}", self.core.items.text(node)));
        let path: Vec<String> = path.collect();
        if path.is_empty() {
            epoch.root.to_string()
        } else {
            path.join(" ")
        }
    }

    /// What is ready in an epoch and those in it: `"a"`, or in a sub-epoch `"a@m0"`.
    pub fn ready(&mut self, epoch: &Epoch) -> Vec<String> {
        let ready = self.core.get_ready_at(epoch);
        let text = |(at, node): &(Epoch, Item)| match self.core.items.text(*node) {
            node if at.is_root() => node.to_owned(),
            node => format!("{node}@{}", self.name(at)),
        };
        ready.iter().map(text).collect()
    }

    /// Update with events as `"a.left !a.right"`, where `!` is no event and `#` exhaustion; a name
    /// without a signal is of a node that nothing depends on. Returns the epochs that ended.
    pub fn emit(&mut self, epoch: &Epoch, events: &str) -> Vec<String> {
        self.try_emit(epoch, events).expect(events)
    }

    pub fn try_emit(&mut self, epoch: &Epoch, events: &str) -> Result<Vec<String>> {
        let event = |text: &str| {
            let name = text.trim_start_matches(['!', '#']);
            Event {
                epoch: epoch.clone(),
                node: self.node(name.split('.').next().unwrap_or_default()),
                signal: name.contains('.').then(|| self.signal(name)),
                no_event: text.starts_with('!'),
                exhausted: text.starts_with('#'),
            }
        };
        let events = events.split_whitespace().map(event).collect();
        let ended = self.core.update(events)?;
        Ok(ended.iter().map(|epoch| self.name(epoch)).collect())
    }

    /// The signals of a node that something depends on.
    pub fn signals_of(&self, node: Item) -> Vec<Item> {
        let mut signals: Vec<Item> = self
            .edges
            .iter()
            .filter(|edge| edge.source == node && self.core.matters(edge.signal))
            .map(|edge| edge.signal)
            .collect();
        signals.sort_unstable();
        signals.dedup();
        signals
    }
}

/// Marsaglia's xorshift with 64 bits: the same numbers in each run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) % u64::from(bound)) as u32
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Take out one of several.
    pub fn draw<T>(&mut self, from: &mut Vec<T>) -> T {
        let at = self.below(from.len() as u32) as usize;
        from.swap_remove(at)
    }
}
