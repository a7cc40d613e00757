//! The borrowed reader: values as spans of bytes that [`scan`] has passed.
//!
//! Nothing is copied or built. A list or a dictionary is walked anew by each iteration, so whoever wants several keys of
//! a large dictionary goes through [`Dict::iter`] once.

use super::BencodeError;
use super::scan::{Limits, Token, scan, token};

/// One value, with the very bytes that it was written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    raw: &'a [u8],
}

impl<'a> Value<'a> {
    /// The value at the front of `bytes`, and how many bytes it takes.
    ///
    /// # Errors
    /// What [`scan`] refuses.
    pub fn parse(bytes: &'a [u8], limits: Limits) -> Result<(Value<'a>, usize), BencodeError> {
        let consumed = scan(bytes, limits)?;
        Ok((Value { raw: &bytes[..consumed] }, consumed))
    }

    /// The value as it was written: what an info hash is made of.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The bytes of a string.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match token(self.raw, 0) {
            Ok((Token::Bytes(len), _)) => Some(&self.raw[self.raw.len() - len..]),
            _ => None,
        }
    }

    /// A string that is UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// An integer that fits 64 bits with a sign.
    pub fn as_int(&self) -> Option<i64> {
        self.digits()?.parse().ok()
    }

    /// An integer that is not negative and fits 64 bits.
    pub fn as_u64(&self) -> Option<u64> {
        self.digits()?.parse().ok()
    }

    pub fn as_list(&self) -> Option<List<'a>> {
        (self.raw[0] == b'l').then(|| List { body: &self.raw[1..self.raw.len() - 1] })
    }

    pub fn as_dict(&self) -> Option<Dict<'a>> {
        (self.raw[0] == b'd').then(|| Dict { body: &self.raw[1..self.raw.len() - 1] })
    }

    /// True for an integer of whatever size.
    pub fn is_int(&self) -> bool {
        self.raw[0] == b'i'
    }

    fn digits(&self) -> Option<&'a str> {
        if self.is_int() { std::str::from_utf8(&self.raw[1..self.raw.len() - 1]).ok() } else { None }
    }
}

/// The items of a list, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct List<'a> {
    body: &'a [u8],
}

impl<'a> List<'a> {
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let mut rest = self.body;
        std::iter::from_fn(move || take_value(&mut rest))
    }

    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// The entries of a dictionary, in the order in which they were written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dict<'a> {
    body: &'a [u8],
}

impl<'a> Dict<'a> {
    /// The value of `key`, the first if it stands twice. Walks the dictionary.
    pub fn get(&self, key: &[u8]) -> Option<Value<'a>> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> + use<'a> {
        let mut rest = self.body;
        std::iter::from_fn(move || {
            let key = take_value(&mut rest)?.as_bytes()?;
            Some((key, take_value(&mut rest)?))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// A key that stands twice, if there is one. Allocates only where the keys are unsorted.
    pub fn duplicate_key(&self) -> Option<&'a [u8]> {
        let mut last = None;
        let mut sorted = true;
        for (key, _) in self.iter() {
            if last == Some(key) {
                return Some(key);
            }
            sorted &= last.is_none_or(|last| last < key);
            last = Some(key);
        }
        if sorted {
            return None;
        }
        let mut keys: Vec<_> = self.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }
}

/// Cuts the value off the front of `rest`, whose bytes have passed the guard.
fn take_value<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let (mut at, mut depth) = (0, 0usize);
    while at < rest.len() {
        let (token, next) = token(rest, at).ok()?;
        match token {
            Token::List | Token::Dict => depth += 1,
            Token::End => depth = depth.checked_sub(1)?,
            Token::Integer | Token::Bytes(_) => {}
        }
        at = next;
        if depth == 0 {
            let (raw, after) = rest.split_at(at);
            *rest = after;
            return Some(Value { raw });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value<'_> {
        Value::parse(text.as_bytes(), Limits::KRPC).unwrap().0
    }

    #[test]
    fn every_kind_reads_as_itself_and_as_nothing_else() {
        let (int, text, list, dict) = (value("i-7e"), value("4:spam"), value("li1e0:e"), value("d1:ai1ee"));
        assert_eq!((int.as_int(), int.as_u64(), int.as_bytes()), (Some(-7), None, None));
        assert_eq!((text.as_bytes(), text.as_str(), text.as_int()), (Some(&b"spam"[..]), Some("spam"), None));
        assert_eq!(list.as_list().unwrap().iter().map(|item| item.raw()).collect::<Vec<_>>(), [&b"i1e"[..], b"0:"]);
        assert_eq!(dict.as_dict().unwrap().get(b"a").unwrap().as_int(), Some(1));
        assert!(list.as_dict().is_none() && dict.as_list().is_none() && dict.as_int().is_none());
    }

    #[test]
    fn the_bounds_of_64_bits() {
        assert_eq!(value("i-9223372036854775808e").as_int(), Some(i64::MIN));
        assert_eq!(value("i18446744073709551615e").as_u64(), Some(u64::MAX));
        let beyond = value("i99999999999999999999e");
        assert!(beyond.is_int() && beyond.as_int().is_none() && beyond.as_u64().is_none());
    }

    #[test]
    fn text_that_is_not_utf8_stays_readable_as_bytes_even_as_a_key() {
        let (value, _) = Value::parse(b"d2:\xff\xfe1:\xe9e", Limits::KRPC).unwrap();
        let found = value.as_dict().unwrap().get(b"\xff\xfe").unwrap();
        assert_eq!((found.as_bytes(), found.as_str()), (Some(&b"\xe9"[..]), None));
    }

    #[test]
    fn the_first_of_two_wins_and_both_are_told_of() {
        let sorted = value("d1:ai1e1:ai2ee").as_dict().unwrap();
        assert_eq!(sorted.get(b"a").unwrap().as_int(), Some(1));
        assert_eq!(sorted.duplicate_key(), Some(&b"a"[..]));
        assert_eq!(value("d1:bi1e1:ai2e1:bi3ee").as_dict().unwrap().duplicate_key(), Some(&b"b"[..]));
        assert_eq!(value("d1:bi1e1:ai2ee").as_dict().unwrap().duplicate_key(), None);
        assert_eq!(value("de").as_dict().unwrap().duplicate_key(), None);
    }

    #[test]
    fn raw_is_the_span_with_everything_inside() {
        let outer = value("d4:infod1:xld1:yi1eeee3:zzzi9ee").as_dict().unwrap();
        assert_eq!(outer.get(b"info").unwrap().raw(), b"d1:xld1:yi1eeee");
        assert_eq!(outer.get(b"zzz").unwrap().raw(), b"i9e");
        assert_eq!(outer.iter().count(), 2);
    }
}
