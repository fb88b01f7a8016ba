//! reqwest over HTTP/2, where a server can refuse a request before it processes it.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use openlimit::clients::{LimitLayer, reqwest_retries};
use openlimit::testing::ManualClock;
use openlimit::{Rate, RateLimiter};
use openlimit_tests::plain;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use super::client::http_client;
use super::reqwest::send;
use super::suite::{PATH, REPLY, available, counting, limiter};

/// The length of what a client sends first.
const PREFACE: usize = 24;

// The types of frames (RFC 9113, section 6), and their flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const NONE: u8 = 0;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The header `:status: 200`, as HPACK has it.
const OK: [u8; 1] = [0x88];

/// How a server refuses a request that it has not processed.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// The stream of the request, by `REFUSED_STREAM`.
    Stream,
    /// The connection, which it shuts down in order.
    Connection,
}

/// A server that refuses the first requests, and answers all others with a reply.
struct Http2Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Http2Server {
    fn start(refused: usize, refusal: Refusal) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        let requests = Arc::<AtomicUsize>::default();
        let seen = Arc::clone(&requests);
        // It ends with the test program, and a connection with its client.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(&mut stream.unwrap(), &seen, refused, refusal));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(client: &mut TcpStream, seen: &AtomicUsize, refused: usize, refusal: Refusal) -> Result<()> {
    client.read_exact(&mut [0; PREFACE])?;
    write(client, SETTINGS, NONE, 0, &[])?;
    loop {
        let (kind, flags, stream) = read(client)?;
        match kind {
            SETTINGS if flags & ACK == 0 => write(client, SETTINGS, ACK, 0, &[])?,
            HEADERS if seen.fetch_add(1, Ordering::SeqCst) >= refused => {
                write(client, HEADERS, END_HEADERS, stream, &OK)?;
                write(client, DATA, END_STREAM, stream, REPLY.as_bytes())?;
            }
            HEADERS => match refusal {
                Refusal::Stream => write(client, RST_STREAM, NONE, stream, &7_u32.to_be_bytes())?,
                // No stream was processed, and there is no error.
                Refusal::Connection => write(client, GOAWAY, NONE, 0, &[0; 8])?,
            },
            _ => {}
        }
    }
}

/// Reads a frame. Returns its type, its flags and its stream.
fn read(client: &mut TcpStream) -> Result<(u8, u8, u32)> {
    let mut head = [0; 9];
    client.read_exact(&mut head)?;
    let [high, middle, low, kind, flags, stream @ ..] = head;
    client.read_exact(&mut vec![0; u32::from_be_bytes([0, high, middle, low]) as usize])?;
    Ok((kind, flags, u32::from_be_bytes(stream)))
}

fn write(client: &mut TcpStream, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<()> {
    let [_, high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&[high, middle, low, kind, flags][..], &stream.to_be_bytes()].concat();
    client.write_all(&[&head, payload].concat())
}

fn client(http: reqwest::ClientBuilder, layer: LimitLayer) -> ClientWithMiddleware {
    // Installs the provider of cryptography.
    drop(http_client());
    let http = http.http2_prior_knowledge().build().unwrap();
    ClientBuilder::new(http).with(layer).build()
}

#[tokio::test]
async fn by_the_policy_each_attempt_that_the_server_refuses_is_counted() {
    for refusal in [Refusal::Stream, Refusal::Connection] {
        for refused in [1, 2] {
            let (limiter, server) = (limiter(), Http2Server::start(refused, refusal));
            let http = reqwest::Client::builder().retry(reqwest_retries());
            let response = send(&client(http, LimitLayer::new(&limiter)), &server.url).await.unwrap();
            assert_eq!(response.text().await.unwrap(), REPLY);
            let charged = 313 * refused as u64 + 21;
            assert_eq!(
                (server.requests(), 1_000 - available(&limiter)),
                (refused + 1, charged),
                "{refusal:?}"
            );
        }
    }
}

#[tokio::test]
async fn by_the_policy_an_attempt_without_room_is_not_sent() {
    let limiter: RateLimiter = plain(&ManualClock::new()).tokens(Rate::per_day(500)).build().unwrap();
    let server = Http2Server::start(1, Refusal::Stream);
    let http = reqwest::Client::builder().retry(reqwest_retries());
    send(&client(http, LimitLayer::new(&limiter)), &server.url).await.unwrap_err();
    assert_eq!((server.requests(), available(&limiter)), (1, 500 - 313));
}

/// The docs say so. If reqwest ever changes this, they can say more.
#[tokio::test]
async fn without_a_policy_what_the_server_refuses_is_sent_twice_more_and_not_counted() {
    for refusal in [Refusal::Stream, Refusal::Connection] {
        for (refused, sent) in [(2, 3), (3, 3)] {
            let (layer, attempts): (_, Arc<Mutex<usize>>) = counting(&limiter());
            let server = Http2Server::start(refused, refusal);
            let response = send(&client(reqwest::Client::builder(), layer), &server.url).await;
            assert_eq!(response.is_ok(), refused < 3, "{refusal:?}: {response:?}");
            assert_eq!((*attempts.lock().unwrap(), server.requests()), (1, sent), "{refusal:?}");
        }
    }
    let server = Http2Server::start(1, Refusal::Stream);
    let http = reqwest::Client::builder().retry(reqwest::retry::never());
    send(&client(http, LimitLayer::new(limiter())), &server.url).await.unwrap_err();
    assert_eq!(server.requests(), 1);
}
