//! `Timers`: which limiters are to be looked at, and when. One entry a limiter, the earliest asked for.

use std::collections::{BTreeMap, HashMap};

use crate::handle::{Handle, WeakHandle};

#[derive(Default)]
pub(super) struct Timers {
    by_due: BTreeMap<(u64, u64), WeakHandle>,
    /// By the limiter's id.
    dues: HashMap<u64, u64>,
}

impl Timers {
    /// Whether `due` is now the earliest of all.
    pub(super) fn arm(&mut self, handle: &Handle, due: u64) -> bool {
        let id = handle.id();
        match self.dues.get(&id) {
            Some(earlier) if *earlier <= due => return false,
            Some(later) => _ = self.by_due.remove(&(*later, id)),
            None => {}
        }
        self.dues.insert(id, due);
        self.by_due.insert((due, id), handle.downgrade());
        self.next() == Some(due)
    }

    pub(super) fn disarm(&mut self, id: u64) {
        if let Some(due) = self.dues.remove(&id) {
            self.by_due.remove(&(due, id));
        }
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.by_due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes out every limiter that is due at `now`.
    pub(super) fn take_due(&mut self, now: u64, due: &mut Vec<WeakHandle>) {
        while let Some(entry) = self.by_due.first_entry()
            && entry.key().0 <= now
        {
            let ((_, id), handle) = entry.remove_entry();
            self.dues.remove(&id);
            due.push(handle);
        }
    }
}
