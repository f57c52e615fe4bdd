//! Becoming ready, closing, deadlines against a server that never answers, and notifications.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::*;

/// A call that is to return at once may take this long on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A deadline is kept when the call is over this long after it. See [`Machine`] for what does not count.
const RESERVE: Duration = Duration::from_millis(1_500);
/// The same where one that is not kept would take twenty seconds.
const LARGE_RESERVE: Duration = Duration::from_secs(8);

#[test]
fn an_empty_redis_is_ready_and_holds_no_flags() {
    let server = RedisServer::start();
    for residency in ["all", "lazy", "off"] {
        let client = Config::of(&server).with("cache.residency", residency).started();
        assert_eq!(client.ask("a"), "FLAG_NOT_FOUND", "{residency}");
        client.becomes(VALID);
        let status = client.status();
        assert_eq!((&status["ready"], &status["flags"], &status["wiped"]), (&true.into(), &0.into(), &false.into()));
    }
}

#[test]
fn a_client_that_was_not_started_is_not_ready_and_opens_nothing() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let before: String = server.run(&["CLIENT", "LIST"]);
    let client = Config::of(&server).client();
    assert_eq!((client.ask("a"), client.state()), ("CLIENT_NOT_READY".into(), INIT));
    assert!(client.bool("a", true) && !client.bool("a", false));
    let status = client.status();
    assert_eq!((&status["ready"], &status["freshness"]), (&false.into(), &"starting".into()));
    assert!(status["verified_age_ms"].is_null());
    let after: String = server.run(&["CLIENT", "LIST"]);
    assert_eq!(before.lines().count(), after.lines().count());
    client.start(PATIENCE_MS).unwrap();
    assert_eq!(client.ask("a"), "on");
    client.start(PATIENCE_MS).unwrap();
}

#[test]
fn a_start_without_a_timeout_returns_at_once_and_goes_on() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    server.stop();
    let client = Config::of(&server).client();
    let (outcome, took) = Machine::watch().timed(|| client.start(0));
    assert_eq!((outcome, client.state()), (Ok(()), INIT));
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(client.ask("a"), "CLIENT_NOT_READY");
    server.cont();
    client.becomes(VALID);
    assert_eq!(client.ask("a"), "on");
}

#[test]
fn several_threads_may_start_and_wait_at_once() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let client = Config::of(&server).client();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                client.start(PATIENCE_MS).unwrap();
                assert_eq!(client.ask("a"), "on");
            });
        }
        scope.spawn(|| client.becomes(VALID));
    });
    eventually("two connections", || {
        let list: String = server.run(&["CLIENT", "LIST"]);
        list.lines().count() == 3
    });
}

#[test]
fn a_start_that_takes_too_long_says_why_and_keeps_its_deadline() {
    let mut server = RedisServer::start();
    server.kill();
    let client = Config::of(&server).client();
    let (failure, whole) = timed(|| client.start(400).unwrap_err());
    assert_eq!(failure.status, TIMEOUT);
    assert!(whole >= Duration::from_millis(390), "{whole:?}");
    let machine = Machine::watch();
    in_time(RESERVE, || machine.timed(|| client.start(400).unwrap_err()).1);
    eventually("it says why", || client.start(10).unwrap_err().message.to_lowercase().contains("refused"));
}

#[test]
fn against_a_server_that_accepts_and_never_answers_every_deadline_is_kept() {
    let machine = Machine::watch();
    for residency in ["all", "lazy", "off"] {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.port());
        proxy.set(Mode::BlackHole);
        let config = Config::new().with("redis.url", &proxy.url()).with("cache.residency", residency);
        let config = config.with("redis.connect_timeout_ms", "20000").with("redis.command_timeout_ms", "20000");
        let client = config.client();
        let (failure, took) = machine.timed(|| client.start(300).unwrap_err());
        assert_eq!(failure.status, TIMEOUT);
        assert!(took < LARGE_RESERVE, "{took:?}");
        let (value, took) = machine.timed(|| client.ask("a"));
        assert_eq!(value, "CLIENT_NOT_READY");
        assert!(took < LARGE_RESERVE, "{took:?}");
        let (outcome, took) = machine.timed(|| client.wait(VALID, 200));
        assert_eq!(outcome, TIMEOUT);
        assert!(took < LARGE_RESERVE, "{took:?}");
        let (outcome, took) = machine.timed(|| client.close(200));
        assert!(outcome == TIMEOUT || outcome == OK);
        assert!(took < LARGE_RESERVE, "{took:?}");
        assert_eq!(client.state(), OFF);
        // What was left behind ends by itself: one timeout of the connection, one of a command.
        assert_eq!(client.close(PATIENCE_MS), OK);
    }
}

