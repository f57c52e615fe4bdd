//! What nodes say of who owns what, whole and damaged.

use redis::{Parser, parse_redis_value};

use super::*;

fn address(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.to_owned(), port }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn node(host: &str, port: u16, more: &str) -> String {
    let count = if more.is_empty() { 3 } else { 4 };
    format!("*{count}\r\n{host}:{port}\r\n{}{more}", bulk("07c37df"))
}

fn slots(ranges: &[(u16, u16, &[String])]) -> String {
    let range = |(first, last, nodes): &(u16, u16, &[String])| {
        format!("*{}\r\n:{first}\r\n:{last}\r\n{}", 2 + nodes.len(), nodes.concat())
    };
    format!("*{}\r\n{}", ranges.len(), ranges.iter().map(range).collect::<String>())
}

/// What `asked:7` says over an encrypted connection or a plain one.
fn read(reply: &str, reached: &AddressMap) -> Option<Map> {
    let asked = address("asked", 7);
    let reply = parse_redis_value(reply.as_bytes()).unwrap();
    Map::of_slots(&reply, Reading { asked: &asked, reached, encrypted: false })
}

fn owner(reply: &str, slot: u16) -> Option<Address> {
    read(reply, &AddressMap::default()).unwrap().owner(slot).cloned()
}

#[test]
fn a_slot_belongs_to_the_first_node_of_its_range() {
    let reply = slots(&[
        (0, 99, &[node(&bulk("10.0.0.1"), 1, ""), node(&bulk("10.0.0.2"), 2, "")]),
        (100, 100, &[node(&bulk("::1"), 3, "")]),
        (200, 16_383, &[node(&bulk("db.example.org"), 4, &format!("*2\r\n{}{}", bulk("ip"), bulk("10.0.0.4")))]),
    ]);
    assert_eq!(owner(&reply, 0), Some(address("10.0.0.1", 1)));
    assert_eq!(owner(&reply, 99), Some(address("10.0.0.1", 1)));
    assert_eq!(owner(&reply, 100).unwrap().to_string(), "[::1]:3");
    assert_eq!(owner(&reply, 150), None);
    assert_eq!(owner(&reply, 16_383), Some(address("db.example.org", 4)));
    let map = read(&reply, &AddressMap::default()).unwrap();
    assert_eq!(map.nodes().len(), 4);
    let moved = map.with_owner(150, address("x", 1)).with_owner(0, address("y", 1)).with_owner(0, address("z", 1));
    assert_eq!([0, 1, 150].map(|slot| moved.owner(slot).unwrap().to_string()), ["z:1", "10.0.0.1:1", "x:1"]);
    assert_eq!((map.size(), moved.size()), (100 + 1 + 16_184, 100 + 1 + 16_184 + 1));
}

#[test]
fn a_node_without_a_host_is_where_it_was_asked_and_one_without_a_name_at_its_address() {
    for host in ["$-1\r\n".to_owned(), bulk("")] {
        assert_eq!(owner(&slots(&[(0, 9, &[node(&host, 1, "")])]), 0), Some(address("asked", 1)));
    }
    let beside = format!("*2\r\n{}{}", bulk("ip"), bulk("10.0.0.4"));
    assert_eq!(owner(&slots(&[(0, 9, &[node(&bulk("?"), 1, &beside)])]), 0), Some(address("10.0.0.4", 1)));
    assert_eq!(owner(&slots(&[(0, 9, &[node(&bulk("?"), 1, "")])]), 0), None);
    assert_eq!(owner(&slots(&[(0, 9, &[node(&bulk("h"), 0, "")])]), 0), None);
}

#[test]
fn what_a_node_says_is_reached_where_the_map_of_the_url_says() {
    let reached =
        AddressMap(vec![(address("10.0.0.1", 1), address("outside", 9)), (address("asked", 1), address("o", 1))]);
    let reply =
        slots(&[(0, 9, &[node(&bulk("10.0.0.1"), 1, ""), node("$-1\r\n", 1, ""), node(&bulk("10.0.0.1"), 2, "")])]);
    let nodes = read(&reply, &reached).unwrap().nodes();
    assert_eq!(nodes, [address("outside", 9), address("o", 1), address("10.0.0.1", 2)]);
}

