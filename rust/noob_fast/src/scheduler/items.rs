//! Names to dense numbers. Every node, signal and slot of a scheduler has one number for the
//! scheduler's whole life, so that graphs, epochs and the bridge speak of the same things.

use rustc_hash::FxHashMap;

/// A node, or a signal of a node, by its number.
pub type Item = u32;
/// A slot of a node, by its number.
pub type Slot = u32;

/// The signal that a stateful node waits for: `("meta", "previous_epoch")`.
pub const PREVIOUS_EPOCH: Item = 0;
/// The node that owns [`PREVIOUS_EPOCH`].
pub const META: Item = 1;
/// The node that supplies a tube's inputs.
pub const INPUT: Item = 3;
/// The node that supplies a tube's assets.
pub const ASSETS: Item = 4;
/// Items below this number are part of every graph, but are no nodes of a tube.
pub const FIRST_OWN: Item = 5;

#[derive(Clone, Copy)]
struct Entry {
    /// The node itself, or the node that a signal belongs to.
    owner: Item,
    name: u32,
    is_signal: bool,
}

/// The numbers of one scheduler.
#[derive(Clone)]
pub struct Items {
    names: Vec<Box<str>>,
    by_name: FxHashMap<Box<str>, u32>,
    entries: Vec<Entry>,
    /// By name, the node of that name, if there is one.
    nodes: Vec<Option<Item>>,
    signals: FxHashMap<(Item, u32), Item>,
    slots: Vec<(Item, u32)>,
    by_slot: FxHashMap<(Item, u32), Slot>,
}

impl Default for Items {
    fn default() -> Self {
        let mut items = Items {
            names: Vec::new(),
            by_name: FxHashMap::default(),
            entries: Vec::new(),
            nodes: Vec::new(),
            signals: FxHashMap::default(),
            slots: Vec::new(),
            by_slot: FxHashMap::default(),
        };
        let meta = items.name("meta");
        let previous = items.name("previous_epoch");
        items.entries.push(Entry {
            owner: META,
            name: previous,
            is_signal: true,
        });
        items.entries.push(Entry {
            owner: META,
            name: meta,
            is_signal: false,
        });
        items.nodes[meta as usize] = Some(META);
        items.signals.insert((META, previous), PREVIOUS_EPOCH);
        for name in ["tube", "input", "assets"] {
            items.intern_node(name);
        }
        items
    }
}

impl Items {
    fn name(&mut self, text: &str) -> u32 {
        if let Some(&known) = self.by_name.get(text) {
            return known;
        }
        let number = self.names.len() as u32;
        self.names.push(text.into());
        self.nodes.push(None);
        self.by_name.insert(text.into(), number);
        number
    }

    pub fn intern_node(&mut self, id: &str) -> Item {
        let name = self.name(id);
        if let Some(known) = self.nodes[name as usize] {
            return known;
        }
        let item = self.entries.len() as Item;
        self.entries.push(Entry {
            owner: item,
            name,
            is_signal: false,
        });
        self.nodes[name as usize] = Some(item);
        item
    }

    pub fn intern_signal(&mut self, node: Item, signal: &str) -> Item {
        let name = self.name(signal);
        if let Some(&known) = self.signals.get(&(node, name)) {
            return known;
        }
        let item = self.entries.len() as Item;
        self.entries.push(Entry {
            owner: node,
            name,
            is_signal: true,
        });
        self.signals.insert((node, name), item);
        item
    }

    pub fn intern_slot(&mut self, node: Item, slot: &str) -> Slot {
        let name = self.name(slot);
        if let Some(&known) = self.by_slot.get(&(node, name)) {
            return known;
        }
        let number = self.slots.len() as Slot;
        self.slots.push((node, name));
        self.by_slot.insert((node, name), number);
        number
    }

    pub fn node(&self, id: &str) -> Option<Item> {
        let name = *self.by_name.get(id)?;
        self.nodes[name as usize]
    }

    pub fn signal(&self, node: Item, signal: &str) -> Option<Item> {
        let name = *self.by_name.get(signal)?;
        self.signals.get(&(node, name)).copied()
    }

    pub fn is_signal(&self, item: Item) -> bool {
        self.entries[item as usize].is_signal
    }

    /// The node that a signal belongs to; a node is its own.
    pub fn owner(&self, item: Item) -> Item {
        self.entries[item as usize].owner
    }

    pub fn slot_owner(&self, slot: Slot) -> Item {
        self.slots[slot as usize].0
    }

    /// The name of a node, or of a signal without its node.
    pub fn text(&self, item: Item) -> &str {
        &self.names[self.entries[item as usize].name as usize]
    }

    pub fn slot_text(&self, slot: Slot) -> &str {
        &self.names[self.slots[slot as usize].1 as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Items as `noob_core` lists them in its errors.
    pub fn list(&self, items: &[Item]) -> String {
        let texts: Vec<String> = items
            .iter()
            .map(|&item| {
                if self.is_signal(item) {
                    format!(
                        "Signal({:?}, {:?})",
                        self.text(self.owner(item)),
                        self.text(item)
                    )
                } else {
                    format!("Node({:?})", self.text(item))
                }
            })
            .collect();
        format!("[{}]", texts.join(", "))
    }
}
