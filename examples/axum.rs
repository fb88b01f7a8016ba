//! A web service for several tenants, each within its own limit and all within that of the account:
//! interactive requests go first, batches take the rest, and a request whose wait would be too long
//! is answered at once by 503 and `Retry-After`. `/metrics` is for Prometheus, and `/status` for
//! people. `/tokens` changes the limit, and `/stop` ends the service without cutting off a call.
//!
//!     cargo run --example axum                    # serves, calls itself for a while, and ends
//!     cargo run --example axum 127.0.0.1:3000     # serves until it is stopped

use std::env;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use openlimit::{AcquireError, Keyed, Priority, Rate, RateLimiter, limiter, rate_limited};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

limiter! {
    /// What the account allows. All tenants and both kinds of traffic share it.
    static CHAT: RateLimiter = {
        requests: 600 / minute,
        tokens: 60_000 / minute,
        max_waiting: 1_000,
        on_wait: |waiting| eprintln!("{waiting}"),
        name: "chat",
    };

    /// What each tenant may use of it.
    static TENANTS: Keyed<String, RateLimiter> = {
        tokens: 30_000 / minute,
        max_keys: 10_000,
        name: "tenants",
    };
}

/// Ends the service.
static STOP: Notify = Notify::const_new();

/// Somebody waits for the answer: it goes first, and fails fast.
#[rate_limited(
    limiter = (TENANTS.of(tenant), CHAT),
    cost = 500,
    priority = Priority::High,
    timeout = Duration::from_millis(1_500)
)]
async fn interactive(tenant: &str, prompt: &str) -> Result<String, AcquireError> {
    Ok(model(prompt).await)
}

/// Nobody waits: it takes what is left, and may take long.
#[rate_limited(
    limiter = (TENANTS.of(tenant), CHAT),
    cost = 500,
    priority = Priority::Low,
    timeout = Duration::from_secs(60)
)]
async fn batch(tenant: &str, prompt: &str) -> Result<String, AcquireError> {
    Ok(model(prompt).await)
}

/// Stands for the call of the API.
async fn model(prompt: &str) -> String {
    tokio::time::sleep(Duration::from_millis(50)).await;
    format!("an answer to {prompt:?}")
}

/// A call that the limiter refused, as a response.
struct Refused(AcquireError);

impl From<AcquireError> for Refused {
    fn from(error: AcquireError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        // Whole seconds, rounded up.
        let seconds = self.0.retry_after().map(|wait| wait.as_millis().div_ceil(1_000).max(1).to_string());
        let status = match &self.0 {
            AcquireError::TooManyInFlight { .. }
            | AcquireError::TooManyKeys { .. }
            | AcquireError::Store { .. }
            | AcquireError::Closed { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ if seconds.is_some() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let retry_after = seconds.map(|seconds| [(RETRY_AFTER, seconds)]);
        (status, retry_after, Json(json!({ "error": self.0.to_string() }))).into_response()
    }
}

async fn chat(Path(tenant): Path<String>, prompt: String) -> Result<String, Refused> {
    Ok(interactive(&tenant, &prompt).await?)
}

/// Answers many prompts at once.
async fn batches(
    Path(tenant): Path<String>,
    Json(prompts): Json<Vec<String>>,
) -> Result<Json<Vec<String>>, Refused> {
    let mut answers = Vec::new();
    for prompt in prompts {
        answers.push(batch(&tenant, &prompt).await?);
    }
    Ok(Json(answers))
}

/// Changes what the account allows. Requests that wait move at once.
async fn tokens(Json(tokens): Json<u64>) -> Result<(), Refused> {
    CHAT.update(|limits| limits.tokens(Rate::per_minute(tokens))).map_err(AcquireError::from)?;
    Ok(())
}

/// Answers the requests that wait by 503, and ends the service when the others are answered.
async fn stop() {
    // Those that wait for a tenant's limit are refused, too.
    drop(CHAT.close());
    STOP.notify_one();
}

/// Gauges are set when they are read. Counters and histograms follow the calls.
async fn metrics(State(prometheus): State<PrometheusHandle>) -> Result<String, Refused> {
    CHAT.status().map_err(AcquireError::from)?.record();
    Ok(prometheus.render())
}

async fn status() -> Result<String, Refused> {
    Ok(format!("{:#}\n", CHAT.status().map_err(AcquireError::from)?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Before the limiter is used, so that its metrics go there.
    let prometheus = PrometheusBuilder::new().with_recommended_naming(true).install_recorder()?;
    CHAT.init()?;
    TENANTS.init()?;
    let app = Router::new()
        .route("/chat/{tenant}", post(chat))
        .route("/batch/{tenant}", post(batches))
        .route("/tokens", put(tokens))
        .route("/stop", post(stop))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(prometheus);
    let given = env::args().nth(1);
    let listener = TcpListener::bind(given.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let address = listener.local_addr()?;
    println!("http://{address}/status");
    let server =
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(STOP.notified()).into_future());
    if given.is_none() {
        show(address).await?;
    }
    Ok(server.await??)
}

/// Calls the service: a batch, then more people of two tenants than the limits have room for in
/// time. Then the account allows more, and at the end a batch still waits.
async fn show(address: SocketAddr) -> anyhow::Result<()> {
    let http = openlimit_examples::http_client()?;
    let url = |path: &str| format!("http://{address}{path}");
    let prompts: Vec<_> = (0..4).map(|number| format!("row {number}")).collect();
    let rows = tokio::spawn(http.post(url("/batch/anna")).json(&prompts).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut people = JoinSet::new();
    for number in 0..8 {
        let tenant = ["anna", "ben"][number % 2];
        people.spawn(http.post(url(&format!("/chat/{tenant}"))).body(format!("question {number}")).send());
    }
    while let Some(response) = people.join_next().await {
        let response = response??;
        let retry = response.headers().get("retry-after").and_then(|after| after.to_str().ok());
        println!(
            "/chat: {}{}",
            response.status(),
            retry.map_or(String::new(), |after| format!(", Retry-After: {after}"))
        );
    }
    println!("\n{}", http.get(url("/status")).send().await?.text().await?);
    let rows: Value = rows.await??.json().await?;
    println!("/batch: {} answers\n", rows.as_array().map_or(0, Vec::len));
    http.put(url("/tokens")).json(&90_000).send().await?.error_for_status()?;
    println!("{}", http.get(url("/status")).send().await?.text().await?);
    let metrics = http.get(url("/metrics")).send().await?.text().await?;
    metrics.lines().filter(|line| line.starts_with("openlimit_")).for_each(|line| println!("{line}"));
    let rows = tokio::spawn(http.post(url("/batch/ben")).json(&prompts).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    http.post(url("/stop")).send().await?;
    let rows = rows.await??;
    println!("\n/batch: {}, {}", rows.status(), rows.text().await?);
    Ok(())
}
