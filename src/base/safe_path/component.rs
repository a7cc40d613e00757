//! One name, made harmless: what is wrong in it is replaced, and a suffix made from the original bytes tells it from names
//! that looked like the outcome from the start.

use std::borrow::Cow;

use super::PART_SUFFIX;
use crate::base::hash::sha1;

/// Bytes in a name: file systems take 255, and `.part` is yet to be added.
pub(super) const MAX_NAME: usize = 255 - PART_SUFFIX.len();

/// The longest extension that is kept when a name gets a suffix or is cut, with its dot.
const MAX_EXTENSION: usize = 16;

/// `raw` as a plain component of at most 250 bytes, the same on every system but for what Windows alone refuses; `None` if
/// it is empty, `.` or `..`, that is, if nothing is left of it.
///
/// Separators, control characters and those that turn the direction of writing become `_`, bytes that are not UTF-8 become
/// U+FFFD, device names of Windows get a `_` before them, long names are cut. A name that was changed carries a suffix.
pub fn mend_name(raw: &[u8]) -> Option<Cow<'_, str>> {
    mend(raw, cfg!(windows))
}

/// True for the components of which nothing is left: empty, `.` and `..`.
pub(super) fn is_void(raw: &[u8]) -> bool {
    matches!(raw, b"" | b"." | b"..")
}

fn mend(raw: &[u8], windows: bool) -> Option<Cow<'_, str>> {
    if is_void(raw) {
        return None;
    }
    let harmful = |letter| harmful(letter, windows);
    let trimmed = |name: &str| if windows { name.trim_end_matches(['.', ' ']).len() } else { name.len() };
    let text = String::from_utf8_lossy(raw);
    if let Cow::Borrowed(name) = text
        && name.len() <= MAX_NAME
        && !name.contains(harmful)
        && trimmed(name) == name.len()
        && !is_device(name)
    {
        return Some(text);
    }
    let mut name = text.replace(harmful, "_");
    name.truncate(trimmed(&name));
    if is_device(&name) {
        name.insert(0, '_');
    }
    Some(with_tag(&name, &tag(&[raw])).into())
}

