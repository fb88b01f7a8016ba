//! `Connection`: to the server that holds a limiter's buckets; how a batch gets there, and what its errors mean.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

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
    /// The key of this client.
    client: String,
    open: Option<Open>,
}

enum Open {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { script: Script::new(settings.count), client: settings.keys.client(), settings, open: None }
    }

    /// Has a batch decided. Where it fails and may be tried again, the server may have decided it all the same: then the same bytes
    /// have the same answer.
    pub(super) async fn decide(&mut self, batch: &[u8]) -> Result<Reply, StoreError> {
        let said = match self.try_decide(batch).await {
            Ok(said) => said,
            Err(error) => {
                // Whatever it was, what is left of the connection may not be in step.
                let was_open = self.open.take().is_some();
                return Err(self.settings.error(problem(&self.settings, &error, was_open)));
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
        match open.run(&command(&self.settings, &self.client, "EVALSHA", &self.script.sha, batch)).await {
            // The script is new to the server, or was forgotten.
            Err(error) if error.code() == Some("NOSCRIPT") => {
                open.run(&command(&self.settings, &self.client, "EVAL", &self.script.text, batch)).await
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

fn command(settings: &Settings, client: &str, name: &str, script: &str, batch: &[u8]) -> Cmd {
    let mut command = cmd(name);
    command.arg(script).arg(2).arg(&settings.keys.state).arg(client);
    command.arg(&settings.identity).arg(batch).arg(settings.lifetime);
    command
}

async fn open(settings: &Settings) -> RedisResult<Open> {
    // rustls asks the program for its cryptography. One that has chosen is left alone.
    if settings.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
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

fn problem(settings: &Settings, error: &RedisError, was_open: bool) -> StoreProblem {
    let said = settings.said(&words(error));
    match error.code() {
        Some("OPENLIMIT") => return other(settings, error.detail().unwrap_or_default()),
        Some("WRONGTYPE") => {
            let found = "a value of another type".to_owned();
            return StoreProblem::OtherLayout { key: settings.keys.state.clone(), found };
        }
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => return StoreProblem::Refused(said),
        // What some versions of Redis, and Valkey, say of what a script or a login may not do.
        Some("ERR")
            if ["user executing the script", "no permissions", "ACL failure"]
                .iter()
                .any(|words| said.contains(words)) =>
        {
            return StoreProblem::Refused(said);
        }
        Some("ERR") if said.contains("max number of clients") => {
            return StoreProblem::Unavailable(said + "; raise its `maxclients`");
        }
        Some("MOVED") if !settings.cluster => {
            let said =
                "it is one node of a cluster, and the key is at another; give them as `Redis::cluster`";
            return StoreProblem::Unsuited(said.into());
        }
        Some("OOM") => return StoreProblem::Unavailable(said + "; raise its `maxmemory`"),
        Some("READONLY") => {
            return StoreProblem::Unavailable(said + "; unless it fails over, give the URL of the primary");
        }
        Some(
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "MISCONF" | "NOREPLICAS"
            | "UNBLOCKED" | "ASK" | "MOVED",
        ) => return StoreProblem::Unavailable(said),
        _ => {}
    }
    if error.is_timeout() {
        let is_tls = settings.is_tls();
        return match settings.timeout {
            timeout if is_tls && !was_open => {
                StoreProblem::Unreachable(format!("no TLS connection within {timeout:?}"))
            }
            timeout => StoreProblem::TimedOut(timeout),
        };
    }
    // A cluster's connections have their errors as text only.
    let is = |what: &str| error.detail().is_some_and(|detail| detail.contains(what));
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            StoreProblem::Refused("it does not take the user and the password".into())
        }
        ErrorKind::Io if is("AuthenticationFailed") || is("NOAUTH") => StoreProblem::Refused(said),
        ErrorKind::Io if is("certificate") || is_tls(error) => StoreProblem::Certificate(said),
        ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => StoreProblem::Unreachable(said),
        _ => StoreProblem::Unsuited(said),
    }
}

/// What a server said, as it said it, but for where in our script it was.
fn words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            let detail = detail.split_once(" script: ").map_or(detail, |(detail, _)| detail);
            format!("{code} {}", detail.trim_end_matches('.'))
        }
        _ => error.to_string(),
    }
}

/// What the script itself complains of.
fn other(settings: &Settings, said: &str) -> StoreProblem {
    let (what, rest) = said.split_once(' ').unwrap_or((said, ""));
    match what {
        "limits" => {
            let (free_in, theirs) = rest.split_once(' ').unwrap_or_default();
            StoreProblem::OtherLimits {
                theirs: settings.said(theirs),
                ours: settings.limits.clone(),
                free_in: Duration::from_micros(free_in.parse().unwrap_or(u64::MAX)),
                key: settings.keys.state.clone(),
            }
        }
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
    let source = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    source.is_some_and(|source| match source.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        None => true,
    })
}
