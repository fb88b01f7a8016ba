//! TLS: which certificates are trusted, and the handshake.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::load_native_certs;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Performs the handshake over a connection to `host`. Trusts the authorities of `pem`, or those of
/// the system.
pub(super) async fn over(
    stream: TcpStream,
    host: &str,
    pem: Option<&[u8]>,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let trusted = match pem {
        Some(pem) => authorities(pem).unwrap_or_else(RootCertStore::empty),
        None => of_the_system()?,
    };
    // The program may have installed a provider of cryptography. If not, none is installed for it.
    let installed = CryptoProvider::get_default().map(Arc::clone);
    let provider = installed.unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?.with_root_certificates(trusted).with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Returns the certificates in a text of PEM. `None` unless there is at least one, and all are
/// valid.
pub(super) fn authorities(pem: &[u8]) -> Option<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        store.add(certificate.ok()?).ok()?;
    }
    Some(store).filter(|store| !store.is_empty())
}

/// Returns true if a handshake failed for a reason that will not pass.
pub(super) fn is_lasting(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| {
        inner.is::<rustls::Error>()
            || inner.is::<rustls_native_certs::Error>()
            || inner.is::<InvalidDnsNameError>()
    })
}

/// Returns the certificates that the system trusts.
fn of_the_system() -> io::Result<RootCertStore> {
    let mut found = load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    match found.errors.pop() {
        Some(error) if store.is_empty() => Err(io::Error::other(error)),
        _ => Ok(store),
    }
}
