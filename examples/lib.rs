//! What the examples share: a client of OpenAI's API as small as can be.

use std::sync::Arc;

use reqwest::{Client, Response};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::Serialize;

/// An API to send to: OpenAI's, or the provider inside an example.
#[derive(Debug)]
pub struct Api {
    http: Client,
    url: String,
    key: String,
}

impl Api {
    /// The API at `url`, such as `https://api.openai.com/v1`.
    ///
    /// # Errors
    /// If there is no client to be had.
    pub fn new(url: String, key: String) -> anyhow::Result<Self> {
        // Roots and cryptography are compiled in, so that an example asks nothing of the machine it runs on.
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = Client::builder().tls_backend_preconfigured(tls).build()?;
        Ok(Self { http, url, key })
    }

    /// Sends a chat request, and returns whatever comes back.
    ///
    /// # Errors
    /// If nothing comes back.
    pub async fn chat(&self, params: &impl Serialize) -> reqwest::Result<Response> {
        let url = format!("{}/chat/completions", self.url);
        self.http.post(url).bearer_auth(&self.key).json(params).send().await
    }
}
