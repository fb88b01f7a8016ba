//! `Caller`: makes one call, as often as it takes.

use std::time::Duration;

use openlimit::feedback::{Observation, Verdict};
use openlimit::{AcquireError, ChatRateLimiter};
use openlimit_examples::Api;
use serde_json::Value;
use tokio::time::sleep;

#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) limiter: ChatRateLimiter,
    pub(crate) api: Api,
}

/// What became of a row.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered(Value),
    /// It will not be answered, for this reason.
    Failed(String),
    /// No row can be answered any more, for this reason.
    Stopped(String),
}

/// The tries after errors that have nothing to do with limits, and the pause before the second one.
/// Each pause is twice as long as the one before.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

impl Caller {
    /// Returns the answer to a row.
    pub(crate) async fn answer(&self, row: &[u8]) -> Outcome {
        let request: Value = match serde_json::from_slice(row) {
            Ok(request) => request,
            Err(error) => return Outcome::Failed(format!("the row is no JSON: {error}")),
        };
        let mut tries = 0;
        loop {
            // Waits for its turn, also at the end of a hold.
            let permit = match self.limiter.acquire(&request).await {
                Ok(permit) => permit,
                Err(error @ (AcquireError::TooLarge { .. } | AcquireError::Params { .. })) => {
                    return Outcome::Failed(error.to_string());
                }
                Err(error) => return Outcome::Stopped(error.to_string()),
            };
            let problem = match self.send(&request).await {
                // It may have been sent, so the permit is dropped, and what it reserved stays.
                Err(error) => format!("the call failed: {error}"),
                Ok((response, body)) => match (permit.responded(&response), response.status()) {
                    (Verdict::Retry { .. } | Verdict::SlowDown { .. }, _) => continue,
                    (Verdict::Exhausted { .. }, _) => {
                        return Outcome::Stopped("the provider says that the quota is used up".to_owned());
                    }
                    (_, 200) => match serde_json::from_slice(&body) {
                        Ok(reply) => return Outcome::Answered(reply),
                        Err(error) => format!("the reply is no JSON: {error}"),
                    },
                    (_, status @ (408 | 409 | 500..)) => {
                        format!("the provider answered with status {status}")
                    }
                    (_, status) => {
                        let body = String::from_utf8_lossy(&body);
                        return Outcome::Failed(format!(
                            "the provider answered with status {status}: {body}"
                        ));
                    }
                },
            };
            tries += 1;
            if tries == TRIES {
                return Outcome::Failed(problem);
            }
            sleep(FIRST_PAUSE * 2_u32.pow(tries - 1)).await;
        }
    }

    async fn send(&self, request: &Value) -> reqwest::Result<(Observation, Vec<u8>)> {
        let response = self.api.chat(request).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?;
        let headers = headers.iter().map(|(name, value)| (name, value.as_bytes()));
        Ok((Observation::from_parts(status, headers, &body), body.into()))
    }
}
