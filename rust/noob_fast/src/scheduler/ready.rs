//! The ordered set of what is ready. Which node runs first among equals is visible to whoever
//! shares state between nodes, so the order is part of the scheduler's answer. It is that of
//! `noob_core`'s `IndexSet`: insertion appends, a removal moves the last element into the hole, and
//! a removal "in place" keeps the order of the rest.

const ABSENT: u32 = u32::MAX;

/// An ordered set of local item numbers below a fixed bound.
#[derive(Clone, Default)]
pub struct ReadySet {
    /// Members in order; `ABSENT` marks one that was removed in place.
    order: Vec<u32>,
    /// Where each item stands in `order`.
    position: Vec<u32>,
    len: usize,
}

impl ReadySet {
    pub fn new(members: &[u32], bound: usize) -> Self {
        let mut set = ReadySet {
            order: Vec::with_capacity(members.len()),
            position: vec![ABSENT; bound],
            len: 0,
        };
        for &member in members {
            set.insert(member);
        }
        set
    }

    /// Room for one more item.
    pub fn grow(&mut self) {
        self.position.push(ABSENT);
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn contains(&self, item: u32) -> bool {
        self.position[item as usize] != ABSENT
    }

    #[inline]
    pub fn insert(&mut self, item: u32) {
        if self.contains(item) {
            return;
        }
        self.position[item as usize] = self.order.len() as u32;
        self.order.push(item);
        self.len += 1;
    }

    /// Remove an item, moving the last one into its place.
    #[inline]
    pub fn swap_remove(&mut self, item: u32) {
        if self.contains(item) {
            self.fill_place_of(item);
        }
    }

    fn fill_place_of(&mut self, item: u32) {
        let at = std::mem::replace(&mut self.position[item as usize], ABSENT);
        self.len -= 1;
        while self.order.last() == Some(&ABSENT) {
            self.order.pop();
        }
        // `item` itself is still listed, so there is a last element.
        if let Some(last) = self.order.pop()
            && last != item
        {
            self.order[at as usize] = last;
            self.position[last as usize] = at;
        }
    }

    /// Remove an item, keeping the order of the others.
    pub fn remove_in_place(&mut self, item: u32) {
        let at = self.position[item as usize];
        if at != ABSENT {
            self.position[item as usize] = ABSENT;
            self.order[at as usize] = ABSENT;
            self.len -= 1;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.order.iter().copied().filter(|&item| item != ABSENT)
    }

    /// Remove everything.
    pub fn clear(&mut self) {
        for &item in &self.order {
            if item != ABSENT {
                self.position[item as usize] = ABSENT;
            }
        }
        self.order.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::ReadySet;

    #[test]
    fn a_removal_moves_the_last_into_the_hole() {
        let mut set = ReadySet::new(&[3, 1, 4, 0], 5);
        set.swap_remove(1);
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 0, 4]);
        set.swap_remove(4);
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 0]);
    }

    #[test]
    fn a_removal_in_place_keeps_the_order_and_is_never_moved_into_a_hole() {
        let mut set = ReadySet::new(&[3, 1, 4, 0], 5);
        set.remove_in_place(0);
        set.swap_remove(3);
        assert_eq!(set.iter().collect::<Vec<_>>(), [4, 1]);
        set.remove_in_place(4);
        set.insert(4);
        assert_eq!(set.iter().collect::<Vec<_>>(), [1, 4]);
        set.clear();
        assert!(set.is_empty() && !set.contains(4));
    }

    #[test]
    fn the_last_member_leaves_nothing_behind() {
        let mut set = ReadySet::new(&[2], 3);
        set.swap_remove(2);
        set.swap_remove(2);
        assert!(set.is_empty());
        set.insert(2);
        assert_eq!(set.iter().collect::<Vec<_>>(), [2]);
    }
}
