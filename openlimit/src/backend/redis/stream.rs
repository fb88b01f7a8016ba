//! Opens the stream to a server: TCP, TLS over TCP, or a unix socket.
//!
//! The `redis` crate can open them, too. But then it also reads them, and a reply that never ends
//! could not be cut off (see `capped`).

use std::io;

use ::redis::ConnectionAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::access::Access;
use super::tls;

/// A stream of bytes to a server and back.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Opens a stream to the server.
pub(super) async fn open(access: &Access) -> io::Result<Box<dyn Stream>> {
    Ok(match access.info().addr() {
        ConnectionAddr::Tcp(host, port) => Box::new(tcp(host, *port).await?),
        ConnectionAddr::TcpTls { host, port, .. } => {
            let authorities = access.root_certificates.as_deref();
            Box::new(tls::over(tcp(host, *port).await?, host, authorities).await?)
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    })
}

/// Connects to all addresses of a host at the same time, and returns the first connection. So an
/// address that does not reply costs no time.
async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for address in lookup_host((host, port)).await? {
        attempts.spawn(TcpStream::connect(address));
    }
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt.unwrap_or_else(|panic| Err(panic.into())) {
            Ok(stream) => {
                // A batch is one small write, which must not wait for another.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(failed) => error = failed,
        }
    }
    Err(error)
}
