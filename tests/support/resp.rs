//! The bytes of Redis' protocol, as far as a proxy has to understand them: where a command ends, and where a reply does.

/// The first command in `bytes`, if it is whole, and its length.
pub fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let (count, mut at) = header(bytes, 0, b"*")?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, start) = header(bytes, at, b"$")?;
        let end = start + usize::try_from(length).ok()?;
        words.push(String::from_utf8_lossy(bytes.get(start..end)?).into_owned());
        at = end + 2;
    }
    (bytes.len() >= at).then_some((words, at))
}

/// Name of a command in upper case; CLIENT has its subcommand with it.
pub fn name(words: &[String]) -> String {
    match (words[0].to_uppercase(), words.get(1)) {
        (name, Some(subcommand)) if name == "CLIENT" => format!("CLIENT {}", subcommand.to_uppercase()),
        (name, _) => name,
    }
}

/// Length of the first reply or push message in `bytes`, if it is whole.
pub fn reply_length(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut awaited) = (0, 1_usize);
    while awaited > 0 {
        awaited -= 1;
        let sign = *bytes.get(at)?;
        if !b"$=!*~>%|".contains(&sign) {
            at = line_end(bytes, at)?;
            continue;
        }
        let (number, end) = header(bytes, at, &[sign])?;
        // -1 stands for "nothing".
        let number = usize::try_from(number).ok();
        at = end;
        match (sign, number) {
            (b'$' | b'=' | b'!', Some(length)) => at += length + 2,
            (b'*' | b'~' | b'>', Some(count)) => awaited += count,
            (b'%', Some(count)) => awaited += 2 * count,
            // Attributes come before the reply that they are about.
            (b'|', Some(count)) => awaited += 2 * count + 1,
            _ => {}
        }
    }
    (bytes.len() >= at).then_some(at)
}

/// Whether the message that begins so is one that nobody asked for.
pub fn is_push(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'>')
}

/// Whether a push says that a subscription stands.
pub fn is_subscription(bytes: &[u8]) -> bool {
    bytes.starts_with(b">3\r\n$9\r\nsubscribe\r\n")
}

/// The number in the line that begins at `at` with this sign, and where the line ends.
fn header(bytes: &[u8], at: usize, sign: &[u8]) -> Option<(i64, usize)> {
    let end = line_end(bytes, at)?;
    let text = bytes[at..end].strip_prefix(sign)?.strip_suffix(b"\r\n")?;
    Some((std::str::from_utf8(text).ok()?.parse().ok()?, end))
}

fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    Some(at + bytes.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1)
}
