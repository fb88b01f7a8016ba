//! `Access`: the address, login and options by which a server is reached. Limiters with equal
//! access share a connection.

use std::borrow::Cow;
use std::time::Duration;

use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

use super::{Redis, tls};

/// The way to reach one server. It contains passwords, so it has no `Debug`.
#[derive(Clone, PartialEq)]
pub(super) struct Access {
    node: Node,
    /// True if the server is a node of a cluster.
    pub(super) cluster: bool,
    /// In PEM; `None` for those of the system.
    pub(super) root_certificates: Option<Vec<u8>>,
    /// The longest wait for a connection, and for a reply.
    pub(super) timeout: Duration,
}

/// A parsed URL.
#[derive(Clone)]
struct Node(ConnectionInfo);

impl Access {
    /// Returns the access to each of the nodes that the user gave: at least one.
    ///
    /// # Errors
    /// Returns the problem if a setting is wrong.
    pub(super) fn all(redis: &Redis) -> Result<Vec<Self>, Cow<'static, str>> {
        let urls = redis.nodes.as_ref().map_err(Clone::clone)?;
        if urls.is_empty() {
            return Err("it has no nodes; give the URL of at least one".into());
        }
        let nodes = urls.iter().map(|url| parse(url)).collect::<Result<Vec<_>, _>>()?;
        let database = nodes.iter().map(|node| node.redis_settings().db()).find(|database| *database != 0);
        if let Some(database) = database.filter(|_| redis.cluster) {
            let problem =
                format!("its URL names database {database}, and a cluster has only database 0; leave it out");
            return Err(problem.into());
        }
        if redis.cluster && nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::Unix(_))) {
            return Err(
                "a cluster cannot be reached through a unix socket; give the hosts and ports of its nodes"
                    .into(),
            );
        }
        if redis.root_certificates.as_ref().is_some_and(|pem| tls::authorities(pem).is_none()) {
            return Err(
                "its root certificates cannot be read; expected one or more certificates in PEM".into()
            );
        }
        if redis.timeout.is_zero() {
            return Err("its timeout is 0 s, in which no server can reply; give it more time".into());
        }
        let access = |node| Self {
            node: Node(node),
            cluster: redis.cluster,
            root_certificates: redis.root_certificates.clone(),
            timeout: redis.timeout,
        };
        Ok(nodes.into_iter().map(access).collect())
    }

    /// Returns the access to another node of the same cluster, which this node names as
    /// `host:port`, or as `:port` on the same host.
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

    /// Returns the parsed URL.
    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.node.0
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.info().addr(), ConnectionAddr::TcpTls { .. })
    }
}

/// Compares everything that a URL can set.
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

/// Parses a URL. The error never shows it.
fn parse(url: &str) -> Result<ConnectionInfo, &'static str> {
    const NO_URL: &str = "its URL cannot be read; expected `redis://[user:password@]host[:port][/database]`, \
                          `rediss://..` or `unix:///path`, with special characters of the password \
                          percent-encoded";
    const INSECURE: &str = "its URL ends in `#insecure`, and a server's certificate is always verified; leave \
                            that out, and give the authority of the certificate to \
                            `Redis::root_certificates`";
    const NEGATIVE: &str = "its URL names a database below 0, which no server has; give one from 0 on";
    let info = url.into_connection_info().map_err(|_| NO_URL)?;
    let is_unix = matches!(info.addr(), ConnectionAddr::Unix(_));
    if is_unix && cfg!(not(unix)) {
        return Err("a unix socket needs a unix system; give a host and port");
    }
    if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
        return Err(INSECURE);
    }
    // A password with a `#` or `?` that is not encoded ends there. Its first part is then read as a
    // host and port, which errors show.
    if url.contains('#') || !is_unix && url.split_once('?').is_some_and(|(_, query)| query.contains('@')) {
        return Err(NO_URL);
    }
    if info.redis_settings().db() < 0 {
        return Err(NEGATIVE);
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::Access;
    use crate::Redis;
    use std::borrow::Cow;

    #[test]
    fn another_node_is_reached_like_the_node_that_names_it() {
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
    fn access_is_equal_if_the_urls_mean_the_same() {
        let all = |url: &str| Access::all(&Redis::new(url)).unwrap_or_default();
        assert!(all("redis://ann:a@host") == all("redis://ann:a@host:6379/0"));
        for other in ["", "bob:a@host", "ann:b@host", "ann:a@other", "ann:a@host:1", "ann:a@host/1"] {
            assert!(all("redis://ann:a@host") != all(&format!("redis://{other}")));
        }
        assert!(all("redis://host") != all("rediss://host"));
        assert!(all("redis://host") != all("redis://host?protocol=resp3"));
    }
}
