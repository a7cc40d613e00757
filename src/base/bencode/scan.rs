//! The guard: walks one value off the front of some bytes without recursion or allocation.

use super::BencodeError;

/// How much of a stranger's bencode is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes in all, with what follows the value.
    pub bytes: usize,
    /// Lists and dictionaries inside each other; at most [`Limits::MAX_DEPTH`].
    pub depth: usize,
    /// Integers, strings (keys too), lists and dictionaries.
    pub tokens: usize,
}

impl Limits {
    /// The depth up to which the guard can count at all.
    pub const MAX_DEPTH: usize = 128;

    /// A .torrent file or an info dictionary: a million pieces, or hundreds of thousands of files.
    pub const TORRENT: Limits = Limits { bytes: 32 << 20, depth: 64, tokens: 4 << 20 };
    /// A DHT packet.
    pub const KRPC: Limits = Limits { bytes: 8 << 10, depth: 16, tokens: 2_048 };
    /// A tracker's answer, peers as dictionaries and scrapes included.
    pub const TRACKER: Limits = Limits { bytes: 2 << 20, depth: 16, tokens: 1 << 18 };
    /// A message of the extension protocol, with the payload that may follow it.
    pub const EXTENSION: Limits = Limits { bytes: 1 << 20, depth: 16, tokens: 8_192 };
    /// Our own state on disk, which may have been damaged; it has an info dictionary inside.
    pub const STATE: Limits = Limits { bytes: 128 << 20, depth: 64, tokens: 8 << 20 };
}

/// As many digits (with the sign) as an integer or a length may have: enough for 64 bits.
const MAX_DIGITS: usize = 20;

/// Checks the value at the front of `bytes` and returns how many bytes it takes.
///
/// Takes what BEP 3 allows, and keys in any order, even twice. Costs a few nanoseconds a token, whatever the length of the
/// strings.
///
/// # Errors
/// Anything else, by the first byte that is wrong, and what is beyond `limits`.
pub fn scan(bytes: &[u8], limits: Limits) -> Result<usize, BencodeError> {
    if bytes.len() > limits.bytes {
        return Err(BencodeError::TooLarge { len: bytes.len(), limit: limits.bytes });
    }
    let max_depth = limits.depth.min(Limits::MAX_DEPTH);
    let mut open = [Expect::Item; Limits::MAX_DEPTH];
    let (mut depth, mut tokens, mut at) = (0, 0, 0);
    loop {
        let (token, next) = token(bytes, at)?;
        let expected = if depth == 0 { Expect::Item } else { open[depth - 1] };
        match (token, expected) {
            (Token::End, _) if depth == 0 => return Err(BencodeError::NoValue { at }),
            (Token::End, Expect::Value) => return Err(BencodeError::NoValueForKey { at }),
            (Token::Integer | Token::List | Token::Dict, Expect::Key) => return Err(BencodeError::BadKey { at }),
            _ => {}
        }
        if token == Token::End {
            depth -= 1;
        } else {
            tokens += 1;
            if tokens > limits.tokens {
                return Err(BencodeError::TooMany { at, limit: limits.tokens });
            }
            if depth > 0 {
                open[depth - 1] = expected.after();
            }
        }
        if let Token::List | Token::Dict = token {
            if depth == max_depth {
                return Err(BencodeError::TooDeep { at, limit: max_depth });
            }
            open[depth] = if token == Token::Dict { Expect::Key } else { Expect::Item };
            depth += 1;
        }
        at = next;
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// What the innermost open list or dictionary takes next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Item,
    Key,
    Value,
}

impl Expect {
    fn after(self) -> Expect {
        match self {
            Expect::Item => Expect::Item,
            Expect::Key => Expect::Value,
            Expect::Value => Expect::Key,
        }
    }
}

/// What stands at one place: a whole integer or string, or the first or last byte of a list or dictionary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token {
    Integer,
    /// The last so many bytes of the token.
    Bytes(usize),
    List,
    Dict,
    End,
}

/// The token at `at` and where the next one starts.
pub(super) fn token(bytes: &[u8], at: usize) -> Result<(Token, usize), BencodeError> {
    match bytes.get(at).ok_or(BencodeError::Truncated)? {
        b'i' => Ok((Token::Integer, integer_end(bytes, at)?)),
        b'0'..=b'9' => string(bytes, at),
        b'l' => Ok((Token::List, at + 1)),
        b'd' => Ok((Token::Dict, at + 1)),
        b'e' => Ok((Token::End, at + 1)),
        _ => Err(BencodeError::NoValue { at }),
    }
}

