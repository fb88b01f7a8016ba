//! `HttpServer`: the network side of the provider.
//!
//! It runs on a thread with a small runtime of its own. So it serves programs without a runtime, a
//! paused clock does not stop it, and it reads each call as soon as it arrives. It ends by dropping
//! its runtime, which closes every connection, so idle clients and clients that never finish a
//! request cannot delay the end.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

use super::body::SentBody;
use super::error_reply::ErrorReply;
use super::judge::{PendingCall, judge};
use super::model::ProviderModel;
use super::reply::ProviderReply;
use super::request::LARGEST_BODY;
use super::route::Route;

/// The threads of the server and of the judge. They end when this is dropped.
#[derive(Debug)]
pub(super) struct HttpServer {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<Infallible>>,
    threads: Vec<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts both threads.
    pub(super) fn start(model: Arc<ProviderModel>) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel();
        let (calls, to_judge) = mpsc::channel();
        let gate = Arc::new(Gate { calls, model: Arc::clone(&model) });

        // A runtime must not be dropped inside another runtime, and the caller may be in one. So it
        // is created, used and dropped on its own thread.
        let (report, reported) = mpsc::channel();
        let network =
            thread::Builder::new().name("openlimit-provider".into()).spawn(move || match open() {
                Ok((runtime, listener)) => {
                    let _ = report.send(listener.local_addr());
                    runtime.spawn(accept(listener, gate));
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => drop(report.send(Err(error))),
            })?;
        // From here on, dropping `server` stops whatever was started.
        let mut server = Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            stopping: Arc::clone(&stopping),
            stop: Some(stop),
            threads: vec![network],
        };
        server.address = reported.recv().map_err(io::Error::other)??;
        let decides = thread::Builder::new()
            .name("openlimit-judge".into())
            .spawn(move || judge(&model, &to_judge, &stopping))?;
        server.threads.push(decides);
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.stop.take());
        // If a thread panicked (in the user's `latency_with`), the panic was printed already.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Creates the runtime, and listens on a free port.
fn open() -> io::Result<(Runtime, TcpListener)> {
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    Ok((runtime, listener))
}

/// Accepts connections for ever.
async fn accept(listener: TcpListener, gate: Arc<Gate>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&gate)))),
            // Most likely there are no file descriptors left. Wait until other connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves one connection.
async fn serve(stream: TcpStream, gate: Arc<Gate>) {
    // Replies are small and complete. Waiting for more data to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let gate = Arc::clone(&gate);
        async move { Ok::<_, Infallible>(gate.answer(request).await) }
    });
    // An error here is the client's: it hung up, or sent something that is not HTTP.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Checks each call and passes it to the judge.
struct Gate {
    calls: mpsc::Sender<PendingCall>,
    model: Arc<ProviderModel>,
}

impl Gate {
    async fn answer(&self, request: Request<Incoming>) -> Response<SentBody> {
        let path = Box::from(request.uri().path());
        let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
        let reply = match self.model.route(request.method().as_str(), request.uri().path(), header) {
            Ok(Some(route)) => match read(request.into_body()).await {
                Ok(body) => self.judged(route, path, body).await,
                Err(error) => self.model.failed(path, &error),
            },
            Ok(None) => self.model.models(path),
            Err(error) => self.model.failed(path, &error),
        };
        response(&reply)
    }

    /// Reads the time, has the call decided, and waits for the moment to reply.
    async fn judged(&self, route: Route, path: Box<str>, body: Bytes) -> ProviderReply {
        let (reply, replied) = oneshot::channel();
        // This thread reads all calls and does nothing between these two lines. So the judge
        // receives the calls in the order of their times.
        let call = PendingCall { at: Instant::now(), route, path, body, reply };
        let _ = self.calls.send(call);
        // If the judge's thread panicked, there is no reply.
        let Ok(reply) = replied.await else {
            return ProviderReply::error(&ErrorReply::server_error(), self.model.dialect());
        };
        if !reply.head_after().is_zero() {
            tokio::time::sleep(reply.head_after()).await;
        }
        reply
    }
}

/// Returns the reply as it goes through the network.
fn response(reply: &ProviderReply) -> Response<SentBody> {
    let body = Bytes::copy_from_slice(reply.body());
    let after = reply.body_after().saturating_sub(reply.head_after());
    let mut response = Response::new(SentBody::new(body, after, reply.is_cut()));
    *response.status_mut() =
        StatusCode::from_u16(reply.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers() {
        // The names and values come from this module and are always valid.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Reads a body.
async fn read(body: Incoming) -> Result<Bytes, ErrorReply> {
    if body.size_hint().lower() > LARGEST_BODY as u64 {
        return Err(ErrorReply::oversized(LARGEST_BODY));
    }
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ErrorReply::oversized(LARGEST_BODY)),
        Err(_) => Err(ErrorReply::cut_short()),
    }
}
