//! Addresses that the user wants nothing to do with: the lists that people pass around, and the question whether an
//! address stands in one.
//!
//! A line is a network (`10.0.0.0/8`), an address, a range (`1.2.3.0-1.2.3.255`), a range with a name before it (P2P:
//! `name:1.2.3.0-1.2.3.255`) or one in eMule's form (`001.002.003.000 - 001.002.003.255 , 100 , name`, blocked below
//! level 128). Ranges are kept sorted and merged: a look-up is one binary search, whatever the list's length.
//! `::ffff:a.b.c.d` is the IPv4 address that it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of addresses, first and last included.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Blocklist {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// What was read of one or more lists.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parsed {
    pub list: Blocklist,
    pub lines: Lines,
}

/// What the lines of a list were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lines {
    /// Those that say which addresses to block.
    pub good: usize,
    /// Those that make no sense, and the number of the first, from 1.
    pub bad: usize,
    pub first_bad: Option<usize>,
}

/// Takes lists line by line.
#[derive(Debug, Default)]
pub struct Reader {
    list: Blocklist,
    lines: Lines,
    nth: usize,
}

/// eMule lets pass what has this level or a higher one.
const LET_PASS: u32 = 128;

impl Reader {
    /// The next line, in whatever form it has; empty lines and comments (`#`, `//`, `;`) are none.
    pub fn line(&mut self, line: &[u8]) {
        self.nth += 1;
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"//") || line.starts_with(b";") {
            return;
        }
        match read_line(line) {
            Some(range) => {
                self.lines.good += 1;
                self.list.push(range);
            }
            None => {
                self.lines.bad += 1;
                self.lines.first_bad.get_or_insert(self.nth);
            }
        }
    }

    /// The list ends here, another may follow: what its lines were.
    pub fn end_list(&mut self) -> Lines {
        self.nth = 0;
        std::mem::take(&mut self.lines)
    }

    /// All lists as one.
    pub fn finish(mut self) -> Blocklist {
        merge(&mut self.list.v4, |last| last.checked_add(1));
        merge(&mut self.list.v6, |last| last.checked_add(1));
        self.list
    }
}

impl Blocklist {
    /// Reads a whole list.
    pub fn parse(text: &[u8]) -> Parsed {
        let mut reader = Reader::default();
        text.split(|byte| *byte == b'\n').for_each(|line| reader.line(line));
        let lines = reader.end_list();
        Parsed { list: reader.finish(), lines }
    }

    /// Whether the user wants nothing to do with `ip`.
    pub fn blocks(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => holds(&self.v4, ip.to_bits()),
            IpAddr::V6(ip) => holds(&self.v6, ip.to_bits()),
        }
    }

    /// How many ranges there are, those that touch each other counted as one.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, range: Option<(IpAddr, IpAddr)>) {
        match range {
            Some((IpAddr::V4(first), IpAddr::V4(last))) => self.v4.push((first.to_bits(), last.to_bits())),
            Some((IpAddr::V6(first), IpAddr::V6(last))) => self.v6.push((first.to_bits(), last.to_bits())),
            _ => {}
        }
    }
}

fn holds<T: Ord + Copy>(ranges: &[(T, T)], ip: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= ip);
    after > 0 && ip <= ranges[after - 1].1
}

/// Sorts, and joins what overlaps or touches.
fn merge<T: Ord + Copy>(ranges: &mut Vec<(T, T)>, next: impl Fn(T) -> Option<T>) {
    ranges.sort_unstable();
    ranges.dedup_by(|(first, last), (_, before)| {
        let joins = next(*before).is_none_or(|next| *first <= next);
        if joins {
            *before = (*before).max(*last);
        }
        joins
    });
    ranges.shrink_to_fit();
}

