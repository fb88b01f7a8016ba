//! `Observation`: everything that one response says about limits, usage and refusal.
//!
//! It is built from parts that every HTTP client has, in any order and without any of their types.
//! It keeps numbers only: no text of the response can appear in its `Debug` output.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::body::ErrorBody;
use super::date::{self, Moment};
use super::denial::{Denial, DenialKind};
use super::names::{self, Meaning};
use super::observed_limit::{ObservedLimit, Standings};
use super::tally::Tally;
use super::{event, words};
use crate::limits::{Usage, duration};

/// The longest value of a header that is read. Lists of limits have up to about 200 bytes.
const MOST_VALUE: usize = 512;

/// The most headers about limits and usage that are read. Real responses have up to about 50. A
/// list of limits takes up to 30 us, so thousands of them would take long.
const MOST_HEADERS: u8 = 128;

/// The first status that is an error.
const FIRST_ERROR: u16 = 400;

/// The contents of a response: limits, usage and a refusal.
///
/// One reader serves all providers. Only headers that are about limits or usage are read, and of
/// those only the parts that are known. Anything absent, negative or malformed is ignored, so
/// reading never fails.
///
/// ```
/// use openlimit::feedback::{Observation, Verdict};
/// use std::time::Duration;
///
/// let headers = [("x-ratelimit-remaining-tokens", "149984"), ("retry-after", "2")];
/// let observation = Observation::from_parts(429, headers, b"");
/// assert_eq!(observation.limits().next().and_then(|limit| limit.remaining()), Some(149_984));
/// assert_eq!(observation.verdict(), Verdict::Retry { after: Some(Duration::from_secs(2)) });
/// ```
#[derive(Clone)]
pub struct Observation {
    status: u16,
    /// The number of headers that were read.
    headers: u8,
    standings: Standings,
    /// From the header `Date`, or from `received`.
    date: Option<Duration>,
    has_date_header: bool,
    retry_after_ms: Option<Duration>,
    retry_after: Option<Moment>,
    should_retry: Option<bool>,
    used: Tally,
    usage: Option<Usage>,
    /// From a header.
    error_type: Option<DenialKind>,
    error_body: ErrorBody,
    /// The meaning of `error_type` and `error_body`, with everything else.
    denial: Option<Denial>,
}

