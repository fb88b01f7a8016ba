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

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

use super::account::AccountState;
use super::answer::Answer;
use super::arrival::Arrival;
use super::error_reply::ErrorReply;
use super::judge::{Judge, PendingCall};
use super::reply::HttpReply;
use super::request::Endpoint;

/// The largest body in bytes: 16 MiB are some millions of tokens, more than any model accepts.
const LARGEST_BODY: usize = 16 << 20;

/// The threads of the server and of the judge. They end when this is dropped.
#[derive(Debug)]
pub(super) struct HttpServer {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<Infallible>>,
    threads: Vec<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts both threads. `key` is the API key that calls must send, if any.
    pub(super) fn start(judge: Judge, key: Option<String>) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel();
        let (calls, to_judge) = mpsc::channel();
        let gate = Arc::new(Gate { key, calls, account: Arc::clone(&judge.account) });

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
        let judge = thread::Builder::new()
            .name("openlimit-judge".into())
            .spawn(move || judge.run(&to_judge, &stopping))?;
        server.threads.push(judge);
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
    key: Option<String>,
    calls: mpsc::Sender<PendingCall>,
    account: Arc<Mutex<AccountState>>,
}

impl Gate {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = Box::from(request.uri().path());
        let reply = match self.check(&request) {
            Ok(Some(endpoint)) => match read(request.into_body()).await {
                Ok(body) => self.judged(endpoint, path, body).await,
                Err(error) => self.recorded(path, error.into()),
            },
            Ok(None) => self.recorded(path, Answer::models().into()),
            Err(error) => self.recorded(path, error.into()),
        };
        reply.into_response()
    }

    /// Checks the path, the method and the key. Returns the operation; `None` for the list of
    /// models.
    fn check(&self, request: &Request<Incoming>) -> Result<Option<Endpoint>, ErrorReply> {
        let (method, path) = (request.method(), request.uri().path());
        let endpoint = Endpoint::of(path);
        if endpoint.is_none() && path != "/v1/models" {
            return Err(ErrorReply::no_such_path(method.as_str(), path));
        }
        let only = if endpoint.is_some() { "POST" } else { "GET" };
        if method != only {
            return Err(ErrorReply::wrong_method(method.as_str(), path, only));
        }
        if let Some(key) = &self.key {
            let given = request.headers().get(AUTHORIZATION).ok_or_else(ErrorReply::no_key)?;
            if given.as_bytes().strip_prefix(b"Bearer ") != Some(key.as_bytes()) {
                return Err(ErrorReply::wrong_key());
            }
        }
        Ok(endpoint)
    }

    /// Reads the time, has the call decided, and waits for the moment to reply.
    async fn judged(&self, endpoint: Endpoint, path: Box<str>, body: Bytes) -> HttpReply {
        let (reply, replied) = oneshot::channel();
        // This thread reads all calls and does nothing between these two lines. So the judge
        // receives the calls in the order of their times.
        let call = PendingCall { at: Instant::now(), endpoint, path, body, reply };
        let _ = self.calls.send(call);
        // If the judge's thread panicked, there is no reply.
        let reply = replied.await.unwrap_or_else(|_| ErrorReply::server_error().into());
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        let (charged, used) = reply.correction;
        if charged != used {
            self.account.lock().correct(Instant::now(), charged, used);
        }
        reply
    }

    /// Records a call that needs no decision and is not charged.
    fn recorded(&self, path: Box<str>, reply: HttpReply) -> HttpReply {
        let status = reply.status.as_u16();
        self.account.lock().record(Arrival { at: Instant::now(), path, status, tokens: 0 });
        reply
    }
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
