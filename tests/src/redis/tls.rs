//! Certificates for a server that speaks TLS. The `openssl` program creates them on demand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of an authority and of a certificate that it signed, for `localhost` and
/// 127.0.0.1.
#[derive(Debug)]
pub(super) struct Certificates<'a>(pub(super) &'a Path);

impl Certificates<'_> {
    /// Creates the certificates.
    ///
    /// # Panics
    /// If there is no `openssl`, or it fails.
    pub(super) fn make(&self) {
        if self.authority().exists() {
            return;
        }
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        fs::write(self.0.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
            .expect("it can be written");
        self.openssl(&[
            &["req", "-x509", "-days", "2", "-subj", "/CN=authority"],
            &key[..],
            &["-keyout", "ca.key", "-out", "ca.pem"],
        ]);
        self.openssl(&[
            &["req", "-new", "-subj", "/CN=localhost"],
            &key[..],
            &["-keyout", "server.key", "-out", "server.csr"],
        ]);
        self.openssl(&[
            &["x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"],
            &["-CAcreateserial", "-extfile", "names", "-out", "server.pem"],
        ]);
    }

    /// Returns the path of the authority's certificate.
    pub(super) fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// Returns the lines of a server's configuration.
    pub(super) fn configuration(&self, port: u16) -> Vec<String> {
        let directory = self.0.display();
        vec![
            format!("tls-port {port}"),
            format!("tls-cert-file {directory}/server.pem"),
            format!("tls-key-file {directory}/server.key"),
            format!("tls-ca-cert-file {directory}/ca.pem"),
            "tls-auth-clients no".to_owned(),
        ]
    }

    fn openssl(&self, arguments: &[&[&str]]) {
        let output = Command::new("openssl").args(arguments.concat()).current_dir(self.0).output();
        let output = output.expect("openssl, which `bash tests/run.sh` installs on Debian");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }
}
