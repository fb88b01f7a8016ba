//! `Connection`: a connection to one server. Opens it, and runs commands on it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisError, RedisResult, Value, cmd, from_redis_value, pipe,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::access::Access;
use super::announced::{self, CHANNEL, Listeners};
use super::capped::{Capped, Replies};
use super::stream;

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
        timeout(access.timeout, open(access, listeners)).await.unwrap_or_else(|_| Err(timed_out()))
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

async fn open(access: &Access, listeners: &Arc<Listeners>) -> RedisResult<Connection> {
    let began = Instant::now();
    let replies = Arc::<Replies>::default();
    let mut tasks = JoinSet::new();
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(access.timeout));
    let login = access.info().redis_settings().clone();
    let stream =
        || async { Ok::<_, RedisError>(Capped::new(stream::open(access).await?, Arc::clone(&replies))) };
    // Only with RESP3 may a server send what is no reply.
    let (heard, listeners) = (Arc::clone(&replies), Arc::clone(listeners));
    let listening = config.clone().set_push_sender(move |push| {
        if let Some(message) = announced::message(&push) {
            heard.announced();
            listeners.receive(message);
        }
        Ok::<_, Infallible>(())
    });
    let new = MultiplexedConnection::new_with_config;
    let resp3 = login.clone().set_protocol(ProtocolVersion::RESP3);
    // A proxy that does not know it may not reply at all, so there is time left for the other way.
    let opening = new(&resp3, stream().await?, listening.clone());
    let mut opened = timeout(access.timeout / 2, opening).await.unwrap_or_else(|_| Err(timed_out()));
    let mut plain = None;
    if let Err(error) = &opened {
        // The server or a proxy may not know it. The error of any other problem comes again.
        plain = Some(new(&login, stream().await?, config).await?);
        // Without a reply, the server may have been away for a moment. Now it is there.
        if error.is_io_error() {
            let opening = async { new(&resp3, stream().await?, listening).await };
            let left = access.timeout.saturating_sub(began.elapsed());
            opened = timeout(left / 2, opening).await.unwrap_or_else(|_| Err(timed_out()));
        }
    }
    let hears = opened.is_ok();
    let (mut commands, task) = opened.or_else(|error| plain.ok_or(error))?;
    tasks.spawn(task);
    if hears {
        let mut subscribing = commands.clone();
        // It may be forbidden.
        tasks.spawn(async move { _ = subscribing.subscribe(CHANNEL).await });
    }
    if access.cluster {
        // Fails unless the server is a node of a cluster. Independent servers would each grant the
        // whole limit. Its reply is short, unlike that of `CLUSTER SLOTS`.
        cmd("CLUSTER").arg("INFO").exec_async(&mut commands).await?;
    }
    Ok(Connection { commands, replies, _task: Arc::new(tasks) })
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
