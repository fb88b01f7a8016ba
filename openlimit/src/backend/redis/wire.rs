//! The wire format: a batch for the script, and its reply. Numbers are doubles, as in Lua, in
//! little-endian order.
//!
//! A batch has
//!
//! 1. its sequence number, and that of the last batch with a reply; then `seen_at`, `epoch` and
//!    `charges`, which identify the state that the client saw last (zeros before the first reply);
//!    for how long its process decided alone, and the `epoch` that it had seen before; when the
//!    batch was made, on the server's clock, or 0 before the first reply;
//! 2. `ahead`: when the client's last slot begins, as a wait and on the server's clock; the same of
//!    slots for calls below a reserved priority; `look_ahead`; `longest_pause`;
//! 3. by the last reply, when the holds were changed last, and until when nothing is admitted, on
//!    the server's clock, or 0, and less than zero if a quota is used up; until when to admit
//!    nothing, on the server's clock, or 0; what ends before that: 1 for the hold of all calls, 2
//!    also for those of single limits, 3 to reset all buckets, too, else 0; 1 if a quota is used up,
//!    else 0;
//! 4. the number of refunds, and of calls;
//! 5. for each limit ten numbers: `level` in the last reply; the debt; the level to raise it to, or
//!    0, and the `sum` that it is as of; what the process took alone, the least of it to owe, the
//!    `idle` that it had seen before, or has seen last if it took nothing, and for how long then
//!    the bucket cannot have stood idle; `fit` and `burst`. For a limit that resets there are five
//!    more: when two windows in a row begin, and when the second one ends, on the server's clock,
//!    and for how long before a reset no call departs, all in microseconds; and the highest `fit`
//!    in the first window that the client knows of;
//! 6. for each refund its charge; 1 if it is of a call that was admitted, 0 if it is of a slot; and
//!    its weight in each limit;
//! 7. for each limit six numbers: the charge of a call that was refused, or 0; the span of a climb;
//!    the rest of a climb that the server has lost, or 0; the rate that the provider allows, or 0;
//!    until when no call is admitted by the last reply that takes from the limit, and until when to
//!    admit none, both on the server's clock, or 0;
//! 8. for each call the longest wait that it allows (infinite for any), and its weight in each
//!    limit.
//!
//! Where the client has seen nothing of a window, `level` is what is left of the last one, and
//! `sum` is less than zero.
//!
//! A reply is a [`BatchReply`], field by field. One number says if a quota is used up: 0 for no, 1
//! for yes, and 2 if the batch has the probe. Each [`Decision`] is a number and a byte: the wait,
//! and the limit counted from 1, or 0 for none, plus 128 if the call was refused.
//!
//! An [`Announcement`] is the number of limits, and then field by field, followed by the key.

/// Writes a batch.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Appends a number below 2^53, for which a double is exact. The largest `u64` becomes
    /// infinity.
    #[allow(clippy::cast_precision_loss, reason = "exact below 2^53")]
    pub(super) fn number(&mut self, number: u64) {
        let number = if number == u64::MAX { f64::INFINITY } else { number as f64 };
        self.0.extend(number.to_le_bytes());
    }

    /// Appends a number that may be less than zero, between -2^53 and 2^53.
    #[allow(clippy::cast_precision_loss, reason = "exact there")]
    pub(super) fn signed(&mut self, number: i64) {
        self.0.extend((number as f64).to_le_bytes());
    }

    /// Returns the bytes of the batch.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The reply of the script to a batch.
#[derive(Debug, PartialEq)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct BatchReply {
    /// When the server replied, in microseconds of its clock.
    pub(super) now: u64,
    /// When it decided the batch. Earlier than `now` if the batch was sent again.
    pub(super) decided: u64,
    /// When the state began. Identifies the state.
    pub(super) epoch: u64,
    /// The number of the last charge.
    pub(super) charges: u64,
    /// When a client changed the holds last, in microseconds of the server's clock; zero for never.
    pub(super) news: u64,
    /// For how many nanoseconds nothing is admitted.
    pub(super) held_for: u64,
    /// True if that is because a quota is used up.
    pub(super) is_exhausted: bool,
    /// True if the batch has the probe: its first call that was granted.
    pub(super) has_probe: bool,
    /// In how many nanoseconds to ask again for a call that was not granted, because it waits for
    /// its share or in line.
    pub(super) ask_in: u64,
    /// The place of the client in line, from 1 on; zero if it is not in line.
    pub(super) place: u64,
    /// The state of each bucket after the batch.
    pub(super) buckets: Vec<BucketReply>,
    /// The decisions about the first calls of the batch, in their order. Calls beyond the
    /// look-ahead are not decided.
    pub(super) calls: Vec<Decision>,
    /// The pace of each limit.
    pub(super) paces: Vec<PaceReply>,
    /// In how many nanoseconds each limit that resets does so; zero if the client has to name the
    /// windows anew.
    pub(super) resets_in: Vec<u64>,
    /// The highest `fit` of any client in the window of each limit that resets.
    pub(super) highest: Vec<u64>,
}

/// The pace of a limit in a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PaceReply {
    /// The time until the rate is whole again, in nanoseconds, and the span of the climb.
    pub(super) rest: u64,
    pub(super) span: u64,
    /// The last charge before the rate was cut.
    pub(super) cut: u64,
    /// The rate that the provider allows, in parts of the declared one; 0 if it is not known.
    pub(super) rate: u64,
}

