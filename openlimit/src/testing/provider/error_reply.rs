//! `ErrorReply`: a reply that is an error, in any dialect.
//!
//! Here are the errors of calls that cannot be read or are not allowed, with OpenAI's wording.
//! `refusal` has those of calls that are refused.

use std::time::Duration;

use super::dialect::Dialect;
use crate::ParamsError;

/// An error reply.
#[derive(Debug)]
pub(super) struct ErrorReply {
    pub(super) status: u16,
    /// The time to wait; `None` if waiting does not help.
    pub(super) wait: Option<Duration>,
    /// For a 405, the method that the path accepts.
    pub(super) allowed: Option<&'static str>,
    /// The body is the message alone.
    pub(super) is_plain: bool,
    message: String,
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl ErrorReply {
    /// Creates an error.
    pub(super) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            wait: None,
            allowed: None,
            is_plain: false,
            message: message.into(),
            kind,
            param: None,
            code: None,
        }
    }

    /// Creates an error whose body is a few words.
    pub(super) fn plain(status: u16, message: impl Into<String>) -> Self {
        Self { is_plain: true, ..Self::new(status, "", message) }
    }

    /// Returns the body.
    pub(super) fn body(&self, dialect: Dialect) -> String {
        if self.is_plain {
            return self.message.clone();
        }
        dialect.error(&self.message, self.kind, self.param.as_deref(), self.code).to_string()
    }

    pub(super) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(super) fn wait(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }

    pub(super) fn unreadable() -> Self {
        Self::invalid(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
             HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
        )
    }

    pub(super) fn no_model() -> Self {
        Self::invalid("you must provide a model parameter")
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::invalid(format!("Missing required parameter: '{field}'."))
            .about(field, "missing_required_parameter")
    }

    pub(super) fn wrong_type(field: &str, expected: &str) -> Self {
        Self::invalid(format!("Invalid type for '{field}': expected {expected}."))
            .about(field, "invalid_type")
    }

    pub(super) fn out_of_range(field: &str, problem: &str) -> Self {
        Self::invalid(format!("Invalid value for '{field}': {problem}.")).about(field, "invalid_value")
    }

    /// Creates the reply to params that cannot be priced.
    pub(super) fn params(error: &ParamsError) -> Self {
        Self::invalid(error.to_string()).about(error.field(), "invalid_value")
    }

    pub(super) fn no_such_path(method: &str, path: &str) -> Self {
        Self::invalid(format!("Invalid URL ({method} {path})")).with(404)
    }

    pub(super) fn wrong_method(method: &str, path: &str, allowed: &'static str) -> Self {
        let wrong = Self::invalid(format!(
            "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
        ));
        Self { allowed: Some(allowed), ..wrong.with(405) }
    }

    pub(super) fn no_key() -> Self {
        Self::invalid(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using \
             Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )
        .with(401)
    }

    /// Creates the reply to a wrong key. It does not repeat the key, which may be a real one.
    pub(super) fn wrong_key() -> Self {
        let wrong = Self::invalid("Incorrect API key provided.").with(401);
        Self { code: Some("invalid_api_key"), ..wrong }
    }

    pub(super) fn oversized(most: usize) -> Self {
        Self::invalid(format!("The request body is larger than {most} bytes.")).with(413)
    }

    pub(super) fn cut_short() -> Self {
        Self::invalid("The request body ended early.")
    }

    pub(super) fn server_error() -> Self {
        let error = Self::invalid("The server had an error while processing your request. Sorry about that!");
        Self { kind: "server_error", ..error.with(500) }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    fn with(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn about(self, field: &str, code: &'static str) -> Self {
        Self { param: Some(field.to_owned()), code: Some(code), ..self }
    }
}
