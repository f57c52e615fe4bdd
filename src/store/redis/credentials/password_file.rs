//! A password in a file, as Vault's agent and Kubernetes write it: for the duration of a moment it may be empty, gone, or a link
//! that leads elsewhere. Depends on `files`.

use std::io::Read as _;
use std::path::Path;

use zeroize::{Zeroize as _, Zeroizing};

use crate::files;

/// The password in the file, without the end of its line; or why there is none, for people.
pub fn read(path: &Path, most: usize) -> Result<Zeroizing<String>, String> {
    let opened = files::prompt().read(true).open(path);
    let cannot = |error: std::io::Error| format!("it cannot be read: {error}");
    let file = opened.map_err(cannot)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    // So much at once that nothing is left behind in memory that was given back.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 4));
    file.take(most as u64 + 3).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    if bytes.len() > most {
        return Err(format!("it has more than {most} bytes"));
    }
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(mut text) => {
            let password = Zeroizing::new(text.as_str().to_owned());
            text.zeroize();
            Ok(password)
        }
        Err(error) => {
            error.into_bytes().zeroize();
            Err("it is not UTF-8".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MOST: usize = 20;

    fn read_from(bytes: &[u8]) -> Result<String, String> {
        let path = std::env::temp_dir().join(format!("flagstone-password-{}-{}", std::process::id(), bytes.len()));
        fs::write(&path, bytes).unwrap();
        let outcome = read(&path, MOST).map(|password| (*password).clone());
        fs::remove_file(&path).unwrap();
        outcome
    }

    #[test]
    fn one_end_of_a_line_is_no_part_of_the_password() {
        for (bytes, password) in
            [("a", "a"), ("ab\n", "ab"), ("abc\r\n", "abc"), ("abcd\n\n", "abcd\n"), (" a b \n", " a b ")]
        {
            assert_eq!(read_from(bytes.as_bytes()).as_deref(), Ok(password));
        }
        assert_eq!(read_from(&[b'x'; MOST]).map(|password| password.len()), Ok(MOST));
        assert_eq!(read_from(&[&[b'x'; MOST][..], b"\r\n"].concat()).map(|password| password.len()), Ok(MOST));
    }

    #[test]
    fn what_is_no_password_is_told_in_words_without_what_is_in_it() {
        for (bytes, why) in
            [(&b""[..], "empty"), (b"\n", "empty"), (b"\xffab", "UTF-8"), (&[b'x'; MOST + 1], "more than 20")]
        {
            let told = read_from(bytes).unwrap_err();
            assert!(told.contains(why) && !told.contains("xxx"), "{told}");
        }
        assert!(read(Path::new("/nowhere/at/all"), MOST).unwrap_err().contains("No such file"));
        assert!(read(&std::env::temp_dir(), MOST).unwrap_err().contains("not a regular file"));
    }
}
