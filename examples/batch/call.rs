//! `Caller`: makes one call, as often as it takes.

use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

use openlimit::feedback::{Observation, Verdict};
use openlimit::{AcquireError, ChatRateLimiter};
use openlimit_examples::Api;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::sleep;

#[derive(Debug)]
pub(crate) struct Caller {
    limiter: ChatRateLimiter,
    api: Api,
    /// Why no row can be answered any more.
    reason: OnceLock<String>,
    /// Has no permits, and is closed when the run stops. So it wakes all calls that wait.
    stop: Semaphore,
}

/// The end of a row.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered(Value),
    /// It will not be answered, for this reason.
    Failed(String),
    /// The run has stopped before the row was answered.
    Stopped,
}

/// The tries after errors that have nothing to do with limits, and the pause before the second one.
/// Each pause is twice as long as the one before.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The refusals of one row after which the run stops: there may be no limit that it fits into.
const MOST_REFUSALS: u32 = 100;

impl Caller {
    pub(crate) fn new(limiter: ChatRateLimiter, api: Api) -> Self {
        Self { limiter, api, reason: OnceLock::new(), stop: Semaphore::new(0) }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_closed()
    }

    /// Returns why the run has stopped.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Stops the run: calls that were sent are still answered, and no others are sent.
    fn stop(&self, reason: impl Display) -> Outcome {
        self.reason.get_or_init(|| reason.to_string());
        self.stop.close();
        Outcome::Stopped
    }

    /// Returns the answer to a row.
    pub(crate) async fn answer(&self, row: &[u8]) -> Outcome {
        let request: Value = match serde_json::from_slice(row) {
            Ok(request) => request,
            Err(error) => return Outcome::Failed(format!("the row is no JSON: {error}")),
        };
        let (mut tries, mut refusals) = (0, 0);
        loop {
            // Waits for its turn, also at the end of a hold.
            let admitted = tokio::select! {
                biased;
                _ = self.stop.acquire() => return Outcome::Stopped,
                admitted = self.limiter.acquire(&request) => admitted,
            };
            let permit = match admitted {
                Ok(permit) => permit,
                Err(error @ (AcquireError::TooLarge { .. } | AcquireError::Params { .. })) => {
                    return Outcome::Failed(error.to_string());
                }
                Err(error) => return self.stop(error),
            };
            let problem = match self.send(&request).await {
                Err(error) if error.is_connect() && tries + 1 == TRIES => {
                    return self.stop(format!("the provider cannot be reached: {error}"));
                }
                // It may have been sent, so the permit is dropped, and what it reserved stays.
                Err(error) => format!("the call failed: {error}"),
                Ok((response, body)) => match (permit.responded(&response), response.status()) {
                    (Verdict::Retry { .. } | Verdict::SlowDown { .. }, _) => {
                        refusals += 1;
                        if refusals == MOST_REFUSALS {
                            return self.stop(format!("the provider refused a row {refusals} times"));
                        }
                        continue;
                    }
                    (Verdict::Exhausted { .. }, _) => {
                        return self.stop("the provider says that the quota is used up");
                    }
                    (_, 200) => {
                        return match serde_json::from_slice(&body) {
                            Ok(reply) => Outcome::Answered(reply),
                            Err(error) => Outcome::Failed(format!("the reply is no JSON: {error}")),
                        };
                    }
                    (_, status @ (408 | 409 | 500..)) => {
                        format!("the provider answered with status {status}")
                    }
                    (_, status) => {
                        let body = String::from_utf8_lossy(&body);
                        let problem = format!("the provider answered with status {status}: {body}");
                        // The key, and not the row, is the problem.
                        let all = matches!(status, 401..=403);
                        return if all { self.stop(problem) } else { Outcome::Failed(problem) };
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
