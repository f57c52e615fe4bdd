//! Tables of patterns: what matches, what does not, and what is refused.

use crate::model::regexes::compile;

/// Pattern, text, and whether the text has a match.
const MATCHES: &[(&str, &str, bool)] = &[
    ("abc", "xxabcxx", true),
    ("", "abc", true),
    ("^a.b$", "a\nb", false),
    ("(?s)^a.b$", "a\nb", true),
    ("^a.b$", "a\rb", true),
    ("abc$", "abc\n", false),
    ("(?m)abc$", "abc\n", true),
    ("(?m)^b$", "a\nb\nc", true),
    (r"abc\z", "abc", true),
    (r"abc\z", "abc\n", false),
    (r"\Aabc", "xabc", false),
    ("^.$", "😀", true),
    // Perl classes and word boundaries are ASCII.
    (r"^\d$", "7", true),
    (r"^\d$", "٣", false),
    (r"^\D$", "٣", true),
    (r"^\w$", "é", false),
    (r"^\W$", "é", true),
    (r"^\w+$", "aZ_9", true),
    (r"^\s$", "\u{a0}", false),
    (r"^\s$", "\u{b}", false),
    (r"^\s+$", " \t\n\r\u{c}", true),
    (r"^\S$", "\u{a0}", true),
    (r"café\b", "café x", false),
    (r"caf\b", "café", true),
    (r"é\B", "é", true),
    (r"a\Bb", "ab", true),
    (r"a\B", "a", false),
    (r"^[\d]$", "٣", false),
    (r"^[\Da]$", "٣", true),
    (r"^[^\d]$", "٣", true),
    (r"^[^\D]$", "5", true),
    (r"^[\w-]+$", "a-b_c", true),
    (r"^[\s]$", "\u{85}", false),
    (r"(?i)^\w$", "\u{17f}", true),
    // Named classes.
    ("^[[:alpha:]]$", "a", true),
    ("^[[:alpha:]]$", "é", false),
    ("^[[:^alpha:]]$", "é", true),
    ("^[[:word:]-]+$", "a_-", true),
    ("^[[:word:]]$", "é", false),
    ("^[[:space:]]$", "\u{b}", true),
    ("^[[:space:]x]$", "x", true),
    (r"^\pL$", "é", true),
    (r"^\p{L}$", "é", true),
    (r"^\p{Lu}$", "é", false),
    (r"^\p{Greek}$", "α", true),
    (r"^\P{Greek}$", "a", true),
    (r"^\p{^Greek}$", "α", false),
    (r"^\P{^Greek}$", "α", true),
    (r"^[\p{Greek}x]+$", "αx", true),
    (r"^[^\pL]$", "é", false),
    (r"^\p{Any}$", "\n", true),
    // Groups and flags.
    ("(?P<n>a)b", "ab", true),
    ("(?<n>a)b", "ab", true),
    ("(?P<1n>a)b", "ab", true),
    ("(?:a|b)c", "bc", true),
    ("(|a)b", "b", true),
    ("()", "", true),
    ("^(?i)AbC$", "aBc", true),
    ("a(?i)b|c", "C", true),
    ("(a(?i)b)c", "aBC", false),
    ("(?i:a)b", "Ab", true),
    ("(?i:a)b", "AB", false),
    ("(?i)(?-i)a", "A", false),
    ("(?i-i)a", "A", false),
    ("(?ii)a", "A", true),
    ("(?)a", "a", true),
    ("(?U)^a+$", "aaa", true),
    ("(?sU-m)a.b", "a\nb", true),
    ("(?i)straße", "STRAẞE", true),
    // Repetition.
    ("^a*?$", "aaa", true),
    ("^a{2}$", "aa", true),
    ("^a{2,}$", "a", false),
    ("^a{1,2}?$", "aa", true),
    ("^a{0}$", "", true),
    ("^(?:a{2}){2}$", "aaaa", true),
    ("^(?:a*)*$", "aa", true),
    ("^a(?i)*$", "aaa", true),
    ("^a*(?i)*b$", "aaB", true),
    ("^((((((a)*)*)*)*)*)*$", "aa", true),
    ("^*a", "a", true),
    // Literals.
    ("^a{$", "a{", true),
    ("^a{,4}$", "a{,4}", true),
    ("^a{,4}$", "aaaa", false),
    ("^a{01}$", "a{01}", true),
    ("^a{1,x}$", "a{1,x}", true),
    ("^a{1$", "a{1", true),
    ("^{$", "{", true),
    ("^a}]$", "a}]", true),
    ("^a*{,2}$", "aa{,2}", true),
    (r"^\Qa.b\E$", "a.b", true),
    (r"^\Qa.b\E$", "axb", false),
    (r"^\Qab\E+$", "abbb", true),
    (r"^\Qa(b", "a(b", true),
    (r"^\Qa\b\E$", r"a\b", true),
    (r"^a*\Q\E*$", "aaa", true),
    (r"^\_\-\/\<\>\&\~\#\ \'$", "_-/<>&~# '", true),
    (r"^\.$", "x", false),
    ("^[.]$", "x", false),
    ("# a b", "# a b", true),
    // Character escapes.
    (r"^\x41\x{42}\x{0043}\x{1F600}$", "ABC😀", true),
    (r"^\101\60\0$", "A0\0", true),
    (r"^\1234$", "S4", true),
    (r"^\08$", "\u{0}8", true),
    (r"^\a\f\n\r\t\v$", "\u{7}\u{c}\n\r\t\u{b}", true),
    (r"^[\x41-\x{43}]+$", "ABC", true),
    // Brackets.
    ("^[a&&b]+$", "a&b", true),
    ("^[a-z-[b]]$", "a]", true),
    ("^[a-z-[b]]$", "[]", true),
    ("^[a-z-[b]]$", "a", false),
    ("^[a~~b]+$", "a~b", true),
    ("^[+--c]+$", "+,-c", true),
    ("^[]a]+$", "]a", true),
    ("^[^]a]$", "b", true),
    ("^[^]a]$", "]", false),
    ("^[a-]+$", "a-", true),
    ("^[-a]+$", "-a", true),
    ("^[a-c-e]+$", "b-e", true),
    ("^[a-c-e]+$", "d", false),
    ("^[[a]+$", "[a", true),
    ("^[[:]+$", "[:", true),
    ("^[[:a]+$", "[:a", true),
    (r"^[\]\[\\\-^]+$", r"][\-^", true),
    ("^[^a]$", "\n", true),
    ("^[{}()*+?.|$]+$", "{}()*+?.|$", true),
    ("^[ #]+$", "# ", true),
    ("^[é-ü]$", "ö", true),
    ("^[\u{2000}-\u{2010}]$", "\u{2003}", true),
];