#[test]
fn a_connection_takes_no_longer_than_its_timeout_in_all() {
    let certificates = Certificates::new();
    for scheme in ["redis", "rediss"] {
        let server = Setup::default().password("secret").start();
        let proxy = Proxy::to(server.port());
        proxy.set(Mode::BlackHole);
        let url = proxy.url().replace("redis:", &format!("{scheme}:"));
        let config = Config::new().with("redis.url", &url).with("redis.password", "secret").with("redis.database", "3");
        let config =
            if scheme == "rediss" { config.with("redis.tls.ca_file", &certificates.path("ca.pem")) } else { config };
        let config = config.with("redis.connect_timeout_ms", "1000");
        // The link tries first, then the reader: two connections that take their whole time.
        let machine = Machine::watch();
        in_time(Duration::from_millis(2_000) + RESERVE, || {
            let client = config.client();
            client.start(0).unwrap();
            machine.timed(|| eventually("the first failure is told", || client.status()["last_error"].is_string())).1
        });
    }
}

#[test]
fn closing_wakes_everybody_who_waits_although_everything_hangs() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let slow = |residency: &str| {
        let config = Config::of(&server).with("cache.residency", residency).with("redis.command_timeout_ms", "20000");
        config.with("redis.connect_timeout_ms", "20000").with("redis.ping_ms", "10000")
    };
    let (all, lazy) = (slow("all").started(), slow("lazy").started());
    server.stop();
    let never_ready = slow("all").client();
    never_ready.start(0).unwrap();
    let long = 30_000;
    let until_closed = || {
        loop {
            if let Err(status) = all.poll(long) {
                return status;
            }
        }
    };
    let evaluation = || {
        assert_eq!(lazy.ask("never"), "EXCEPTION");
        CLOSED
    };
    let starting = || never_ready.start(long).unwrap_err().status;
    let (waiting, waiting_too) = (|| never_ready.wait(VALID, long), || all.wait(INTERRUPTED, long));
    let calls: [&(dyn Fn() -> i32 + Sync); 5] = [&starting, &waiting, &waiting_too, &until_closed, &evaluation];
    thread::scope(|scope| {
        let (sender, woken) = channel();
        for call in calls {
            let sender = sender.clone();
            scope.spawn(move || sender.send(call()).unwrap());
        }
        // Give all of them the time to wait; those that are late find a closed client, which must be the same to them.
        thread::sleep(Duration::from_millis(300));
        let (_, took) = Machine::watch().timed(|| {
            for client in [&never_ready, &all, &lazy] {
                client.close(200);
                assert_eq!(client.state(), OFF);
            }
            for _ in calls {
                assert_eq!(woken.recv_timeout(PATIENCE).expect("woken"), CLOSED);
            }
        });
        assert!(took < LARGE_RESERVE, "{took:?}");
    });
    server.cont();
}

