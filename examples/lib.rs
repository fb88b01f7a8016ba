//! Shared by the examples: a minimal client of OpenAI's API, and requests to send.

use std::env;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::Serialize;
use serde_json::{Value, json};

/// The opening of "Alice's Adventures in Wonderland" (1865), which is in the public domain.
const PROSE: &str = include_str!("prose.txt");

/// The longest time for a call, as in OpenAI's own clients.
const LONGEST_CALL: Duration = Duration::from_secs(600);

/// Returns a client of reqwest.
///
/// # Errors
/// The client cannot be built.
pub fn http_client() -> anyhow::Result<Client> {
    // Root certificates and cryptography are compiled in, so an example needs nothing from the
    // machine.
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Client::builder().tls_backend_preconfigured(tls).timeout(LONGEST_CALL).build()?)
}

/// A client of OpenAI's API, or of the provider inside an example.
pub struct Api {
    http: Client,
    url: String,
    key: String,
}

impl Api {
    /// Creates a client of the API at `url`, such as `https://api.openai.com/v1`.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(url: String, key: String) -> anyhow::Result<Self> {
        let http = http_client()?;
        Ok(Self { http, url, key })
    }

    /// Creates a client from `OPENAI_API_KEY` and `OPENAI_BASE_URL`. Returns `None` without a key.
    ///
    /// # Errors
    /// Those of [`Api::new`].
    pub fn from_env() -> anyhow::Result<Option<Self>> {
        let Some(key) = env::var("OPENAI_API_KEY").ok().filter(|key| !key.trim().is_empty()) else {
            return Ok(None);
        };
        let url = env::var("OPENAI_BASE_URL").unwrap_or_else(|_| "https://api.openai.com/v1".to_owned());
        Ok(Some(Self::new(url.trim_end_matches('/').to_owned(), key.trim().to_owned())?))
    }

    /// Sends a chat request, and returns the response, whatever its status.
    ///
    /// # Errors
    /// There is no response.
    pub async fn chat(&self, params: &impl Serialize) -> reqwest::Result<Response> {
        let url = format!("{}/chat/completions", self.url);
        self.http.post(url).bearer_auth(&self.key).json(params).send().await
    }
}

/// Leaves out the key.
impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Returns the chat request of this number: some prose, of 20 to 2 000 tokens. Small requests are
/// more frequent than large ones.
#[must_use]
pub fn request(number: usize, model: &str) -> Value {
    // Multiples of the golden ratio are spread evenly, for any number of requests.
    let spread = (number as f64 * 0.618_034).fract();
    let words = (12.0 * 120_f64.powf(spread)) as usize;
    let prose: Vec<&str> = PROSE.split_whitespace().cycle().skip(number * 31).take(words).collect();
    json!({
        "model": model,
        "messages": [{ "role": "user", "content": format!("Continue: {}", prose.join(" ")) }],
        "max_completion_tokens": 64,
    })
}
