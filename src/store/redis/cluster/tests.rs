//! Which word counts of what nodes say that contradict each other, and where keys are then.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Instant;

use super::super::connect_options::RedisOptions;
use super::super::connector::Connector;
use super::*;

/// What nodes say: the state, the epoch, and who owns all slots, as host, port and id.
#[derive(Clone)]
struct Said {
    state: &'static str,
    epoch: u64,
    nodes: Vec<(&'static str, u16, &'static str)>,
}

/// A node that says what a test wants it to. A dead one closes each connection.
struct Node {
    port: u16,
    said: Arc<Mutex<Said>>,
    is_dead: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Node {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new(Said { state: "ok", epoch: 1, nodes: Vec::new() }));
        let (is_dead, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let node = Self { port, said: said.clone(), is_dead: is_dead.clone(), asked: asked.clone() };
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten().filter(|_| !is_dead.load(SeqCst)) {
                asked.fetch_add(1, SeqCst);
                let (mut buffer, mut commands) = (vec![0; 1 << 14], String::new());
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    commands.push_str(&String::from_utf8_lossy(&buffer[..count]));
                    // Whoever asks sends whole commands, and waits then.
                    let replies: String = take_names(&mut commands).iter().map(|name| reply(name, &said)).collect();
                    if stream.write_all(replies.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        node
    }

    fn says(&self, state: &'static str, epoch: u64, nodes: &[(&'static str, u16, &'static str)]) {
        *self.said.lock().unwrap() = Said { state, epoch, nodes: nodes.to_vec() };
    }

    fn dies(&self) {
        self.is_dead.store(true, SeqCst);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.dies();
    }
}

/// First and second word of each command, in capitals.
fn take_names(commands: &mut String) -> Vec<String> {
    let text = std::mem::take(commands);
    let commands = text.split('*').filter(|command| !command.is_empty());
    commands
        .map(|command| {
            let words: Vec<&str> = command.split("\r\n").collect();
            format!("{} {}", words[2], words.get(4).unwrap_or(&"")).to_uppercase()
        })
        .collect()
}

fn reply(name: &str, said: &Mutex<Said>) -> String {
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let said = said.lock().unwrap();
    match name {
        "CLUSTER INFO" | "CLUSTER SLOTS" if said.state == "disabled" => {
            "-ERR This instance has cluster support disabled\r\n".to_owned()
        }
        "CLUSTER INFO" => bulk(&format!("cluster_state:{}\r\ncluster_current_epoch:{}\r\n", said.state, said.epoch)),
        "CLUSTER SLOTS" => {
            let node = |(host, port, id): &(&str, u16, &str)| format!("*3\r\n{}:{port}\r\n{}", bulk(host), bulk(id));
            let nodes: String = said.nodes.iter().map(node).collect();
            format!("*1\r\n*{}\r\n:0\r\n:16383\r\n{nodes}", 2 + said.nodes.len())
        }
        "ROLE " if said.state == "mute" => String::new(),
        "ROLE " => "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    }
}

/// A connector to a cluster with these seeds.
fn connector(seeds: &[u16]) -> Connector {
    let list: Vec<String> = seeds.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    Connector::new(&RedisOptions::at(&format!("redis+cluster://{}", list.join(","))).unwrap()).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

fn look(connector: &Connector) -> &Cluster {
    let cluster = connector.cluster().unwrap();
    // What comes of it is for the test to look at.
    let _ = cluster.ask_around(soon(), None);
    cluster
}

fn at(port: u16) -> Option<Address> {
    Some(Address::Tcp { host: "127.0.0.1".to_owned(), port })
}

const HERE: &str = "127.0.0.1";

#[test]
fn a_cluster_that_was_set_up_anew_elsewhere_is_found_where_a_seed_leads_to_it() {
    let [seed, old, new] = [Node::new(), Node::new(), Node::new()];
    for node in [&seed, &old] {
        node.says("ok", 90, &[(HERE, old.port, "a")]);
    }
    let connector = connector(&[seed.port]);
    assert_eq!(look(&connector).owner(1), at(old.port));
    for node in [&seed, &new] {
        node.says("ok", 1, &[(HERE, new.port, "b")]);
    }
    assert_eq!(look(&connector).owner(1), at(old.port), "as long as one of the nodes answers that are known");
    old.dies();
    assert_eq!(look(&connector).owner(1), at(old.port), "a name may lead astray for a moment");
    let begin = Instant::now();
    while look(&connector).owner(1) != at(new.port) {
        assert!(begin.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(100));
    }
    assert!(begin.elapsed() > Duration::from_secs(1));
}

#[test]
fn another_cluster_is_not_followed_where_the_known_nodes_answer_again() {
    let [seed, old, new] = [Node::new(), Node::new(), Node::new()];
    for node in [&seed, &old] {
        node.says("ok", 90, &[(HERE, old.port, "a")]);
    }
    let connector = connector(&[seed.port]);
    assert_eq!(look(&connector).owner(1), at(old.port));
    let reach = &connector.cluster().unwrap().reach;
    seed.says("ok", 1, &[(HERE, new.port, "b")]);
    old.is_dead.store(true, SeqCst);
    look(&connector);
    assert!(reach.has_others());
    old.is_dead.store(false, SeqCst);
    assert_eq!(look(&connector).owner(1), at(old.port));
    assert!(!reach.has_others(), "what is counted begins anew");
}

#[test]
fn a_cluster_that_was_set_up_anew_with_the_same_nodes_is_found_whatever_it_counts() {
    let [seed, old, new] = [Node::new(), Node::new(), Node::new()];
    for node in [&seed, &old] {
        node.says("ok", 90, &[(HERE, old.port, "a"), (HERE, new.port, "b")]);
    }
    let connector = connector(&[seed.port]);
    assert_eq!(look(&connector).owner(1), at(old.port));
    // It has forgotten the one that is gone.
    for node in [&seed, &new] {
        node.says("ok", 1, &[(HERE, new.port, "b")]);
    }
    old.dies();
    assert_eq!(look(&connector).owner(1), at(new.port));
}

#[test]
fn a_node_that_is_cut_off_is_not_believed_against_one_that_it_knows_and_that_is_silent() {
    let [one, other] = [Node::new(), Node::new()];
    one.says("ok", 9, &[(HERE, one.port, "a"), (HERE, other.port, "b")]);
    let connector = connector(&[one.port]);
    assert_eq!(look(&connector).owner(1), at(one.port));
    other.says("ok", 8, &[(HERE, other.port, "b"), (HERE, one.port, "a")]);
    one.dies();
    assert_eq!(look(&connector).owner(1), at(one.port));
}

#[test]
fn a_node_that_knows_of_fewer_slots_than_before_and_of_nobody_that_is_silent_is_not_believed() {
    let [one, other] = [Node::new(), Node::new()];
    one.says("ok", 9, &[(HERE, one.port, "a"), (HERE, other.port, "b")]);
    let connector = connector(&[one.port]);
    assert_eq!(look(&connector).owner(1), at(one.port));
    other.says("ok", 8, &[("?", 1, "c"), (HERE, other.port, "b")]);
    one.dies();
    assert_eq!(look(&connector).owner(1), at(one.port));
}

#[test]
fn a_node_that_is_left_over_from_a_cluster_that_is_over_keeps_nobody_from_the_next_one() {
    let [seed, old, new] = [Node::new(), Node::new(), Node::new()];
    seed.says("ok", 90, &[(HERE, old.port, "a")]);
    let connector = connector(&[seed.port]);
    let cluster = look(&connector);
    old.says("fail", 90, &[(HERE, old.port, "a")]);
    seed.says("ok", 1, &[(HERE, new.port, "b")]);
    let known = cluster.known.load_full();
    for (is_over, owner) in [(false, None), (true, at(new.port))] {
        let mut hearing = Hearing::new(known.as_deref());
        for node in [&old, &seed] {
            let address = at(node.port).unwrap();
            assert!(!hearing.hear(&address, cluster.ask(&address, soon(), None), node.port == seed.port));
        }
        let word = hearing.end(is_over, |_| false).unwrap();
        assert_eq!(word.and_then(|word| word.map.owner(1).cloned()), owner);
    }
}

#[test]
fn another_cluster_at_an_address_that_was_known_is_not_followed_unless_a_seed_says_so() {
    let [seed, first, second, foreign] = [Node::new(), Node::new(), Node::new(), Node::new()];
    for node in [&seed, &first, &second] {
        node.says("ok", 9, &[(HERE, first.port, "a"), (HERE, second.port, "b")]);
    }
    let connector = connector(&[seed.port]);
    assert_eq!(look(&connector).owner(1), at(first.port));
    seed.dies();
    first.says("ok", 50, &[(HERE, foreign.port, "z")]);
    second.dies();
    assert_eq!(look(&connector).owner(1), at(first.port));
    assert_eq!(look(&connector).owner(1), at(first.port));
}

#[test]
fn where_no_node_is_well_a_later_word_counts_and_an_earlier_one_does_not() {
    let [one, other] = [Node::new(), Node::new()];
    one.says("ok", 9, &[(HERE, one.port, "a"), (HERE, other.port, "b")]);
    let connector = connector(&[one.port]);
    assert_eq!(look(&connector).owner(1), at(one.port));
    for (epoch, owner) in [(8, one.port), (9, one.port), (10, other.port)] {
        for node in [&one, &other] {
            node.says("fail", epoch, &[(HERE, other.port, "b"), (HERE, one.port, "a")]);
        }
        assert_eq!(look(&connector).owner(1), at(owner), "{epoch}");
    }
}

#[test]
fn after_a_slot_has_moved_one_node_is_enough_that_says_so() {
    let nodes = [Node::new(), Node::new(), Node::new()];
    let owned_by = |first: usize| {
        [0, 1, 2].map(|turn| (HERE, nodes[(first + turn) % 3].port, ["a", "b", "c"][(first + turn) % 3]))
    };
    nodes.iter().for_each(|node| node.says("ok", 9, &owned_by(0)));
    let connector = connector(&[nodes[0].port]);
    let cluster = look(&connector);
    let told = Told { host: HERE.to_owned(), port: nodes[1].port };
    cluster.note_redirect(&Redirect::Moved(1, told), None);
    assert_eq!((cluster.owner(0), cluster.owner(1)), (at(nodes[0].port), at(nodes[1].port)));
    assert_eq!((cluster.owner(2), cluster.owner(16_383)), (at(nodes[0].port), at(nodes[0].port)));
    let asked = || nodes.iter().map(|node| node.asked.load(SeqCst)).sum::<usize>();
    let before = asked();
    look(&connector);
    assert_eq!(asked() - before, 1);
}

#[test]
fn a_node_with_two_names_has_not_moved_as_long_as_it_is_reached_by_the_one_that_is_known() {
    let [one, other] = [Node::new(), Node::new()];
    let named = |host: &'static str| [(host, one.port, "a"), (host, other.port, "b")];
    one.says("ok", 9, &named(HERE));
    other.says("ok", 9, &named("localhost"));
    let connector = connector(&[one.port]);
    let cluster = look(&connector);
    let changes = cluster.changes();
    for _ in 0..4 {
        look(&connector);
    }
    assert_eq!((cluster.changes(), cluster.owner(1)), (changes, at(one.port)));
    // Two that change their places have moved.
    for node in [&one, &other] {
        node.says("ok", 10, &[(HERE, other.port, "a"), (HERE, one.port, "b")]);
    }
    assert_eq!(look(&connector).owner(1), at(other.port));
}

#[test]
fn a_node_that_is_not_reached_at_its_known_address_is_where_others_say() {
    let [one, moved, other] = [Node::new(), Node::new(), Node::new()];
    for node in [&one, &other] {
        node.says("ok", 9, &[(HERE, one.port, "a"), (HERE, other.port, "b")]);
    }
    let connector = connector(&[other.port]);
    let cluster = look(&connector);
    assert_eq!(cluster.owner(1), at(one.port));
    for node in [&moved, &other] {
        node.says("ok", 9, &[(HERE, moved.port, "a"), (HERE, other.port, "b")]);
    }
    one.dies();
    let manner = (Protocol::Resp2, Courtesy::Full);
    let connection = cluster.connect(1, manner, soon(), None).unwrap();
    assert_eq!((connection.peer().cloned(), cluster.owner(1)), (at(moved.port), at(moved.port)));
}

#[test]
fn a_node_whose_known_address_was_given_to_something_else_is_where_others_say() {
    for (of_others, words) in [("another cluster", true), ("no cluster", false)] {
        let [one, moved, other, foreign] = [Node::new(), Node::new(), Node::new(), Node::new()];
        for node in [&one, &other] {
            node.says("ok", 9, &[(HERE, one.port, "a"), (HERE, other.port, "b")]);
        }
        let connector = connector(&[other.port]);
        assert_eq!(look(&connector).owner(1), at(one.port));
        for node in [&moved, &other] {
            node.says("ok", 9, &[(HERE, moved.port, "a"), (HERE, other.port, "b")]);
        }
        one.says(if words { "ok" } else { "disabled" }, 50, &[(HERE, foreign.port, "z")]);
        // It answers, and calls itself a primary.
        let manner = (Protocol::Resp2, Courtesy::Full);
        let cluster = connector.cluster().unwrap();
        for _ in 0..4 {
            cluster.connect(1, manner, soon(), None).unwrap();
            look(&connector);
        }
        assert_eq!(cluster.owner(1), at(moved.port), "{of_others}");
    }
}

#[test]
fn where_all_known_nodes_were_silent_those_of_the_url_are_asked_first() {
    let [seed, one] = [Node::new(), Node::new()];
    seed.says("ok", 9, &[(HERE, one.port, "a")]);
    let connector = connector(&[seed.port]);
    let cluster = look(&connector);
    let order = || cluster.order(cluster.known.load_full().as_deref());
    assert_eq!(order().first().cloned(), at(one.port));
    seed.dies();
    one.dies();
    look(&connector);
    assert_eq!(order().first().cloned(), at(seed.port));
}

#[test]
fn keys_of_several_slots_may_be_on_their_way_at_once() {
    let nodes = [Node::new(), Node::new(), Node::new()];
    nodes[0].says("ok", 9, &[(HERE, nodes[0].port, "a")]);
    let connector = connector(&[nodes[0].port]);
    let cluster = look(&connector);
    let ask = |slot: u16, port: u16| {
        cluster.note_redirect(&Redirect::Ask(slot, Told { host: HERE.to_owned(), port }), None);
    };
    let both = |port: u16| vec![at(nodes[0].port).unwrap(), at(port).unwrap()];
    ask(1, nodes[1].port);
    ask(2, nodes[2].port);
    assert_eq!((cluster.places(1), cluster.places(2)), (both(nodes[1].port), both(nodes[2].port)));
    let changes = cluster.changes();
    ask(1, nodes[1].port);
    assert_eq!(cluster.changes(), changes, "it was known");
    ask(1, nodes[2].port);
    assert_eq!((cluster.places(1), cluster.changes()), (both(nodes[2].port), changes + 1));
    cluster.note_redirect(&Redirect::Moved(1, Told { host: HERE.to_owned(), port: nodes[2].port }), None);
    assert_eq!((cluster.places(1), cluster.places(2)), (vec![at(nodes[2].port).unwrap()], both(nodes[2].port)));
}

#[test]
fn a_node_that_does_not_say_that_it_is_a_primary_is_waited_for_no_longer_than_for_a_connect() {
    let node = Node::new();
    node.says("mute", 1, &[(HERE, node.port, "a")]);
    let connector = connector(&[node.port]);
    let cluster = look(&connector);
    let began = Instant::now();
    let manner = (Protocol::Resp2, Courtesy::Full);
    assert!(cluster.connect(1, manner, Deadline::after(Duration::from_millis(300)), None).is_err());
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
}
