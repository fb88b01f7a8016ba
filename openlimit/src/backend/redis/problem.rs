//! What an error of the `redis` crate means: to the limiter's callers, and to those who share the connection.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError};

use super::pool::Failure;
use super::settings::Settings;
use crate::error::StoreProblem;

/// Whether a connection that had this error is to be replaced.
///
/// It is in step whatever happened: of an answer that came too late, or that nobody waits for any more, the `redis` crate
/// remembers whose it is, and what it cannot read ends the connection. So an answer that says no to what one limiter asked is no
/// reason to replace it, and nor is what a node of a cluster says of others. Anything else may be one: it broke, or answers no
/// more, or leads to a server that does not serve any more since another one does, or that has forgotten who this is.
pub(super) fn is_over(error: &RedisError, cluster: bool) -> bool {
    match error.code() {
        Some("OPENLIMIT" | "WRONGTYPE" | "NOSCRIPT" | "NOPERM" | "OOM" | "MISCONF" | "BUSY" | "ERR") => false,
        Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN") => !cluster,
        _ => true,
    }
}

/// What callers are told of it.
pub(super) fn problem(settings: &Settings, failure: &Failure) -> StoreProblem {
    let (error, access) = (&failure.error, &settings.nodes[0]);
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
        Some("MOVED") if !access.cluster => {
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
        let is_tls = access.is_tls();
        return match access.timeout {
            timeout if is_tls && !failure.was_open => {
                StoreProblem::Unreachable(format!("no TLS connection within {timeout:?}"))
            }
            timeout => StoreProblem::TimedOut(timeout),
        };
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            StoreProblem::Refused("it does not take the user and the password".into())
        }
        ErrorKind::Io if is_tls(error) => StoreProblem::Certificate(said),
        ErrorKind::Io => StoreProblem::Unreachable(said),
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
