//! Reads the errors of the `redis` crate: turns them into problems for callers, and finds the ones
//! after which the connection has to be replaced.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError};

use super::capped::TooLong;
use super::failure::Failure;
use super::identity::Identity;
use super::settings::Settings;
use super::tls;
use crate::error::StoreProblem;

/// Returns true if a connection that had this error has to be replaced.
///
/// Replies never get mixed up: the `redis` crate drops a reply that came too late, and closes the
/// connection if it cannot read one. So the connection stays if the server refused the command of
/// one limiter, or redirected it within a cluster. It is replaced after any other error: it may be
/// broken, not reply any more, lead to a server that another one has replaced, or have lost its
/// login.
pub(super) fn needs_new_connection(error: &RedisError, cluster: bool) -> bool {
    match error.code() {
        Some("OPENLIMIT" | "WRONGTYPE" | "NOSCRIPT" | "NOPERM" | "OOM" | "MISCONF" | "BUSY" | "ERR") => false,
        Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN") => !cluster,
        _ => true,
    }
}

/// What errors say of a value that cannot be read at all, and of one that makes no sense.
const OTHER_TYPE: &str = "a value of another type";
const FOREIGN: &str = "a value that openlimit did not write";

/// Returns the problem that callers see. `replies` is the key of the last reply to the client.
pub(super) fn problem(
    settings: &Settings,
    replies: &str,
    ours: &Identity,
    failure: &Failure,
) -> StoreProblem {
    let (error, access) = (&failure.error, &settings.nodes[0]);
    let message = settings.cleaned(&server_message(error));
    match error.code() {
        Some("OPENLIMIT") => {
            return script_problem(settings, replies, ours, error.detail().unwrap_or_default());
        }
        Some("WRONGTYPE") => {
            return StoreProblem::OtherLayout { key: settings.keys.state.clone(), found: OTHER_TYPE.into() };
        }
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => return StoreProblem::Refused(message),
        // Some versions of Redis, and Valkey, report missing permissions like this.
        Some("ERR")
            if ["user executing the script", "no permissions", "ACL failure"]
                .iter()
                .any(|text| message.contains(text)) =>
        {
            return StoreProblem::Refused(message);
        }
        Some("ERR") if message.contains("max number of clients") => {
            return StoreProblem::Unavailable(message + "; raise its `maxclients`");
        }
        Some("MOVED") if !access.cluster => {
            let message = "it is a node of a cluster, and another node has the key; use `Redis::cluster`";
            return StoreProblem::Unsuited(message.into());
        }
        Some("OOM") => return StoreProblem::Unavailable(message + "; raise its `maxmemory`"),
        Some("READONLY") => {
            return StoreProblem::Unavailable(
                message + "; unless it fails over, give the URL of the primary",
            );
        }
        Some(
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "MISCONF" | "NOREPLICAS"
            | "UNBLOCKED" | "ASK" | "MOVED",
        ) => return StoreProblem::Unavailable(message),
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
            StoreProblem::Refused("it did not accept the user and password".into())
        }
        ErrorKind::Io if io_error(error).is_some_and(is_too_long) => StoreProblem::Unsuited(message),
        ErrorKind::Io if io_error(error).is_some_and(tls::is_lasting) => StoreProblem::Certificate(message),
        ErrorKind::Io => StoreProblem::Unreachable(message),
        _ => StoreProblem::Unsuited(message),
    }
}

/// Returns the limits of the state, if the script refused a batch because they are others.
pub(super) fn other_limits(failure: &Failure) -> Option<String> {
    let error = &failure.error;
    let message = error.detail().filter(|_| error.code() == Some("OPENLIMIT"))?;
    let (_, theirs) = message.strip_prefix("limits ")?.split_once(' ')?;
    Some(theirs.to_owned())
}

/// Returns the message of the server, without the position in the script.
fn server_message(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            let detail = detail.split_once(" script: ").map_or(detail, |(detail, _)| detail);
            format!("{code} {}", detail.trim_end_matches('.'))
        }
        _ => error.to_string(),
    }
}

/// Returns the problem that the script itself reports: a word, and values.
fn script_problem(settings: &Settings, replies: &str, ours: &Identity, message: &str) -> StoreProblem {
    let (kind, rest) = message.split_once(' ').unwrap_or((message, ""));
    match kind {
        "limits" => {
            let (free_in, theirs) = rest.split_once(' ').unwrap_or_default();
            StoreProblem::OtherLimits {
                theirs: settings.cleaned(theirs),
                ours: ours.limits(),
                free_in: Duration::from_micros(free_in.parse().unwrap_or(u64::MAX)),
                key: settings.keys.state.clone(),
            }
        }
        "layout" => {
            let found = match rest {
                "" => FOREIGN.to_owned(),
                layout => format!("a value of another version of openlimit (`{}`)", settings.cleaned(layout)),
            };
            StoreProblem::OtherLayout { key: settings.keys.state.clone(), found }
        }
        "reply" => {
            let found = if rest == "type" { OTHER_TYPE } else { FOREIGN };
            StoreProblem::OtherLayout { key: replies.to_owned(), found: found.into() }
        }
        _ => StoreProblem::Unsuited(settings.cleaned(message)),
    }
}

/// Returns the error of the stream.
fn io_error(error: &RedisError) -> Option<&io::Error> {
    let source = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    source.downcast_ref()
}

/// Returns true if the stream was cut off within a reply.
fn is_too_long(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TooLong>())
}
