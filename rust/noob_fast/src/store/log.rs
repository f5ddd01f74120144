//! What one epoch's nodes emitted: values in the order in which they came, found by slot.

use rustc_hash::FxHashMap;

const NOWHERE: u32 = u32::MAX;
/// Marks the place of a value that is there without having been emitted.
const SUPPLIED: u32 = 1 << 31;

/// How many slots there may be for each that is filled, if they are kept as an array.
const DENSE: usize = 4;

/// Something that was emitted.
pub struct Entry<V> {
    pub value: V,
    /// Nanoseconds since 1970.
    pub stamp: u64,
    pub slot: u32,
}

/// Where the latest value of each slot is.
enum Places {
    /// Nearly all slots will be filled.
    Dense(Vec<u32>),
    Sparse(FxHashMap<u32, u32>),
}

impl Places {
    fn of(&self, slot: u32) -> u32 {
        match self {
            Places::Dense(places) => places.get(slot as usize).copied().unwrap_or(NOWHERE),
            Places::Sparse(places) => places.get(&slot).copied().unwrap_or(NOWHERE),
        }
    }

    /// Note the place of a slot; `filled` is how many may be by then, at most.
    fn set(&mut self, slot: u32, place: u32, filled: usize) {
        if let Places::Dense(places) = self
            && slot as usize >= places.len().max(DENSE * filled)
        {
            let there = (0..).zip(places.iter().copied());
            *self = Places::Sparse(there.filter(|&(_, place)| place != NOWHERE).collect());
        }
        match self {
            Places::Dense(places) => {
                if places.len() <= slot as usize {
                    places.resize(slot as usize + 1, NOWHERE);
                }
                places[slot as usize] = place;
            }
            Places::Sparse(places) => {
                places.insert(slot, place);
            }
        }
    }

    /// Turn into what is read quickest, once enough of the slots are filled to be worth the room.
    fn settle(&mut self) {
        let Places::Sparse(sparse) = self else {
            return;
        };
        let slots = sparse.keys().max().map_or(0, |slot| slot + 1) as usize;
        if slots > DENSE * sparse.len() {
            return;
        }
        let mut dense = vec![NOWHERE; slots];
        for (&slot, &place) in sparse.iter() {
            dense[slot as usize] = place;
        }
        *self = Places::Dense(dense);
    }
}

/// The values of one epoch (`V`), and the events (`E`) that were made of some of them.
pub struct Log<V, E> {
    places: Places,
    entries: Vec<Entry<V>>,
    /// By entry; as long as no event was made, nothing.
    made: Vec<Option<E>>,
    supplied: Vec<V>,
    /// Nanoseconds since 1970.
    latest: u64,
    /// How often everything was forgotten: an entry is known by this and its number.
    generation: u32,
}

/// All that a log held, for the caller to drop.
pub struct Contents<V, E> {
    pub entries: Vec<Entry<V>>,
    pub made: Vec<Option<E>>,
    pub supplied: Vec<V>,
}

impl<V, E> Log<V, E> {
    /// A log of which most of so many slots will be filled.
    pub fn dense(slots: usize) -> Self {
        Log::with(Places::Dense(vec![NOWHERE; slots]), slots)
    }

    /// A log of a few slots among many.
    pub fn sparse() -> Self {
        Log::with(Places::Sparse(FxHashMap::default()), 0)
    }

    fn with(places: Places, capacity: usize) -> Self {
        Log {
            places,
            entries: Vec::with_capacity(capacity),
            made: Vec::new(),
            supplied: Vec::new(),
            latest: 0,
            generation: 0,
        }
    }

