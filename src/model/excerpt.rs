//! Texts of others, for messages: a server's error, a piece of its data. Depends on nothing.

/// The beginning of `text`, at most `most` characters, on one line: control characters are escaped, so that what a server
/// sends cannot pass for a log line of its own. A text that was cut ends in `…`.
pub fn excerpt(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    let mut characters = text.chars();
    for character in characters.by_ref().take(most) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_shown_as_it_is() {
        assert_eq!(excerpt("né 7", 4), "né 7");
        assert_eq!(excerpt("", 4), "");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(excerpt("éééé", 3), "ééé…");
        assert_eq!(excerpt(&"x".repeat(1 << 20), 100).chars().count(), 101);
    }

    #[test]
    fn what_looks_like_a_line_of_its_own_stays_on_this_one() {
        assert_eq!(excerpt("a\r\nERROR b\u{1b}[0m", 50), r"a\r\nERROR b\u{1b}[0m");
    }
}
