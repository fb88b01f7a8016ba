//! `Access`: how a server is reached. Limiters for which it is the same share a connection.

use std::borrow::Cow;
use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::Redis;

/// It has passwords in it, and so no `Debug`.
#[derive(Clone, PartialEq)]
pub(super) struct Access {
    node: Node,
    /// Whether the server is a node of a cluster.
    pub(super) cluster: bool,
    pub(super) root_certificates: Option<Vec<u8>>,
    pub(super) timeout: Duration,
}

#[derive(Clone)]
struct Node(ConnectionInfo);

impl Access {
    /// To each of the nodes that are given, of which there is at least one.
    pub(super) fn all(redis: &Redis) -> Result<Vec<Self>, Cow<'static, str>> {
        let urls = redis.nodes.as_ref().map_err(Clone::clone)?;
        if urls.is_empty() {
            return Err("there is no node; give the URL of at least one".into());
        }
        let nodes = urls.iter().map(|url| parse(url)).collect::<Result<Vec<_>, _>>()?;
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
        let access = |node| Self {
            node: Node(node),
            cluster: redis.cluster,
            root_certificates: redis.root_certificates.clone(),
            timeout: redis.timeout,
        };
        Ok(nodes.into_iter().map(access).collect())
    }

    /// To another node of the same cluster, as this one tells of it: by `host:port`, or `:port` on the same host.
    pub(super) fn to(&self, address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let host_or = |own: &str| if host.is_empty() { own.to_owned() } else { host.to_owned() };
        let addr = match self.info().addr() {
            ConnectionAddr::Tcp(own, _) => ConnectionAddr::Tcp(host_or(own), port),
            ConnectionAddr::TcpTls { host: own, insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host: host_or(own),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => return None,
        };
        Some(Self { node: Node(self.info().clone().set_addr(addr)), ..self.clone() })
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.node.0
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.info().addr(), ConnectionAddr::TcpTls { .. })
    }
}

/// All that can be said in a URL.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        let (login, others) = (self.0.redis_settings(), other.0.redis_settings());
        self.0.addr() == other.0.addr()
            && login.username() == others.username()
            && login.password() == others.password()
            && login.db() == others.db()
            && login.protocol() == others.protocol()
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
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok(info.set_tcp_settings(tcp))
}

fn are_certificates(pem: &[u8]) -> bool {
    let mut store = rustls::RootCertStore::empty();
    let mut add = |certificate| store.add(certificate).is_ok();
    let all = CertificateDer::pem_slice_iter(pem).all(|certificate| certificate.is_ok_and(&mut add));
    all && !store.is_empty()
}

#[cfg(test)]
mod tests {
    use super::Access;
    use crate::Redis;
    use std::borrow::Cow;

    #[test]
    fn another_node_is_reached_as_the_first_one_by_what_that_says_of_it() {
        let to = |url: &str, address: &str| {
            let all = Access::all(&Redis::cluster([url])).map_err(Cow::into_owned);
            let access = all.ok().and_then(|all| all[0].to(address));
            access.map(|access| (access.info().addr().to_string(), access.is_tls()))
        };
        let is = |addr: &str, is_tls| Some((addr.to_owned(), is_tls));
        assert_eq!(to("redis://one:1", "other:2"), is("other:2", false));
        assert_eq!(to("redis://one:1", ":2"), is("one:2", false));
        assert_eq!(to("redis://one:1", "::1:2"), is("::1:2", false));
        assert_eq!(to("rediss://one:1", "other:2"), is("other:2", true));
        for nonsense in ["", "other", "other:", "other:x", "other:70000"] {
            assert_eq!(to("redis://one:1", nonsense), None);
        }
    }

    #[test]
    fn access_is_the_same_if_nothing_differs_that_a_url_says() {
        let all = |url: &str| Access::all(&Redis::new(url)).unwrap_or_default();
        assert!(all("redis://ann:a@host") == all("redis://ann:a@host:6379/0"));
        for other in ["", "bob:a@host", "ann:b@host", "ann:a@other", "ann:a@host:1", "ann:a@host/1"] {
            assert!(all("redis://ann:a@host") != all(&format!("redis://{other}")));
        }
        assert!(all("redis://host") != all("rediss://host"));
        assert!(all("rediss://host") != all("rediss://host/#insecure"));
        assert!(all("redis://host") != all("redis://host?protocol=resp3"));
    }
}
