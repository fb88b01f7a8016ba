//! Limits that reset by the calendar, as a client of shared buckets knows them.
//!
//! The rule is that of `bucket/resetting`, and the script follows it. The windows are those of
//! the server's clock, which all clients share. A client knows the calendar, and what that clock
//! showed at its last reply. Before the first reply it assumes that the clock of its own machine is
//! right. If it is not, the server grants nothing, and the client asks again by the server's clock.
//!
//! # Calls that wait for a reset
//!
//! They are not granted ahead. Their client asks for them at the reset, and until then once a
//! second, since other processes may give back a part of the window. Calls below a reserved
//! priority are kept back for as long (`shares`). Those above pass them if they wait for their
//! share alone.
//!
//! # Departures
//!
//! What was granted in a window may not depart in its last jitter, nor later. So slots and leases
//! expire before that, by the earliest moment at which the reset may be on this clock.
//!
//! # After a reset
//!
//! What was known of the last window says nothing of the next one, apart from a debt. So what a
//! response has said is left of it, and what this process took alone, is forgotten.
//!
//! A debt is what was taken beyond the highest amount in force in a window. Clients may have other
//! amounts, so the server keeps the highest one, and each reply states it.

use super::state::Slots;
use super::windows::Windows;
use crate::backend::Look;
use crate::backend::redis::wire::BatchReply;
use crate::bucket::{Ahead, InWindow, is_about};
use crate::limits::Window;

impl Slots {
    /// Returns what the server's clock shows, as far as this client knows: in nanoseconds since
    /// 1970, and behind by a round trip at most.
    fn server_date(&self, windows: &Windows, now: u64) -> i64 {
        match self.ledger.seen_at() {
            0 => windows.dates.read(now),
            seen_at => date(seen_at, now.saturating_sub(self.seen_at)),
        }
    }

    /// Moves on to the windows of now.
    pub(super) fn turn(&mut self, now: u64) {
        for place in 0..self.windows.len() {
            let windows = &self.windows[place];
            let (window, resets) = windows.at(self.server_date(windows, now));
            if resets > 0 {
                let (bucket, gone) = (windows.bucket, self.gone(windows, resets));
                self.ledger.turn(bucket, gone);
                self.alone.turn(bucket, gone);
                let (windows, before) = (&mut self.windows[place], self.ledger.charges());
                (windows.known, windows.before, windows.highest) = (window, before, 0);
            }
        }
    }

    /// Returns the amount that the next reset brings back: the highest one in force in the known
    /// window.
    fn back(&self, windows: &Windows) -> u64 {
        windows.highest.max(self.scales[windows.bucket].fit)
    }

    /// Returns how much of a level is gone after so many resets.
    fn gone(&self, windows: &Windows, resets: u64) -> u64 {
        let later = self.scales[windows.bucket].fit.saturating_mul(resets - 1);
        later.saturating_add(self.back(windows))
    }

    /// Takes over what a reply says of the windows, before its levels.
    pub(super) fn learn_windows(&mut self, reply: &BatchReply) {
        let said = reply.resets_in.iter().zip(&reply.highest);
        for (windows, (resets_in, highest)) in self.windows.iter_mut().zip(said) {
            windows.highest = *highest;
            let ends = date(reply.decided, *resets_in);
            if *resets_in == 0 || ends == windows.known.ends {
                continue;
            }
            // The server keeps the end. It may be another one than that of this calendar, if a
            // client has other rules of the time zone, or after the server's clock was set back.
            let window = windows.ending_at(ends);
            if window.number > windows.known.number {
                self.ledger.turn(windows.bucket, 0);
                windows.before = reply.charges_before();
            }
            windows.known = window;
        }
    }

    /// Returns what a batch says of each limit that resets, by its bucket: when the window of now
    /// begins and ends, when the next one ends, and the jitter, all in microseconds; and the
    /// highest amount in force.
    pub(super) fn windows_to_send(&self, now: u64) -> Vec<(usize, [u64; 5])> {
        let windows = self.windows.iter().map(|windows| {
            let [begins, ends, next_ends] = windows.two_from(self.server_date(windows, now));
            let lead = self.terms.jitter.div_ceil(1_000);
            (windows.bucket, [begins, ends, next_ends, lead, self.back(windows)])
        });
        windows.collect()
    }

