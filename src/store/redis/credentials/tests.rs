//! Tests of the cell.

use super::*;

fn host() -> Credentials {
    Credentials::new(LoginSource::Host, Some("ada"), None)
}

#[test]
fn nothing_is_there_before_the_host_has_set_something() {
    let credentials = host();
    assert!(credentials.is_missing() && credentials.for_connect().is_err());
    assert_eq!((credentials.state().0, credentials.user().as_deref()), (LoginState::Missing, Some("ada")));
    credentials.set_by_host(None, "hunter2", None).unwrap();
    let grant = credentials.for_connect().unwrap();
    assert_eq!(grant.password.as_ref().map(|password| password.as_str()), Some("hunter2"));
    assert_eq!((credentials.state(), credentials.user()), ((LoginState::Ok, None), None));
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
    assert_eq!(credentials.state().0, LoginState::Ok);
    credentials.note_refused(first, "late");
    assert_eq!(credentials.state().0, LoginState::Ok);
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
    assert_eq!(credentials.state().0, LoginState::Ok);
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
    let credentials = Credentials::new(LoginSource::File("/nowhere".into()), None, None);
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
