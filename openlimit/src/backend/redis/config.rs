//! `Redis`: the settings of a shared limiter. Which server holds its buckets, and how it is used.

use std::borrow::Cow;
use std::env::{self, VarError};
use std::fmt;
use std::time::Duration;

use crate::limits::Percent;

/// The Redis server that holds the buckets of a shared limiter.
///
/// Pass it to [`Builder::redis`](crate::Builder::redis), or as the key `redis` of
/// [`limiter!`](crate::limiter!). Both also take a URL; this type has the other options.
///
/// ```
/// use openlimit::{OnOutage, Percent, Redis};
/// use std::time::Duration;
///
/// let one = Redis::new("rediss://user:password@redis.example:6380/0")
///     .timeout(Duration::from_millis(500));
/// let cluster = Redis::cluster(["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"])
///     .on_outage(OnOutage::Local(Percent(25)));
/// ```
///
/// # URLs
///
/// - `redis://[user:password@]host[:port][/database]`
/// - `rediss://..` for the same over TLS
/// - `unix:///path/to/socket[?db=1&user=..&pass=..]`
///
/// A URL is checked when the limiter is built. It may contain a password, so neither `Debug` nor
/// any error shows it. The certificate of a `rediss://` server is always verified, so a URL that
/// ends in `#insecure` is refused.
///
/// # Connections
///
/// Limiters of one process share a connection if they have the same URL, [`timeout`](Self::timeout)
/// and [`root_certificates`](Self::root_certificates). So a service may have a limiter for each of
/// its customers. A cluster takes one connection for each node in use.
///
/// # How calls are decided
///
/// Calls that arrive together travel to the server in one batch: one script, one round trip. The
/// script grants each call the moment at which it may depart, by the server's clock. So processes
/// whose clocks differ agree. A call that is alone takes about one round trip. If many calls arrive
/// together, each takes far less than one.
///
/// Within a process, calls are admitted in the order of the limiter's queue. A process reserves
/// slots ahead, for [`look_ahead`](Self::look_ahead), a tenth of a second by default. Calls of
/// other processes come in between. A refund or a cancelled call lets waiting calls depart sooner,
/// as far as the calls that were granted after them allow it.
///
/// A call that would have to wait for more than two look-aheads is not granted yet. Its process
/// stands in line, and asks again: at least once a second, and up to a hundred times a second while
/// its turn may come soon or other processes give something back. The further back, the less often
/// it asks. While there is a line, its processes take turns, and others join it at the end. Before
/// its turn, a process is granted one call if there is room for the next calls of all before it,
/// too, unless a limit resets. If one dies in line, the others wait for it for up to a second, two
/// look-aheads and 50 ms.
///
/// A call whose timeout is too short by the last reply fails at once, if that reply is less than a
/// look-ahead old or the process stands in line. Otherwise the server decides. So what another
/// process gave back since that reply may come too late for a call with a timeout.
///
/// If a part of the limits is [reserved](crate::Builder::reserve) for a priority, lower calls that
/// wait for their share are granted at most one look-ahead ahead. Processes whose lower calls have
/// to wait longer take turns. If one dies in its turn, or its last lower call is cancelled, lower
/// calls of others wait until that call would have been due: for up to a second, two look-aheads
/// and 50 ms.
///
/// [`try_acquire`](crate::Limiter::try_acquire) makes no round trip. It admits a call only from a
/// [lease](Self::lease).
///
/// # How soon processes learn of a refusal
///
/// A hold that one process begins stops the calls of all others within a round trip: it takes half
/// of one to the server, which announces it at once. If a batch is in flight, the hold first waits
/// for the reply to that, which is a round trip at most.
///
/// Announcements are messages on the channel `openlimit:holds`, and need no connection of their
/// own. A process may not hear of one, because the server forbids that, a proxy does not know
/// RESP3, or the connection was cut just then. Then it learns of the hold with its next reply:
/// within three round trips and an eighth of the [look-ahead](Self::look_ahead), which is 12.5 ms
/// by default and at least 10 ms. For that, a process asks the server before a call departs, if the
/// last reply is older than that eighth. It asks when the call departs if that is from a
/// [lease](Self::lease). The call does not wait for the reply. So without announcements, calls
/// depart for another round trip from a lease that was not used for that time, and for as long as a
/// reply is late.
///
/// To ask takes at most one more batch for each call, and at most 80 a second for each limiter of a
/// process, or 100 with a short look-ahead. While no call departs, there are none.
///
/// # What is guaranteed under faults
///
/// The limits hold as in memory through lost replies, repeated batches, cut connections, restarts
/// and failovers. Each client, which is one limiter in one process, remembers the levels of the
/// buckets that it saw last, and restores them if the server has lost its data. There are
/// three exceptions:
///
/// - After a loss of data, a client knows nothing of calls that were granted to others since its
///   last reply. So as much can be granted once more, until those other clients restore it.
/// - If the server's clock jumps ahead, the buckets drain by that much at once, and limits that
///   [reset](crate::Rate::resets_at) do so by that clock. Holds end earlier by as much.
/// - If round trips become shorter by more than the jitter, calls depart closer together by the
///   difference. A single reply that is late does not count, unless it is the first one.
///
/// All processes should have the same [jitter](crate::Builder::jitter), longer than the difference
/// between their round trips to Redis. A process with less keeps back too little for the delays of
/// the others.
///
/// They should have the same [headroom](crate::Builder::headroom), too. Beside a process without
/// one, a process with a headroom of 30 % may take up to 30 % of the burst too much at once. The
/// rate holds.
///
/// A process that is killed loses what it had reserved ahead, and what it settled or cancelled in
/// its last 10 ms. A process that ends normally loses nothing if its last call is
/// [`flush`](crate::Limiter::flush).
///
/// What is given back counts once, also if replies are lost, or if the server is then misconfigured
/// for a while. What was sent nine minutes ago and has no reply is not sent again, since it could
/// count twice by then.
///
/// # Names
///
/// Limiters of one name must have the same limits, in any order, and the same
/// [reserve](crate::Builder::reserve). A limiter with other limits is
/// refused with [`AcquireError::Store`](crate::AcquireError::Store). The error shows the limits of
/// both, and when the name becomes free: after ten seconds without calls once the buckets are
/// empty or were reset, or at once when the key is deleted.
///
/// # What the server needs
///
/// Redis 6 or later, or Valkey: one server (`redis://`, `rediss://`, `unix://`), a primary with
/// replicas behind one address, or a cluster. The tests run on Redis 7.0, and on Valkey where it is
/// installed (9.1 passes).
///
/// - Memory: a few hundred to a few thousand bytes for each limiter, in keys that expire. Nothing
///   has to be persistent.
/// - Eviction: `noeviction`, or a policy that spares keys in use.
/// - Permissions of an ACL user: `~openlimit:* +eval +evalsha +get +set +time`. Add `+select` for a
///   database, and `+cluster|info +asking` for a cluster. With `+publish +subscribe
///   &openlimit:holds`, holds are announced to other processes. Let no other program publish there:
///   what it sends could stop calls.
#[derive(Clone)]
pub struct Redis {
    /// The URLs of the nodes, or the problem with them.
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

/// Decides about calls during an outage: while Redis cannot be reached, or cannot serve.
///
/// A problem that has to be fixed, such as a wrong password, is not an outage. Calls then fail at
/// once; see [`StoreError::is_transient`](crate::StoreError::is_transient).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnOutage {
    /// Calls wait for Redis. Only calls that Redis has granted are admitted.
    ///
    /// A call fails with [`AcquireError::Store`](crate::AcquireError::Store) when its own timeout
    /// ends, or after [`Redis::patience`] if it has none.
    #[default]
    Wait,
    /// This process decides alone, within this share of every limit.
    ///
    /// The share must be from 1 to 100 %. With four processes, a share of 25 % keeps them within
    /// the limits together. A call larger than the share but within the limit waits until the share
    /// is unused, and takes it into debt.
    /// Such calls may exceed the limits together, since each process may make one at the same time.
    ///
    /// When Redis is back, the process owes what its calls took, except for what nobody else used
    /// meanwhile. So if Redis was away for this process only, the limits are exceeded by what it
    /// took until then, and all processes wait until that is made up for. If it was away for all,
    /// they notice that it is back within half a second of each other. The first one does not know
    /// yet what the others took, so the limits may be exceeded by up to a burst, which is made up
    /// for as well. A call that settles after Redis is back counts with all that it reserved.
    Local(Percent),
}

