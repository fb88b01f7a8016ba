//! `Connection`: one to a server: how it is opened, and asked.

use std::io;

use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, TlsCertificates, Value, cmd,
    from_redis_value, pipe,
};
use tokio::time::timeout;

use super::access::Access;

/// Clones are the same connection. It is closed when the last of them is dropped.
#[derive(Clone)]
pub(super) struct Connection(MultiplexedConnection);

impl Connection {
    /// Takes no longer than the time-out.
    pub(super) async fn open(access: &Access) -> RedisResult<Self> {
        timeout(access.timeout, open(access)).await.unwrap_or_else(|_| Err(timed_out()))
    }

    pub(super) async fn run(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        command.query_async(&mut self.0).await
    }

    /// Has a node run a command on keys that are on their way to it.
    pub(super) async fn run_asking(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        // It is for the next command only, so others' may not come in between.
        let mut both = pipe();
        both.cmd("ASKING").add_command(command.clone());
        let said = self.0.req_packed_commands(&both, 1, 1).await?;
        Ok(from_redis_value(said.into_iter().next().unwrap_or(Value::Nil).extract_error()?)?)
    }
}

async fn open(access: &Access) -> RedisResult<Connection> {
    // rustls asks the program for its cryptography. One that has chosen is left alone.
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
        // Servers that know nothing of each other would each grant all of the limit.
        cmd("CLUSTER").arg("SLOTS").exec_async(&mut connection).await?;
    }
    Ok(Connection(connection))
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
