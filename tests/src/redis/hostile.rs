//! A server that speaks Redis' protocol and replies to scripts with whatever a test wants.
//!
//! It reads commands as Redis does, so a client gets as far as its first batch. It accepts every
//! other command, so the setup of a connection succeeds.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::port;

/// A hostile server. It runs until the test ends.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
}

/// Writes the reply to one command, which it gets without its arguments.
type Reply = dyn Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync;

impl Hostile {
    /// Starts a server that replies to a script by `reply`.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn to_scripts(reply: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::to_all(move |command, stream| match command {
            "EVALSHA" | "EVAL" => reply(stream),
            other => accept(other, stream),
        })
    }

    /// Starts a server that replies to every command by `reply`.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn to_all(reply: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = std::iter::repeat_with(|| TcpListener::bind((Ipv4Addr::LOCALHOST, port::free())))
            .take(20)
            .find_map(Result::ok)
            .expect("a free port on the loopback interface");
        let address = listener.local_addr().expect("it is bound");
        let reply: Arc<Reply> = Arc::new(reply);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let reply = Arc::clone(&reply);
                // It ends with the connection.
                thread::spawn(move || serve(stream, &*reply));
            }
        });
        Self { address }
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Returns the address at which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Replies to any command but a script as a server does that accepts it.
///
/// # Errors
/// If the stream was closed.
pub fn accept(command: &str, stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(match command {
        "HELLO" => b"%1\r\n+proto\r\n:3\r\n",
        "SUBSCRIBE" => b">3\r\n+subscribe\r\n+openlimit:holds\r\n:1\r\n",
        _ => b"+OK\r\n",
    })
}

/// Returns the bytes of a reply of the script for one limit: fields and decisions as
/// `openlimit/src/backend/redis/wire.rs` has them, as one string of the protocol.
#[must_use]
pub fn decided(fields: [f64; 16], calls: &[(f64, u8)]) -> Vec<u8> {
    let mut bytes: Vec<u8> = fields.into_iter().flat_map(f64::to_le_bytes).collect();
    for (wait, mark) in calls {
        bytes.extend(wait.to_le_bytes());
        bytes.push(*mark);
    }
    // The pace: as declared.
    bytes.extend([0; 4 * 8]);
    let mut reply = format!("${}\r\n", bytes.len()).into_bytes();
    reply.extend(bytes);
    reply.extend(b"\r\n");
    reply
}

/// Serves one connection until either side closes it.
fn serve(mut stream: TcpStream, reply: &Reply) -> io::Result<()> {
    let mut commands = BufReader::new(stream.try_clone()?);
    loop {
        let parts = length(&mut commands, '*')?;
        let name = part(&mut commands)?;
        for _ in 1..parts {
            part(&mut commands)?;
        }
        reply(&String::from_utf8_lossy(&name).to_uppercase(), &mut stream)?;
    }
}

/// Reads one part of a command.
fn part(commands: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut part = vec![0; length(commands, '$')?];
    commands.read_exact(&mut part)?;
    commands.read_exact(&mut [0; 2])?;
    Ok(part)
}

/// Reads a line that says how long the next thing is.
fn length(commands: &mut BufReader<TcpStream>, kind: char) -> io::Result<usize> {
    let mut line = String::new();
    commands.read_line(&mut line)?;
    let length = line.trim_end().strip_prefix(kind).and_then(|length| length.parse().ok());
    length.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
