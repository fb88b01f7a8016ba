//! `Table`: a hash table that can also be walked a few entries at a time.
//!
//! All entries are in one array: each at the place that its hash leads to, or at the next one
//! behind it that was free (linear probing). So the entry of a key is found with one access to
//! memory, as the entries behind it are on the same cache line or on the next. With many keys,
//! which are in no cache, each access takes as long as the rest of a call.
//!
//! A *hand* can go round and look at some of the entries with each new one. The maps of the
//! standard library have no place to go on from. Each entry keeps its hash, so growing does not
//! hash a key again, which is foreign code.

use std::mem;

/// One place in so many stays free, at least. With fewer, entries are far behind their places.
const FREE: usize = 4;

/// The array grows by one part in so many. Twice as much each time would leave a third of it unused
/// on average.
const PARTS: usize = 8;

/// The most entries of one table. It then has fewer slots than there are hashes of 32 bits.
pub(super) const MOST: usize = 1 << 31;

#[derive(Debug)]
pub(super) struct Table<K, V> {
    slots: Box<[Option<Entry<K, V>>]>,
    len: usize,
    /// The slot to look at next.
    hand: usize,
}

#[derive(Debug)]
struct Entry<K, V> {
    hash: u32,
    key: K,
    value: V,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { slots: Box::default(), len: 0, hand: 0 }
    }
}

impl<K, V> Table<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the value of the key for which `is_key` returns true.
    #[inline]
    pub(super) fn find(&self, hash: u32, is_key: impl Fn(&K) -> bool) -> Option<&V> {
        let mut at = self.home(hash);
        while let Some(Some(entry)) = self.slots.get(at) {
            if entry.hash == hash && is_key(&entry.key) {
                return Some(&entry.value);
            }
            at = self.after(at);
        }
        None
    }

    /// Returns all values.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().flatten().map(|entry| &entry.value)
    }

    /// Adds a key that is not in the table.
    pub(super) fn insert(&mut self, hash: u32, key: K, value: V) {
        let slots = self.slots.len();
        if self.len >= slots - slots.div_ceil(FREE) {
            self.resize(slots + (slots / PARTS).max(PARTS));
        }
        self.len += 1;
        self.put(Entry { hash, key, value });
    }

    /// Moves the hand over up to `count` entries, and takes out those for which `is_idle` returns
    /// true.
    pub(super) fn sweep(&mut self, count: usize, is_idle: impl Fn(&V) -> bool) -> Vec<(K, V)> {
        let mut removed = Vec::new();
        let mut left = count.min(self.len);
        while left > 0 {
            let entry = &self.slots[self.hand];
            left -= usize::from(entry.is_some());
            if entry.as_ref().is_some_and(|entry| is_idle(&entry.value)) {
                // Another entry may move to its place, which is looked at next.
                removed.extend(self.remove(self.hand).map(|Entry { key, value, .. }| (key, value)));
            } else {
                self.hand = self.after(self.hand);
            }
        }
        if self.len < self.slots.len() / 4 {
            self.resize(self.slots.len() / 2);
        }
        removed
    }

    /// Takes out an entry. Those behind it move up, unless they would come before their places.
    fn remove(&mut self, mut hole: usize) -> Option<Entry<K, V>> {
        let removed = self.slots[hole].take();
        self.len -= 1;
        let mut at = self.after(hole);
        while let Some(entry) = &self.slots[at] {
            if self.distance(self.home(entry.hash), at) >= self.distance(hole, at) {
                self.slots.swap(hole, at);
                hole = at;
            }
            at = self.after(at);
        }
        removed
    }

    /// Changes the number of slots.
    fn resize(&mut self, slots: usize) {
        // The order of the entries stays, so the hand stays among the same ones.
        self.hand = (self.hand as u64 * slots as u64 / (self.slots.len() as u64).max(1)) as usize;
        let before = mem::replace(&mut self.slots, (0..slots).map(|_| None).collect());
        before.into_iter().flatten().for_each(|entry| self.put(entry));
    }

    /// Puts an entry into the first free slot, of which there is one.
    fn put(&mut self, entry: Entry<K, V>) {
        let mut at = self.home(entry.hash);
        while self.slots[at].is_some() {
            at = self.after(at);
        }
        self.slots[at] = Some(entry);
    }

    /// Returns the slot that a hash leads to. Higher hashes lead to later slots.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> u32::BITS) as usize
    }

    /// Returns the next slot, which of the last one is the first.
    #[inline]
    fn after(&self, slot: usize) -> usize {
        if slot + 1 < self.slots.len() { slot + 1 } else { 0 }
    }

    /// Returns how far one slot is behind another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if from <= to { to - from } else { to + self.slots.len() - from }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Table;
    use crate::backend::tests::below;

    #[test]
    fn it_holds_what_a_map_of_the_standard_library_holds() {
        // All keys meet in one slot, in three, the last one included, or in a few.
        for hashes in [1, 3, 1 << 16] {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            let mut random = 0x9e37_79b9_7f4a_7c15_u64;
            for step in 0..20_000_u64 {
                let key = below(&mut random, 500);
                let hash = (key % hashes) as u32 * (u32::MAX / (hashes as u32 - 1).max(1));
                assert_eq!(table.find(hash, |known| *known == key), map.get(&key));
                if map.contains_key(&key) {
                    continue;
                }
                table.insert(hash, key, step);
                map.insert(key, step);
                // Now and then most of them go.
                let of = if step % 3_000 < 1_000 { 2 } else { 5 };
                for (key, value) in table.sweep(below(&mut random, 8) as usize, |value| value % of == 0) {
                    assert_eq!(map.remove(&key), Some(value));
                }
                assert_eq!(table.len(), map.len());
            }
        }
    }

    /// Returns a table of so many keys, whose hashes are spread.
    fn filled(keys: u32) -> Table<u32, ()> {
        let mut table = Table::default();
        (0..keys).for_each(|key| table.insert(key.wrapping_mul(0x9e37_79b9), key, ()));
        table
    }

    #[test]
    fn the_hand_reaches_every_entry() {
        let mut table = filled(1_000);
        let removed: usize = (0..10).map(|_| table.sweep(100, |()| true).len()).sum();
        assert_eq!((removed, table.len()), (1_000, 0));
    }

    #[test]
    fn storage_goes_with_the_entries() {
        let mut table = filled(100_000);
        assert!(table.slots.len() < 100_000 * 3 / 2, "{} slots", table.slots.len());
        while table.len() > 10 {
            table.sweep(table.len() - 10, |()| true);
        }
        while table.slots.len() > 64 {
            let before = table.slots.len();
            table.sweep(0, |()| true);
            assert!(table.slots.len() < before, "{before} slots stay");
        }
    }
}
