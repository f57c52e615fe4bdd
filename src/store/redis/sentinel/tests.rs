//! What is remembered of sentinels, and how it is told.

use super::*;
use crate::store::redis::credentials::{Credentials, LoginSource};
use crate::store::redis::login::Login;
use crate::store::redis::sockets::Sockets;

fn address(port: u16) -> Address {
    Address::Tcp { host: "127.0.0.1".to_owned(), port }
}

fn sentinels(count: u16) -> Sentinels {
    let credentials = Arc::new(Credentials::new(LoginSource::Options, None, None));
    let login = Login { credentials, database: 0, name: "test".to_owned() };
    let (command_timeout, sockets) = (Duration::from_millis(100), Arc::<Sockets>::default());
    let dialer = Dialer { tls: None, login, command_timeout, sockets };
    let service = Service { name: "main".to_owned(), sentinels: (1..=count).map(address).collect() };
    Sentinels::new(service, dialer, command_timeout, ReadFrom::Primary)
}

#[test]
fn only_what_was_elsewhere_before_has_moved() {
    let sentinels = sentinels(1);
    let moves = |port| {
        sentinels.note_place(&Candidate::primary(address(port)));
        sentinels.moves()
    };
    assert_eq!([7, 7, 8, 8, 7].map(moves), [0, 0, 1, 1, 2]);
    assert_eq!(sentinels.place().as_deref(), Some(&address(7)));
}

#[test]
fn all_are_asked_once_and_begin_with_the_next_one_after_a_failure() {
    let sentinels = sentinels(3);
    sentinels.first.store(65_535, Relaxed);
    for _ in 0..4 {
        let mut order = sentinels.order();
        let first = order[0];
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2]);
        sentinels.ask_another_first();
        assert_eq!(sentinels.order()[0], (first + 1) % 3);
    }
}

#[test]
fn the_silence_of_all_is_one_sentence() {
    let sentinels = sentinels(2);
    let say = |position, silence| sentinels.note_word(position, &Err(silence));
    (0..2).for_each(|position| say(position, Silence::Unknown));
    assert_eq!(sentinels.silence(), "no sentinel knows a service \"main\" (asked 127.0.0.1:1 127.0.0.1:2)");
    say(1, Silence::DataNode);
    assert_eq!(
        sentinels.silence(),
        "no sentinel tells where the primary of \"main\" is: 127.0.0.1:1 does not know the service; \
         127.0.0.1:2 is a data node and no sentinel"
    );
    let cut = io::Error::other("no connection to 127.0.0.1:2: Connection refused");
    say(1, Silence::Failed(cut.into()));
    assert!(sentinels.silence().ends_with("service; no connection to 127.0.0.1:2: Connection refused"));
    sentinels.note_word(1, &Ok(Word { address: address(9), epoch: None, replicas: Vec::new() }));
    assert_eq!(sentinels.whereabouts().asked.as_deref(), Some("127.0.0.1:2"));
    assert_eq!(sentinels.whereabouts().sentinels[1].1, None);
}