/// Patterns that are not valid.
const REFUSED: &[&str] = &[
    "***",
    "a(",
    "a)",
    "(a",
    ")",
    "(?:a",
    "*",
    "+a",
    "?",
    "|*",
    "(*)",
    "(?i)*",
    "{2}*a{",
    "a**",
    "a++",
    "a*+",
    "a?*",
    "a???",
    "a{2}{3}",
    "a{2}*",
    "a{1001}",
    "a{1001,}",
    "a{2,1}",
    "a{1,1001}",
    "a{99999999999}",
    "(?:a{100}){11}",
    "((a{10}){10}){11}",
    "a(?=b)",
    "a(?!b)",
    "(?<=a)b",
    "(?<!a)b",
    "(?>a)b",
    "(?#c)a",
    "(a)?(?(1)b|c)",
    "(?P=n)",
    "(?P>n)",
    "(?'n'a)",
    "(?P<n>a",
    "(?P<>a)",
    "(?P<n-m>a)",
    "(?P<n>a)(?P<n>b)",
    "(?<n>a)(?P<n>b)",
    "(?x) a b",
    "(?R)",
    "(?u)a",
    "(?-)a",
    "(?i-)a",
    "(?i--s)a",
    "(?i",
    "(?",
    "(?i?",
    r"(a)\1",
    r"(?P<n>a)\k<n>",
    r"\8",
    r"\9",
    r"\u0041",
    r"\U0001F600",
    r"\Z",
    r"\G",
    r"\C",
    r"\X",
    r"\K",
    r"\R",
    r"\h",
    r"\N",
    r"\e",
    r"\q",
    r"\cA",
    r"\E",
    r"\é",
    "\\",
    r"\x",
    r"\x4",
    r"\xzz",
    r"\x{}",
    r"\x{",
    r"\x{zz}",
    r"\x{110000}",
    r"\x{D800}",
    r"\p",
    r"\p{",
    r"\p{}",
    r"\p{Nope}",
    r"\p{L",
    r"\pX",
    r"\p{IsGreek}",
    r"\p{greek}",
    r"\p{sc=Greek}",
    r"\p{Alphabetic}",
    r"\p{Letter}",
    "[a",
    "[",
    "[]",
    "[^]",
    "[b-a]",
    "[[:nope:]]",
    "[[:alpha:]",
    r"[\b]",
    r"[a-\d]",
    r"[\Z]",
    r"[\u0041]",
    r"[\Qa]\E]",
    // More nesting than a small stack can compile; the one deviation from RE2.
    "(((((((a)*)*)*)*)*)*)*",
    "[\\",
];

/// Whether the pattern matches; none if it is not valid.
fn matches(pattern: &str, text: &str) -> Option<bool> {
    compile(pattern).ok().map(|regex| regex.is_match(text))
}

#[test]
fn patterns_match_as_in_re2() {
    for (pattern, text, expected) in MATCHES {
        assert_eq!(matches(pattern, text), Some(*expected), "{pattern:?} on {text:?}");
    }
}

#[test]
fn what_re2_refuses_is_refused() {
    for pattern in REFUSED {
        assert_eq!(matches(pattern, ""), None, "{pattern:?}");
    }
}

#[test]
fn the_largest_allowed_repetition_compiles() {
    let text = "a".repeat(1000);
    assert_eq!(matches("^a{1000}$", &text), Some(true));
    assert_eq!(matches("^(?:a{100}){10}$", &text), Some(true));
    assert_eq!(matches("^(?:a{1000}|b{0})$", &text), Some(true));
}

#[test]
fn any_text_is_either_translated_or_refused() {
    let pieces = [
        "(", ")", "[", "]", "^", "-", "\\", "{", "}", ",", "1", "a", "*", "?", "P", "<", ":", "Q", "E", "p", "x", "&",
        "é", "|",
    ];
    let mut state = 1u64;
    for _ in 0..20_000 {
        let mut pattern = String::new();
        for _ in 0..8 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            pattern.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        if let Some(translated) = super::translate(&pattern) {
            // What the translator accepts is a valid expression, apart from limits of size.
            let accepted = regex_automata::meta::Regex::new(&translated).is_ok();
            assert!(
                accepted || translated.contains("\\p") || translated.contains("\\P"),
                "{pattern:?} became {translated:?}"
            );
        }
    }
}
