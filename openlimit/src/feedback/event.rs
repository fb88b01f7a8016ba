//! OpenAI's Realtime event `rate_limits.updated`, which has the state of the limits in its body.
//!
//! ```json
//! {"type": "rate_limits.updated", "rate_limits": [
//!     {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 60}
//! ]}
//! ```

use super::json::scalars;
use super::names::What;
use super::observed_limit::Standings;
use crate::limits::duration;

const TYPE: &[u8] = b"rate_limits.updated";

/// The longest event that is read. A real one has about 300 bytes.
const MOST: usize = 8 * 1024;

/// Adds the limits of the event, if the body is one.
pub(super) fn read(body: &[u8], standings: &mut Standings) {
    // The type comes first or second. Further inside, a model may have written it.
    let mut first = scalars(body).take(2);
    if body.len() > MOST || !first.any(|(key, value)| key == b"type" && value.bytes() == TYPE) {
        return;
    }
    let mut what = None;
    let (mut limit, mut remaining, mut reset) = (None, None, None);
    for (key, value) in scalars(body) {
        match key {
            b"name" => {
                if let Some(what) = what {
                    standings.add(what, [limit, remaining], reset);
                }
                (limit, remaining, reset) = (None, None, None);
                what = match value.bytes() {
                    b"requests" => Some(What::Requests),
                    b"tokens" => Some(What::Tokens),
                    b"input_tokens" => Some(What::InputTokens),
                    b"output_tokens" => Some(What::OutputTokens),
                    _ => None,
                };
            }
            b"limit" => limit = duration::count(value.bytes()),
            b"remaining" => remaining = duration::count(value.bytes()),
            b"reset_seconds" => reset = duration::seconds(value.bytes()),
            _ => {}
        }
    }
    if let Some(what) = what {
        standings.add(what, [limit, remaining], reset);
    }
}
