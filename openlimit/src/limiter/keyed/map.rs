//! `Map`: the keys of a keyed limiter, spread over shards that are locked apart.
//!
//! # Forgetting
//!
//! There is no background work. Each new key moves the hand of its shard over [`STEPS`] entries and
//! takes out those that are idle. So keys that are used once do not pile up: the map holds at most
//! about a third more than are in use. When the map is full, a new key looks at up to [`SEARCH`]
//! entries before it is refused, so a flood of new keys costs each of them a bounded time.
//!
//! An entry is idle only while nobody else refers to its value. Others get it from the map alone,
//! under the lock of the shard, so nobody can begin to use a value while it is taken out.
//!
//! # Bounds
//!
//! There are so many shards that each holds a few thousand entries when the map is full. So growing
//! one takes some ten microseconds, during which only its own keys wait. Keys are hashed with a
//! random seed, so nobody can choose keys that meet in one shard or bucket.
//!
//! Hashing, cloning and dropping a key are foreign code, and run without a lock. Comparing two keys
//! runs under the lock of their shard.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::table::{MOST, Table};
use crate::sync::{Holder, Mutex, MutexGuard};

/// The number of entries that each new key looks at. With four, a map of keys that are used once
/// holds a third more than those that are not idle yet.
const STEPS: usize = 4;

/// The most entries, and the most shards, that a new key looks at when the map is full. They take
/// some microseconds.
const SEARCH: usize = 64;

/// The number of entries in each shard when the map is full.
const IN_SHARD: usize = 2_048;

/// The most shards. Each takes 64 bytes.
const MOST_SHARDS: usize = 4_096;

pub(super) struct Map<K, V> {
    shards: Box<[Shard<K, V>]>,
    hasher: RandomState,
    most: usize,
    len: AtomicUsize,
    /// The shard to look at next when the map is full.
    next: AtomicUsize,
}

/// On cache lines of its own.
#[repr(align(64))]
struct Shard<K, V> {
    table: Mutex<Table<K, V>>,
    holder: Holder,
}

/// The place of a key: its shard, and its hash within it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    shard: usize,
    hash: u32,
}

/// The reason why a key was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The map is full, and no idle entry was found.
    Full,
    /// Another thread held a lock when the process was forked.
    Forked,
}

