//! TLS to Redis through the C functions: whom it trusts, which name it asks for, and certificates that change meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::*;

/// A self-signed certificate with its key, as `openssl req -x509` makes it, in `directory`.
fn self_signed(directory: &Path, name: &str, more: &[&str]) {
    let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
    let mut arguments = vec!["req", "-x509", "-subj", "/CN=localhost", "-keyout", &key, "-out", &pem, "-nodes"];
    arguments.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    arguments.extend(more);
    openssl(directory, &arguments);
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A server that presents `<name>.pem`; its TLS port.
fn server_with(directory: &Path, name: &str) -> (RedisServer, u16) {
    let port = free_port();
    let path = |suffix: &str| directory.join(format!("{name}.{suffix}")).display().to_string();
    let server = Setup::default()
        .argument(&["--tls-port", &port.to_string(), "--tls-auth-clients", "no"])
        .argument(&[
            "--tls-cert-file",
            &path("pem"),
            "--tls-key-file",
            &path("key"),
            "--tls-ca-cert-file",
            &path("pem"),
        ])
        .start();
    server.set_flag("a", flag("a", 1, "on"));
    (server, port)
}

fn config(host: &str, port: u16) -> Config {
    Config::at(&format!("rediss://{host}:{port}"))
}

fn trusting(host: &str, port: u16, file: &Path) -> Config {
    config(host, port).with("redis.tls.ca_file", &file.display().to_string())
}

/// The client never becomes ready, and says why.
#[track_caller]
fn refuses(config: &Config, why: &str) {
    let client = config.client();
    assert_eq!(client.start(500).unwrap_err().status, TIMEOUT);
    eventually(why, || client.status()["last_error"].to_string().to_lowercase().contains(why));
    assert_eq!(client.ask("a"), "CLIENT_NOT_READY");
}

#[test]
fn a_self_signed_certificate_that_is_named_is_trusted_and_no_other() {
    let directory = TempDir::new("tls");
    let names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"];
    self_signed(directory.path(), "server", &names);
    self_signed(directory.path(), "other", &names);
    let (server, port) = server_with(directory.path(), "server");
    let file = directory.path().join("server.pem");
    for host in ["127.0.0.1", "localhost"] {
        let client = trusting(host, port, &file).started();
        assert_eq!(client.ask("a"), "on");
        client.reports("freshness", "push");
    }
    refuses(&trusting("localhost", port, &directory.path().join("other.pem")), "certificate");
    refuses(&config("localhost", port), "certificate");
    drop(server);
}

#[test]
fn a_named_certificate_must_be_for_the_host_unless_it_names_none() {
    let directory = TempDir::new("tls");
    self_signed(directory.path(), "elsewhere", &["-addext", "subjectAltName=DNS:redis.example", "-days", "2"]);
    self_signed(directory.path(), "nameless", &["-days", "2"]);
    let (_server, port) = server_with(directory.path(), "elsewhere");
    let file = directory.path().join("elsewhere.pem");
    refuses(&trusting("localhost", port, &file), "not valid for name");
    let named = trusting("localhost", port, &file).with("redis.tls.server_name", "redis.example");
    assert_eq!(named.started().ask("a"), "on");
    refuses(&trusting("localhost", port, &file).with("redis.tls.server_name", "other.example"), "not valid for name");
    let (_server, port) = server_with(directory.path(), "nameless");
    assert_eq!(trusting("127.0.0.1", port, &directory.path().join("nameless.pem")).started().ask("a"), "on");
}

#[test]
fn a_named_certificate_must_be_in_its_time() {
    let directory = TempDir::new("tls");
    self_signed(directory.path(), "past", &["-addext", "subjectAltName=DNS:localhost", "-days", "2"]);
    // The same key and names with a time that is over.
    let settings = "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
                    policy=p\ncopy_extensions=copyall\n[p]\ncommonName=supplied\n";
    for (file, text) in [("settings", settings), ("index", ""), ("serial", "01\n")] {
        fs::write(directory.path().join(file), text).unwrap();
    }
    let words = "req -new -key past.key -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext \
                 basicConstraints=critical,CA:TRUE -out request";
    openssl(directory.path(), &words.split_whitespace().collect::<Vec<_>>());
    let words = "ca -batch -config settings -selfsign -keyfile past.key -in request -notext -out past.pem \
                 -startdate 20200101000000Z -enddate 20200201000000Z";
    openssl(directory.path(), &words.split_whitespace().collect::<Vec<_>>());
    let (_server, port) = server_with(directory.path(), "past");
    refuses(&trusting("localhost", port, &directory.path().join("past.pem")), "expired");
}

#[test]
fn the_name_of_the_option_is_verified_with_an_authority_too() {
    let certificates = Certificates::new();
    let server = Setup::default().tls(&certificates, false).start();
    server.set_flag("a", flag("a", 1, "on"));
    let config = || Config::at(&server.tls_url()).with("redis.tls.ca_file", &certificates.path("ca.pem"));
    assert_eq!(config().with("redis.tls.server_name", "localhost").started().ask("a"), "on");
    refuses(&config().with("redis.tls.server_name", "redis.example"), "not valid for name");
    let failure = config().with("redis.tls.server_name", "no name").try_client().err().unwrap();
    assert!(failure.message.contains("redis.tls.server_name"), "{}", failure.message);
}

#[test]
fn certificates_are_not_checked_when_told_so_which_is_said_at_every_start() {
    let certificates = Certificates::new();
    let server = Setup::default().tls(&certificates, false).start();
    server.set_flag("a", flag("a", 1, "on"));
    let by_url = Config::at(&format!("{}?ssl_cert_reqs=none", server.tls_url()));
    for config in [Config::at(&server.tls_url()).with("redis.tls.skip_verify", "true"), by_url] {
        for _ in 0..2 {
            let client = config.started();
            assert_eq!(client.ask("a"), "on");
            let is_warning = |notice: &Notice| {
                let warn = flagstone::ffi::flagstone_level::FLAGSTONE_LEVEL_WARN as i32;
                matches!(notice, Notice::Log { level, text } if *level == warn && text.contains("redis.tls.skip_verify"))
            };
            assert_eq!(client.drain().iter().filter(|notice| is_warning(notice)).count(), 1);
        }
    }
    let won = Config::at(&format!("{}?ssl_cert_reqs=none", server.tls_url())).with("redis.tls.skip_verify", "false");
    refuses(&won, "certificate");
    for (option, value) in [("redis.tls.skip_verify", "true"), ("redis.tls.server_name", "h")] {
        let plain = Config::at(&server.url()).with(option, value).try_client().err().unwrap();
        assert!(plain.message.contains("rediss://"), "{}", plain.message);
    }
}

#[test]
fn files_that_change_are_read_at_the_next_connect() {
    let directory = TempDir::new("tls");
    let (old, new) = (Certificates::new(), Certificates::new());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let take = |certificates: &Certificates| {
        for name in ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"] {
            fs::copy(certificates.path(name), directory.path().join(name)).unwrap();
        }
    };
    take(&old);
    let port = free_port();
    let mut server = Setup::default()
        .argument(&[
            "--tls-port",
            &port.to_string(),
            "--tls-auth-clients",
            "yes",
            "--tls-ca-cert-file",
            &file("ca.pem"),
        ])
        .argument(&["--tls-cert-file", &file("server.pem"), "--tls-key-file", &file("server.key")])
        .start();
    server.set_flag("a", flag("a", 1, "old"));
    let client = trusting("127.0.0.1", port, Path::new(&file("ca.pem")))
        .with("redis.tls.cert_file", &file("client.pem"))
        .with("redis.tls.key_file", &file("client.key"))
        .started();
    assert_eq!(client.ask("a"), "old");
    server.kill();
    client.becomes(INTERRUPTED);
    // For a moment there is no file at all.
    fs::remove_file(file("ca.pem")).unwrap();
    eventually("what is missing is told", || client.status()["last_error"].to_string().contains("redis.tls.ca_file"));
    take(&new);
    server.restart();
    server.set_flag("a", flag("a", 2, "new"));
    server.set_inited();
    client.becomes(VALID);
    client.serves("a", "new");
}

#[test]
fn what_is_no_certificate_is_refused_when_the_client_is_made() {
    let certificates = Certificates::new();
    let directory = TempDir::new("tls");
    let broken = directory.path().join("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let broken = broken.display().to_string();
    for (option, path) in [
        ("redis.tls.ca_file", broken.as_str()),
        ("redis.tls.ca_file", "/dev/null"),
        ("redis.tls.ca_file", "/nowhere/ca.pem"),
        ("redis.tls.cert_file", "/nowhere/client.pem"),
        ("redis.tls.cert_file", "/dev/zero"),
        ("redis.tls.key_file", &certificates.path("ca.pem")),
    ] {
        let config = Config::at("rediss://127.0.0.1:1")
            .with("redis.tls.cert_file", &certificates.path("client.pem"))
            .with("redis.tls.key_file", &certificates.path("client.key"))
            .with(option, path);
        let failure = config.try_client().err().unwrap();
        assert_eq!(failure.status, INVALID_ARGUMENT);
        assert!(failure.message.contains(option), "{}", failure.message);
    }
}
