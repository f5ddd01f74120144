//! Whether Python would take too long to make a dict or a set of keys: strings have hashes that
//! nobody can foresee, but those of numbers and tuples can be chosen to collide.

/// So many keys of the same hash are too many: each is compared with all before it. Fewer keys
/// are never too slow.
pub const SAME_HASH: usize = 64;
/// So many probes a key are too many. What is laid out badly by nature, as are the multiples of
/// 1/1024, takes up to 14 each time that the table is laid out, which is three times a key.
const PROBES: usize = 64;
/// Slots that a set looks at in a row before it jumps.
const ROW: usize = 10;
const PERTURB_SHIFT: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Dict,
    Set,
}

impl Table {
    /// The size of a table in which there are so many keys: that of one which has just grown.
    fn grown(self, used: usize) -> usize {
        match self {
            Table::Dict => (used * 3).next_power_of_two(),
            Table::Set if used > 50_000 => (used * 2 + 1).next_power_of_two(),
            Table::Set => (used * 4 + 1).next_power_of_two(),
        }
        .max(8)
    }

    /// Whether a table of this size grows before it takes (dict) or after it took (set) so many.
    fn is_full(self, used: usize, size: usize) -> bool {
        match self {
            Table::Dict => used >= size * 2 / 3,
            Table::Set => used * 5 >= (size - 1) * 3,
        }
    }
}

/// Whether a table of keys with these hashes, in this order, would take time that grows with the
/// square of their number. It is laid out as `CPython` does, in a bit a slot.
#[must_use]
pub fn is_slow(table: Table, hashes: &[i64]) -> bool {
    if hashes.len() < SAME_HASH {
        return false;
    }
    let mut sorted = hashes.to_vec();
    sorted.sort_unstable();
    if sorted.windows(SAME_HASH).any(|w| w[0] == w[SAME_HASH - 1]) {
        return true;
    }
    let mut left = PROBES * hashes.len();
    let mut slots = Slots::new(table, 8);
    for (used, &hash) in hashes.iter().enumerate() {
        if table.is_full(used, slots.size) {
            slots = Slots::new(table, table.grown(used));
            for &earlier in &hashes[..used] {
                if !slots.take(earlier, &mut left) {
                    return true;
                }
            }
        }
        if !slots.take(hash, &mut left) {
            return true;
        }
    }
    false
}

struct Slots {
    bits: Vec<u64>,
    size: usize,
    row: usize,
}

impl Slots {
    fn new(table: Table, size: usize) -> Self {
        Slots {
            bits: vec![0; size.div_ceil(64)],
            size,
            row: if table == Table::Set { ROW } else { 1 },
        }
    }

    /// Takes a slot for a key; false if no probes are left.
    fn take(&mut self, hash: i64, left: &mut usize) -> bool {
        let mask = self.size - 1;
        let mut perturb = hash.cast_unsigned();
        let mut at = perturb as usize & mask;
        loop {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            let row = if at + self.row <= self.size {
                self.row
            } else {
                1
            };
            for slot in at..at + row {
                let bit = 1 << (slot % 64);
                if self.bits[slot / 64] & bit == 0 {
                    self.bits[slot / 64] |= bit;
                    return true;
                }
            }
            perturb >>= PERTURB_SHIFT;
            at = at
                .wrapping_mul(5)
                .wrapping_add(perturb as usize)
                .wrapping_add(1)
                & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(hashes: &[i64]) -> [bool; 2] {
        [Table::Dict, Table::Set].map(|table| is_slow(table, hashes))
    }

    #[test]
    fn keys_as_they_are_met_are_quick() {
        assert_eq!(both(&(0..100_000).collect::<Vec<_>>()), [false; 2]);
        for shift in 0..60 {
            let hash = |number: i128| ((number << shift) % ((1 << 61) - 1)) as i64;
            let spread: Vec<i64> = (0..5000).map(hash).collect();
            assert_eq!(both(&spread), [false; 2], "multiples of 2^{shift}");
        }
    }

    #[test]
    fn keys_of_one_hash_are_slow_from_64_on() {
        assert_eq!(both(&[7; 63]), [false; 2]);
        assert_eq!(both(&[7; 64]), [true; 2]);
    }

    #[test]
    fn keys_of_one_path_are_slow() {
        // Slots in the order in which a dict of 2^13 looks at them, all taken; and keys that meet
        // only such slots until nothing but the size of the table decides where they look next.
        let (mask, count) = ((1_i64 << 13) - 1, 4000);
        let mut place = vec![None; 1 << 13];
        let (mut at, mut hashes) = (0_i64, Vec::new());
        for number in 0..count {
            place[at.cast_unsigned() as usize] = Some(number);
            hashes.push(at);
            at = (5 * at + 1) & mask;
        }
        assert!(!is_slow(Table::Dict, &hashes));
        let joins = |hash: i64| {
            let (mut at, mut perturb) = (hash & mask, hash);
            while perturb > 0 {
                place[at.cast_unsigned() as usize]?;
                perturb >>= PERTURB_SHIFT;
                at = (5 * at + perturb + 1) & mask;
            }
            place[at.cast_unsigned() as usize]
        };
        let early = |hash: &i64| joins(*hash).is_some_and(|number| number < count / 4);
        let hostile = (1 << 13..1 << 21).filter(early).take(1000);
        hashes.extend(hostile);
        assert_eq!(hashes.len(), count + 1000);
        assert!(is_slow(Table::Dict, &hashes));
    }
}