    /// How many values were emitted.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entries(&self) -> &[Entry<V>] {
        &self.entries
    }

    /// When a value was emitted last, in nanoseconds since 1970.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    fn filled(&self) -> usize {
        self.entries.len() + self.supplied.len()
    }

    /// Note an emitted value; return which entry it is.
    pub fn put(&mut self, slot: u32, value: V, stamp: u64) -> u32 {
        let at = self.entries.len() as u32;
        let filled = self.filled() + 1;
        self.places.set(slot, at, filled);
        self.latest = stamp;
        self.entries.push(Entry { value, stamp, slot });
        if self.entries.len().is_power_of_two() {
            self.places.settle();
        }
        at
    }

    /// Note a value that is there without having been emitted.
    pub fn supply(&mut self, slot: u32, value: V) {
        let filled = self.filled() + 1;
        self.places
            .set(slot, self.supplied.len() as u32 | SUPPLIED, filled);
        self.supplied.push(value);
    }

    pub fn has(&self, slot: u32) -> bool {
        self.places.of(slot) != NOWHERE
    }

    /// The latest value of a slot.
    pub fn value(&self, slot: u32) -> Option<&V> {
        match self.places.of(slot) {
            NOWHERE => None,
            at if at & SUPPLIED == 0 => self.entries.get(at as usize).map(|entry| &entry.value),
            at => self.supplied.get((at & !SUPPLIED) as usize),
        }
    }

    /// Put something in the place of a slot's latest value, if that is the one meant; return what
    /// is not kept.
    pub fn replace(&mut self, slot: u32, is_meant: impl Fn(&V) -> bool, value: V) -> V {
        let place = match self.places.of(slot) {
            NOWHERE => None,
            at if at & SUPPLIED == 0 => {
                let entry = self.entries.get_mut(at as usize);
                entry.map(|entry| &mut entry.value)
            }
            at => self.supplied.get_mut((at & !SUPPLIED) as usize),
        };
        match place {
            Some(place) if is_meant(place) => std::mem::replace(place, value),
            _ => value,
        }
    }

    /// The latest entry of a slot. What was supplied has none.
    pub fn latest_of(&self, slot: u32) -> Option<u32> {
        let at = self.places.of(slot);
        (at & SUPPLIED == 0).then_some(at)
    }

    /// The event of an entry, if one was made.
    pub fn made(&self, at: u32) -> Option<&E> {
        self.made.get(at as usize).and_then(Option::as_ref)
    }

    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Keep the event of an entry.
    pub fn keep(&mut self, at: u32, event: E) {
        if self.made.len() <= at as usize {
            self.made.resize_with(self.entries.len(), || None);
        }
        self.made[at as usize] = Some(event);
    }

    pub fn events(&self) -> impl Iterator<Item = &E> {
        self.made.iter().flatten()
    }

    pub fn supplied(&self) -> &[V] {
        &self.supplied
    }

    /// Forget everything; return it.
    pub fn take(&mut self) -> Contents<V, E> {
        match &mut self.places {
            Places::Dense(places) => places.fill(NOWHERE),
            Places::Sparse(places) => places.clear(),
        }
        self.generation = self.generation.wrapping_add(1);
        Contents {
            entries: std::mem::take(&mut self.entries),
            made: std::mem::take(&mut self.made),
            supplied: std::mem::take(&mut self.supplied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> [Log<char, u8>; 2] {
        [Log::dense(2), Log::sparse()]
    }

    #[test]
    fn the_latest_value_of_a_slot_is_found() {
        for mut log in logs() {
            assert!(!log.has(5));
            log.put(5, 'a', 1);
            log.put(0, 'b', 2);
            log.put(5, 'c', 3);
            assert_eq!(log.value(5), Some(&'c'));
            assert_eq!(log.value(0), Some(&'b'));
            assert_eq!(log.value(1), None);
            assert_eq!(log.latest_of(5), Some(2));
            assert_eq!((log.len(), log.latest()), (3, 3));
        }
    }

    #[test]
    fn what_was_supplied_is_read_but_was_not_emitted() {
        for mut log in logs() {
            log.supply(1, 'i');
            assert!(log.has(1) && log.is_empty());
            assert_eq!(log.value(1), Some(&'i'));
            assert_eq!(log.latest_of(1), None);
            assert_eq!(log.replace(1, |&old| old == 'i', 'j'), 'i');
            assert_eq!(log.replace(1, |&old| old == 'i', 'x'), 'x');
            assert_eq!(log.replace(7, |_| true, 'y'), 'y');
            assert_eq!(log.value(1), Some(&'j'));
            log.put(1, 'k', 7);
            assert_eq!(log.value(1), Some(&'k'));
        }
    }

    #[test]
    fn events_belong_to_entries() {
        for mut log in logs() {
            log.put(0, 'a', 1);
            let at = log.put(0, 'b', 2);
            assert_eq!(log.made(at), None);
            log.keep(at, 9);
            log.put(1, 'c', 3);
            assert_eq!(
                (log.made(0), log.made(1), log.made(2)),
                (None, Some(&9), None)
            );
        }
    }

    #[test]
    fn it_is_kept_as_it_is_read_best() {
        let mut log: Log<u32, u8> = Log::sparse();
        let is_dense = |log: &Log<u32, u8>| matches!(log.places, Places::Dense(_));
        for slot in 0..64 {
            log.put(slot, slot, 1);
        }
        assert!(is_dense(&log));
        log.put(1_000_000, 64, 1);
        assert!(!is_dense(&log));
        log.put(63, 65, 1);
        for slot in 100..200 {
            log.put(slot, slot, 1);
        }
        assert!(!is_dense(&log));
        assert_eq!(log.value(1_000_000), Some(&64));
        assert_eq!((log.value(63), log.value(5)), (Some(&65), Some(&5)));
        assert_eq!((log.value(64), log.value(2_000_000)), (None, None));
    }

    #[test]
    fn everything_is_forgotten_at_once() {
        for mut log in logs() {
            log.supply(1, 'i');
            log.put(0, 'a', 1);
            log.keep(0, 1);
            let contents = log.take();
            assert_eq!((contents.entries.len(), contents.made.len()), (1, 1));
            assert_eq!(log.generation(), 1);
            assert!(!log.has(0) && !log.has(1) && log.is_empty());
            log.put(0, 'z', 2);
            assert_eq!((log.value(0), log.made(0)), (Some(&'z'), None));
        }
    }
}
