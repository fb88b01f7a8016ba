//! The state of a limiter whose buckets are in Redis, and what it consists of.

use std::collections::VecDeque;
use std::sync::Arc;

use super::alone::Alone;
use super::marks::Marks;
use super::past::Past;
use super::windows::Windows;
use crate::backend::redis::bounds::Bounds;
use crate::backend::redis::identity::Identity;
use crate::backend::redis::ledger::Ledger;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::terms::Terms;
use crate::backend::redis::trip::UsualTrip;
use crate::bucket::Climb;
use crate::error::StoreError;
use crate::limits::Amounts;
use crate::queue::Key;

/// The bit of charges in this process's own buckets. The ledger numbers the other charges.
pub(in crate::backend::redis) const LOCAL: u64 = 1 << 63;

/// The slots of one limiter, and all that belongs to them.
///
/// Times are in nanoseconds unless noted otherwise. The buckets are in the order of the script.
#[derive(Debug)]
pub(crate) struct Slots {
    /// The place of each bucket's metering in the limiter. Those of the limits come first, then
    /// those of their shares, if there are any.
    pub(super) places: Box<[usize]>,
    /// The number of limits, without shares.
    pub(super) limits: usize,
    /// The part of each limit that its share is, in percent.
    pub(super) share: u8,
    /// The dimension that fills each bucket.
    pub(super) dimensions: Box<[usize]>,
    pub(super) scales: Box<[Scale]>,
    /// Half of what calls may fill of the shortest burst. Slots are requested no further ahead.
    pub(super) half_burst: u64,
    /// The windows of the limits that reset.
    pub(super) windows: Box<[Windows]>,
    /// The scales before the limits were changed, the oldest first.
    pub(super) past: Vec<Past>,
    /// Of charges up to this one nothing is given back.
    pub(super) forgotten: u64,
    pub(super) identity: Arc<Identity>,
    /// True while the server has not accepted an update of this process.
    pub(super) is_update_pending: bool,
    /// True if the batch in flight contains that update.
    pub(super) is_update_sent: bool,
    /// What refusals did to the rate of each bucket.
    pub(super) climbs: Box<[KnownClimb]>,
    pub(super) terms: Terms,
    /// The server, as errors name it.
    pub(super) server: Arc<str>,
    pub(super) slots: VecDeque<Slot>,
    /// The slots of calls that take from a share. There are none if nothing is reserved.
    pub(super) below: VecDeque<Slot>,
    /// The sum of the amounts of all slots, by dimension.
    pub(super) held: Box<[u128]>,
    pub(super) ledger: Ledger,
    /// When the last reply was decided, on the limiter's clock.
    pub(super) seen_at: u64,
    /// The calls in the batch in flight, in their order; `None` if no batch is in flight.
    pub(super) in_flight: Option<Vec<AskedCall>>,
    /// When the last batch began.
    pub(super) asked_at: u64,
    /// When the batch began that the last reply answers.
    pub(super) answered_from: u64,
    /// The usual time of a round trip; the largest value before the first reply.
    pub(super) usual_trip: u64,
    /// The same in the last reply for any key of the limiter.
    pub(super) trip_of_all: UsualTrip,
    /// By how much the last reply may have been decided before `seen_at`; the largest value before
    /// the first reply.
    pub(super) seen_late_by: u64,
    /// When to send pending refunds and debts, even without a call to request.
    pub(super) flush_at: u64,
    /// When the hold ends, as far as this client knows. Zero for none.
    pub(super) held_until: u64,
    /// When the holds of single limits end, by bucket.
    pub(super) shut_until: Box<[u64]>,
    /// The latest of them, and of resets, that the head of the queue waits for, as of the last look
    /// at it.
    pub(super) head_shut_until: u64,
    /// True while a quota is used up.
    pub(super) is_exhausted: bool,
    /// True once this process admits nothing any more.
    pub(super) is_closed: bool,
    /// The charge of the slot of the probe, while its call has not departed. Zero for none.
    pub(super) probe_slot: u64,
    /// True if a call was refused because a quota is used up, or departed from a lease, which may
    /// be old news.
    pub(super) wants_news: bool,
    /// When a client changed the holds last, by the last reply, in microseconds of the server's
    /// clock; zero for never.
    pub(super) news: u64,
    /// When the hold ends by the last reply, in microseconds of the server's clock; zero if there
    /// was none. Changes that the server did not know of then are not in it.
    pub(super) held_at_server: u64,
    /// True if a quota was used up by the last reply.
    pub(super) exhausted_at_server: bool,
    /// When the holds of single limits end by the last reply, by bucket.
    pub(super) shut_at_server: Box<[u64]>,
    /// When a hold began that was announced since the last batch was made, in microseconds of the
    /// server's clock.
    pub(super) heard_at: Option<u64>,
    /// The longest hold that it believes.
    pub(super) max_hold: u64,
    /// The earliest time to ask for calls again, while this client is in line. If it is not, the
    /// moment at which the last large slot that waited was taken.
    pub(super) ask_at: u64,
    /// The number of the waiter that was kept back then; `None` for a lease.
    pub(super) kept_in_line: Option<u64>,
    /// The same for calls that take from a share and were kept back; zero once one is granted.
    pub(super) below_at: u64,
    /// The key and number of the waiter that was kept back then; `None` for a lease.
    pub(super) kept_back: Option<(Key, u64)>,
    /// When holds and resets end that it waits for, as of the last look at it.
    pub(super) below_shut_until: u64,
    /// The lane of the call for which the last reply gave this client a place in line, if no batch
    /// followed: true if it takes from a share.
    pub(super) in_line: Option<bool>,
    /// When a call last gave back a part of what it had reserved, or a response said that less was
    /// left than the bucket had room for.
    pub(super) changed_at: Option<u64>,
    /// When a reply last showed that others gave something back.
    pub(super) given_at: Option<u64>,
    /// What was granted before each call. `None` before the first response.
    pub(super) marks: Option<Box<Marks>>,
    /// The amounts that came too late to be given back, by bucket.
    pub(super) late: Box<[u64]>,
    /// The amounts of a failed `try_acquire`: the next batch requests a lease that would serve it.
    pub(super) lease_for: Option<Amounts>,
    /// When the driver looks at the state next, unless it is called. Zero while it is at work.
    pub(super) next_look: u64,
    /// The most calls that may depart. No more are granted ahead.
    pub(super) room: usize,
    pub(super) outage: Option<Outage>,
    /// How often waiting calls may have been moved back: each reply may say so.
    pub(super) setbacks: u64,
    /// The number of outages so far.
    pub(super) outages: u64,
    pub(super) alone: Alone,
}

