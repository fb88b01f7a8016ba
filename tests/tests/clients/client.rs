//! The real clients, behind one trait: each sends a request through an optional layer.

use std::error::Error;
use std::time::Duration;

use ::async_openai::error::OpenAIError;
use ::async_openai::middleware::{HttpRequestFactory, ReqwestService};
use ::tower::{Layer, Service, ServiceExt};
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use openlimit::clients::LimitLayer;
use reqwest_middleware::ClientBuilder;

/// A response, as the program sees it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body, or the error of reading it.
    pub(crate) body: Result<String, String>,
}

/// The error of a client.
pub(crate) type ClientError = Box<dyn Error + Send + Sync>;

/// A request: its method, its URL, its content type and its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a str,
}

/// A client, which makes an agent of its own for each request, so that no connection is shared.
pub(crate) trait Client: Sync {
    fn send(&self, layer: Option<LimitLayer>, request: Request<'_>) -> Result<Reply, ClientError>;

    /// Sends a request, and passes the body to `read` piece by piece. Returns when that returns
    /// false, or at the end.
    fn stream(&self, layer: LimitLayer, request: Request<'_>, read: &mut dyn FnMut(&[u8]) -> bool);
}

/// The time within which every request of a test is answered, unless it hangs.
const LIMIT: Duration = Duration::from_secs(20);

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, future).await.expect("it hangs") })
}

/// Returns a client of reqwest. Other packages of the workspace build reqwest with a TLS that asks
/// for a provider of cryptography, although nothing here is encrypted.
pub(crate) fn http_client() -> ::reqwest::Client {
    // It may be installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ::reqwest::Client::new()
}

fn reqwest_request(request: Request<'_>) -> ::reqwest::Request {
    let client = http_client();
    let method = request.method.parse().unwrap();
    let builder = client.request(method, request.url).header("content-type", request.content_type);
    builder.header("x-marker", "kept").body(request.body.to_owned()).build().unwrap()
}

async fn reqwest_reply(response: ::reqwest::Response) -> Reply {
    Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.map_err(|error| error.to_string()),
    }
}

async fn reqwest_pieces(mut response: ::reqwest::Response, read: &mut dyn FnMut(&[u8]) -> bool) {
    while let Some(piece) = response.chunk().await.unwrap() {
        if !read(&piece) {
            return;
        }
    }
}

pub(crate) struct Reqwest;

impl Reqwest {
    async fn response(
        layer: Option<LimitLayer>,
        request: Request<'_>,
    ) -> Result<::reqwest::Response, ClientError> {
        let builder = ClientBuilder::new(http_client());
        let client = match layer {
            Some(layer) => builder.with(layer).build(),
            None => builder.build(),
        };
        Ok(client.execute(reqwest_request(request)).await?)
    }
}

impl Client for Reqwest {
    fn send(&self, layer: Option<LimitLayer>, request: Request<'_>) -> Result<Reply, ClientError> {
        run(async { Ok(reqwest_reply(Self::response(layer, request).await?).await) })
    }

    fn stream(&self, layer: LimitLayer, request: Request<'_>, read: &mut dyn FnMut(&[u8]) -> bool) {
        run(async { reqwest_pieces(Self::response(Some(layer), request).await.unwrap(), read).await });
    }
}

/// async-openai's service, without the client that reads its responses.
pub(crate) struct AsyncOpenAi;

impl AsyncOpenAi {
    async fn response(
        layer: Option<LimitLayer>,
        request: Request<'_>,
    ) -> Result<::reqwest::Response, OpenAIError> {
        let request = reqwest_request(request);
        let factory = HttpRequestFactory::new(move || std::future::ready(Ok(request.try_clone().unwrap())));
        let http = ReqwestService::new(http_client());
        match layer {
            Some(layer) => layer.layer(http).oneshot(factory).await,
            None => http.oneshot(factory).await,
        }
    }
}

impl Client for AsyncOpenAi {
    fn send(&self, layer: Option<LimitLayer>, request: Request<'_>) -> Result<Reply, ClientError> {
        run(async { Ok(reqwest_reply(Self::response(layer, request).await?).await) })
    }

    fn stream(&self, layer: LimitLayer, request: Request<'_>, read: &mut dyn FnMut(&[u8]) -> bool) {
        run(async { reqwest_pieces(Self::response(Some(layer), request).await.unwrap(), read).await });
    }
}

/// hyper's client, as a service of tower.
pub(crate) struct Hyper;

type Bytes = Full<::bytes::Bytes>;

impl Hyper {
    fn request(request: Request<'_>) -> http::Request<Bytes> {
        http::Request::builder()
            .method(request.method)
            .uri(request.url)
            .header("content-type", request.content_type)
            .header("x-marker", "kept")
            .body(Full::from(request.body.to_owned()))
            .unwrap()
    }

    async fn reply<B>(response: http::Response<B>) -> Reply
    where
        B: http_body_util::BodyExt,
        B::Error: std::fmt::Display,
    {
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string());
        let body = body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }
}

impl Client for Hyper {
    fn send(&self, layer: Option<LimitLayer>, request: Request<'_>) -> Result<Reply, ClientError> {
        let request = Self::request(request);
        run(async {
            let http = HyperClient::builder(TokioExecutor::new()).build_http::<Bytes>();
            Ok(match layer {
                Some(layer) => Self::reply(layer.layer(http).oneshot(request).await?).await,
                None => Self::reply(http.oneshot(request).await?).await,
            })
        })
    }

    fn stream(&self, layer: LimitLayer, request: Request<'_>, read: &mut dyn FnMut(&[u8]) -> bool) {
        let request = Self::request(request);
        run(async {
            let http = HyperClient::builder(TokioExecutor::new()).build_http::<Bytes>();
            let response = layer.layer(http).ready().await.unwrap().call(request).await.unwrap();
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                if let Some(data) = frame.unwrap().data_ref()
                    && !read(data)
                {
                    return;
                }
            }
        });
    }
}

pub(crate) struct Ureq;

impl Ureq {
    fn response(
        layer: Option<LimitLayer>,
        request: Request<'_>,
    ) -> Result<http::Response<::ureq::Body>, ClientError> {
        let config = ::ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT));
        let config = match layer {
            Some(layer) => config.middleware(layer.http_status_as_error(false)).build(),
            None => config.build(),
        };
        let builder = http::Request::builder()
            .method(request.method)
            .uri(request.url)
            .header("content-type", request.content_type)
            .header("x-marker", "kept");
        Ok(match request.body {
            "" => config.new_agent().run(builder.body(()).unwrap())?,
            body => config.new_agent().run(builder.body(body.to_owned()).unwrap())?,
        })
    }
}

impl Client for Ureq {
    fn send(&self, layer: Option<LimitLayer>, request: Request<'_>) -> Result<Reply, ClientError> {
        let mut response = Self::response(layer, request)?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_string().map_err(|error| error.to_string()),
        })
    }

    fn stream(&self, layer: LimitLayer, request: Request<'_>, read: &mut dyn FnMut(&[u8]) -> bool) {
        let mut reader = Self::response(Some(layer), request).unwrap().into_body().into_reader();
        let mut buffer = [0; 1024];
        loop {
            match std::io::Read::read(&mut reader, &mut buffer).unwrap() {
                0 => return,
                length => {
                    if !read(&buffer[..length]) {
                        return;
                    }
                }
            }
        }
    }
}
