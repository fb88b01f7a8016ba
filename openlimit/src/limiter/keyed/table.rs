//! `Table`: a hash table that can also be walked a few entries at a time.
//!
//! The entries are in one vector, so a *hand* can go round and look at some of them with each new
//! one. The maps of the standard library have no place to go on from. Entries of one bucket are
//! linked. Each keeps its hash, so growing does not hash a key again, which is foreign code.

use std::mem;

/// The end of a list.
const NONE: u32 = u32::MAX;

/// The storage for entries grows by one part in so many. Twice as much each time would leave a
/// third of it unused on average.
const PARTS: usize = 4;

/// The most entries of one table.
pub(super) const MOST: usize = NONE as usize;

#[derive(Debug)]
pub(super) struct Table<K, V> {
    /// The first entry of each bucket. Their number is zero or a power of two.
    heads: Box<[u32]>,
    entries: Vec<Entry<K, V>>,
    hand: usize,
}

#[derive(Debug)]
struct Entry<K, V> {
    hash: u32,
    /// The next entry of the bucket.
    next: u32,
    key: K,
    value: V,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { heads: Box::default(), entries: Vec::new(), hand: 0 }
    }
}

impl<K, V> Table<K, V> {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the value of the key for which `is_key` returns true.
    #[inline]
    pub(super) fn find(&self, hash: u32, is_key: impl Fn(&K) -> bool) -> Option<&V> {
        let mut place = self.heads.get(self.bucket(hash)).copied().unwrap_or(NONE);
        while let Some(entry) = self.entries.get(place as usize) {
            if entry.hash == hash && is_key(&entry.key) {
                return Some(&entry.value);
            }
            place = entry.next;
        }
        None
    }

    /// Returns all values.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// Adds a key that is not in the table.
    pub(super) fn insert(&mut self, hash: u32, key: K, value: V) {
        let len = self.entries.len();
        if len == self.heads.len() {
            self.resize(len.max(2) * 2);
        }
        if len == self.entries.capacity() {
            self.entries.reserve_exact((len / PARTS).max(PARTS));
        }
        let bucket = self.bucket(hash);
        let next = mem::replace(&mut self.heads[bucket], self.entries.len() as u32);
        self.entries.push(Entry { hash, next, key, value });
    }

    /// Moves the hand over up to `count` entries, and takes out those for which `is_idle` returns
    /// true.
    pub(super) fn sweep(&mut self, count: usize, is_idle: impl Fn(&V) -> bool) -> Vec<(K, V)> {
        let mut removed = Vec::new();
        for _ in 0..count.min(self.entries.len()) {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            match self.entries.get(self.hand) {
                Some(entry) if is_idle(&entry.value) => removed.push(self.remove(self.hand)),
                Some(_) => self.hand += 1,
                None => break,
            }
        }
        if self.entries.len() < self.heads.len() / 8 {
            self.resize(self.heads.len() / 4);
        }
        removed
    }

    /// Takes out an entry. The last one takes its place.
    fn remove(&mut self, place: usize) -> (K, V) {
        let after = self.entries[place].next;
        *self.link_to(place) = after;
        let last = self.entries.len() - 1;
        if place != last {
            *self.link_to(last) = place as u32;
        }
        let Entry { key, value, .. } = self.entries.swap_remove(place);
        (key, value)
    }

    /// Returns the link that leads to an entry.
    fn link_to(&mut self, place: usize) -> &mut u32 {
        let bucket = self.bucket(self.entries[place].hash);
        let mut from = None;
        let mut at = self.heads[bucket];
        while at as usize != place {
            from = Some(at);
            at = self.entries[at as usize].next;
        }
        match from {
            Some(from) => &mut self.entries[from as usize].next,
            None => &mut self.heads[bucket],
        }
    }

    /// Changes the number of buckets, to a power of two.
    fn resize(&mut self, buckets: usize) {
        self.entries.shrink_to(buckets);
        self.heads = vec![NONE; buckets].into();
        for place in 0..self.entries.len() {
            let bucket = self.bucket(self.entries[place].hash);
            self.entries[place].next = mem::replace(&mut self.heads[bucket], place as u32);
        }
    }

    #[inline]
    fn bucket(&self, hash: u32) -> usize {
        hash as usize & self.heads.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Table;

    /// A pseudorandom number below `most`, by xorshift.
    fn below(random: &mut u64, most: u64) -> u64 {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        *random % most
    }

    #[test]
    fn it_holds_what_a_map_of_the_standard_library_holds() {
        for hashes in [1, 3, 1 << 16] {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            let mut random = 0x9e37_79b9_7f4a_7c15_u64;
            for step in 0..20_000_u64 {
                let key = below(&mut random, 500);
                let hash = (key % hashes) as u32;
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

    #[test]
    fn the_hand_reaches_every_entry() {
        let mut table = Table::default();
        (0..1_000).for_each(|key| table.insert(key, key, ()));
        let removed: usize = (0..10).map(|_| table.sweep(100, |()| true).len()).sum();
        assert_eq!((removed, table.len()), (1_000, 0));
    }

    #[test]
    fn storage_goes_with_the_entries() {
        let mut table = Table::default();
        (0..100_000).for_each(|key| table.insert(key, key, ()));
        while table.len() > 10 {
            table.sweep(table.len() - 10, |()| true);
        }
        table.sweep(0, |()| true);
        table.sweep(0, |()| true);
        while table.heads.len() > 64 {
            let before = table.heads.len();
            table.sweep(0, |()| true);
            assert!(table.heads.len() < before, "{before} buckets stay");
        }
        assert!(table.entries.capacity() <= 64);
    }
}
