//! `Connection`: to the server that holds a limiter's buckets; how a batch gets there, and what its errors mean.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::ClusterClientBuilder;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, TlsCertificates, cmd};

use super::script::Script;
use super::settings::Settings;
use super::wire::Reply;
use super::{StoreError, StoreProblem};

pub(super) struct Connection {
    settings: Arc<Settings>,
    script: Script,
    open: Option<Open>,
}

enum Open {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { script: Script::new(settings.count), settings, open: None }
    }

    /// Has a batch decided. Where it fails and may be tried again, the server may have decided it all the same: then the same bytes
    /// have the same answer.
    pub(super) async fn decide(&mut self, batch: &[u8]) -> Result<Reply, StoreError> {
        let said = match self.try_decide(batch).await {
            Ok(said) => said,
            Err(error) => {
                // Whatever it was, what is left of the connection may not be in step.
                self.open = None;
                return Err(explain(&self.settings, &error));
            }
        };
        Reply::read(&said, self.settings.count).ok_or_else(|| {
            let found = "an answer that is none of this version's".to_owned();
            self.settings.error(StoreProblem::OtherLayout { key: self.settings.keys.state.clone(), found })
        })
    }

    async fn try_decide(&mut self, batch: &[u8]) -> RedisResult<Vec<u8>> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(open(&self.settings).await?),
        };
        match open.run(&command(&self.settings, "EVALSHA", &self.script.sha, batch)).await {
            // The script is new to the server, or was forgotten.
            Err(error) if error.code() == Some("NOSCRIPT") => {
                open.run(&command(&self.settings, "EVAL", &self.script.text, batch)).await
            }
            said => said,
        }
    }
}

impl Open {
    async fn run(&mut self, command: &Cmd) -> RedisResult<Vec<u8>> {
        async fn query(connection: &mut impl ConnectionLike, command: &Cmd) -> RedisResult<Vec<u8>> {
            command.query_async(connection).await
        }
        match self {
            Self::One(connection) => query(connection, command).await,
            Self::Cluster(connection) => query(connection, command).await,
        }
    }
}

fn command(settings: &Settings, name: &str, script: &str, batch: &[u8]) -> Cmd {
    let mut command = cmd(name);
    command.arg(script).arg(2).arg(&settings.keys.state).arg(&settings.keys.client);
    command.arg(&settings.identity).arg(batch).arg(settings.lifetime);
    command
}

async fn open(settings: &Settings) -> RedisResult<Open> {
    // rustls asks the program for its cryptography. One that has chosen is left alone.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let certificates = settings.root_certificates.clone();
    let certificates = certificates.map(|root| TlsCertificates { client_tls: None, root_cert: Some(root) });
    if settings.cluster {
        let mut builder = ClusterClientBuilder::new(settings.nodes.iter().cloned())
            .connection_timeout(settings.timeout)
            .response_timeout(settings.timeout)
            // Not longer than one answer may take, or it asks again by itself.
            .overall_response_timeout(Some(settings.timeout))
            .tcp_settings(settings.nodes[0].tcp_settings().clone());
        if let Some(certificates) = certificates {
            builder = builder.certs(certificates);
        }
        let connecting = builder.build()?;
        let connecting = tokio::time::timeout(settings.timeout, connecting.get_async_connection()).await;
        return connecting.unwrap_or_else(|_| Err(timed_out())).map(Open::Cluster);
    }
    let node = settings.nodes[0].clone();
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(node, certificates)?,
        None => Client::open(node)?,
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.timeout))
        .set_response_timeout(Some(settings.timeout));
    client.get_multiplexed_async_connection_with_config(&config).await.map(Open::One)
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

fn explain(settings: &Settings, error: &RedisError) -> StoreError {
    settings.error(problem(settings, error))
}

fn problem(settings: &Settings, error: &RedisError) -> StoreProblem {
    let said = settings.said(&error.to_string());
    match error.code() {
        Some("OPENLIMIT") => return other(settings, error.detail().unwrap_or_default()),
        Some("WRONGTYPE") => {
            let found = "a value of another type".to_owned();
            return StoreProblem::OtherLayout { key: settings.keys.state.clone(), found };
        }
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => return StoreProblem::Refused(said),
        Some(
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "READONLY" | "OOM" | "BUSY" | "MISCONF"
            | "NOREPLICAS" | "UNBLOCKED" | "ASK" | "MOVED",
        ) => return StoreProblem::Unavailable(said),
        _ => {}
    }
    if error.is_timeout() {
        return StoreProblem::TimedOut(settings.timeout);
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => StoreProblem::Refused(said),
        ErrorKind::ClusterConnectionNotFound => StoreProblem::Unreachable(said),
        ErrorKind::Io if is_tls(error) => StoreProblem::Unsuited(format!(
            "no TLS connection: {said}; is it a TLS port, and its certificate known?"
        )),
        ErrorKind::Io => StoreProblem::Unreachable(said),
        _ => StoreProblem::Unsuited(said),
    }
}

/// What the script itself complains of.
fn other(settings: &Settings, said: &str) -> StoreProblem {
    let (what, rest) = said.split_once(' ').unwrap_or((said, ""));
    match what {
        "limits" => StoreProblem::OtherLimits { theirs: settings.said(rest), ours: settings.limits.clone() },
        "layout" => {
            let found = match rest {
                "" => "what is none of openlimit's".to_owned(),
                layout => format!("what another version of openlimit wrote (`{}`)", settings.said(layout)),
            };
            StoreProblem::OtherLayout { key: settings.keys.state.clone(), found }
        }
        _ => StoreProblem::Unsuited(settings.said(said)),
    }
}

/// Whether the two do not agree about TLS: that does not pass.
fn is_tls(error: &RedisError) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    io.is_some_and(|io| io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()))
}
