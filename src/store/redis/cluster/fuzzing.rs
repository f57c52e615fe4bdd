//! What a node may say, for the fuzz target of replies: whatever the map is, it is one. Depends on `map`, `redirect`, `word`.

use redis::Value;

use super::super::endpoints::{Address, AddressMap};
use super::map::{Map, Reading};
use super::redirect::{Redirect, Replies as _};
use super::slot::SLOTS;
use super::word::map_of;

/// Takes the reply for each that a node may give.
pub fn reply_of_node(reply: &Value) {
    if let Some(Redirect::Moved(slot, _) | Redirect::Ask(slot, _)) = reply.redirect() {
        assert!(slot < SLOTS);
    }
    let (asked, reached) = (Address::Tcp { host: "asked".to_owned(), port: 7 }, AddressMap::default());
    for encrypted in [false, true] {
        let reading = Reading { asked: &asked, reached: &reached, encrypted };
        for map in [Map::of_slots(reply, reading), Map::of_shards(reply, reading)] {
            check(&map.clone().unwrap_or_default());
            let _ = map_of(reply, map).map_err(|silence| silence.to_string());
        }
    }
}

fn check(map: &Map) {
    let nodes = map.nodes();
    for node in &nodes {
        assert!(matches!(node, Address::Tcp { host, port } if !host.is_empty() && *port > 0));
    }
    assert!(map.is_kin(map) && (!map.is_empty() || map.size() == 0));
    let owners = |map: &Map| [0, 1, 5000, SLOTS - 1].map(|slot| map.owner(slot).cloned());
    assert!(owners(map).iter().flatten().all(|owner| nodes.contains(owner)));
    let taker = Address::Tcp { host: "taker".to_owned(), port: 1 };
    let moved = map.with_owner(5000, taker.clone());
    let mut expected = owners(map);
    expected[2] = Some(taker);
    assert_eq!(owners(&moved), expected);
}
