//! `Connection`: a connection to one server. Opens it, and runs commands on it.

use std::io;

use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, TlsCertificates, Value, cmd,
    from_redis_value, pipe,
};
use tokio::time::timeout;

use super::access::Access;

/// A connection that its clones share. It closes when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Connection(MultiplexedConnection);

impl Connection {
    /// Opens a connection, within the timeout.
    pub(super) async fn open(access: &Access) -> RedisResult<Self> {
        timeout(access.timeout, open(access)).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Runs a command, and returns the bytes of its reply.
    pub(super) async fn run(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        command.query_async(&mut self.0).await
    }

    /// Runs a command on keys that a cluster is just moving to this node.
    pub(super) async fn run_asking(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        // `ASKING` holds for the next command only, so both are sent in one piece.
        let mut both = pipe();
        both.cmd("ASKING").add_command(command.clone());
        let replies = self.0.req_packed_commands(&both, 1, 1).await?;
        Ok(from_redis_value(replies.into_iter().next().unwrap_or(Value::Nil).extract_error()?)?)
    }
}

async fn open(access: &Access) -> RedisResult<Connection> {
    // rustls needs a cryptography provider for the process. Keep one that the program has
    // installed.
    if access.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let info = access.info().clone();
    let client = match access.root_certificates.clone() {
        Some(root) => {
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(root) })?
        }
        None => Client::open(info)?,
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(access.timeout))
        .set_response_timeout(Some(access.timeout));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    if access.cluster {
        // Fails unless the server is a node of a cluster. Independent servers would each grant the
        // whole limit.
        cmd("CLUSTER").arg("SLOTS").exec_async(&mut connection).await?;
    }
    Ok(Connection(connection))
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