    /// Returns the last moment at which a call of these amounts may depart that a reply grants. The
    /// reply was decided no earlier than at `decided`.
    pub(super) fn last_departure(&self, amounts: &[u64], reply: &BatchReply, decided: u64) -> u64 {
        let resets = self.windows.iter().zip(&reply.resets_in);
        let taken = resets.filter(|(windows, _)| amounts[self.dimensions[windows.bucket]] > 0);
        let last = taken.map(|(_, resets_in)| (decided + resets_in).saturating_sub(self.terms.jitter + 1));
        last.min().unwrap_or(u64::MAX)
    }

    /// Returns the windows of the limit of a bucket, if it resets.
    pub(super) fn windows_of(&self, bucket: usize) -> Option<&Windows> {
        self.windows.iter().find(|windows| windows.bucket == bucket)
    }

    /// Returns the window of a limit at a date, and its state as far as it is known.
    fn window_at(&self, windows: &Windows, date: i64) -> (Window, InWindow) {
        let (window, resets) = windows.at(date);
        let scale = &self.scales[windows.bucket];
        let level = self.ledger.level(windows.bucket);
        let (taken, back) = match resets {
            0 => (level.max(self.ledger.raised(windows.bucket, u64::MAX)), self.back(windows)),
            _ => (level.saturating_sub(self.gone(windows, resets)), scale.fit),
        };
        let is_ending = date >= window.ends.saturating_sub_unsigned(self.terms.jitter);
        (window, InWindow { taken, allowed: scale.fit, back, most: scale.most, is_ending })
    }

    /// Returns the amount that was taken of the window of now, and the debt of the last one.
    pub(super) fn taken(&self, windows: &Windows, now: u64) -> u64 {
        self.window_at(windows, self.server_date(windows, now)).1.taken
    }

    /// Returns a lower bound on the wait of a call of `weight`, behind calls that take `ahead`,
    /// that could depart `from` now on if its limit did not reset. Zero if it waits for no reset.
    /// If it is not `is_fresh`, what is known counts as given back.
    pub(super) fn wait_for_reset(
        &self,
        windows: &Windows,
        (weight, ahead): (u64, u64),
        from: u64,
        is_fresh: bool,
        now: u64,
    ) -> u64 {
        let date = self.server_date(windows, now);
        let (window, state) = self.window_at(windows, date.saturating_add_unsigned(from));
        let state = if is_fresh { state } else { InWindow { taken: 0, ..state } };
        match state.resets_before(weight, ahead.into()) {
            0 => 0,
            resets => windows.calendar.wait_for(window, resets, date),
        }
    }

    /// Returns the wait of a call for a reset, and the place of its limit, if it were the next one
    /// and nothing was given back since the last reply. Zeros if it waits for none.
    pub(super) fn known_reset(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        if self.windows.is_empty() {
            return (0, 0);
        }
        let (wait, place) = self.wait_for_limits(amounts, |_| Ahead::default(), true, now);
        let resets = self.windows.iter().any(|windows| self.limit_of(windows.bucket) == place);
        if resets { (wait, place) } else { (0, 0) }
    }

    /// Returns when a call of these amounts waits for a reset. It may be over.
    pub(super) fn reset_for(&self, amounts: &[u64], now: u64) -> u64 {
        match self.known_reset(amounts, now).0 {
            0 => 0,
            wait => now.saturating_add(wait),
        }
    }

    /// Returns true if a response is about the window of now, by the charge of its call and by the
    /// time until the reset that it states, as far as they are known.
    pub(super) fn is_about_now(
        &self,
        windows: &Windows,
        charge: Option<u64>,
        resets_in: Option<u64>,
        now: u64,
    ) -> bool {
        let date = self.server_date(windows, now);
        let (window, resets) = windows.at(date);
        charge.is_none_or(|charge| resets == 0 && charge > windows.before)
            && is_about(resets_in, window.ends.abs_diff(date), window.ends.abs_diff(window.begins))
    }

    /// Returns the state of a limit as users see it.
    pub(super) fn look_at_window(&self, windows: &Windows, now: u64) -> Look {
        let date = self.server_date(windows, now);
        let (window, state) = self.window_at(windows, date);
        let resets = state.resets_before(state.most, 0);
        let full_in = windows.calendar.wait_for(window, resets, date);
        state.look(window.ends.abs_diff(date), full_in, self.pace(windows.bucket, now))
    }
}

/// Returns the date of a time of the server in microseconds, and some nanoseconds later.
fn date(micros: u64, later: u64) -> i64 {
    i64::try_from(micros.saturating_mul(1_000)).unwrap_or(i64::MAX).saturating_add_unsigned(later)
}
