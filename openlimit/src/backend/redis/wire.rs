//! What goes over the wire: a batch for the script, and its reply. Numbers are doubles, as in Lua, the lowest byte first.

/// A batch while it is written.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Numbers here are below 2^53, so that a double is exact; the largest stands for none.
    #[allow(clippy::cast_precision_loss, reason = "exact below 2^53")]
    pub(super) fn number(&mut self, number: u64) {
        let number = if number == u64::MAX { f64::INFINITY } else { number as f64 };
        self.0.extend(number.to_le_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// What the script says of a batch.
#[derive(Debug, PartialEq)]
pub(crate) struct BatchReply {
    /// The server's clock when it answered, in microseconds.
    pub(super) now: u64,
    /// The same when it decided: earlier, if this is the answer to a repetition.
    pub(super) decided: u64,
    /// When the state began.
    pub(super) epoch: u64,
    /// How many batches the state has seen since.
    pub(super) count: u64,
    /// For how many microseconds it has leaked.
    pub(super) run: u64,
    /// Whether nobody else was granted anything since the client's last batch.
    pub(super) alone: bool,
    pub(super) buckets: Vec<BucketReply>,
    /// For the calls that were decided, in their order.
    pub(super) calls: Vec<Decision>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BucketReply {
    /// How full it is.
    pub(super) level: u64,
    /// What it was given back since the state began, modulo 2^52.
    pub(super) given: u64,
    /// What others gave back since the client's last batch.
    pub(super) others_gave: u64,
    /// How empty it can have been just before any charge since then.
    pub(super) low: u64,
    /// What the last call that was granted kept from leaking, since it departs later than this bucket asks for.
    pub(super) raised: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decision {
    /// How many nanoseconds after the decision the call may depart, or could at the earliest.
    pub(super) wait: u64,
    /// The limit that asks for it; none if it is only behind others.
    pub(super) limit: Option<usize>,
    pub(super) granted: bool,
}

impl BatchReply {
    /// `None` if it is not what the script would say.
    pub(super) fn read(bytes: &[u8], limits: usize) -> Option<Self> {
        let mut bytes = Reader(bytes);
        let (now, decided) = (bytes.number()?, bytes.number()?);
        let (epoch, count) = (bytes.number()?, bytes.number()?);
        let (run, alone, calls) = (bytes.number()?, bytes.number()? > 0, bytes.number()?);
        let mut buckets = Vec::with_capacity(limits);
        for _ in 0..limits {
            let (level, given, others_gave) = (bytes.number()?, bytes.number()?, bytes.number()?);
            let (low, raised) = (bytes.number()?, bytes.number()?);
            buckets.push(BucketReply { level, given, others_gave, low, raised });
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
        let whole = bytes.0.is_empty();
        whole.then_some(Self { now, decided, epoch, count, run, alone, buckets, calls: decisions })
    }
}

/// What the script adds to the number of the limit when a call would wait too long.
const REFUSED: u8 = 128;

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let number = f64::from_le_bytes(*number);
        (0.0..=LARGEST).contains(&number).then_some(number.ceil() as u64)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }
}

/// 2^53: beyond it doubles skip integers.
const LARGEST: f64 = 9_007_199_254_740_992.0;
