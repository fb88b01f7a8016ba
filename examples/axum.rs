//! A web service on one limit: interactive requests go first, batches take the rest, and a request
//! whose wait would be too long is answered at once by 503 and `Retry-After`. `/metrics` is for
//! Prometheus, and `/status` for people.
//!
//!     cargo run --example axum                    # serves, calls itself for a while, and ends
//!     cargo run --example axum 127.0.0.1:3000     # serves until it is stopped

use std::env;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use openlimit::{AcquireError, Priority, RateLimiter, limiter, rate_limited};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

limiter! {
    /// What the account allows. Both kinds of traffic share it.
    static CHAT: RateLimiter = {
        requests: 600 / minute,
        tokens: 60_000 / minute,
        max_waiting: 1_000,
        on_wait: |waiting| eprintln!("{waiting}"),
        name: "chat",
    };
}

/// Somebody waits for the answer: it goes first, and fails fast.
#[rate_limited(limiter = CHAT, cost = 500, priority = Priority::High, timeout = Duration::from_millis(1_500))]
async fn interactive(prompt: &str) -> Result<String, AcquireError> {
    Ok(model(prompt).await)
}

/// Nobody waits: it takes what is left, and may take long.
#[rate_limited(limiter = CHAT, cost = 500, priority = Priority::Low, timeout = Duration::from_secs(60))]
async fn batch(prompt: &str) -> Result<String, AcquireError> {
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
        let body = Json(json!({ "error": self.0.to_string() }));
        match self.0.retry_after() {
            // Whole seconds, rounded up.
            Some(wait) => {
                let seconds = wait.as_millis().div_ceil(1_000).max(1).to_string();
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)], body).into_response()
            }
            None => (StatusCode::INTERNAL_SERVER_ERROR, body).into_response(),
        }
    }
}

async fn chat(prompt: String) -> Result<String, Refused> {
    Ok(interactive(&prompt).await?)
}

/// Answers many prompts at once.
async fn batches(Json(prompts): Json<Vec<String>>) -> Result<Json<Vec<String>>, Refused> {
    let mut answers = Vec::new();
    for prompt in prompts {
        answers.push(batch(&prompt).await?);
    }
    Ok(Json(answers))
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
    let app = Router::new()
        .route("/chat", post(chat))
        .route("/batch", post(batches))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(prometheus);
    let given = env::args().nth(1);
    let listener = TcpListener::bind(given.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let address = listener.local_addr()?;
    println!("http://{address}/status");
    let server = axum::serve(listener, app).into_future();
    match given {
        Some(_) => Ok(server.await?),
        None => tokio::select! {
            served = server => Ok(served?),
            shown = show(address) => shown,
        },
    }
}

/// Calls the service: a batch, then more people than the limit has room for in time.
async fn show(address: SocketAddr) -> anyhow::Result<()> {
    let http = openlimit_examples::http_client()?;
    let url = |path: &str| format!("http://{address}{path}");
    let prompts: Vec<_> = (0..4).map(|number| format!("row {number}")).collect();
    let rows = tokio::spawn(http.post(url("/batch")).json(&prompts).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut people = JoinSet::new();
    for number in 0..8 {
        people.spawn(http.post(url("/chat")).body(format!("question {number}")).send());
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
    let metrics = http.get(url("/metrics")).send().await?.text().await?;
    metrics.lines().filter(|line| line.starts_with("openlimit_")).for_each(|line| println!("{line}"));
    Ok(())
}