fn integer_end(bytes: &[u8], at: usize) -> Result<usize, BencodeError> {
    let rest = &bytes[at + 1..];
    let window = &rest[..rest.len().min(MAX_DIGITS + 1)];
    let Some(len) = window.iter().position(|&byte| byte == b'e') else {
        return Err(if rest.len() > MAX_DIGITS { BencodeError::BadInteger { at } } else { BencodeError::Truncated });
    };
    let good = match &window[..len] {
        b"0" => true,
        [b'-', digits @ ..] | digits => {
            !digits.is_empty() && digits[0] != b'0' && digits.iter().all(|byte| byte.is_ascii_digit())
        }
    };
    if good { Ok(at + 1 + len + 1) } else { Err(BencodeError::BadInteger { at }) }
}

fn string(bytes: &[u8], at: usize) -> Result<(Token, usize), BencodeError> {
    let mut len = 0usize;
    for (nth, &byte) in bytes[at..].iter().take(MAX_DIGITS + 1).enumerate() {
        match byte {
            b'0'..=b'9' if nth == 1 && len == 0 => return Err(BencodeError::BadLength { at }),
            b'0'..=b'9' => {
                let longer = len.checked_mul(10).and_then(|len| len.checked_add(usize::from(byte - b'0')));
                len = longer.ok_or(BencodeError::BadLength { at })?;
            }
            b':' => {
                let start = at + nth + 1;
                let fits = len <= bytes.len() - start;
                return if fits { Ok((Token::Bytes(len), start + len)) } else { Err(BencodeError::Truncated) };
            }
            _ => return Err(BencodeError::BadLength { at }),
        }
    }
    Err(if bytes.len() - at > MAX_DIGITS { BencodeError::BadLength { at } } else { BencodeError::Truncated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDE: Limits = Limits { bytes: usize::MAX, depth: 64, tokens: usize::MAX };

    #[test]
    fn takes_what_the_bep_allows() {
        for good in [
            "i0e",
            "i-1e",
            "i42e",
            "i-9223372036854775808e",
            "i18446744073709551615e",
            "0:",
            "4:spam",
            "le",
            "de",
            "l4:spam4:eggse",
            "d3:cow3:moo4:spam4:eggse",
            "d4:spaml1:a1:bee",
            "d0:i1ee",
            "ldedeledee",
        ] {
            assert_eq!(scan(good.as_bytes(), WIDE), Ok(good.len()), "{good}");
        }
    }

    #[test]
    fn keys_may_be_unsorted_and_stand_twice() {
        for good in ["d1:bi1e1:ai2ee", "d1:ai1e1:ai2ee"] {
            assert_eq!(scan(good.as_bytes(), WIDE), Ok(good.len()));
        }
    }

    #[test]
    fn says_where_it_stops_being_bencode() {
        use BencodeError::*;
        for (bad, error) in [
            ("", Truncated),
            ("e", NoValue { at: 0 }),
            ("x", NoValue { at: 0 }),
            ("-1:a", NoValue { at: 0 }),
            ("l+3:abce", NoValue { at: 1 }),
            ("ie", BadInteger { at: 0 }),
            ("i-e", BadInteger { at: 0 }),
            ("i-0e", BadInteger { at: 0 }),
            ("i03e", BadInteger { at: 0 }),
            ("i-03e", BadInteger { at: 0 }),
            ("i+5e", BadInteger { at: 0 }),
            ("i 5e", BadInteger { at: 0 }),
            ("i1.5e", BadInteger { at: 0 }),
            ("i123456789012345678901e", BadInteger { at: 0 }),
            ("li1", Truncated),
            ("03:abc", BadLength { at: 0 }),
            ("00:", BadLength { at: 0 }),
            ("3x", BadLength { at: 0 }),
            ("99999999999999999999:a", BadLength { at: 0 }),
            ("111111111111111111111111111", BadLength { at: 0 }),
            ("18446744073709551615:abc", Truncated),
            ("9223372036854775807:abc", Truncated),
            ("99999999999:abc", Truncated),
            ("5:abc", Truncated),
            ("di1ei2ee", BadKey { at: 1 }),
            ("dlei2ee", BadKey { at: 1 }),
            ("ddei2ee", BadKey { at: 1 }),
            ("d1:ae", NoValueForKey { at: 4 }),
            ("d1:ai1e1:be", NoValueForKey { at: 10 }),
        ] {
            assert_eq!(scan(bad.as_bytes(), WIDE), Err(error), "{bad}");
        }
    }

    #[test]
    fn a_million_levels_are_refused_at_the_limit_and_not_walked() {
        for opening in ["l", "d1:a"] {
            let deep = opening.repeat(1_000_000);
            let at = 64 * opening.len();
            assert_eq!(scan(deep.as_bytes(), WIDE), Err(BencodeError::TooDeep { at, limit: 64 }));
        }
        let level = |n| format!("{}{}", "l".repeat(n), "e".repeat(n));
        assert_eq!(scan(level(64).as_bytes(), WIDE), Ok(128));
        assert!(scan(level(65).as_bytes(), WIDE).is_err());
        let absurd = Limits { depth: usize::MAX, ..WIDE };
        assert!(scan(level(129).as_bytes(), absurd).is_err(), "no more levels than the guard has room for");
    }

    #[test]
    fn bytes_and_tokens_are_counted() {
        let four = Limits { tokens: 4, ..WIDE };
        assert_eq!(scan(b"d1:al1:bee", four), Ok(10));
        assert_eq!(scan(b"li1ei1ei1ei1ee", four), Err(BencodeError::TooMany { at: 10, limit: 4 }));
        let short = Limits { bytes: 3, ..WIDE };
        assert_eq!(scan(b"i5e", short), Ok(3));
        assert_eq!(scan(b"i55e", short), Err(BencodeError::TooLarge { len: 4, limit: 3 }));
    }

    #[test]
    fn what_follows_the_value_is_not_looked_at() {
        assert_eq!(scan(b"i5exyz", WIDE), Ok(3));
        assert_eq!(scan(b"dede", WIDE), Ok(2));
        assert_eq!(scan(b"1:aee", WIDE), Ok(3));
    }

    #[test]
    fn cut_anywhere_it_is_truncated() {
        let whole = b"d8:announce12:http://a/b/c4:infod5:filesld6:lengthi-12e4:pathl1:a2:bceee4:name0:ee";
        assert_eq!(scan(whole, WIDE), Ok(whole.len()));
        for cut in 0..whole.len() {
            assert_eq!(scan(&whole[..cut], WIDE), Err(BencodeError::Truncated), "cut at {cut}");
        }
    }

    /// Values as bendy's strict encoder writes them.
    fn canonical() -> impl Strategy<Value = Vec<u8>> {
        let bytes = |bytes: &[u8]| [format!("{}:", bytes.len()).as_bytes(), bytes].concat();
        let leaf = prop_oneof![
            any::<i64>().prop_map(|int| format!("i{int}e").into_bytes()),
            prop::collection::vec(any::<u8>(), 0..30).prop_map(move |string| bytes(&string)),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|items| [b"l", &items.concat()[..], b"e"].concat()),
                prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..4), inner, 0..6).prop_map(
                    move |entries| {
                        let body: Vec<u8> =
                            entries.iter().flat_map(|(key, value)| [bytes(key), value.clone()].concat()).collect();
                        [b"d", &body[..], b"e"].concat()
                    }
                ),
            ]
        })
    }

    /// What bendy, strict and depth-limited, makes of the bytes: `Some(consumed)` if it reads one whole value.
    fn bendy(bytes: &[u8]) -> Option<usize> {
        let mut decoder = bendy::decoding::Decoder::new(bytes).with_max_depth(64);
        fn walk(object: bendy::decoding::Object) -> Option<usize> {
            match object {
                bendy::decoding::Object::Integer(text) => Some(text.len() + 2),
                bendy::decoding::Object::Bytes(bytes) => Some(bytes.len() + bytes.len().to_string().len() + 1),
                bendy::decoding::Object::List(mut list) => {
                    let mut len = 2;
                    while let Some(item) = list.next_object().ok()? {
                        len += walk(item)?;
                    }
                    Some(len)
                }
                bendy::decoding::Object::Dict(mut dict) => {
                    let mut len = 2;
                    while let Some((key, value)) = dict.next_pair().ok()? {
                        len += key.len() + key.len().to_string().len() + 1 + walk(value)?;
                    }
                    Some(len)
                }
            }
        }
        walk(decoder.next_object().ok()??)
    }

    proptest! {
        #[test]
        fn canonical_values_pass_whole_and_both_oracles_agree(value in canonical(), tail in prop::collection::vec(any::<u8>(), 0..4)) {
            let bytes = [&value[..], &tail].concat();
            prop_assert_eq!(scan(&bytes, WIDE), Ok(value.len()));
            prop_assert_eq!(bendy(&value), Some(value.len()));
            prop_assert!(serde_bencode::from_bytes::<serde_bencode::value::Value>(&value).is_ok());
        }

        #[test]
        fn damaged_values_that_bendy_reads_pass_too(value in canonical(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = value;
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let ours = scan(&bytes, WIDE);
            if let Some(consumed) = bendy(&bytes) && !wide_integer(&bytes) {
                prop_assert_eq!(ours.clone(), Ok(consumed));
            }
            if let Ok(consumed) = ours {
                prop_assert!(consumed <= bytes.len());
            }
        }

        #[test]
        fn soup_of_bencode_letters_never_panics(bytes in prop::collection::vec(prop::sample::select(&b"ilde:-0123456789x"[..]), 0..60)) {
            if let Ok(consumed) = scan(&bytes, WIDE) {
                prop_assert!(consumed <= bytes.len());
                prop_assert_eq!(scan(&bytes[..consumed], WIDE), Ok(consumed));
            }
        }
    }

    /// bendy knows no bound on the digits of an integer.
    fn wide_integer(bytes: &[u8]) -> bool {
        bytes.split(|byte| !matches!(byte, b'0'..=b'9' | b'-')).any(|digits| digits.len() > MAX_DIGITS)
    }
}
