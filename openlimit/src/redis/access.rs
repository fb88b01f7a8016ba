//! `Access`: how a server is reached, as a checked part of `Redis`. Limiters for which it is the same share a connection.

use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::Redis;

/// It has passwords in it, and so no `Debug`.
#[derive(Clone, PartialEq)]
pub(super) struct Access {
    pub(super) nodes: Vec<Node>,
    pub(super) cluster: bool,
    pub(super) root_certificates: Option<Vec<u8>>,
    pub(super) timeout: Duration,
}

#[derive(Clone)]
pub(super) struct Node {
    url: String,
    pub(super) info: ConnectionInfo,
}

impl Access {
    pub(super) fn new(redis: &Redis) -> Result<Self, &'static str> {
        if redis.nodes.is_empty() {
            return Err("there is no node; give the URL of at least one");
        }
        let nodes = redis.nodes.iter().map(|url| Node::new(url)).collect::<Result<Vec<_>, _>>()?;
        if redis.cluster && nodes.iter().any(|node| node.info.redis_settings().db() != 0) {
            return Err("a cluster has database 0 only; leave the database out");
        }
        if redis.cluster && nodes.iter().any(|node| matches!(node.info.addr(), ConnectionAddr::Unix(_))) {
            return Err("a cluster is reached by hosts and ports; give no unix socket");
        }
        if redis.root_certificates.as_ref().is_some_and(|pem| !are_certificates(pem)) {
            return Err("its root certificates cannot be read; give one or more as PEM");
        }
        if redis.timeout.is_zero() {
            return Err("its timeout is zero; give it some time to answer");
        }
        let (cluster, root_certificates) = (redis.cluster, redis.root_certificates.clone());
        Ok(Self { nodes, cluster, root_certificates, timeout: redis.timeout })
    }

    /// What errors call the server.
    pub(super) fn server(&self) -> String {
        self.nodes.iter().map(|node| node.info.addr().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// What no error may show.
    pub(super) fn secrets(&self) -> Vec<String> {
        let secrets = self.nodes.iter().filter_map(|node| node.info.redis_settings().password());
        secrets.filter(|secret| !secret.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.info.addr(), ConnectionAddr::TcpTls { .. }))
    }
}

impl Node {
    /// The error never has the URL in it.
    fn new(url: &str) -> Result<Self, &'static str> {
        const NO_URL: &str = "its URL cannot be read; give it as `redis://[user:password@]host[:port][/database]`, \
                              `rediss://..` or `unix:///path`, with special characters of the password percent-encoded";
        let info = url.into_connection_info().map_err(|_| NO_URL)?;
        if let ConnectionAddr::Unix(_) = info.addr()
            && cfg!(not(unix))
        {
            return Err("a unix socket needs a unix system");
        }
        let tcp = TcpSettings::default().set_nodelay(true);
        Ok(Self { url: url.to_owned(), info: info.set_tcp_settings(tcp) })
    }
}

/// The URL says it all.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

fn are_certificates(pem: &[u8]) -> bool {
    let mut store = rustls::RootCertStore::empty();
    let mut add = |certificate| store.add(certificate).is_ok();
    let all = CertificateDer::pem_slice_iter(pem).all(|certificate| certificate.is_ok_and(&mut add));
    all && !store.is_empty()
}