#[test]
fn after_close_evaluation_answers_and_every_other_call_says_closed() {
    for residency in ["all", "lazy", "off"] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
        let client = Config::of(&server).with("cache.residency", residency).started();
        assert_eq!(client.ask("a"), "on");
        let prepared = client.prepare("a").unwrap();
        client.drain();
        assert_eq!(client.close(PATIENCE_MS), OK);
        let machine = Machine::watch();
        let (values, took) = machine.timed(|| (client.ask("a"), prepared.ask(), client.ask("never")));
        assert!(took < AT_ONCE, "{took:?}");
        match residency {
            "all" => assert_eq!(values, ("on".into(), "on".into(), "FLAG_NOT_FOUND".into())),
            "lazy" => assert_eq!(values, ("on".into(), "on".into(), "EXCEPTION".into())),
            _ => assert!(client.detail("a").value.is_none() && client.bool("a", true)),
        }
        assert_eq!(client.state(), OFF);
        assert_eq!(client.start(PATIENCE_MS).unwrap_err().status, CLOSED);
        assert_eq!(client.try_status().unwrap_err().status, CLOSED);
        assert_eq!(client.postfork().unwrap_err().status, CLOSED);
        assert_eq!(client.flush().unwrap_err().status, CLOSED);
        assert_eq!(client.prepare("b").err().unwrap().status, CLOSED);
        let (outcome, took) = machine.timed(|| (client.wait(OFF, PATIENCE_MS), client.wait(VALID, PATIENCE_MS)));
        assert_eq!(outcome, (OK, CLOSED));
        assert!(took < AT_ONCE, "a closed client will not change: {took:?}");
        assert!(matches!(client.poll(0).unwrap().notice, Notice::Log { .. } | Notice::Status { state: OFF, .. }));
        eventually("every event was delivered", || client.poll(0) == Err(CLOSED));
        client.wake();
        assert_eq!(client.close(PATIENCE_MS), OK);
        // Redis hears of a closed connection a moment later.
        eventually("nobody is connected", || server.run::<String>(&["CLIENT", "LIST"]).lines().count() == 1);
    }
}

#[test]
fn a_thread_that_close_left_behind_does_not_make_a_lazy_client_wait() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let client = Config::of(&server).with("cache.residency", "lazy").started();
    server.run::<()>(&["CLIENT", "PAUSE", "700", "ALL"]);
    thread::scope(|scope| {
        scope.spawn(|| client.ask("a"));
        thread::sleep(Duration::from_millis(200));
        client.close(0);
    });
    // The reply came after the close; the threads are gone by now.
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert_eq!(client.state(), OFF);
    let (value, took) = Machine::watch().timed(|| client.ask("never"));
    assert_eq!(value, "EXCEPTION");
    assert!(took < AT_ONCE, "{took:?}");
}

#[test]
fn a_client_that_was_never_started_can_be_closed() {
    let client = Config::new().with("redis.url", "redis://127.0.0.1:1").client();
    assert_eq!(client.close(0), OK);
    assert_eq!((client.state(), client.ask("a")), (OFF, "CLIENT_NOT_READY".into()));
    assert_eq!(client.start(0).unwrap_err().status, CLOSED);
}

#[test]
fn a_client_that_is_given_back_without_close_leaves_no_connection() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    for residency in ["all", "lazy"] {
        drop(Config::of(&server).with("cache.residency", residency).started());
    }
    eventually("only this test is connected", || {
        let list: String = server.run(&["CLIENT", "LIST"]);
        list.lines().count() == 1
    });
}

#[test]
fn many_clients_come_and_go_while_others_evaluate() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let shared = Config::of(&server).started();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let client = Config::of(&server).started();
                    assert_eq!((client.ask("a"), shared.ask("a")), ("on".into(), "on".into()));
                    assert_eq!(client.close(PATIENCE_MS), OK);
                }
            });
        }
    });
    assert_eq!(shared.status()["panics"], 0);
}