/// `Some(None)`: a line in order that blocks nothing. `None`: no sense in it.
fn read_line(line: &[u8]) -> Option<Option<(IpAddr, IpAddr)>> {
    // A comma elsewhere is one of a name.
    if let Some((range, rest)) = split_at(line, b',')
        && let Some(range) = read_range(range)
    {
        let level = rest.split(|byte| *byte == b',').next().unwrap_or_default();
        let level: u32 = str::from_utf8(level.trim_ascii()).ok()?.parse().ok()?;
        return Some((level < LET_PASS).then_some(range));
    }
    if let Some(range) = read_range(line) {
        return Some(Some(range));
    }
    // The name may hold anything, colons and hyphens too.
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    read_range(&line[colon + 1..]).map(Some)
}

/// A network, a range or an address.
fn read_range(text: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let text = text.trim_ascii();
    if let Some((first, last)) = split_at(text, b'-') {
        let (first, last) = (read_ip(first)?, read_ip(last)?);
        return (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last));
    }
    if let Some((ip, bits)) = split_at(text, b'/') {
        let bits: u32 = str::from_utf8(bits.trim_ascii()).ok()?.parse().ok()?;
        let ip: IpAddr = raw_ip(ip)?;
        return match (ip, ip.to_canonical()) {
            // ::ffff:0:0/96 and what lies in it.
            (IpAddr::V6(_), IpAddr::V4(ip)) => network_v4(ip, bits.checked_sub(96)?),
            (IpAddr::V4(ip), _) => network_v4(ip, bits),
            (IpAddr::V6(ip), _) => network_v6(ip, bits),
        };
    }
    read_ip(text).map(|ip| (ip, ip))
}

fn network_v4(ip: Ipv4Addr, bits: u32) -> Option<(IpAddr, IpAddr)> {
    let host = u32::MAX.checked_shr(bits).filter(|_| bits <= 32).or((bits == 32).then_some(0))?;
    let first = ip.to_bits() & !host;
    Some((Ipv4Addr::from(first).into(), Ipv4Addr::from(first | host).into()))
}

fn network_v6(ip: Ipv6Addr, bits: u32) -> Option<(IpAddr, IpAddr)> {
    let host = u128::MAX.checked_shr(bits).filter(|_| bits <= 128).or((bits == 128).then_some(0))?;
    let first = ip.to_bits() & !host;
    Some((Ipv6Addr::from(first).into(), Ipv6Addr::from(first | host).into()))
}

fn read_ip(text: &[u8]) -> Option<IpAddr> {
    raw_ip(text).map(|ip| ip.to_canonical())
}

fn raw_ip(text: &[u8]) -> Option<IpAddr> {
    let text = text.trim_ascii();
    read_v4(text).map(IpAddr::V4).or_else(|| str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6))
}

/// Four decimal numbers; zeros before them, as eMule writes them, do not make them octal.
fn read_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let digits = parts.next().filter(|digits| (1..=3).contains(&digits.len()))?;
        let value = digits
            .iter()
            .try_fold(0u32, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))?;
        *octet = value.try_into().ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