/// Room for one key, which is given back unless a key takes it.
pub(super) struct Room<'a>(&'a AtomicUsize);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<K, V> Map<K, V> {
    /// Creates an empty map for `most` keys.
    pub(super) fn new(most: usize) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let shards = (most / IN_SHARD).max(4 * threads).next_power_of_two().min(MOST_SHARDS);
        // The models need the same order of locks in each run, and the hashes differ.
        let shards = if cfg!(openlimit_loom) { 1 } else { shards };
        let process = process::id();
        let shard = || Shard { table: Mutex::new(Table::default()), holder: Holder::of(process) };
        Self {
            shards: (0..shards).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            most,
            len: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        }
    }

    /// Returns the number of keys.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Returns the most keys.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Returns the place of a key.
    #[inline]
    pub(super) fn place<Q: Hash + ?Sized>(&self, key: &Q) -> Place {
        let hash = self.hasher.hash_one(key);
        Place { shard: hash as usize & (self.shards.len() - 1), hash: (hash >> 32) as u32 }
    }

    /// Returns the value of a key.
    ///
    /// # Errors
    /// Returns [`Refused::Forked`].
    #[inline]
    pub(super) fn get<Q>(&self, place: Place, key: &Q) -> Result<Option<V>, Refused>
    where
        K: Borrow<Q>,
        V: Clone,
        Q: Eq + ?Sized,
    {
        let shard = self.lock(place.shard).ok_or(Refused::Forked)?;
        Ok(shard.find(place.hash, |known| known.borrow() == key).cloned())
    }

    /// Returns the values of all keys. Locks one shard after the other.
    pub(super) fn values(&self) -> Vec<V>
    where
        V: Clone,
    {
        let shards = (0..self.shards.len()).filter_map(|shard| self.lock(shard));
        shards.flat_map(|shard| shard.values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Makes room for a new key.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn room(&self, place: Place, is_idle: impl Fn(&V) -> bool) -> Result<Room<'_>, Refused> {
        if let Some(room) = self.take_room() {
            return Ok(room);
        }
        self.search(place, is_idle)?;
        self.take_room().ok_or(Refused::Full)
    }

    /// Adds a key and returns its value, or the value that another thread has added meanwhile.
    ///
    /// # Errors
    /// Returns [`Refused::Forked`].
    pub(super) fn insert(
        &self,
        place: Place,
        (key, value): (K, V),
        room: Room<'_>,
        is_idle: impl Fn(&V) -> bool,
    ) -> Result<V, Refused>
    where
        K: Eq,
        V: Clone,
    {
        // Dropped after the lock is released.
        let removed;
        let mut shard = self.lock(place.shard).ok_or(Refused::Forked)?;
        if let Some(known) = shard.find(place.hash, |known| *known == key).cloned() {
            drop(shard);
            return Ok(known);
        }
        if shard.len() == MOST {
            return Err(Refused::Full);
        }
        // The key takes the room.
        std::mem::forget(room);
        let added = value.clone();
        removed = shard.sweep(STEPS, is_idle);
        shard.insert(place.hash, key, value);
        drop(shard);
        self.len.fetch_sub(removed.len(), Ordering::Relaxed);
        Ok(added)
    }

    fn take_room(&self) -> Option<Room<'_>> {
        let more = |len| (len < self.most).then_some(len + 1);
        self.len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Room(&self.len))
    }

    /// Looks for idle entries, first in the key's own shard. Ends at the first that it finds.
    fn search(&self, place: Place, is_idle: impl Fn(&V) -> bool) -> Result<(), Refused> {
        let others = self.next.fetch_add(1, Ordering::Relaxed);
        let others = (0..self.shards.len()).map(|other| (others + other) & (self.shards.len() - 1));
        let others = others.filter(|other| *other != place.shard);
        let mut left = SEARCH;
        for index in [place.shard].into_iter().chain(others).take(SEARCH) {
            let mut shard = self.lock(index).ok_or(Refused::Forked)?;
            let looked = left.min(shard.len());
            let removed = shard.sweep(looked, &is_idle);
            drop(shard);
            self.len.fetch_sub(removed.len(), Ordering::Relaxed);
            left -= looked;
            if left == 0 || !removed.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Locks a shard. Returns `None` in a forked child if another thread held the lock then.
    #[inline]
    fn lock(&self, shard: usize) -> Option<MutexGuard<'_, Table<K, V>>> {
        let Shard { table, holder } = &self.shards[shard];
        table.try_lock().or_else(|| holder.wait_for(table))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::thread;

    use super::{Map, Refused};

    type Numbers = Map<u64, Arc<u64>>;

    fn is_idle(value: &Arc<u64>) -> bool {
        Arc::strong_count(value) == 1
    }

    /// Returns the value of a key, which is added if it is new.
    fn of(map: &Numbers, key: u64) -> Result<Arc<u64>, Refused> {
        let place = map.place(&key);
        if let Some(value) = map.get(place, &key)? {
            return Ok(value);
        }
        let room = map.room(place, is_idle)?;
        map.insert(place, (key, Arc::new(key)), room, is_idle)
    }

    #[test]
    fn keys_in_use_stay_and_fill_it_to_the_last_place() {
        for most in [1, 2, 63, 10_000] {
            let map = Map::new(most);
            let values: Vec<_> = (0..most as u64).map(|key| of(&map, key).expect("room")).collect();
            assert_eq!((of(&map, 1 << 40), map.len()), (Err(Refused::Full), most));
            assert!(values.iter().all(|value| Arc::ptr_eq(value, &of(&map, **value).expect("it is known"))));
        }
    }

    #[test]
    fn one_idle_key_makes_room_for_another_in_a_full_small_map() {
        let map = Map::new(50);
        let mut values: Vec<_> = (0..50).map(|key| of(&map, key).expect("room")).collect();
        for key in 50..5_000 {
            values.remove((key * 7 % 50) as usize);
            values.push(of(&map, key).expect("one is idle"));
        }
        assert_eq!(map.len(), 50);
    }

    #[test]
    fn keys_that_are_used_once_do_not_pile_up() {
        let map = Map::new(1_000_000);
        for key in 0..100_000 {
            of(&map, key).expect("room");
        }
        // The last key of each shard is still there.
        assert!(map.len() <= map.shards.len(), "{} keys", map.len());
    }

    #[test]
    fn room_that_is_not_taken_is_given_back() {
        let map = Numbers::new(1);
        drop(map.room(map.place(&1), is_idle));
        assert_eq!(map.len(), 0);
        let value = of(&map, 1);
        assert!(value.is_ok() && of(&map, 2).is_err());
    }

    #[test]
    fn threads_that_meet_at_new_keys_get_the_same_values() {
        let map = Numbers::new(100);
        let values = thread::scope(|scope| {
            let one = || (0..100).map(|key| of(&map, key).ok()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
        });
        // A thread that loses a race has taken room for a moment, so another may be refused.
        let known: HashSet<_> = values.iter().flatten().map(|value| (**value, Arc::as_ptr(value))).collect();
        assert_eq!(known.len(), map.len());
    }
}
