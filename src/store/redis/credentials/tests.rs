//! Tests of the cell.

use super::from_file::Found;
use super::*;

fn host() -> Arc<Credentials> {
    Arc::new(Credentials::new(LoginSource::Host, Some("ada"), None))
}

#[test]
fn nothing_is_there_before_the_host_has_set_something() {
    let credentials = host();
    assert!(credentials.is_missing() && credentials.for_connect().is_err());
    assert_eq!((credentials.state().0, credentials.user().as_deref()), (LoginState::Missing, Some("ada")));
    credentials.set_by_host(None, "hunter2", None).unwrap();
    let grant = credentials.for_connect().unwrap();
    assert_eq!(grant.password.as_ref().map(|password| password.as_str()), Some("hunter2"));
    assert_eq!((credentials.state(), credentials.user()), ((LoginState::Untried, None), None));
}

#[test]
fn each_setting_has_a_number_of_its_own_and_a_refusal_counts_for_one() {
    let credentials = host();
    credentials.set_by_host(None, "a", None).unwrap();
    let first = credentials.number();
    credentials.note_refused(first, "no");
    assert_eq!(credentials.state(), (LoginState::Refused, Some("no".to_owned())));
    credentials.set_by_host(None, "a", None).unwrap();
    assert_ne!(credentials.number(), first);
    assert_eq!(credentials.state().0, LoginState::Untried);
    credentials.note_refused(first, "late");
    assert_eq!(credentials.state().0, LoginState::Untried);
    credentials.note_refused(credentials.number(), "no");
    credentials.note_accepted(first);
    assert_eq!(credentials.state().0, LoginState::Refused);
    credentials.note_accepted(credentials.number());
    assert_eq!(credentials.state().0, LoginState::Ok);
}

#[test]
fn what_is_good_for_a_while_expires_and_any_length_of_time_will_do() {
    let credentials = host();
    credentials.set_by_host(None, "a", Some(Duration::from_nanos(1))).unwrap();
    while credentials.state().0 != LoginState::Expired {
        std::thread::yield_now();
    }
    credentials.set_by_host(None, "a", Some(Duration::from_millis(i64::MAX as u64))).unwrap();
    assert_eq!(credentials.state().0, LoginState::Untried);
    credentials.present().unwrap().after_share(0.8);
}

#[test]
fn what_no_server_takes_is_refused_and_changes_nothing() {
    let credentials = Credentials::new(LoginSource::Options, None, Some("hunter2"));
    let (number, long) = (credentials.number(), "x".repeat(LONGEST_PASSWORD + 1));
    for (user, password, told) in [
        (None, "", "empty"),
        (None, "a\0b", "the password has a NUL byte"),
        (Some("a\0"), "b", "the user has a NUL byte"),
        (None, long.as_str(), "the password has more than 65536 bytes"),
        (Some(&long[..LONGEST_USER + 1]), "b", "the user has more than 1024 bytes"),
    ] {
        let error = credentials.set_by_host(user, password, None).unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("xxx"), "{error}");
    }
    assert_eq!(credentials.number(), number);
    credentials.set_by_host(Some(&long[..LONGEST_USER]), &long[..LONGEST_PASSWORD], None).unwrap();
}

#[test]
fn where_a_file_says_who_logs_in_the_host_does_not() {
    let credentials = Arc::new(Credentials::new(LoginSource::File("/nowhere".into()), None, None));
    let error = credentials.set_by_host(None, "a", None).unwrap_err();
    assert_eq!(error, CredentialsError::NotTheHosts("redis.password_file"));
    assert!(!credentials.is_missing() && credentials.for_connect().is_err());
    assert!(credentials.state().1.unwrap().contains("/nowhere: it cannot be read"));
}

#[test]
fn nothing_that_is_secret_is_shown() {
    let credentials = Credentials::new(LoginSource::Options, Some("ada"), Some("hunter2"));
    let shown = format!("{credentials:?} {:?}", credentials.present());
    assert!(!shown.contains("hunter2") && !shown.contains("ada"), "{shown}");
}