#[test]
fn the_queue_is_bounded_drops_the_oldest_and_counts() {
    let server = RedisServer::holding(&[("a", flag("a", 0, "0"))], &[]);
    let client = Config::of(&server).with("notifications.capacity", "3").with("log.level", "none").started();
    client.becomes(VALID);
    for version in 1..=10 {
        server.set_flag("a", flag("a", version, &version.to_string()));
        client.serves("a", &version.to_string());
    }
    // Pushes may be answered together: what is dropped is what was told and does not fit.
    eventually("something was dropped", || client.status()["dropped"].as_u64().unwrap() >= 7);
    let first = client.poll(0).unwrap();
    assert_eq!(u64::from(first.dropped), client.status()["dropped"].as_u64().unwrap());
    assert!(matches!(first.notice, Notice::Status { state: VALID, .. }), "status changes are dropped last");
    let rest: Vec<Polled> = std::iter::from_fn(|| client.poll(0).ok()).collect();
    assert_eq!(rest.len(), 2);
    assert!(rest.iter().all(|polled| polled.dropped == 0));
    let Notice::Changed { new, .. } = &rest[1].notice else { panic!("{rest:?}") };
    assert_eq!(*new, Some(10));
}

#[test]
fn the_log_level_filters_lines_and_nothing_else() {
    for (level, least) in [("debug", 0), ("info", 1), ("warn", 2), ("error", 3), ("none", 4)] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
        let client = Config::of(&server).with("log.level", level).started();
        server.set_flag("a", "{broken");
        eventually("the bad content is noticed", || client.detail("a").stale);
        server.remove(&["features"]);
        let told = client.hears_state(INTERRUPTED);
        let levels: Vec<i32> = told
            .iter()
            .filter_map(|notice| if let Notice::Log { level, .. } = notice { Some(*level) } else { None })
            .collect();
        assert!(levels.iter().all(|level| *level >= least && *level < 4), "{level}: {told:?}");
        for expected in (1..4).filter(|expected| *expected >= least) {
            assert!(levels.contains(&expected), "{level}: {told:?}");
        }
    }
}

#[test]
fn a_waiting_poller_is_woken_by_wake_and_by_an_event() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let client = Config::of(&server).started();
    client.hears_state(VALID);
    assert_eq!(client.poll(50), Err(TIMEOUT));
    thread::scope(|scope| {
        let poller = scope.spawn(|| client.poll(30_000));
        client.wake();
        assert_eq!(poller.join().unwrap().unwrap().notice, Notice::Wake);
        let poller = scope.spawn(|| client.poll(30_000));
        server.set_flag("a", flag("a", 2, "new"));
        assert!(poller.join().unwrap().is_ok());
    });
}