impl Redis {
    /// Uses one server, given by its URL.
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

    /// Uses a Redis Cluster, given by the URLs of some of its nodes.
    ///
    /// The other nodes are found through them, and must accept the same user and password.
    #[must_use]
    pub fn cluster<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        let nodes = urls.into_iter().map(Into::into).collect();
        Self { nodes: Ok(nodes), cluster: true, ..Self::new("") }
    }

    /// Uses one server, given by the URL in an environment variable. Reads the variable now.
    ///
    /// If the variable is not set, is empty, or is not Unicode, the limiter cannot be built. The
    /// error names the variable. Unlike that of [`env::var`], it never shows the value.
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
    /// assert!(error.ends_with(
    ///     "expected its URL in the environment variable `NO_SUCH_VARIABLE`, which is not set"
    /// ));
    /// ```
    #[must_use]
    pub fn from_env(variable: &str) -> Self {
        let problem = match env::var(variable) {
            Ok(url) if url.is_empty() => "empty",
            Ok(url) => return Self::new(url),
            Err(VarError::NotPresent) => "not set",
            // The value may contain a password, so the error must not show it.
            Err(VarError::NotUnicode(_)) => "not Unicode",
        };
        let problem =
            format!("expected its URL in the environment variable `{variable}`, which is {problem}");
        Self { nodes: Err(problem.into()), ..Self::new("") }
    }

    /// Sets the prefix of the keys. The limiter's name follows it in braces, and behind the name a
    /// `=` and the [text](crate::Builder::key_name) of the key, if there is a limiter for each key.
    /// Default: `openlimit:`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long to wait for a connection, and for a reply, before the server counts as away.
    /// Default: one second.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a call without a [`timeout`](crate::Acquire::timeout) waits in an outage
    /// before it fails. Default: one minute.
    ///
    /// After that time, it fails as soon as an attempt to reach the server fails.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how calls are decided during an outage. Default: they [wait](OnOutage::Wait).
    #[must_use]
    pub fn on_outage(mut self, on_outage: OnOutage) -> Self {
        self.on_outage = on_outage;
        self
    }

    /// Sets how far ahead a process reserves capacity for its waiting calls. Default: 100 ms.
    ///
    /// A longer look-ahead takes fewer round trips. With a shorter one, refunds let waiting calls
    /// go sooner, a [hold](crate::Limiter::hold) of another process stops them sooner, calls of
    /// other processes wait less behind this one, and less is lost if the process is killed.
    ///
    /// The look-ahead in use may be shorter: at most half of the shortest burst less the
    /// [jitter](crate::Builder::jitter), and an eighth of this while calls give back what they did
    /// not use. It is never shorter than four round trips, nor than an eighth of this.
    ///
    /// Where calls of different sizes and priorities wait, and less than 25 ms of the burst is left
    /// beside the jitter, as little as half of the limit may be used.
    #[must_use]
    pub fn look_ahead(mut self, look_ahead: Duration) -> Self {
        self.look_ahead = look_ahead;
        self
    }

    /// Turns leases on: after its waiting calls, each batch reserves what every limit allows in
    /// `slice`, and later calls are admitted from that without a round trip. Default: no leases.
    ///
    /// A lease is granted if it can begin within the [`look_ahead`](Self::look_ahead). Use leases
    /// for limits of some hundred calls a second or more, and for
    /// [`try_acquire`](crate::Limiter::try_acquire), which admits nothing without one.
    ///
    /// A process gives back what it does not use within the slice. Until then other processes
    /// cannot use it, and the calls of each process may arrive bunched by up to one slice.
    #[must_use]
    pub fn lease(mut self, slice: Duration) -> Self {
        self.lease = Some(slice);
        self
    }

    /// Sets the certificate authorities that a `rediss://` server is verified against, in PEM.
    /// Default: those of the system.
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
