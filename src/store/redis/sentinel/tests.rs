//! What is remembered of sentinels, and how it is told.

use super::*;
use crate::store::redis::credentials::{Credentials, LoginSource};
use crate::store::redis::login::Login;
use crate::store::redis::sockets::Sockets;

fn address(port: u16) -> Address {
    Address::Tcp { host: "127.0.0.1".to_owned(), port }
}

fn word(port: u16, epoch: Option<u64>) -> Word {
    Word { address: address(port), epoch, replicas: Vec::new(), others: None }
}

fn sentinels(count: u16) -> Sentinels {
    let credentials = Arc::new(Credentials::new(LoginSource::Options, None, None));
    let login = Login { credentials, database: 0, name: "test".to_owned() };
    let (command_timeout, sockets) = (Duration::from_millis(100), Arc::<Sockets>::default());
    let dialer = Dialer { tls: None, login, command_timeout, sockets };
    let service = Service { name: "main".to_owned(), sentinels: (1..=count).map(address).collect() };
    Sentinels::new(service, dialer, command_timeout, Preference::default())
}

#[test]
fn only_what_was_elsewhere_before_has_moved() {
    let sentinels = sentinels(1);
    let moves = |port| {
        sentinels.note_place(&Candidate::primary_of(&word(port, Some(port.into()))));
        sentinels.moves()
    };
    assert_eq!([7, 7, 8, 8, 7].map(moves), [0, 0, 1, 1, 2]);
    assert_eq!(sentinels.place().as_deref(), Some(&address(7)));
}

#[test]
fn the_silence_of_all_is_one_sentence() {
    let sentinels = sentinels(2);
    let all = sentinels.roster.all();
    let say = |position: usize, silence| sentinels.note_word(&all[position], &Err(silence));
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
    sentinels.note_word(&all[1], &Ok(word(9, None)));
    assert_eq!(sentinels.whereabouts().asked.as_deref(), Some("127.0.0.1:2"));
    assert_eq!(sentinels.whereabouts().sentinels[1].remark, None);
}

#[test]
fn a_word_is_later_or_behind_by_the_failover_that_it_tells_of() {
    let sentinels = sentinels(3);
    let judged = |epoch| (sentinels.is_later(&word(8, epoch)), sentinels.is_behind(&word(8, epoch)));
    assert_eq!(judged(Some(0)), (true, false), "nothing is known yet");
    sentinels.note_place(&Candidate::primary_of(&word(7, Some(4))));
    assert_eq!(
        [Some(3), Some(4), Some(5), None].map(judged),
        [(false, true), (false, false), (true, false), (false, false)]
    );
    sentinels.note_place(&Candidate::primary_of(&word(7, None)));
    assert_eq!([Some(3), None].map(judged), [(false, false), (false, false)], "the known one has no date");
}
