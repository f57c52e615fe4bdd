//! Tracking over RESP2: a second connection is told.

use super::*;

#[test]
fn without_resp3_changes_are_told_on_a_second_connection() {
    for residency in RESIDENCIES {
        let server = RedisServer::start();
        fill(&server);
        let url = format!("{}?protocol=2", server.url());
        let client = Config::at(&url).with("cache.residency", residency).started();
        stands_on(&client, REDIRECT);
        client.reports("freshness", "push");
        client.reports("freshness_reason", REDIRECT);
        assert_eq!(client.status()["watch"]["reason"], "redis.url says protocol=2");
        assert_eq!(fate(&client, BROADCAST).0, "refused");
        assert_eq!(fate(&client, KEYSPACE).0, "not needed");
        follows(&server, &client, residency);
        server.flush();
        fill(&server);
        client.serves("a", "one");
    }
    let server = RedisServer::start();
    let client = Config::at(&format!("{}?protocol=2", server.url())).with("cache.freshness", "ttl").started();
    assert_eq!(client.status()["watch"], Value::Null);
}

/// Numbers of connections in whose line of `CLIENT LIST` this occurs.
fn connections(server: &RedisServer, mark: &str) -> Vec<String> {
    let list: String = server.run(&["CLIENT", "LIST"]);
    let marked = list.lines().filter(|line| line.contains(mark));
    marked.filter_map(|line| line.split(' ').find_map(|word| word.strip_prefix("id=")).map(str::to_owned)).collect()
}

#[test]
fn the_loss_of_either_connection_is_the_loss_of_the_watch_and_nothing_is_missed() {
    let server = RedisServer::start();
    fill(&server);
    let client = Config::at(&format!("{}?protocol=2", server.url())).with("cache.ttl_ms", "600000").started();
    stands_on(&client, REDIRECT);
    let mut version = 2;
    for mark in [" sub=1 ", " flags=tB "] {
        for _ in 0..2 {
            eventually("both connections are there", || {
                rung(&client) == REDIRECT
                    && connections(&server, " sub=1 ").len() == 1
                    && connections(&server, " flags=tB ").len() == 1
            });
            let killed = connections(&server, mark);
            killed.iter().for_each(|id| _ = server.run::<i64>(&["CLIENT", "KILL", "ID", id]));
            version += 1;
            follows_edits(&server, &client, version);
            eventually("there are new ones", || connections(&server, mark).iter().any(|id| !killed.contains(id)));
            version += 1;
            follows_edits(&server, &client, version);
        }
    }
    assert_eq!(client.close(PATIENCE_MS), OK);
}

#[test]
fn a_close_waits_for_neither_of_two_connections_that_hang() {
    let server = RedisServer::start();
    fill(&server);
    for command in ["CLIENT TRACKINGINFO", "PING"] {
        let gate = Gate::to(server.port());
        let url = format!("{}?protocol=2", gate.url());
        let client = attentive(&url).with("redis.command_timeout_ms", "20000").started();
        stands_on(&client, REDIRECT);
        gate.rule(command, Rule::Hang);
        let before = gate.seen().count(command);
        eventually("it hangs", || gate.seen().count(command) > before);
        let began = Instant::now();
        assert_eq!(client.close(PATIENCE_MS), OK);
        assert!(began.elapsed() < Duration::from_secs(10), "{command}: {:?}", began.elapsed());
    }
}

#[test]
fn a_server_that_does_not_number_connections_or_does_not_redirect_is_told_so_in_the_status() {
    let server = Setup::default().argument(&["--notify-keyspace-events", "KA"]).start();
    for (command, content) in [("CLIENT ID", ""), ("", "REDIRECT"), ("SUBSCRIBE", "__redis__:invalidate")] {
        fill(&server);
        let gate = Gate::to(server.port());
        let refusal = Rule::error("ERR not here");
        if content.is_empty() {
            gate.rule(command, refusal)
        } else {
            gate.rule_for_content(content, refusal)
        }
        let client = Config::at(&format!("{}?protocol=2", gate.url())).started();
        stands_on(&client, KEYSPACE);
        assert_eq!(fate(&client, REDIRECT), ("refused".into(), "not here".into()));
        assert_eq!(client.status()["watch"]["reason"], "not here");
        follows(&server, &client, content);
    }
}

#[test]
fn two_connections_prove_that_they_lead_to_the_same_server_where_servers_do_not_say_who_they_are() {
    let servers = [RedisServer::start(), RedisServer::start()];
    servers.iter().for_each(fill);
    // On the second one the numbers of the first one's connections are those of others.
    let _others: Vec<_> = (0..200).map(|_| servers[1].connect()).collect();
    let gate = Gate::to(servers[0].port());
    gate.rule("INFO", Rule::error("NOPERM no"));
    let config = attentive(&format!("{}?protocol=2", gate.url())).with("cache.ttl_ms", "200");
    let alone = config.started();
    stands_on(&alone, REDIRECT);
    follows(&servers[0], &alone, "one server");
    drop(alone);
    gate.lead_in_turn(&[servers[0].port(), servers[1].port()]);
    let between = config.started();
    throughout(Duration::from_secs(3), || assert_ne!(rung(&between), REDIRECT));
    drop(between);
    gate.lead_to(servers[0].port());
    gate.rule("PUBSUB", Rule::error("NOPERM no"));
    let unproved = config.client();
    unproved.start(PATIENCE_MS).unwrap();
    eventually("the way is refused", || fate(&unproved, REDIRECT) == ("refused".into(), "NOPERM no".into()));
}
