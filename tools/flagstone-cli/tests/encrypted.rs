//! What the doctor says of a Redis behind TLS.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use flagdata::free_port;
use support::{Ran, file, flagstone, wait_until};

struct Encrypted {
    child: Child,
    url: String,
    authority: String,
}

impl Encrypted {
    /// A Redis whose certificate is good for so many days more.
    fn start(days: u32) -> Self {
        let folder = file(&format!("redis-{days}"), "").parent().unwrap().to_owned();
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let days = days.to_string();
        let authority =
            ["req", "-x509", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem", "-days", "900"];
        let leaf = ["req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=server", "-keyout", "key.pem"];
        let leaf_more = [
            "-out",
            "cert.pem",
            "-days",
            &days,
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=CA:FALSE",
        ];
        openssl(&folder, &[&authority[..], &new_key].concat());
        openssl(&folder, &[&leaf[..], &leaf_more, &new_key].concat());
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-auth-clients", "no"]);
        command.args(["--tls-ca-cert-file", "ca.pem"]).current_dir(&folder).stdout(Stdio::null());
        let child = command.spawn().expect("redis-server is needed (package redis-server)");
        let authority = folder.join("ca.pem").display().to_string();
        let encrypted = Self { child, url: format!("rediss://127.0.0.1:{port}"), authority };
        wait_until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        encrypted
    }

    fn doctor(&self, more: &[&str]) -> Ran {
        let authority = format!("redis.tls.ca_file={}", self.authority);
        Ran::of(flagstone().args(["doctor", "--url", &self.url, "-o", &authority]).args(more).output().unwrap())
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output();
    let output = output.expect("openssl is needed (package openssl)");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_doctor_says_how_long_the_certificate_is_good_for() {
    let long = Encrypted::start(400).doctor(&[]);
    // There are no flags: that is wrong with it.
    let told = long.ended(1);
    let is_told = |days: &str| told.contains(&format!("✓ certificate  good for {days} more days, until 20"));
    // Less than a second of the 400 days may be over.
    assert!(is_told("399") || is_told("400"), "{told}");
    let soon = Encrypted::start(3).doctor(&["--json"]).json(1);
    let checks = soon["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "certificate").unwrap();
    assert_eq!(check["health"], "doubtful", "{check}");
    assert!(check["words"].as_str().unwrap().contains(" more days, until 20"), "{check}");
}
