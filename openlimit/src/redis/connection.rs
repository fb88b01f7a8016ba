//! `Connection`: one to a server, or to a cluster: how it is opened, and asked.

use std::io;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::ClusterClientBuilder;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, TlsCertificates};
use tokio::time::timeout;

use super::access::Access;

/// Clones are the same connection. It is closed when the last of them is dropped.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Takes no longer than the time-out; with a cluster of which a node does not answer, three times as long.
    pub(super) async fn open(access: &Access) -> RedisResult<Self> {
        // rustls asks the program for its cryptography. One that has chosen is left alone.
        if access.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let certificates = access.root_certificates.clone();
        let certificates =
            certificates.map(|root| TlsCertificates { client_tls: None, root_cert: Some(root) });
        if access.cluster { cluster(access, certificates).await } else { one(access, certificates).await }
    }

    pub(super) async fn run(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        async fn query(connection: &mut impl ConnectionLike, command: &Cmd) -> RedisResult<Vec<u8>> {
            command.query_async(connection).await
        }
        match self {
            Self::One(connection) => query(connection, command).await,
            Self::Cluster(connection) => query(connection, command).await,
        }
    }
}

async fn one(access: &Access, certificates: Option<TlsCertificates>) -> RedisResult<Connection> {
    let node = access.nodes[0].info.clone();
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(node, certificates)?,
        None => Client::open(node)?,
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(access.timeout))
        .set_response_timeout(Some(access.timeout));
    client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
}

async fn cluster(access: &Access, certificates: Option<TlsCertificates>) -> RedisResult<Connection> {
    let nodes = access.nodes.iter().map(|node| node.info.clone());
    let mut builder = ClusterClientBuilder::new(nodes)
        .connection_timeout(access.timeout)
        .response_timeout(access.timeout)
        // Not longer than one answer may take, or it asks again by itself.
        .overall_response_timeout(Some(access.timeout))
        .tcp_settings(access.nodes[0].info.tcp_settings().clone());
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    let opening = builder.build()?;
    // A node that does not answer is waited for when the others are there: as one that was given, and as one that they tell of.
    let opening = timeout(access.timeout.saturating_mul(3), opening.get_async_connection()).await;
    opening.unwrap_or_else(|_| Err(timed_out())).map(Connection::Cluster)
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
