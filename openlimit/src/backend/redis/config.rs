//! `Redis`: which server holds a shared limiter's buckets, and how it is used.

use std::borrow::Cow;
use std::env::{self, VarError};
use std::fmt;
use std::time::Duration;

use crate::limits::Percent;

/// The Redis that holds the buckets of a limiter, for [`Builder::redis`](crate::Builder::redis) and the key `redis` of
/// [`limiter!`](crate::limiter). A URL will do; this type is for everything else.
///
/// ```
/// use openlimit::{OnOutage, Percent, Redis};
/// use std::time::Duration;
///
/// let one = Redis::new("rediss://user:password@redis.example:6380/0").timeout(Duration::from_millis(500));
/// let cluster = Redis::cluster(["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"])
///     .on_outage(OnOutage::Local(Percent(25)));
/// ```
///
/// A URL is `redis://[user:password@]host[:port][/database]`, `rediss://..` for the same over TLS, or
/// `unix:///path/to/socket[?db=1&user=..&pass=..]`. It is checked when the limiter is built. Neither `Debug` nor any error shows
/// it, since it may hold a password.
///
/// All limiters of a process whose URL, [time-out](Self::timeout) and [certificates](Self::root_certificates) are the same share one
/// connection, so a service may have a limiter for each of its customers. In a cluster it is one for each node that is needed.
#[derive(Clone)]
pub struct Redis {
    /// Their URLs, or why they are not known.
    pub(super) nodes: Result<Vec<String>, Cow<'static, str>>,
    pub(super) cluster: bool,
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    pub(super) patience: Duration,
    pub(super) on_outage: OnOutage,
    pub(super) look_ahead: Duration,
    pub(super) lease: Option<Duration>,
    pub(super) root_certificates: Option<Vec<u8>>,
}

/// What becomes of calls while Redis cannot be reached, or cannot serve for now. One that is there and has to be mended, say
/// because it refuses the password, is not away: then calls fail at once (see
/// [`StoreError::is_transient`](crate::StoreError::is_transient)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnOutage {
    /// They wait for it: until their own time-out, or for as long as [`Redis::patience`] says. Then they fail with
    /// [`AcquireError::Store`](crate::AcquireError::Store). Nothing is ever admitted that Redis has not granted.
    #[default]
    Wait,
    /// They are admitted by this process alone, within this share of every limit: with four processes, a fourth keeps them
    /// inside the limits together. What they took is charged to the shared limits when Redis is back.
    Local(Percent),
}

impl Redis {
    /// One server, by its URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            nodes: Ok(vec![url.into()]),
            cluster: false,
            prefix: "openlimit:".into(),
            timeout: Duration::from_secs(1),
            patience: Duration::from_secs(60),
            on_outage: OnOutage::Wait,
            look_ahead: Duration::from_millis(100),
            lease: None,
            root_certificates: None,
        }
    }

    /// A Redis Cluster, by the URLs of some of its nodes; the others are found through them, and have the same user and password.
    #[must_use]
    pub fn cluster<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        let nodes = urls.into_iter().map(Into::into).collect();
        Self { nodes: Ok(nodes), cluster: true, ..Self::new("") }
    }

    /// One server, by the URL in this environment variable, as it is now. Where that is not set, empty, or not Unicode, the limiter
    /// cannot be built. The error names the variable and, unlike that of [`env::var`], shows nothing of what it holds.
    ///
    /// ```
    /// use openlimit::{RateLimiter, Redis, limiter};
    ///
    /// limiter! {
    ///     static SHARED: RateLimiter = {
    ///         requests: 200 / minute,
    ///         redis: Redis::from_env("NO_SUCH_VARIABLE"),
    ///         name: "prod-chat",
    ///     };
    /// }
    ///
    /// let error = SHARED.init().unwrap_err().to_string();
    /// assert!(error.ends_with("its URL is to be in the environment variable `NO_SUCH_VARIABLE`, which is not set"));
    /// ```
    #[must_use]
    pub fn from_env(variable: &str) -> Self {
        let problem = match env::var(variable) {
            Ok(url) if url.is_empty() => "empty",
            Ok(url) => return Self::new(url),
            Err(VarError::NotPresent) => "not set",
            // Of what it is instead nothing may be shown.
            Err(VarError::NotUnicode(_)) => "not Unicode",
        };
        let problem =
            format!("its URL is to be in the environment variable `{variable}`, which is {problem}");
        Self { nodes: Err(problem.into()), ..Self::new("") }
    }

    /// What the keys begin with, followed by the limiter's name in braces. Default: `openlimit:`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long to wait for a connection, and for an answer, before the server counts as away. Default: one second.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a call that has no [time-out](crate::Acquire::timeout) of its own waits while the server is away, at least.
    /// Default: a minute.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What becomes of calls while the server is away. Default: they [wait](OnOutage::Wait).
    #[must_use]
    pub fn on_outage(mut self, on_outage: OnOutage) -> Self {
        self.on_outage = on_outage;
        self
    }

    /// How far ahead a process reserves for those who wait in it. More takes fewer commands; with less, what is settled or
    /// cancelled lets those who wait go sooner, other processes' calls come in sooner, and less is lost when the process is killed.
    /// Where answers take long it is at least four times as long as they take. Default: 100 ms.
    #[must_use]
    pub fn look_ahead(mut self, look_ahead: Duration) -> Self {
        self.look_ahead = look_ahead;
        self
    }

    /// Takes, behind the calls that ask, what the limits allow in `slice`, if that is there within the
    /// [look-ahead](Self::look_ahead), and admits further calls from it without asking. For limits of some hundred calls a
    /// second and more, where a round trip for every few of them is too much; and
    /// [`try_acquire`](crate::Limiter::try_acquire) admits nothing without it. What a process has taken and does not use within the
    /// slice it gives back. Until then others lack it, and calls of processes that share a limit may arrive bunched by up
    /// to a slice of each. Default: none.
    #[must_use]
    pub fn lease(mut self, slice: Duration) -> Self {
        self.lease = Some(slice);
        self
    }

    /// The certificates, in PEM, of the authorities that vouch for a `rediss://` server, in place of the system's.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }
}

impl From<&str> for Redis {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Redis {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<&String> for Redis {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("nodes", &self.nodes.as_ref().map_or(0, Vec::len))
            .field("cluster", &self.cluster)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("patience", &self.patience)
            .field("on_outage", &self.on_outage)
            .field("look_ahead", &self.look_ahead)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}
