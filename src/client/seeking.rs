//! Who listens to sentinels for whom: one thread for flags and members of big segments, one more where the latter have sentinels of
//! their own. In a cluster it asks the nodes who owns what. May depend on `store`.

use super::plant::Plant;
use super::runtime::Voice;
use crate::store::{Errand, run_charter, run_seeker};

/// Listens, or asks, for everything that is in the Redis with the flags.
pub fn for_flags(voice: &Voice<'_>, _: &Plant) {
    let runtime = voice.runtime;
    let Some(connector) = &voice.shared.connector else { return };
    let errand = Errand {
        connector,
        option: "redis.url",
        ask_every: voice.shared.options.ping,
        mailbox: &runtime.mailbox,
        leash: &runtime.mailbox.leash_of_seeker,
        listener: voice,
        tell: &|signal| {
            runtime.mailbox.tell(signal);
            runtime.counter.knock();
        },
    };
    match connector.cluster() {
        Some(cluster) => run_charter(&errand, cluster, Some(voice.shared)),
        None => run_seeker(&errand),
    }
}

/// Listens for members that are elsewhere, once somebody has asked for one.
pub fn for_members(voice: &Voice<'_>, plant: &Plant) {
    let runtime = voice.runtime;
    let Some(members) = &plant.members else { return };
    if runtime.counter.bell().is_none() {
        return;
    }
    let errand = Errand {
        connector: &members.connector,
        option: "big_segments.url",
        ask_every: voice.shared.options.ping,
        mailbox: &runtime.mailbox,
        leash: &runtime.counter.leash_of_seeker,
        listener: voice,
        tell: &|_| runtime.counter.knock(),
    };
    match members.connector.cluster() {
        Some(cluster) => run_charter(&errand, cluster, None),
        None => run_seeker(&errand),
    }
}