/// `name` with `tag` before its extension, cut to [`MAX_NAME`] bytes.
pub(super) fn with_tag(name: &str, tag: &str) -> String {
    let is_extension = |&dot: &usize| {
        dot > 0 && name.len() - dot <= MAX_EXTENSION && name[dot + 1..].bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let dot = name.rfind('.').filter(is_extension).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let stem = &stem[..stem.floor_char_boundary(MAX_NAME - tag.len() - extension.len())];
    format!("{stem}{tag}{extension}")
}

/// `~` and six hexadecimal digits that depend on all of `parts`.
pub(super) fn tag(parts: &[&[u8]]) -> String {
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    let digest = sha1(&message);
    format!("~{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

/// Appends the name as a file system sees it that does not tell cases apart.
pub(super) fn fold(name: &str, out: &mut Vec<u8>) {
    let start = out.len();
    if name.is_ascii() {
        out.extend_from_slice(name.as_bytes());
        out[start..].make_ascii_lowercase();
    } else {
        let mut utf8 = [0; 4];
        for letter in name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase) {
            out.extend_from_slice(letter.encode_utf8(&mut utf8).as_bytes());
        }
    }
}

fn harmful(letter: char, windows: bool) -> bool {
    let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter == '/'
        || letter == '\\'
        || letter.is_control()
        || turns
        || windows && matches!(letter, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

/// True for names that Windows keeps for devices, with any extension.
fn is_device(name: &str) -> bool {
    const NAMES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    const PORTS: [&str; 2] = ["COM", "LPT"];
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    let Some((kind, port)) = stem.split_at_checked(3) else { return false };
    let is = |text: &str, known: &[&str]| known.iter().any(|known| text.eq_ignore_ascii_case(known));
    is(stem, &NAMES) || is(kind, &PORTS) && matches!(port.as_bytes(), [b'0'..=b'9'] | [0xc2, 0xb9 | 0xb2 | 0xb3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mended(raw: &str) -> String {
        mend(raw.as_bytes(), false).unwrap().into_owned()
    }

    fn folded(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        fold(name, &mut out);
        out
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in
            ["a", "Was? - Teil 1: \"Ja\".mkv", ".hidden", "...", "日本語 ファイル.txt", "-rf", "~", "a b ", "console"]
        {
            assert_eq!(mended(name), name);
        }
    }

    #[test]
    fn nothing_is_left_of_the_names_that_mean_folders() {
        for raw in ["", ".", ".."] {
            assert_eq!(mend(raw.as_bytes(), false), None);
        }
    }

    #[test]
    fn harmful_letters_are_replaced_and_the_suffix_is_stable() {
        assert_eq!(mended("../../etc/passwd"), ".._.._etc_passwd~68ca31");
        assert_eq!(mended("a\0b.mkv"), "a_b~6748a1.mkv");
        assert_ne!(mended("a/b.mkv"), mended("a\\b.mkv"), "two names stay two");
        let turned = mended("invoice\u{202e}fdp.exe");
        assert!(turned.starts_with("invoice_fdp~") && turned.ends_with(".exe"), "{turned}");
        assert!(!mended("\x1b[31mred").contains('\x1b'));
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_different_from_each_other() {
        let (a, b) = (mend(b"caf\xe9.txt", false).unwrap(), mend(b"caf\xe8.txt", false).unwrap());
        assert!(a.starts_with("caf\u{fffd}~") && a.ends_with(".txt") && a != b, "{a} {b}");
    }

    #[test]
    fn device_names_are_mended_everywhere() {
        for raw in ["con", "NUL.txt", "aux.tar.gz", "Com1", "lpt9.log", "COM¹", "con .txt", "CONIN$"] {
            let name = mended(raw);
            assert!(name.starts_with('_') && !is_device(&name) && name.contains('~'), "{name}");
        }
        for fine in ["com", "com10", "nullable", "auxiliary.c"] {
            assert_eq!(mended(fine), fine);
        }
    }

    #[test]
    fn windows_has_rules_of_its_own() {
        let name = |raw: &str| mend(raw.as_bytes(), true).unwrap().into_owned();
        assert!(name("a:b?.mkv").starts_with("a_b_~"));
        assert!(name("end. .").starts_with("end~"));
        assert!(name("...").starts_with('~') && name("  ").starts_with('~') && name(".. ").starts_with('~'));
    }

    #[test]
    fn long_names_keep_their_extension_and_leave_room_for_part() {
        assert_eq!(mended(&"x".repeat(250)).len(), 250);
        let long = mended(&format!("{}.mkv", "ä".repeat(200)));
        assert!(long.len() <= 250 && long.len() > 245 && long.ends_with(".mkv") && long.contains('~'), "{long}");
        let no_real_extension = mended(&format!("a.{}", "b".repeat(300)));
        assert_eq!(no_real_extension.len(), 250);
        assert_ne!(mended(&"x".repeat(251)), mended(&"x".repeat(252)));
    }

    #[test]
    fn cases_fold_beyond_ascii() {
        assert_eq!(folded("README"), folded("readme"));
        assert_eq!(folded("ÄÖ"), folded("äö"));
        assert_eq!(folded("STRASSE"), folded("straße"));
        assert_ne!(folded("a"), folded("b"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_plain_short_name_or_none(raw in prop::collection::vec(any::<u8>(), 0..400), windows: bool) {
            if let Some(name) = mend(&raw, windows) {
                prop_assert!(super::super::checked(&name).is_some());
                prop_assert!(name.len() <= MAX_NAME && !name.chars().any(char::is_control));
                prop_assert_eq!(mend(name.as_bytes(), windows), Some(name.clone()), "mended twice is mended once");
            }
        }
    }
}