impl Observation {
    /// Creates an observation of a response with this HTTP status, before its headers and its body
    /// are read.
    ///
    /// A status of 0 stands for an error whose status is not known, such as an event in a stream.
    /// The body alone then says whether it is a refusal.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let mut observation = Self::empty(status);
        observation.judge();
        observation
    }

    /// Reads a response: its HTTP status, its headers, and its body as far as it is known.
    ///
    /// Names of headers are read in any case. Of the headers that are about limits and usage, the
    /// first 128 are read.
    #[must_use]
    pub fn from_parts<N, V>(status: u16, headers: impl IntoIterator<Item = (N, V)>, body: &[u8]) -> Self
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut observation = Self::empty(status);
        for (name, value) in headers {
            observation.read_header(name.as_ref(), value.as_ref());
        }
        observation.body(body)
    }

    /// Reads one header. A later value replaces an earlier one of the same name.
    ///
    /// Takes well under a microsecond, and allocates only for a limit that it finds.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.read_header(name.as_ref(), value.as_ref());
        self.judge();
        self
    }

    /// Reads the body. Replaces what an earlier body said.
    ///
    /// Of an error, the first 64 KiB are read. Of any other reply, all of it is read for its usage,
    /// in linear time, and OpenAI's Realtime event `rate_limits.updated` for its limits.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        if self.is_error() {
            self.error_body = ErrorBody::read(body);
        }
        if self.status < FIRST_ERROR {
            self.usage = Usage::from_json(body);
            event::read(body, &mut self.standings);
        }
        self.judge();
        self
    }

    /// Sets the time at which the response arrived. It stands in for a missing `Date` header, to
    /// which the points in time that a response states are related.
    ///
    /// Without both, such points in time are not known.
    #[must_use]
    pub fn received(mut self, time: SystemTime) -> Self {
        if !self.has_date_header {
            self.date = date::since_1970(time);
            self.standings.set_date(self.date);
        }
        self
    }

    /// Returns the HTTP status; 0 if it is not known.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the limits that the response describes, in the order of their first headers.
    pub fn limits(&self) -> impl Iterator<Item = &ObservedLimit> {
        self.standings.known()
    }

    /// Returns what the call used, from the body or, without it, from headers.
    ///
    /// See [`Usage::from_json`] for what is counted.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage.clone().or_else(|| self.used.usage())
    }

    /// Returns why the provider refused the call; `None` if the status is not an error.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_ref()
    }

    /// Returns the time to wait before the call is sent again, if the response states one.
    ///
    /// It is the first available of the header `retry-after-ms`, the header `retry-after`, and the
    /// wait in the body or its message. A wait of zero says nothing: Azure sends it beside a real
    /// one. The time at which a limit is full again ([`ObservedLimit::reset`]) is never taken for
    /// a wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let in_body = self.error_body.wait().and_then(|wait| wait.after(self.date));
        self.wait_in_headers().or(in_body).filter(|wait| !wait.is_zero())
    }

    /// Returns what the provider says in `x-should-retry`, which OpenAI and Anthropic send.
    #[must_use]
    pub fn should_retry(&self) -> Option<bool> {
        self.should_retry
    }

    fn empty(status: u16) -> Self {
        Self {
            status,
            headers: 0,
            standings: Standings::default(),
            date: None,
            has_date_header: false,
            retry_after_ms: None,
            retry_after: None,
            should_retry: None,
            used: Tally::default(),
            usage: None,
            error_type: None,
            error_body: ErrorBody::default(),
            denial: None,
        }
    }

    fn is_error(&self) -> bool {
        self.status == 0 || self.status >= FIRST_ERROR
    }

    /// Returns the wait that headers state, if it is not zero.
    fn wait_in_headers(&self) -> Option<Duration> {
        let retry_after = self.retry_after.and_then(|moment| moment.after(self.date));
        [self.retry_after_ms, retry_after].into_iter().flatten().find(|wait| !wait.is_zero())
    }

    /// Creates an observation of an error whose status is not known.
    #[cfg(feature = "tokenizers")]
    pub(super) fn of_error(body: ErrorBody) -> Self {
        let mut observation = Self::empty(0);
        observation.set_error_body(body);
        observation
    }

    /// Replaces what the body said about the refusal.
    pub(super) fn set_error_body(&mut self, body: ErrorBody) {
        self.error_body = body;
        self.judge();
    }

    /// Concludes from all that was read why the call was refused.
    pub(super) fn judge(&mut self) {
        if self.is_error() {
            let has_wait = self.wait_in_headers().is_some();
            self.denial = Some(self.error_body.judge(self.status, self.error_type, has_wait));
        }
    }

    pub(super) fn read_header(&mut self, name: &[u8], value: &[u8]) {
        let Some(meaning) = names::meaning(name) else { return };
        if value.len() > MOST_VALUE || self.headers == MOST_HEADERS {
            return;
        }
        self.headers += 1;
        let value = value.trim_ascii();
        match meaning {
            Meaning::Limit(key, part) => self.standings.read(key, part, value, self.date),
            Meaning::Policies => self.standings.read_policies(value, self.date),
            Meaning::RetryAfterMs => self.retry_after_ms = duration::millis(value).or(self.retry_after_ms),
            Meaning::RetryAfter => {
                self.retry_after = Moment::read_retry_after(value).or(self.retry_after);
            }
            Meaning::ShouldRetry if value.eq_ignore_ascii_case(b"true") => self.should_retry = Some(true),
            Meaning::ShouldRetry if value.eq_ignore_ascii_case(b"false") => self.should_retry = Some(false),
            Meaning::ShouldRetry => {}
            Meaning::ErrorType => self.error_type = words::kind_of_code(value),
            Meaning::Used(which) => {
                if let Some(number) = duration::count(value) {
                    self.used.set(which, number);
                }
            }
            Meaning::Date => {
                if let Some(date) = date::http_date(value) {
                    self.date = Some(date);
                    self.has_date_header = true;
                    self.standings.set_date(self.date);
                }
            }
        }
    }
}

/// Shows what was read, never the text of the response.
impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observation")
            .field("status", &self.status)
            .field("limits", &self.limits().collect::<Vec<_>>())
            .field("usage", &self.usage())
            .field("denial", &self.denial)
            .field("retry_after", &self.retry_after())
            .field("should_retry", &self.should_retry)
            .finish()
    }
}
