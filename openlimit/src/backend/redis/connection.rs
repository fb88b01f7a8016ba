//! `Connection`: a connection to one server. Opens it, and runs commands on it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, RedisResult, Value, cmd,
    from_redis_value, pipe,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::access::Access;
use super::announced::{self, CHANNEL, Listeners};
use super::capped::{Capped, Replies};
use super::stream::{self, Stream};

/// A connection that its clones share. It closes when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Connection {
    commands: MultiplexedConnection,
    replies: Arc<Replies>,
    /// The task that reads and writes. It ends when the last clone is dropped.
    _task: Arc<JoinSet<()>>,
}

impl Connection {
    /// Opens a connection, within the timeout. What the server announces there is for `listeners`.
    pub(super) async fn open(access: &Access, listeners: &Arc<Listeners>) -> RedisResult<Self> {
        within(access.timeout, open(access, listeners)).await
    }

    /// Runs a command, and returns the bytes of its reply.
    pub(super) async fn run(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        let in_flight = self.replies.begin();
        let reply = command.query_async(&mut self.commands).await;
        // Only an error that the server replied with has a code.
        if reply.as_ref().err().is_none_or(|error: &RedisError| error.code().is_some()) {
            in_flight.replied();
        }
        reply
    }

    /// Runs a command on keys that a cluster is just moving to this node.
    pub(super) async fn run_asking(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        // `ASKING` holds for the next command only, so both are sent in one piece.
        let mut both = pipe();
        both.cmd("ASKING").add_command(command.clone());
        let in_flight = self.replies.begin();
        let replies = self.commands.req_packed_commands(&both, 1, 1).await?;
        in_flight.replied();
        Ok(from_redis_value(replies.into_iter().next().unwrap_or(Value::Nil).extract_error()?)?)
    }
}

/// Opens a connection on which the server announces holds, if the server and all before it know
/// RESP3: only with that may it send what is no reply.
async fn open(access: &Access, listeners: &Arc<Listeners>) -> RedisResult<Connection> {
    let began = Instant::now();
    // A proxy that does not know it may not reply at all. So time is left for the other way.
    let opening = listening(access, stream::open(access).await?, listeners);
    let opened = within(access.timeout / 2, opening).await;
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(error) => {
            // The error of any other problem comes again.
            let plain = plain(access).await?;
            // Without a reply, the server may have been away for a moment. Now it is there.
            let again = if error.is_io_error() {
                let left = access.timeout.saturating_sub(began.elapsed());
                let opening = async { listening(access, stream::open(access).await?, listeners).await };
                within(left / 2, opening).await.ok()
            } else {
                None
            };
            again.unwrap_or(plain)
        }
    };
    if access.cluster {
        // Fails unless the server is a node of a cluster. Independent servers would each grant the
        // whole limit. Its reply is short, unlike that of `CLUSTER SLOTS`.
        cmd("CLUSTER").arg("INFO").exec_async(&mut connection.commands).await?;
    }
    Ok(connection)
}

/// Sets a connection up that speaks RESP3, and subscribes to announcements.
async fn listening(
    access: &Access,
    stream: impl Stream + 'static,
    listeners: &Arc<Listeners>,
) -> RedisResult<Connection> {
    let replies = Arc::<Replies>::default();
    let (heard, listeners) = (Arc::clone(&replies), Arc::clone(listeners));
    let config = config(access).set_push_sender(move |push| {
        if let Some(message) = announced::message(&push) {
            heard.announced();
            listeners.receive(message);
        }
        Ok::<_, Infallible>(())
    });
    let login = access.info().redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let connection = set_up(&login, stream, replies, config).await?;
    let mut subscribing = connection.commands.clone();
    // It may be forbidden. It ends with the connection.
    tokio::spawn(async move { _ = subscribing.subscribe(CHANNEL).await });
    Ok(connection)
}

/// Opens a connection that speaks what its URL says: RESP2, if it says nothing.
async fn plain(access: &Access) -> RedisResult<Connection> {
    let login = access.info().redis_settings();
    set_up(login, stream::open(access).await?, Arc::default(), config(access)).await
}

/// Sets a connection up on a stream.
async fn set_up(
    login: &RedisConnectionInfo,
    stream: impl Stream + 'static,
    replies: Arc<Replies>,
    config: AsyncConnectionConfig,
) -> RedisResult<Connection> {
    let stream = Capped::new(stream, Arc::clone(&replies));
    let (commands, task) = MultiplexedConnection::new_with_config(login, stream, config).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(task);
    Ok(Connection { commands, replies, _task: Arc::new(tasks) })
}

fn config(access: &Access) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(Some(access.timeout))
}

/// Opens a connection, or fails once so much time has passed.
async fn within(
    time: Duration,
    opening: impl Future<Output = RedisResult<Connection>>,
) -> RedisResult<Connection> {
    let timed_out = || Err(io::Error::from(io::ErrorKind::TimedOut).into());
    timeout(time, opening).await.unwrap_or_else(|_| timed_out())
}