fn split_at(text: &[u8], sign: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == sign)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocked(list: &str, ips: &[&str]) -> Vec<bool> {
        let parsed = Blocklist::parse(list.as_bytes());
        assert_eq!(parsed.lines.bad, 0, "{list}");
        ips.iter().map(|ip| parsed.list.blocks(ip.parse().unwrap())).collect()
    }

    #[test]
    fn every_form_is_read() {
        let ips = ["1.2.2.255", "1.2.3.0", "1.2.3.255", "1.2.4.0", "::ffff:1.2.3.4"];
        for list in [
            "1.2.3.0/24",
            "1.2.3.77/24",
            "1.2.3.0-1.2.3.255",
            "Some Org, Inc: with-hyphens, 1, no:1.2.3.0-1.2.3.255",
            "001.002.003.000 - 001.002.003.255 , 000 , Some, name",
            "::ffff:1.2.3.0/120",
            "::ffff:1.2.3.0-::ffff:1.2.3.255",
            "# a comment\r\n\r\n; another\n// one more\n1.2.3.0 - 1.2.3.255\r\n",
        ] {
            assert_eq!(blocked(list, &ips), [false, true, true, false, true], "{list}");
        }
        assert_eq!(blocked("9.9.9.9", &["9.9.9.8", "9.9.9.9"]), [false, true]);
        assert_eq!(blocked("0.0.0.0/0", &["9.9.9.9", "2001:db8::1"]), [true, false]);
        assert_eq!(blocked("::ffff:9.9.9.9", &["9.9.9.8", "9.9.9.9"]), [false, true]);
        assert_eq!(blocked("2001:db8::7/128", &["2001:db8::6", "2001:db8::7", "2001:db8::8"]), [false, true, false]);
        assert_eq!(blocked("2001:db8::77/32\n::1", &["2001:db8:ffff::1", "2001:db9::", "::1"]), [true, false, true]);
        assert_eq!(blocked("2001:db8::1-2001:db8::f", &["2001:db8::2", "2001:db8::10"]), [true, false]);
        assert_eq!(blocked("1.1.1.1/32", &["1.1.1.1", "1.1.1.2"]), [true, false]);
    }

    #[test]
    fn what_emule_lets_pass_is_let_pass() {
        assert_eq!(
            blocked("1.0.0.0 - 1.0.0.9 , 127 , a\n2.0.0.0 - 2.0.0.9 , 128 , b", &["1.0.0.1", "2.0.0.1"]),
            [true, false]
        );
    }

    #[test]
    fn lines_without_sense_are_counted() {
        let parsed = Blocklist::parse(
            b"1.1.1.1\n1.2.3\n1.2.3.4-1.2.3.3\n1.2.3.0/33\n<html>\n1.2.3.256\n1.1.1.1 - ::1\n::ffff:1.2.3.4/64\n0001.2.3.4\n1.2.3.4.5\n::/129\n\xff\xfe",
        );
        assert_eq!(parsed.lines, Lines { good: 1, bad: 11, first_bad: Some(2) });
        assert_eq!(parsed.list.len(), 1);
    }

    #[test]
    fn of_several_lists_each_counts_its_own_lines() {
        let mut reader = Reader::default();
        [&b"1.1.1.1"[..], b"no"].iter().for_each(|line| reader.line(line));
        assert_eq!(reader.end_list(), Lines { good: 1, bad: 1, first_bad: Some(2) });
        [&b"no"[..], b"no", b"2.2.2.2"].iter().for_each(|line| reader.line(line));
        assert_eq!(reader.end_list(), Lines { good: 1, bad: 2, first_bad: Some(1) });
        let list = reader.finish();
        assert!(["1.1.1.1", "2.2.2.2"].iter().all(|ip| list.blocks(ip.parse().unwrap())));
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let parsed = Blocklist::parse(b"1.0.0.5-1.0.0.9\n1.0.0.0-1.0.0.4\n1.0.0.2\n255.255.255.255\n255.0.0.0/8");
        assert_eq!((parsed.lines.good, parsed.list.len()), (5, 2));
    }

    proptest! {
        #[test]
        fn it_blocks_what_any_line_blocks(
            ranges in prop::collection::vec((0u32..3000, 0u32..60), 0..60),
            ips in prop::collection::vec(0u32..3100, 50),
        ) {
            let ranges: Vec<_> = ranges.iter().map(|&(first, more)| (first, first + more)).collect();
            let line = |&(first, last): &(u32, u32)| format!("x:{}-{}\n", Ipv4Addr::from(first), Ipv4Addr::from(last));
            let list = Blocklist::parse(ranges.iter().map(line).collect::<String>().as_bytes()).list;
            for ip in ips {
                let expected = ranges.iter().any(|(first, last)| (first..=last).contains(&&ip));
                prop_assert_eq!(list.blocks(Ipv4Addr::from(ip).into()), expected);
            }
        }
    }
}
