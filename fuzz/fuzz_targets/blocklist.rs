//! Lists of addresses, plain and packed.
//!
//! Must hold: a list blocks what any of its lines blocks alone and nothing else, in whatever order the lines stand; every
//! line counts once or not at all; and a file says the same plain, packed, and cut into several packed parts.
#![no_main]

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::blocklist::{Blocklist, Lines, Reader};
use rtorrent_cli::io::blocklist_file::read_from;

fuzz_target!(|bytes: &[u8]| {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let whole = Blocklist::parse(bytes);
    let alone: Vec<_> = lines.iter().map(|line| Blocklist::parse(line)).collect();
    assert!(alone.iter().all(|line| line.list.len() <= 1 && line.lines.good + line.lines.bad <= 1));
    assert_eq!(whole.lines.good, alone.iter().map(|line| line.lines.good).sum::<usize>());
    assert_eq!(whole.lines.bad, alone.iter().map(|line| line.lines.bad).sum::<usize>());
    assert_eq!(whole.lines.first_bad, alone.iter().position(|line| line.lines.bad > 0).map(|at| at + 1));
    for ip in places(bytes) {
        let expected = alone.iter().any(|line| line.list.blocks(ip));
        assert_eq!(whole.list.blocks(ip), expected, "{ip}");
    }
    let backwards: Vec<&[u8]> = lines.iter().rev().copied().collect();
    assert_eq!(Blocklist::parse(&backwards.join(&b'\n')).list, whole.list);

    // As it is, whatever that may be.
    let as_it_is = read(bytes);
    if lines.iter().all(|line| line.len() < 4096) {
        let read_whole = Some((whole.lines, whole.list));
        if !bytes.starts_with(&[0x1f, 0x8b]) && !bytes.starts_with(b"PK\x03\x04") {
            assert_eq!(as_it_is, read_whole);
        }
        let cut = bytes.first().map_or(0, |first| usize::from(*first) * bytes.len() / 256);
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(read(&pack(bytes)), read_whole);
        assert_eq!(read(&[pack(head), pack(tail)].concat()), read_whole);
    }
});

fn read(file: &[u8]) -> Option<(Lines, Blocklist)> {
    let mut reader = Reader::default();
    let lines = read_from(file, &mut reader).ok()?;
    Some((lines, reader.finish()))
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

/// The addresses that stand in the text, their neighbours, and the ends of the world.
fn places(text: &[u8]) -> Vec<IpAddr> {
    let words = text.split(|byte| !byte.is_ascii_hexdigit() && !b".:".contains(byte));
    let named = words.filter_map(|word| str::from_utf8(word).ok()?.parse::<IpAddr>().ok()).take(64);
    let ends = [[0; 4].into(), [255; 4].into(), IpAddr::from([0; 16]), [255; 16].into()];
    let around = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => [-1i32, 0, 1, 255].map(|by| Ipv4Addr::from(ip.to_bits().wrapping_add_signed(by)).into()),
        IpAddr::V6(ip) => [-1i128, 0, 1, 1 << 90].map(|by| Ipv6Addr::from(ip.to_bits().wrapping_add_signed(by)).into()),
    };
    named.chain(ends).flat_map(around).collect()
}
