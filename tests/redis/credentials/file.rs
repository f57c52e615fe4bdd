//! A password that is read from a file, and again when the file changes.

use super::*;

/// A directory as Kubernetes mounts a secret: the file is a link into a folder whose name is a link, which is replaced.
fn publish(directory: &Path, generation: u32, password: &str) {
    let folder = directory.join(format!("..{generation}"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("password"), password).unwrap();
    let beside = directory.join("..data_tmp");
    symlink(format!("..{generation}"), &beside).unwrap();
    fs::rename(&beside, directory.join("..data")).unwrap();
}

#[test]
fn a_file_with_the_password_is_followed_wherever_its_name_leads() {
    let (server, directory) = (server(), TempDir::new("secret"));
    publish(directory.path(), 1, "hunter2-first\n");
    let path = directory.path().join("password");
    symlink("..data/password", &path).unwrap();
    let client = as_ada(&server).with("redis.password_file", path.to_str().unwrap()).started();
    client.reports("freshness", "push");
    let before = numbers(&server);
    // The server takes both for a while, so that nothing is refused.
    server.run::<()>(&["ACL", "SETUSER", "ada", ">hunter2-second"]);
    let logins = server.calls_of("auth");
    publish(directory.path(), 2, "hunter2-second\r\n");
    eventually("both connections log in anew", || server.calls_of("auth") >= logins + 2);
    server.run::<()>(&["ACL", "SETUSER", "ada", "<hunter2-first"]);
    assert_eq!(numbers(&server), before);
    cut(&server, "ada");
    eventually("others are there", || connections(&server).len() == 2 && numbers(&server).is_disjoint(&before));
    client.becomes(VALID);
    assert_eq!(login(&client), json!({"source":"file","user":"ada","expires_in_ms":null,"state":"ok","error":null}));
    assert_eq!(client.set_credentials("ada", "hunter2", 0).unwrap_err().status, INVALID_ARGUMENT);
    tells_no_secret(&client, &client.drain());
}

#[test]
fn a_watch_that_has_read_the_file_when_it_was_made_is_not_made_again() {
    let (server, directory) = (server(), TempDir::new("secret"));
    let path = directory.path().join("password");
    fs::write(&path, "hunter2-first").unwrap();
    let client = Config::at(&format!("{}?protocol=2", server.url()))
        .with("redis.username", "ada")
        .with("redis.password_file", path.to_str().unwrap())
        .with("redis.ping_ms", "100")
        .started();
    client.reports("freshness", "push");
    client.becomes(VALID);
    throughout(Duration::from_millis(600), || assert_eq!(server.calls_of("client|tracking"), 1));
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_the_last_good_password_stays_in_use() {
    let (server, directory) = (server(), TempDir::new("secret"));
    let path = directory.path().join("password");
    fs::write(&path, "hunter2-first").unwrap();
    let client = as_ada(&server).with("redis.password_file", path.to_str().unwrap()).started();
    client.becomes(VALID);
    let trouble = |why: &str| {
        eventually(why, || login(&client)["error"].as_str().is_some_and(|error| error.contains(why)));
        assert_eq!(state(&client), "ok");
        cut(&server, "ada");
        eventually("it comes back", || connections(&server).len() == 2);
        client.becomes(VALID);
    };
    fs::write(&path, "").unwrap();
    trouble("it is empty");
    fs::write(&path, "x".repeat(100_000)).unwrap();
    trouble("it has more than 65536 bytes");
    fs::remove_file(&path).unwrap();
    trouble("No such file");
    fs::create_dir(&path).unwrap();
    trouble("it is not a regular file");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "hunter2-first").unwrap();
    eventually("nothing is wrong", || login(&client)["error"].is_null());
    let heard = client.drain();
    let lines = log_lines(&heard, 2).into_iter().filter(|line| line.contains("redis.password_file")).count();
    // Once for the whole time in which it could not be used.
    assert_eq!(lines, 1, "{heard:?}");
    tells_no_secret(&client, &heard);
}

#[test]
fn a_file_that_comes_later_is_used_from_then_on() {
    let (server, directory) = (server(), TempDir::new("secret"));
    let path = directory.path().join("password");
    let client = as_ada(&server).with("redis.password_file", path.to_str().unwrap()).client();
    let why = "there is no login: redis.password_file";
    eventually(why, || client.start(300).unwrap_err().message.contains(why));
    assert_eq!(state(&client), "missing");
    fs::write(&path, "hunter2-first\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    client.start(PATIENCE_MS).unwrap();
    client.serves("a", "one");
    assert_eq!(log_lines(&client.drain(), 3).len(), 1);
}
