//! `Server`: the network's side, on a thread with a small runtime of its own.
//!
//! So it serves programs without a runtime, is not stopped by a test's paused clock, and reads every call the
//! moment it comes, however busy the program under test is. Its end is the end of its runtime, which drops every
//! connection wherever it stands: an idle keep-alive connection or a client that never finishes holds nothing up.

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

use super::Arrival;
use super::answer::Answer;
use super::complaint::Complaint;
use super::judge::{Call, Judge};
use super::ledger::Ledger;
use super::reply::Reply;
use super::request::Endpoint;

/// The largest body: some millions of tokens, more than any model takes.
const LARGEST_BODY: usize = 16 << 20;

/// The two threads, which end when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<Infallible>>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(judge: Judge, key: Option<String>) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel();
        let (calls, to_judge) = mpsc::channel();
        let door = Arc::new(Door { key, calls, ledger: Arc::clone(&judge.ledger) });

        // A runtime must not be dropped inside another one, which this may well be called in. So it is made,
        // used and dropped on its own thread.
        let (report, reported) = mpsc::channel();
        let network =
            thread::Builder::new().name("openlimit-provider".into()).spawn(move || match open() {
                Ok((runtime, listener)) => {
                    let _ = report.send(listener.local_addr());
                    runtime.spawn(accept(listener, door));
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => drop(report.send(Err(error))),
            })?;
        // From here on dropping the server stops what has been started.
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

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.stop.take());
        // A thread that panicked (in the user's `latency_with`) has said so already.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn open() -> io::Result<(Runtime, TcpListener)> {
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    Ok((runtime, listener))
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&door)))),
            // Out of file descriptors, most likely: others must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(stream: TcpStream, door: Arc<Door>) {
    // Replies are small and complete: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    // Its errors are the client's: it hung up, or spoke something that is not HTTP and was told so.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// What every call passes on its way to the judge.
struct Door {
    key: Option<String>,
    calls: mpsc::Sender<Call>,
    ledger: Arc<Mutex<Ledger>>,
}

impl Door {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = Box::from(request.uri().path());
        let reply = match self.look(&request) {
            Ok(Some(endpoint)) => match read(request.into_body()).await {
                Ok(body) => self.judged(endpoint, path, body).await,
                Err(complaint) => self.recorded(path, complaint.into()),
            },
            Ok(None) => self.recorded(path, Answer::models().into()),
            Err(complaint) => self.recorded(path, complaint.into()),
        };
        reply.into_response()
    }

    /// What is asked for: a limited operation, or the list of models.
    fn look(&self, request: &Request<Incoming>) -> Result<Option<Endpoint>, Complaint> {
        let (method, path) = (request.method(), request.uri().path());
        let endpoint = Endpoint::of(path);
        if endpoint.is_none() && path != "/v1/models" {
            return Err(Complaint::no_such_path(method.as_str(), path));
        }
        let only = if endpoint.is_some() { "POST" } else { "GET" };
        if method != only {
            return Err(Complaint::wrong_method(method.as_str(), path, only));
        }
        if let Some(key) = &self.key {
            let given = request.headers().get(AUTHORIZATION).ok_or_else(Complaint::no_key)?;
            if given.as_bytes().strip_prefix(b"Bearer ") != Some(key.as_bytes()) {
                return Err(Complaint::wrong_key());
            }
        }
        Ok(endpoint)
    }

    async fn judged(&self, endpoint: Endpoint, path: Box<str>, body: Bytes) -> Reply {
        let (reply, replied) = oneshot::channel();
        // Nothing comes between these two lines, so the judge sees the calls in the order of their times.
        let call = Call { at: Instant::now(), endpoint, path, body, reply };
        let _ = self.calls.send(call);
        // Without a judge (its thread panicked) there is no reply.
        let reply = replied.await.unwrap_or_else(|_| Complaint::server_error().into());
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        let (charged, used) = reply.correction;
        if charged != used {
            self.ledger.lock().correct(Instant::now(), charged, used);
        }
        reply
    }

    /// A reply that needs no judging, and costs nothing.
    fn recorded(&self, path: Box<str>, reply: Reply) -> Reply {
        let status = reply.status.as_u16();
        self.ledger.lock().record(Arrival { at: Instant::now(), path, status, tokens: 0 });
        reply
    }
}

async fn read(body: Incoming) -> Result<Bytes, Complaint> {
    if body.size_hint().lower() > LARGEST_BODY as u64 {
        return Err(Complaint::oversized(LARGEST_BODY));
    }
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Complaint::oversized(LARGEST_BODY)),
        Err(_) => Err(Complaint::cut_short()),
    }
}
