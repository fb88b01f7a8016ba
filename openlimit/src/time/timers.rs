//! `Timers`: everything that is armed, in the order in which it is due.
//!
//! Each id has one entry, at the earliest time that it was armed for. Arming for a later time
//! changes nothing: when the entry fires, it reports itself when it is due next.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::task::Waker;

use parking_lot::Mutex;

use super::timed::Timed;

/// Something to fire: its id, and a reference that does not keep it alive.
pub(super) type Armed = (u64, Weak<dyn Timed>);

pub(super) struct Timers {
    /// Everything that is armed, by due time and id.
    by_due: BTreeMap<(u64, u64), Weak<dyn Timed>>,
    /// The due time of each id.
    dues: BTreeMap<u64, u64>,
}

impl Timers {
    pub(super) const fn new() -> Self {
        Self { by_due: BTreeMap::new(), dues: BTreeMap::new() }
    }

    /// Arms `timed` for `due`, unless it is armed for an earlier time. Returns whether `due` is now
    /// the earliest of all, so that a sleeping thread has to wake up earlier.
    pub(super) fn arm(&mut self, (id, timed): Armed, due: u64) -> bool {
        match self.dues.get(&id) {
            Some(earlier) if *earlier <= due => return false,
            Some(later) => _ = self.by_due.remove(&(*later, id)),
            None => {}
        }
        self.dues.insert(id, due);
        self.by_due.insert((due, id), timed);
        self.next() == Some(due)
    }

    /// Removes the entry of this id, if there is one.
    pub(super) fn disarm(&mut self, id: u64) {
        if let Some(due) = self.dues.remove(&id) {
            self.by_due.remove(&(due, id));
        }
    }

    /// Returns when the earliest entry is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.by_due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Moves every entry that is due at `now` to `due`.
    pub(super) fn take_due(&mut self, now: u64, due: &mut Vec<Armed>) {
        while let Some(entry) = self.by_due.first_entry()
            && entry.key().0 <= now
        {
            let ((_, id), timed) = entry.remove_entry();
            self.dues.remove(&id);
            due.push((id, timed));
        }
    }
}

/// Fires an entry that was taken out of `timers`, and arms it again if it is due again.
///
/// Nothing is locked while the entry fires. It is armed again before its last reference can be
/// dropped: a limiter disarms itself when it is dropped, and must not be armed after that.
pub(super) fn fire(timers: &Mutex<Timers>, (id, timed): Armed, now: u64, wakers: &mut Vec<Waker>) {
    if let Some(existing) = timed.upgrade()
        && let Some(next) = existing.fire(now, wakers)
    {
        timers.lock().arm((id, timed), next);
    }
}
