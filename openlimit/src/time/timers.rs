//! `Timers`: what is armed, and for when. One entry for each id, at the earliest time asked for.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::task::Waker;

use parking_lot::Mutex;

use super::Timed;

/// What to fire: its id, and the thing itself for as long as it exists.
pub(super) type Entry = (u64, Weak<dyn Timed>);

pub(super) struct Timers {
    by_due: BTreeMap<(u64, u64), Weak<dyn Timed>>,
    /// When each id is due.
    dues: BTreeMap<u64, u64>,
}

impl Timers {
    pub(super) const fn new() -> Self {
        Self { by_due: BTreeMap::new(), dues: BTreeMap::new() }
    }

    /// Fires `timed` at `due`, or earlier if that was asked for before. Returns whether `due` is
    /// now the earliest of all.
    pub(super) fn arm(&mut self, (id, timed): Entry, due: u64) -> bool {
        match self.dues.get(&id) {
            Some(earlier) if *earlier <= due => return false,
            Some(later) => _ = self.by_due.remove(&(*later, id)),
            None => {}
        }
        self.dues.insert(id, due);
        self.by_due.insert((due, id), timed);
        self.next() == Some(due)
    }

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
    pub(super) fn take_due(&mut self, now: u64, due: &mut Vec<Entry>) {
        while let Some(entry) = self.by_due.first_entry()
            && entry.key().0 <= now
        {
            let ((_, id), timed) = entry.remove_entry();
            self.dues.remove(&id);
            due.push((id, timed));
        }
    }
}

/// Fires the entries that were taken out of `timers`, and arms those that are due again.
///
/// Nothing is locked while an entry fires. It is armed again before it can be dropped, so that
/// what it disarms when it is dropped stays disarmed.
pub(super) fn fire_all(timers: &Mutex<Timers>, due: &mut Vec<Entry>, now: u64, wakers: &mut Vec<Waker>) {
    for (id, timed) in due.drain(..) {
        if let Some(existing) = timed.upgrade()
            && let Some(next) = existing.fire(now, wakers)
        {
            timers.lock().arm((id, timed), next);
        }
    }
}