#[test]
fn the_first_line_of_the_log_says_what_this_is_and_where_it_reads() {
    let server = Setup::default().password("hunter2secret").start();
    server.set_flag("a", flag("a", 1, "on"));
    let url = format!("redis://:hunter2secret@127.0.0.1:{}/0", server.port());
    let config = Config::at(&url).with("redis.prefix", "launchdarkly").with("log.level", "info");
    let client = config.started();
    let lines = log_lines(&client.drain(), 1);
    let first = lines.first().expect("a line");
    for part in [
        "Flagstone 0.",
        "daemon mode",
        "127.0.0.1",
        "database 0",
        "\"launchdarkly\"",
        "residency all",
        "freshness push",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    assert!(!first.contains("hunter2secret"), "{first}");
}

#[test]
fn a_daemon_client_that_finds_no_marker_says_so_once() {
    let server = RedisServer::start();
    server.set_flag("a", flag("a", 1, "on"));
    server.remove(&["$inited"]);
    for residency in ["all", "lazy"] {
        let client =
            Config::of(&server).with("cache.residency", residency).with("refresh.interval_ms", "100").started();
        assert_eq!(client.status()["initialized"], false, "{residency}");
        thread::sleep(Duration::from_millis(500));
        let warnings = log_lines(&client.drain(), 2);
        let told = warnings.iter().filter(|line| line.contains("$inited") && line.contains("launchdarkly")).count();
        assert_eq!(told, 1, "{residency}: {warnings:?}");
    }
    server.replace(&[("a", flag("a", 1, "on"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!(client.status()["initialized"], true);
    assert!(log_lines(&client.drain(), 2).is_empty());
}

#[test]
fn an_error_is_told_with_its_time_and_kept_as_the_previous_one_after_recovery() {
    let mut server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let client = Config::of(&server).started();
    assert!(client.status()["last_error"].is_null() && client.status()["previous_error"].is_null());
    server.kill();
    eventually("the error is told", || client.status()["last_error"].is_string());
    assert!(client.status()["last_error_ms"].as_i64().unwrap() > 1_700_000_000_000);
    server.restart();
    server.replace(&[("a", flag("a", 2, "on"))], &[]);
    client.becomes(VALID);
    eventually("it is the previous one", || {
        let status = client.status();
        status["last_error"].is_null() && status["previous_error"].is_string()
    });
}

#[test]
fn closing_takes_a_moment_while_the_watch_waits_for_pushes() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let machine = Machine::watch();
    let close = || {
        let client = Config::of(&server).started();
        let (outcome, took) = machine.timed(|| client.close(PATIENCE_MS));
        assert_eq!(outcome, OK);
        assert_eq!(client.drain().iter().filter(|notice| format!("{notice:?}").contains("lost")).count(), 0);
        took
    };
    // The median of seven.
    in_time(Duration::from_millis(60), || {
        let mut closes: Vec<Duration> = (0..7).map(|_| close()).collect();
        closes.sort_unstable();
        closes[closes.len() / 2]
    });
}

#[test]
fn closing_takes_a_moment_while_the_watch_is_being_connected() {
    // One accepts and never answers, the other does not even accept: its backlog is full.
    let server = RedisServer::start();
    let silent = Proxy::to(server.port());
    silent.set(Mode::BlackHole);
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let full = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting: Vec<TcpStream> = std::iter::from_fn(|| TcpStream::connect_timeout(&full, AT_ONCE).ok()).collect();
    for url in [silent.url(), format!("redis://{full}")] {
        let client = Config::new().with("redis.url", &url).with("redis.connect_timeout_ms", "20000").client();
        assert_eq!(client.start(100).unwrap_err().status, TIMEOUT);
        let (outcome, took) = Machine::watch().timed(|| client.close(PATIENCE_MS));
        assert_eq!(outcome, OK);
        assert!(took < LARGE_RESERVE, "{url}: {took:?}");
    }
    drop(waiting);
}

#[test]
fn start_close_evaluation_and_the_last_release_may_come_in_any_order_at_once() {
    const ROUNDS: u64 = 60;
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    for round in 0..ROUNDS {
        let residency = ["all", "lazy", "off"][(round % 3) as usize];
        let client = std::sync::Arc::new(Config::of(&server).with("cache.residency", residency).client());
        let (done, ended) = channel();
        // Each step comes at a moment of its own; some rounds begin with a client that runs.
        if round % 2 == 0 {
            client.start(0).unwrap();
        }
        for step in 0..8 {
            let (client, done) = (client.clone(), done.clone());
            thread::spawn(move || {
                thread::sleep(Duration::from_micros((round * 37 + step * 91) % 700));
                match step % 4 {
                    0 => {
                        let outcome = client.start(if step == 0 { 0 } else { PATIENCE_MS });
                        assert!(matches!(&outcome, Ok(()) | Err(Failure { status: CLOSED, .. })), "{outcome:?}");
                    }
                    1 => assert_eq!(client.close(PATIENCE_MS), OK),
                    2 => {
                        let word = client.ask("a");
                        let known = ["on", "CLIENT_NOT_READY", "EXCEPTION", "FLAG_NOT_FOUND"].contains(&word.as_str());
                        assert!(known && !(residency == "all" && word == "FLAG_NOT_FOUND"), "{residency}: {word}");
                    }
                    _ => {
                        let outcome = client.poll(1).map(|_| ());
                        assert!(matches!(outcome, Ok(()) | Err(TIMEOUT | CLOSED)), "{outcome:?}");
                    }
                }
                drop(client);
                done.send(()).unwrap();
            });
        }
        drop(client);
        for _ in 0..8 {
            ended
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("round {round}, {residency}: a call does not return"));
        }
    }
    eventually("all connections are closed", || {
        let list: String = server.run(&["CLIENT", "LIST"]);
        !list.contains("flagstone")
    });
}
