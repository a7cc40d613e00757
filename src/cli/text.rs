//! Text from strangers made fit to print: names from torrents and links escaped, measured and cut to a width, and
//! arguments quoted for a shell.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for the part that was cut out.
const ELLIPSIS: char = '…';

/// `text` with all that could move the cursor, change colours or turn the reading direction written as an escape.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unprintable(c) => write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Control characters, line separators, and the marks that override or isolate the reading direction.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// An error of the system without its number, which says no more than its words, and without the name of the temporary
/// file that it may name in the end.
pub fn without_numbers(text: &str) -> Cow<'_, str> {
    const MARK: &str = " (os error ";
    let mut rest = text.split_once(" at path \"").map_or(text, |(start, _)| start);
    if !rest.contains(MARK) {
        return Cow::Borrowed(rest);
    }
    let mut out = String::with_capacity(rest.len());
    while let Some((start, tail)) = rest.split_once(MARK) {
        out.push_str(start);
        match tail.split_once(')') {
            Some((number, behind)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest = behind,
            _ => {
                out.push_str(MARK);
                rest = tail;
            }
        }
    }
    Cow::Owned(out + rest)
}

/// How many columns `text` takes; it has no escape sequences in it.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `columns`, the middle cut out where it is longer, so that the end of a file's name stays visible.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let tail_columns = (columns - 1) / 3;
    let head = take_columns(text.chars(), columns - 1 - tail_columns);
    let tail: String = take_columns(text.chars().rev(), tail_columns).chars().rev().collect();
    Cow::Owned(format!("{head}{ELLIPSIS}{tail}"))
}

/// `text` in at most `columns`, its end cut off where it is longer.
pub fn clip(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    match columns {
        0 => Cow::Borrowed(""),
        _ => Cow::Owned(format!("{}{ELLIPSIS}", take_columns(text.chars(), columns - 1))),
    }
}

/// `text` in exactly `columns`: cut or filled with spaces on the right.
pub fn pad(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    let gap = columns.saturating_sub(width(&fitted));
    format!("{fitted}{:gap$}", "")
}

/// The longest beginning of `chars` that takes at most `columns`.
fn take_columns(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut left = columns;
    chars
        .take_while(|c| {
            let fits = left.checked_sub(c.width().unwrap_or(0));
            left = fits.unwrap_or(0);
            fits.is_some()
        })
        .collect()
}

/// The arguments as a line that a POSIX shell splits into the same arguments again.
pub fn command_line<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    arguments.into_iter().map(shell_quoted).collect::<Vec<_>>().join(" ")
}

fn shell_quoted(argument: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+.,/:@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        Cow::Borrowed(argument)
    } else {
        Cow::Owned(format!("'{}'", argument.replace('\'', r"'\''")))
    }
}

/// `1 file`, `2 files`.
pub fn count(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_or_turns_text_round_is_printed() {
        assert_eq!(escape("a\x1b[2Jb\r\n"), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(escape("exe.\u{202e}gpj"), "exe.\\u{202e}gpj");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m");
        assert!(matches!(escape("naïve 映画 שלום"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_number_of_an_error_is_left_out_and_its_words_stay() {
        let plain = |text| without_numbers(text).into_owned();
        assert_eq!(plain("can't lock /a: Permission denied (os error 13)"), "can't lock /a: Permission denied");
        assert_eq!(plain("a: b (os error 1); c (os error 2)."), "a: b; c.");
        assert_eq!(plain("a: full (os error 28) at path \"/t/.resume-x\""), "a: full");
        assert_eq!(plain("a (os error x)"), "a (os error x)");
        assert!(matches!(without_numbers("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_cut_keeps_head_and_tail_and_never_exceeds_its_columns() {
        assert_eq!(fit("short.iso", 9), "short.iso");
        assert_eq!(fit("debian-12.5.0-amd64-netinst.iso", 16), "debian-12.…t.iso");
        assert_eq!(fit("debian", 1), "…");
        assert_eq!(fit("debian", 0), "");
        for columns in 0..30 {
            assert!(width(&fit("映画のタイトルがとても長い.mkv", columns)) <= columns);
            assert!(width(&clip("映画のタイトルがとても長い.mkv", columns)) <= columns);
            assert_eq!(width(&pad("映画のタイトル.mkv", columns)), columns);
        }
    }

    #[test]
    fn a_quoted_line_survives_ampersands_quotes_and_spaces() {
        assert_eq!(
            command_line(["rtorrent-cli", "-d", "my dir", "magnet:?xt=a&dn=b's", ""]),
            r#"rtorrent-cli -d 'my dir' 'magnet:?xt=a&dn=b'\''s' ''"#
        );
    }
}
