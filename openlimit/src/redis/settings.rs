//! `Settings`: a checked `Redis`, and what a limiter makes of it: addresses, keys, and how to name the server in errors.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::key::Keys;
use super::terms::Terms;
use super::{Redis, StoreError, StoreProblem};
use crate::time::nanos;

/// What the driver needs to know to reach a limiter's buckets.
pub(crate) struct Settings {
    pub(super) nodes: Vec<ConnectionInfo>,
    pub(super) cluster: bool,
    pub(super) root_certificates: Option<Vec<u8>>,
    pub(super) timeout: Duration,
    pub(super) keys: Keys,
    /// What the state begins with: the version of its layout, and the limits in words.
    pub(super) identity: String,
    /// The limits in words.
    pub(super) limits: String,
    /// How many there are.
    pub(super) count: usize,
    /// How many seconds the state is kept: longer than it can matter.
    pub(super) lifetime: u64,
    pub(super) server: Arc<str>,
    /// What no error may show.
    secrets: Vec<String>,
}

/// The version of what stands in the keys. It changes when `decide.lua` would misread what an older one wrote.
const LAYOUT: &str = "openlimit 1";

impl Settings {
    /// `limits` in words, whose buckets drain in `drain` nanoseconds at the longest.
    pub(crate) fn new(
        redis: &Redis,
        name: &str,
        limits: String,
        count: usize,
        drain: u64,
    ) -> Result<Self, Cow<'static, str>> {
        let urls = redis.nodes.as_ref().map_err(Clone::clone)?;
        if urls.is_empty() {
            return Err("there is no node; give the URL of at least one".into());
        }
        let nodes = urls.iter().map(|node| parse(node)).collect::<Result<Vec<_>, _>>()?;
        if redis.cluster && nodes.iter().any(|node| node.redis_settings().db() != 0) {
            return Err("a cluster has database 0 only; leave the database out".into());
        }
        if redis.cluster && nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::Unix(_))) {
            return Err("a cluster is reached by hosts and ports; give no unix socket".into());
        }
        if redis.root_certificates.as_ref().is_some_and(|pem| !are_certificates(pem)) {
            return Err("its root certificates cannot be read; give one or more as PEM".into());
        }
        if redis.timeout.is_zero() {
            return Err("its timeout is zero; give it some time to answer".into());
        }
        let server = nodes.iter().map(|node| node.addr().to_string()).collect::<Vec<_>>().join(", ");
        let secrets = nodes.iter().filter_map(|node| node.redis_settings().password());
        let secrets = secrets.filter(|secret| !secret.is_empty()).map(str::to_owned).collect();
        // Twice as long as anything can be in a bucket.
        let lifetime = (2 * drain).div_ceil(1_000_000_000).max(600);
        Ok(Self {
            nodes,
            cluster: redis.cluster,
            root_certificates: redis.root_certificates.clone(),
            timeout: redis.timeout,
            keys: Keys::new(&redis.prefix, name),
            identity: format!("{LAYOUT}\n{limits}\n"),
            limits,
            count,
            lifetime,
            server: server.into(),
            secrets,
        })
    }

    pub(super) fn is_tls(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. }))
    }

    pub(super) fn error(&self, problem: StoreProblem) -> StoreError {
        StoreError::new(&self.server, problem)
    }

    /// Foreign text for an error: of sensible length, printable, and without the secrets.
    pub(super) fn said(&self, text: &str) -> String {
        let text = self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        let printable = text.trim().chars().take(300).map(|char| if char.is_control() { '?' } else { char });
        printable.collect()
    }
}

impl Redis {
    /// What of it the limiter's own state needs. `slack` is how late a call may depart.
    pub(crate) fn terms(&self, slack: u64) -> Terms {
        let nanos = |time| nanos(time).min(super::scale::MOST);
        Terms {
            slack,
            look_ahead: nanos(self.look_ahead),
            lease: self.lease.map(nanos),
            patience: nanos(self.patience),
            on_outage: self.on_outage,
        }
    }
}

/// The error never has the URL in it.
fn parse(url: &str) -> Result<ConnectionInfo, &'static str> {
    const NO_URL: &str = "its URL cannot be read; give it as `redis://[user:password@]host[:port][/database]`, `rediss://..` or \
                          `unix:///path`, with special characters of the password percent-encoded";
    let info = url.into_connection_info().map_err(|_| NO_URL)?;
    if let ConnectionAddr::Unix(_) = info.addr()
        && cfg!(not(unix))
    {
        return Err("a unix socket needs a unix system");
    }
    let tcp = ::redis::io::tcp::TcpSettings::default().set_nodelay(true);
    Ok(info.set_tcp_settings(tcp))
}

fn are_certificates(pem: &[u8]) -> bool {
    let mut store = rustls::RootCertStore::empty();
    let mut add = |certificate| store.add(certificate).is_ok();
    let all = CertificateDer::pem_slice_iter(pem).all(|certificate| certificate.is_ok_and(&mut add));
    all && !store.is_empty()
}