/// The state of a bucket in a reply, in nanoseconds of its rate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct BucketReply {
    /// The level after the batch.
    pub(super) level: u64,
    /// For how long it stood idle since the state began. Less than zero if processes that decided
    /// alone took more than that before it began.
    pub(super) idle: i64,
    /// The sum of the batch's refunds that were given back.
    pub(super) given: u64,
    /// For how many nanoseconds no call is admitted that takes from the limit.
    pub(super) shut_for: u64,
    /// The sum of all weights that were granted since the state began, modulo
    /// [`MOST`](super::scale::MOST).
    pub(super) sum: u64,
    /// The sum of the batch's refunds of admitted calls that were not given back.
    pub(super) late: u64,
}

/// The decision about one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decision {
    /// How many nanoseconds after the decision the call may depart. For a refused call: could have
    /// departed.
    pub(super) wait: u64,
    /// The limit that decided the wait; `None` if the call only follows the one before it.
    pub(super) limit: Option<usize>,
    /// False if the call would have waited for longer than it may.
    pub(super) granted: bool,
}

impl BatchReply {
    /// Returns when a hold ends that lasts for so many nanoseconds, in microseconds of the server's
    /// clock; zero for none.
    pub(super) fn ends_in(&self, rest: u64) -> u64 {
        if rest > 0 { self.decided + rest / 1_000 } else { 0 }
    }

    /// Returns how many calls it grants.
    pub(super) fn granted(&self) -> u64 {
        self.calls.iter().filter(|call| call.granted).count() as u64
    }

    /// Returns the number of the last charge before those of the calls that it grants.
    pub(super) fn charges_before(&self) -> u64 {
        self.charges.saturating_sub(self.granted())
    }

    /// Reads a reply about limits, each of which resets or not. Returns `None` if the script cannot
    /// have written it.
    pub(super) fn read(bytes: &[u8], reset: &[bool]) -> Option<Self> {
        let limits = reset.len();
        let mut bytes = Reader(bytes);
        let (now, decided) = (bytes.number()?, bytes.number()?);
        let (epoch, charges) = (bytes.number()?, bytes.number()?);
        let (news, held_for) = (bytes.number()?, bytes.number()?);
        let (quota, ask_in, place) = (bytes.number()?, bytes.number()?, bytes.number()?);
        let calls = bytes.number()?;
        let mut buckets = Vec::with_capacity(limits);
        for _ in 0..limits {
            let (level, idle) = (bytes.number()?, bytes.signed()?);
            let (given, shut_for) = (bytes.number()?, bytes.number()?);
            let (sum, late) = (bytes.number()?, bytes.number()?);
            buckets.push(BucketReply { level, idle, given, shut_for, sum, late });
        }
        let mut decisions = Vec::new();
        for _ in 0..calls {
            let (wait, mark) = (bytes.number()?, bytes.byte()?);
            let limit = usize::from(mark % REFUSED).checked_sub(1);
            if limit.is_some_and(|limit| limit >= limits) {
                return None;
            }
            decisions.push(Decision { wait, limit, granted: mark < REFUSED });
        }
        let mut paces = Vec::with_capacity(limits);
        for _ in 0..limits {
            let (rest, span) = (bytes.number()?, bytes.number()?);
            paces.push(PaceReply { rest, span, cut: bytes.number()?, rate: bytes.number()? });
        }
        let (mut resets_in, mut highest) = (Vec::new(), Vec::new());
        for _ in reset.iter().filter(|resets| **resets) {
            resets_in.push(bytes.number()?);
            highest.push(bytes.number()?);
        }
        let whole = bytes.0.is_empty();
        whole.then_some(Self {
            now,
            decided,
            epoch,
            charges,
            news,
            held_for,
            is_exhausted: quota > 0,
            has_probe: quota > 1,
            ask_in,
            place,
            buckets,
            calls: decisions,
            paces,
            resets_in,
            highest,
        })
    }
}

/// What the script publishes when a hold begins.
#[derive(Debug, PartialEq)]
pub(super) struct Announcement {
    /// When the server decided the batch with the hold, in microseconds of its clock.
    pub(super) decided: u64,
    /// When the state began. Identifies the state: other databases of the server may have the key,
    /// too.
    pub(super) epoch: u64,
    /// For how many nanoseconds nothing is admitted.
    pub(super) held_for: u64,
    /// True if that is because a quota is used up.
    pub(super) is_exhausted: bool,
    /// For how many nanoseconds no call is admitted that takes from a limit, by bucket.
    pub(super) shut_for: Vec<u64>,
}

impl Announcement {
    /// Reads an announcement, and the key of the limiter that it is for. Returns `None` if the
    /// script cannot have written it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &str)> {
        let mut bytes = Reader(bytes);
        let (limits, decided, epoch) = (bytes.number()?, bytes.number()?, bytes.number()?);
        let (held_for, quota) = (bytes.number()?, bytes.number()?);
        let mut shut_for = Vec::new();
        for _ in 0..limits {
            shut_for.push(bytes.number()?);
        }
        let key = std::str::from_utf8(bytes.0).ok()?;
        Some((Self { decided, epoch, held_for, is_exhausted: quota > 0, shut_for }, key))
    }
}

/// Added to the number of the limit if the call was refused. Larger than any number of limits.
const REFUSED: u8 = 128;

/// The bytes of a reply that were not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// Reads a number, rounded up: to the later moment, and the larger level.
    fn number(&mut self) -> Option<u64> {
        self.signed()?.try_into().ok()
    }

    /// Reads a number that may be less than zero.
    #[allow(clippy::cast_possible_truncation, reason = "checked")]
    fn signed(&mut self) -> Option<i64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let number = f64::from_le_bytes(*number);
        (number.abs() <= LARGEST_EXACT).then_some(number.ceil() as i64)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }
}

/// 2^53. Beyond it doubles skip integers.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