fn shard(slots: &[u16], nodes: &[[&str; 5]]) -> String {
    let numbers: String = slots.iter().map(|slot| format!(":{slot}\r\n")).collect();
    let node = |[port, tls_port, endpoint, role, health]: &[&str; 5]| {
        let number =
            |name: &str, port: &str| if port.is_empty() { String::new() } else { format!("{}:{port}\r\n", bulk(name)) };
        let text = |name: &str, value: &str| format!("{}{}", bulk(name), bulk(value));
        let ports = [number("port", port), number("tls-port", tls_port)].concat();
        let count = 8 + 2 * [port, tls_port].iter().filter(|port| !port.is_empty()).count();
        let ip = text("ip", "10.0.0.9");
        let endpoint = match *endpoint {
            "" => format!("{}$-1\r\n", bulk("endpoint")),
            endpoint => text("endpoint", endpoint),
        };
        format!("*{count}\r\n{ports}{ip}{endpoint}{}{}", text("role", role), text("health", health))
    };
    let nodes: Vec<String> = nodes.iter().map(node).collect();
    let (slots_name, nodes_name) = (bulk("slots"), bulk("nodes"));
    format!("*4\r\n{slots_name}*{}\r\n{numbers}{nodes_name}*{}\r\n{}", slots.len(), nodes.len(), nodes.concat())
}

#[test]
fn shards_have_a_primary_that_is_well_and_ports_for_either_kind_of_connection() {
    let shards = [
        shard(&[0, 9, 20, 29], &[["1", "2", "a", "replica", "online"], ["3", "4", "b", "master", "online"]]),
        shard(&[30, 39], &[["1", "2", "old", "master", "fail"], ["3", "", "new", "master", "online"]]),
        shard(&[40, 49], &[["1", "2", "?", "master", "online"]]),
        shard(&[], &[["1", "2", "idle", "master", "online"]]),
        shard(&[60, 69], &[["1", "2", "", "master", "online"]]),
    ];
    let reply = parse_redis_value(format!("*5\r\n{}", shards.concat()).as_bytes()).unwrap();
    let asked = address("asked", 7);
    let read = |encrypted| {
        let map =
            Map::of_shards(&reply, Reading { asked: &asked, reached: &AddressMap::default(), encrypted }).unwrap();
        [0, 25, 35, 45, 50, 60].map(|slot| map.owner(slot).map_or_else(String::new, ToString::to_string))
    };
    assert_eq!(read(false), ["b:3", "b:3", "new:3", "10.0.0.9:1", "", "asked:1"]);
    assert_eq!(read(true), ["b:4", "b:4", "", "10.0.0.9:2", "", "asked:2"]);
}

#[test]
fn damaged_replies_are_refused_or_read_and_nothing_worse() {
    let whole = [
        slots(&[
            (
                0,
                8_000,
                &[node(&bulk("10.0.0.1"), 1, ""), node(&bulk("?"), 2, &format!("*2\r\n{}{}", bulk("ip"), bulk("h")))],
            ),
            (8_001, 16_383, &[node("$-1\r\n", 3, "")]),
        ]),
        format!(
            "*1\r\n{}",
            shard(&[0, 16_383], &[["1", "2", "a", "replica", "online"], ["3", "4", "b", "master", "online"]])
        ),
    ];
    let pieces: [&[u8]; 9] =
        [b"$-1\r\n", b":-1\r\n", b":70000\r\n", b"*0\r\n", b"*-1\r\n", b"$0\r\n\r\n", b"-ERR x\r\n", b"_\r\n", b"\r\n"];
    let (mut state, mut refused, mut taken) = (0x9E37_79B9_7F4A_7C15_u64, 0, 0);
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % limit
    };
    let asked = address("asked", 7);
    for _ in 0..60_000 {
        let mut text = whole[below(2)].clone().into_bytes();
        for _ in 0..=below(3) {
            let (from, to) = (below(text.len()), below(text.len()));
            match below(3) {
                0 => _ = text.splice(from..from, pieces[below(pieces.len())].iter().copied()),
                1 => _ = text.splice(from.min(to)..from.max(to), pieces[below(pieces.len())].iter().copied()),
                _ => text[from] = u8::try_from(below(256)).unwrap(),
            }
            if text.is_empty() {
                break;
            }
        }
        let Ok(reply) = Parser::new().parse_value(text.as_slice()) else { continue };
        let reading = Reading { asked: &asked, reached: &AddressMap::default(), encrypted: false };
        for map in [Map::of_slots(&reply, reading), Map::of_shards(&reply, reading)] {
            match map {
                None => refused += 1,
                Some(map) => {
                    taken += 1;
                    assert!(map.nodes().iter().all(Address::has_port));
                    assert!((0..SLOTS).step_by(1_000).all(|slot| map.owner(slot).is_none_or(Address::has_port)));
                }
            }
        }
    }
    assert!(refused > 5_000 && taken > 500, "{refused} {taken}");
}