/// A charge that was granted and that no call has taken yet.
#[derive(Debug)]
pub(super) struct Slot {
    /// The amounts that are left: the charge, less what calls have taken from it.
    pub(super) amounts: Amounts,
    /// The moment from which a call may depart for it.
    pub(super) due: u64,
    /// The same moment in microseconds of the server's clock. The next batch is granted after it.
    pub(super) at: u64,
    /// The last moment at which a call may depart for it.
    pub(super) expires: u64,
    /// How much later that is than usual. The charge includes this time.
    pub(super) late_by: u64,
    /// The number of the charge.
    pub(super) charge: u64,
    /// The limit that decided that moment, by its place in the limiter.
    pub(super) limit: usize,
    /// True if that limit has room earlier, and its share does not.
    pub(super) waits_for_share: bool,
    /// The number of the waiter that it was requested for; `None` for a lease.
    pub(super) waiter: Option<u64>,
}

/// The way back of one limit after a cut, as this client knows it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownClimb {
    pub(super) climb: Climb,
    /// The last charge before the cut.
    pub(super) cut: u64,
    /// True if this process cut it while it decided alone, and the server does not know yet.
    pub(super) is_untold: bool,
}

/// A limit, as its shared bucket counts it.
pub(in crate::backend::redis) struct SharedLimit {
    /// The place of its metering in the limiter.
    pub(in crate::backend::redis) place: usize,
    pub(in crate::backend::redis) dimension: usize,
    /// The part of the limit that it is for, in percent: less than 100 for a share.
    pub(in crate::backend::redis) share: u8,
    pub(in crate::backend::redis) scale: Scale,
    /// Its windows, if it resets.
    pub(in crate::backend::redis) windows: Option<Windows>,
}

