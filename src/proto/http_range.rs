//! Which bytes of a file an HTTP request asks for, and which an answer brings (RFC 9110, "Range Requests").

use std::ops::Range;

/// What is to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// All of it: 200.
    Whole,
    /// These bytes: 206.
    Part(Range<u64>),
    /// Nothing that is there: 416.
    Nothing,
}

/// Reads a `Range` header for a file of `size` bytes. What is no range of bytes, or is several, asks for all of it: a
/// server may ignore the header.
pub fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some(set) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else { return Asked::Whole };
    let Some((first, last)) = set.split_once('-').map(|(first, last)| (first.trim(), last.trim())) else {
        return Asked::Whole;
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => return Asked::Whole,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

/// Digits alone; more than 64 bits hold counts as the largest number, which lies behind every file.
fn number(digits: &str) -> Option<u64> {
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Reads a `Content-Range` header, `bytes 0-99/1234` or `bytes 0-99/*`: where it begins and of how much.
pub fn part_of(range: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = range.strip_prefix("bytes")?.trim().split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, whole.trim().parse().ok()))
}

/// Whether a list of entity tags (`If-None-Match`) has this one; the comparison is weak.
pub fn names(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        let part = |header| asked(Some(header), 1_000);
        assert_eq!(part("bytes=0-499"), Asked::Part(0..500));
        assert_eq!(part("bytes=500-"), Asked::Part(500..1_000));
        assert_eq!(part("bytes=-200"), Asked::Part(800..1_000));
        assert_eq!(part("bytes=-5000"), Asked::Part(0..1_000));
        assert_eq!(part(" bytes= 999 - 5000"), Asked::Part(999..1_000));
        assert_eq!(part("bytes=0-99999999999999999999999"), Asked::Part(0..1_000));
    }

    #[test]
    fn what_lies_behind_the_end_is_nothing() {
        for header in ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(asked(Some(header), 1_000), Asked::Nothing, "{header}");
        }
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Nothing);
    }

    #[test]
    fn what_is_no_range_of_bytes_asks_for_all() {
        assert_eq!(asked(None, 10), Asked::Whole);
        for header in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1,4-5", "bytes=+1-2"]
        {
            assert_eq!(asked(Some(header), 10), Asked::Whole, "{header}");
        }
    }

    #[test]
    fn parts_say_where_they_begin() {
        assert_eq!(part_of("bytes 7-99/1234"), Some((7, Some(1234))));
        assert_eq!(part_of("bytes 0-99/*"), Some((0, None)));
        assert_eq!((part_of("bytes */1234"), part_of("7-99/1234"), part_of("bytes 7")), (None, None, None));
    }

    #[test]
    fn a_list_of_tags_is_looked_through() {
        assert!(names("\"a\", W/\"b\"", "\"b\"") && names("*", "\"b\"") && !names("\"ab\"", "\"b\""));
    }
}
