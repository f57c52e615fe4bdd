//! Tests of the snapshot file: what is written, read back, refused and cleaned up.

use std::fs::{self, File};

use super::*;
use crate::store::testing::{flag, segment};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn snapshot() -> Snapshot {
    let (mut snapshot, mut interner) = (Snapshot::default(), Interner::default());
    for (key, text) in [
        ("a", flag("a", 3, &["p"], &["s"])),
        ("gone", br#"{"version":7,"deleted":true}"#.to_vec()),
        ("q\"uote", flag("q", 1, &[], &[])),
        ("bad", b"{oops".to_vec()),
    ] {
        snapshot.flags.insert(key, Arc::new(Entry::parse(key, text, &mut interner).0));
    }
    snapshot.segments.insert("s", Arc::new(Entry::parse("s", segment("s", 2, &[]), &mut interner).0));
    snapshot
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("flagstone-backup-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn what_was_written_is_read_back_except_for_what_does_not_parse() {
    let folder = folder("round");
    let backup = Backup::new(folder.join("flags"), "key", "prefix");
    backup.save(&snapshot()).unwrap();
    backup.save(&snapshot()).unwrap();
    let (read, changes) = backup.read().unwrap();
    assert_eq!((read.flags.len(), read.segments.len(), changes.len()), (3, 1, 4));
    assert_eq!(read.flags.get("a").unwrap().text(), snapshot().flags.get("a").unwrap().text());
    assert!(matches!(read.flags.get("gone").unwrap().state(), State::Tombstone));
    assert_eq!(read.flags.get("q\"uote").unwrap().version(), 1);
    let mode = fs::metadata(backup.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_holds_the_same_already_is_left_alone() {
    let folder = folder("same");
    let backup = Backup::new(folder.join("flags"), "key", "prefix");
    let file = || fs::metadata(backup.path()).unwrap().ino();
    backup.save(&snapshot()).unwrap();
    let first = file();
    backup.save(&snapshot()).unwrap();
    assert_eq!(file(), first);
    let whole = fs::read(backup.path()).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() = b' ';
    for damaged in [&whole[..whole.len() - 1], &flipped] {
        fs::write(backup.path(), damaged).unwrap();
        backup.save(&snapshot()).unwrap();
        assert_eq!(fs::read(backup.path()).unwrap(), whole, "a damaged file is written again");
    }
    fs::set_permissions(backup.path(), Permissions::from_mode(0o644)).unwrap();
    backup.save(&snapshot()).unwrap();
    assert_eq!(fs::metadata(backup.path()).unwrap().mode() & 0o777, 0o600, "nobody else may read it");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_default_prefix_is_the_same_environment_whether_it_is_named_or_not() {
    let folder = folder("prefix");
    Backup::new(folder.join("flags"), "key", "").save(&snapshot()).unwrap();
    assert!(Backup::new(folder.join("flags"), "key", "launchdarkly").read().is_ok());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_damaged_file_and_one_of_another_environment_are_refused() {
    let folder = folder("refused");
    let backup = Backup::new(folder.join("flags"), "key", "prefix");
    assert!(matches!(backup.read(), Err(BackupError::Io(_))));
    backup.save(&snapshot()).unwrap();
    let good = fs::read(backup.path()).unwrap();
    for other in [Backup::new(folder.join("flags"), "other", "prefix"), Backup::new(folder.join("flags"), "key", "p")] {
        assert!(matches!(other.read(), Err(BackupError::Environment)));
    }
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() = b' ';
    for (bad, damaged) in
        [(&good[..good.len() - 9], true), (&flipped[..], true), (b"".as_slice(), false), (b"x 1 2 3\n{}", false)]
    {
        fs::write(backup.path(), bad).unwrap();
        match backup.read() {
            Err(BackupError::Damaged) => assert!(damaged),
            Err(BackupError::Format) => assert!(!damaged),
            other => panic!("{other:?}"),
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_file_never_contains_the_sdk_key() {
    let folder = folder("secret");
    let backup = Backup::new(folder.join("flags"), "sdk-secret-key", "prefix");
    backup.save(&snapshot()).unwrap();
    assert!(!fs::read_to_string(backup.path()).unwrap().contains("sdk-secret-key"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn nobody_without_the_key_can_make_a_file_that_is_believed() {
    let folder = folder("forged");
    let backup = Backup::new(folder.join("flags"), "key", "prefix");
    backup.save(&snapshot()).unwrap();
    let text = fs::read_to_string(backup.path()).unwrap();
    let (header, body) = text.split_once('\n').unwrap();
    let forged = body.replace("\"version\":3", "\"version\":4");
    assert_ne!(forged, body);
    let environment = header.rsplit(' ').next().unwrap();
    let checksum = hex(&Sha256::digest(forged.as_bytes()));
    fs::write(backup.path(), format!("{MAGIC} {FORMAT} {checksum} {environment}\n{forged}")).unwrap();
    assert!(matches!(backup.read(), Err(BackupError::Damaged)));
    let keyless = Backup::new(folder.join("keyless"), "", "prefix");
    keyless.save(&snapshot()).unwrap();
    assert!(keyless.read().is_ok(), "without a key there is a checksum");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_of_the_older_format_is_refused_and_written_anew() {
    let folder = folder("older");
    let backup = Backup::new(folder.join("flags"), "key", "prefix");
    backup.save(&snapshot()).unwrap();
    let new = fs::read_to_string(backup.path()).unwrap();
    fs::write(backup.path(), new.replacen(" 2 ", " 1 ", 1)).unwrap();
    assert!(matches!(backup.read(), Err(BackupError::Format)));
    backup.save(&snapshot()).unwrap();
    assert!(backup.read().is_ok());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_others_could_have_written_is_refused_and_replaced() {
    let folder = folder("others");
    let backup = Backup::new(folder.join("flags"), "key", "prefix");
    let refused = || match backup.read() {
        Err(BackupError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    backup.save(&snapshot()).unwrap();
    for mode in [0o662, 0o602, 0o622] {
        fs::set_permissions(backup.path(), Permissions::from_mode(mode)).unwrap();
        assert!(refused().contains("writable"), "{mode:o}");
    }
    let elsewhere = folder.join("elsewhere");
    fs::rename(backup.path(), &elsewhere).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, backup.path()).unwrap();
    assert!(refused().contains("link"));
    backup.save(&snapshot()).unwrap();
    assert!(fs::symlink_metadata(backup.path()).unwrap().is_file() && backup.read().is_ok());
    fs::remove_file(backup.path()).unwrap();
    fs::create_dir(backup.path()).unwrap();
    assert!(refused().contains("regular file"));
    fs::remove_dir(backup.path()).unwrap();
    let status = std::process::Command::new("mkfifo").arg(backup.path()).status();
    if status.is_ok_and(|status| status.success()) {
        assert!(refused().contains("regular file"), "and nobody waits for a writer");
        fs::remove_file(backup.path()).unwrap();
    }
    // Only root may give files away.
    backup.save(&snapshot()).unwrap();
    if std::os::unix::fs::chown(backup.path(), Some(65_534), None).is_ok() {
        assert!(refused().contains("another user"));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn leftovers_of_killed_processes_are_removed_and_nothing_else() {
    let folder = folder("leftovers");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(120);
    let make = |name: &str, is_old: bool| {
        let file = File::create(folder.join(name)).unwrap();
        if is_old {
            file.set_modified(old).unwrap();
        }
    };
    for (name, is_old) in [
        ("flags.0123456789abcdef.tmp", true),
        ("flags.fedcba9876543210.tmp", false),
        ("flags.0123456789abcdeg.tmp", true),
        ("flags.0123.tmp", true),
        ("other.0123456789abcdef.tmp", true),
        ("flags.tmp", true),
    ] {
        make(name, is_old);
    }
    fs::create_dir(folder.join("flags.1111111111111111.tmp")).unwrap();
    Backup::new(folder.join("flags"), "key", "prefix").save(&snapshot()).unwrap();
    let mut left: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort_unstable();
    let expected = [
        "flags",
        "flags.0123.tmp",
        "flags.0123456789abcdeg.tmp",
        "flags.1111111111111111.tmp",
        "flags.fedcba9876543210.tmp",
        "flags.tmp",
        "other.0123456789abcdef.tmp",
    ];
    assert_eq!(left, expected);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_volume_that_is_given_to_a_group_of_ours_keeps_its_file_in_force_where_the_seal_is_keyed() {
    let folder = folder("group");
    let (sealed, keyless) =
        (Backup::new(folder.join("sealed"), "key", "prefix"), Backup::new(folder.join("keyless"), "", "prefix"));
    for backup in [&sealed, &keyless] {
        backup.save(&snapshot()).unwrap();
        // What a kubelet does to the files of a volume that has an fsGroup.
        fs::set_permissions(backup.path(), Permissions::from_mode(0o660)).unwrap();
    }
    assert!(sealed.read().is_ok());
    match keyless.read() {
        Err(BackupError::Refused(why)) => assert!(why.contains("group") && why.contains("sdk.key"), "{why}"),
        other => panic!("{other:?}"),
    }
    // Only root may give files to groups that are not its own.
    if std::os::unix::fs::chown(sealed.path(), None, Some(65_533)).is_ok() {
        match sealed.read() {
            Err(BackupError::Refused(why)) => assert!(why.contains("not ours"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    for backup in [&sealed, &keyless] {
        backup.save(&snapshot()).unwrap();
        assert_eq!(fs::metadata(backup.path()).unwrap().mode() & 0o777, 0o600, "it is closed again");
        assert!(backup.read().is_ok());
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_seal_of_another_length_or_with_other_digits_is_none() {
    let folder = folder("seals");
    let backup = Backup::new(folder.join("flags"), "key", "prefix");
    backup.save(&snapshot()).unwrap();
    let text = fs::read_to_string(backup.path()).unwrap();
    let seal = text.split(' ').nth(2).unwrap().to_owned();
    assert_eq!(seal.len(), 64);
    for other in ["", "0", &seal[..62], &seal[..63], &format!("{seal}00"), &"é".repeat(32), &"+f".repeat(32)] {
        fs::write(backup.path(), text.replacen(&seal, other, 1)).unwrap();
        assert!(matches!(backup.read(), Err(BackupError::Damaged)), "{other}");
    }
    fs::write(backup.path(), &text).unwrap();
    assert!(backup.read().is_ok());
    fs::remove_dir_all(folder).unwrap();
}