#[test]
fn what_is_said_late_of_an_older_login_changes_nothing_for_a_newer_one() {
    let credentials = host();
    credentials.set_by_host(None, "first", None).unwrap();
    let first = credentials.number();
    credentials.set_by_host(None, "second", None).unwrap();
    let second = credentials.number();
    credentials.note_refused(second, "no");
    credentials.note_refused(first, "an old story");
    assert_eq!(credentials.refusal(), Some((second, "no".to_owned())));
    credentials.note_accepted(second);
    credentials.note_refused(first, "an old story");
    credentials.note_accepted(first);
    assert_eq!((credentials.refusal(), credentials.state().0), (None, LoginState::Ok));
}

/// A cell whose file is read by these.
fn of_file() -> Arc<Credentials> {
    let credentials = Credentials::new(LoginSource::File("/some/file".into()), None, None);
    credentials.set_lender(|look| std::thread::Builder::new().spawn(look).map(drop));
    Arc::new(credentials)
}

fn holding(password: &str) -> Found {
    Ok(Zeroizing::new(password.to_owned()))
}

#[test]
fn a_file_that_does_not_answer_holds_nobody_up_for_long_and_the_last_password_stays_in_use() {
    let credentials = of_file();
    credentials.look(|| holding("first"));
    let (go_on, hangs) = std::sync::mpsc::channel::<()>();
    let began = Instant::now();
    credentials.look(move || {
        let _ = hangs.recv();
        holding("second")
    });
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(900) && waited < Duration::from_secs(20), "{waited:?}");
    let began = Instant::now();
    (0..1_000).for_each(|_| credentials.look(|| panic!("one look at a time")));
    assert!(began.elapsed() < waited, "while one hangs, nobody waits: {:?}", began.elapsed());
    let password = || credentials.present().unwrap().password.as_ref().unwrap().to_string();
    assert_eq!((password(), credentials.number()), ("first".to_owned(), 1));
    assert!(credentials.trouble().unwrap().contains("/some/file: it does not answer"));
    go_on.send(()).unwrap();
    while credentials.number() == 1 {
        std::thread::yield_now();
    }
    // The look that was late may be about to end only.
    let deadline = Instant::now() + Duration::from_secs(20);
    while credentials.trouble().is_some() && Instant::now() < deadline {
        credentials.look(|| holding("second"));
    }
    assert_eq!((password(), credentials.number(), credentials.trouble()), ("second".to_owned(), 2, None));
}

#[test]
fn what_an_earlier_look_has_seen_is_never_put_back() {
    let credentials = of_file();
    let file = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let file = file.clone();
                    credentials.look(move || {
                        let seen = file.fetch_add(1, Relaxed);
                        // Whoever looks besides would see a later one now, and be done sooner.
                        std::thread::yield_now();
                        holding(&seen.to_string())
                    });
                }
            });
        }
        scope.spawn(|| {
            let seen =
                || credentials.present().map_or(0, |grant| grant.password.as_ref().unwrap().parse::<u64>().unwrap());
            let mut newest = 0;
            while file.load(Relaxed) < 50 {
                let now = seen();
                assert!(now >= newest, "{now} after {newest}");
                newest = now;
            }
        });
    });
}

#[test]
fn what_nobody_has_tried_is_not_told_as_good() {
    let credentials = host();
    credentials.set_by_host(None, "first", None).unwrap();
    assert_eq!(credentials.state(), (LoginState::Untried, None));
    credentials.note_accepted(credentials.number());
    assert_eq!(credentials.state(), (LoginState::Ok, None));
    credentials.set_by_host(None, "second", None).unwrap();
    credentials.note_accepted(credentials.number() - 1);
    assert_eq!(credentials.state(), (LoginState::Untried, None), "that was the one before");
}