/// A call in a batch.
#[derive(Debug)]
pub(super) struct AskedCall {
    /// The key and number of the waiter that it is for; `None` for a lease.
    pub(super) waiter: Option<(Key, u64)>,
    pub(super) amounts: Amounts,
    /// How much longer than usual its slot is to last.
    pub(super) late_by: u64,
    /// Its weight in each bucket, with that time.
    pub(super) weights: Vec<u64>,
}

/// An outage that has not ended.
#[derive(Debug)]
pub(super) struct Outage {
    /// When it began.
    pub(super) since: u64,
    /// The last error.
    pub(super) error: StoreError,
    /// The process that noticed it.
    pub(super) process: u32,
}

impl Slots {
    /// Creates the state of a limiter that has had no reply yet. The limits are in the order of
    /// the script.
    pub(in crate::backend::redis) fn new(
        shared: &[SharedLimit],
        terms: Terms,
        server: Arc<str>,
        alone: Alone,
        max_hold: u64,
        trip_of_all: UsualTrip,
    ) -> Self {
        let dimensions: Box<[usize]> = shared.iter().map(|limit| limit.dimension).collect();
        let scales: Box<[Scale]> = shared.iter().map(|limit| limit.scale).collect();
        Self {
            places: shared.iter().map(|limit| limit.place).collect(),
            limits: shared.iter().filter(|limit| limit.share == 100).count(),
            share: shared.last().map_or(100, |limit| limit.share),
            half_burst: Scale::half_burst(&scales),
            scales,
            windows: (shared.iter().enumerate())
                .filter_map(|(bucket, limit)| Some(limit.windows.clone()?.of(bucket)))
                .collect(),
            past: Vec::new(),
            forgotten: 0,
            identity: Arc::new(Identity::new(Vec::new(), Bounds::new(0, 0))),
            is_update_pending: false,
            is_update_sent: false,
            climbs: vec![KnownClimb::default(); shared.len()].into(),
            held: vec![0; dimensions.iter().max().map_or(0, |most| most + 1)].into(),
            ledger: Ledger::new(shared.len()),
            dimensions,
            terms,
            server,
            slots: VecDeque::new(),
            below: VecDeque::new(),
            seen_at: 0,
            in_flight: None,
            asked_at: 0,
            answered_from: 0,
            usual_trip: trip_of_all.get(),
            trip_of_all,
            seen_late_by: u64::MAX,
            flush_at: u64::MAX,
            held_until: 0,
            shut_until: vec![0; shared.len()].into(),
            head_shut_until: 0,
            is_exhausted: false,
            is_closed: false,
            probe_slot: 0,
            wants_news: false,
            news: 0,
            held_at_server: 0,
            exhausted_at_server: false,
            shut_at_server: vec![0; shared.len()].into(),
            heard_at: None,
            max_hold,
            ask_at: 0,
            kept_in_line: None,
            below_at: 0,
            kept_back: None,
            below_shut_until: 0,
            in_line: None,
            changed_at: None,
            given_at: None,
            marks: None,
            late: vec![0; shared.len()].into(),
            lease_for: None,
            next_look: 0,
            room: usize::MAX,
            outage: None,
            setbacks: 0,
            outages: 0,
            alone,
        }
    }

    /// Returns the bucket of the limit at a place of the limiter.
    pub(super) fn bucket_of(&self, place: usize) -> Option<usize> {
        self.places.iter().position(|of| *of == place)
    }

    /// Returns the place of the limit that a bucket is for, or its share.
    pub(super) fn limit_of(&self, bucket: usize) -> usize {
        self.places[bucket % self.limits]
    }
}
