//! `Cores`: makes, keeps and forgets the core of each key.

use std::borrow::Borrow;
use std::cell::Cell;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::limits::KeyLimits;
use super::map::{Map, Place, Refused};
use super::options::{DEFAULT_MAX_KEYS, LimitsOf, NameOf, PerKey};
use crate::error::{BuildError, BuildProblem};
use crate::limiter::Builder;
use crate::limiter::builder::{Checked, Options};
use crate::limiter::core::Core;
use crate::limits::{Limit, Name};
use crate::sync::contain;

/// The most sets of other limits that are kept for the next key. Programs have a few tiers.
const MOST_TIERS: usize = 64;

/// The most keys that a thread makes at a time. The function `limits` may use other keys, which are
/// made first. If it needs more than that, it needs the key itself, and would go on without end.
const MOST_NESTED: usize = 32;

thread_local! {
    /// How many keys this thread is making: more than [`MOST_NESTED`] once one was too many.
    static NESTED: Cell<usize> = const { Cell::new(0) };
}

/// Makes a key, unless the thread is making too many.
///
/// Once one was too many, no other is made until the first of them is. Otherwise a function that
/// uses its own key twice, and fails, would be called twice as often at each level.
fn nested<T>(make: impl FnOnce() -> Result<T, BuildProblem>) -> Result<T, BuildProblem> {
    let others = NESTED.get();
    if others >= MOST_NESTED {
        NESTED.set(MOST_NESTED + 1);
        return Err(BuildProblem::Recursive);
    }
    NESTED.set(others + 1);
    let made = make();
    if others == 0 || NESTED.get() <= MOST_NESTED {
        NESTED.set(others);
    }
    made
}

/// The cores of all keys.
pub(in crate::limiter) struct Cores<K> {
    name: Name,
    map: Map<K, Arc<Core>>,
    declared: Checked,
    /// Makes what [`limits`](Self::limits) returns into cores.
    options: Options,
    limits: Option<LimitsOf<K>>,
    /// Names each key in a store. `None` in memory.
    key_name: Option<NameOf<K>>,
    /// The latest sets of other limits, so that keys of one tier share a plan.
    tiers: Mutex<Vec<Arc<Tier>>>,
    is_closed: AtomicBool,
}

/// A set of limits that differs from the declared one.
struct Tier {
    limits: Vec<Limit>,
    checked: Checked,
}

impl<K> Cores<K> {
    /// Checks the options. Makes no key yet.
    pub(super) fn build<P>(builder: Builder<P, PerKey<K>>) -> Result<Self, BuildError> {
        let (mut options, keys) = builder.into_options();
        let max_keys = options.max_keys.take().unwrap_or(DEFAULT_MAX_KEYS);
        let name = options.shown_name();
        let checked = match max_keys {
            0 => Err(BuildProblem::NoKeys),
            // All keys would have one name in the store, and so share one bucket.
            _ if options.backend.is_store() && keys.key_name.is_none() => Err(BuildProblem::NamelessKeys),
            _ => options.clone().check(),
        };
        Ok(Self {
            declared: checked.map_err(|problem| BuildError::new(name.clone(), problem))?,
            name,
            map: Map::new(max_keys),
            key_name: keys.key_name.filter(|_| options.backend.is_store()),
            options,
            limits: keys.limits,
            tiers: Mutex::default(),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Closes the cores of all keys, and those that are made later.
    pub(super) fn close(&self) {
        // A key that is made meanwhile is in the map, or sees this.
        self.is_closed.store(true, Ordering::SeqCst);
        self.map.values().iter().for_each(|core| core.close());
    }

    /// Returns the number of keys that are known.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(in crate::limiter) fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the cores of which something is held, owed, or not sent yet.
    #[allow(dead_code, reason = "for a store")]
    pub(in crate::limiter) fn in_use(&self) -> Vec<Arc<Core>> {
        let now = self.declared.time.now();
        let mut cores = self.map.values();
        cores.retain(|core| !core.is_as_new(now));
        cores
    }

    /// Returns the core of a key, which is made if it is new.
    #[inline]
    pub(super) fn of<Q>(&self, key: &Q) -> Result<Arc<Core>, BuildError>
    where
        K: Borrow<Q> + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let place = self.map.place(key);
        match self.map.get(place, key) {
            Ok(Some(core)) => Ok(core),
            Ok(None) => self.make(place, key.to_owned()),
            Err(refused) => Err(self.refused(refused)),
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&self, place: Place, key: K) -> Result<Arc<Core>, BuildError>
    where
        K: Eq,
    {
        let now = self.declared.time.now();
        let is_idle = |core: &Arc<Core>| Arc::strong_count(core) == 1 && core.is_as_new(now);
        let room = self.map.room(place, is_idle).map_err(|refused| self.refused(refused))?;
        let core = nested(|| self.core_for(&key));
        let core = core.map_err(|problem| BuildError::new(self.name.clone(), problem))?;
        let core = self.map.insert(place, (key, core), room, is_idle);
        let core = core.map_err(|refused| self.refused(refused))?;
        if self.is_closed.load(Ordering::SeqCst) {
            core.close();
        }
        Ok(core)
    }

    fn core_for(&self, key: &K) -> Result<Arc<Core>, BuildProblem> {
        let name = match &self.key_name {
            Some(key_name) => Some(contain(|| key_name(key)).ok_or(BuildProblem::KeyNamePanicked)?),
            None => None,
        };
        let name = name.as_deref();
        let Some(limits) = &self.limits else { return Ok(self.declared.core(name)) };
        let declared = KeyLimits::new(&self.options.declared.limits);
        let limits = contain(|| limits(key, declared)).ok_or(BuildProblem::LimitsPanicked)?.into_vec();
        if limits == self.options.declared.limits {
            return Ok(self.declared.core(name));
        }
        let known = self.tiers.lock().iter().find(|tier| tier.limits == limits).cloned();
        if let Some(tier) = known {
            return Ok(tier.checked.core(name));
        }
        let mut options = self.options.clone();
        options.declared.limits.clone_from(&limits);
        // The clock of the other keys, in whichever runtime this is called.
        options.time = Some(self.declared.time.clone());
        let tier = Arc::new(Tier { limits, checked: options.check()? });
        let core = tier.checked.core(name);
        let mut tiers = self.tiers.lock();
        if tiers.len() == MOST_TIERS {
            tiers.remove(0);
        }
        tiers.push(tier);
        Ok(core)
    }

    #[cold]
    fn refused(&self, refused: Refused) -> BuildError {
        let problem = match refused {
            Refused::Full => BuildProblem::TooManyKeys(self.map.most()),
            Refused::Forked => BuildProblem::Forked,
        };
        BuildError::new(self.name.clone(), problem)
    }
}
