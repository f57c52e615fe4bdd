//! An authority of one's own with a server and a client certificate, made by the `openssl` program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::TempDir;

/// PEM files of one authority and what it signed.
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Makes an authority, a certificate for 127.0.0.1 and localhost, and one for a client.
    pub fn new() -> Self {
        let certificates = Self { directory: TempDir::new("certificates") };
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let mut authority = vec!["req", "-x509", "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem"];
        authority.extend(["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]);
        authority.extend(new_key);
        certificates.openssl(&authority);
        for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
            let [key, pem, subject] = [format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}")];
            let usage = format!("extendedKeyUsage={usage}");
            let mut leaf = vec!["req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key"];
            leaf.extend(["-subj", &subject, "-keyout", &key, "-out", &pem]);
            leaf.extend(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]);
            leaf.extend(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", &usage]);
            leaf.extend(new_key);
            certificates.openssl(&leaf);
        }
        certificates
    }

    /// Path of `ca.pem`, `server.pem`, `server.key`, `client.pem` or `client.key`.
    pub fn path(&self, name: &str) -> String {
        let path: PathBuf = self.directory.path().join(name);
        assert!(path.exists(), "{}", path.display());
        path.display().to_string()
    }

    fn openssl(&self, arguments: &[&str]) {
        let directory: &Path = self.directory.path();
        let output = Command::new("openssl").args(arguments).current_dir(directory).output();
        let output = output.expect("these tests need the program openssl (Debian and Ubuntu: package openssl)");
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
