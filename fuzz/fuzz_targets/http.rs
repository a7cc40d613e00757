//! What HTTP headers say of ranges, hosts and tags, bodies that may be packed, and datagrams with a proxy's header.
//!
//! Must hold: a range lies within the file and reads the same where it is written out; an answer's part is where it says;
//! a body is the same however it is cut, is no longer than its cap, and nothing that was cut short passes as whole.
#![no_main]

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use rtorrent_cli::io::gunzip::Gunzip;
use rtorrent_cli::io::http::{Header, HttpError};
use rtorrent_cli::io::http_server::is_own_host;
use rtorrent_cli::io::udp_relay::{Target, unwrap, wrap};
use rtorrent_cli::proto::http_range::{Asked, asked, names, part_of};

fuzz_target!(|bytes: &[u8]| {
    let (head, bytes) = bytes.split_at(bytes.len().min(2));
    let [flags, step] = *head else { return };
    if let Ok(text) = str::from_utf8(bytes) {
        ranges(text);
        tags_and_hosts(text);
    }
    bodies(flags, usize::from(step) + 1, bytes);
    datagrams(bytes);
});

fn ranges(text: &str) {
    for size in [0, 1, 2, 100, 1_000_003, u64::MAX] {
        match asked(Some(text), size) {
            Asked::Whole | Asked::Nothing => {}
            Asked::Part(part) => {
                assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
                let header = format!("bytes={}-{}", part.start, part.end - 1);
                assert_eq!(asked(Some(&header), size), Asked::Part(part.clone()));
                let answer = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                assert_eq!(part_of(&answer), Some((part.start, Some(size))));
            }
        }
    }
    if let Some((first, _)) = part_of(text) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        assert!(digits.contains(&first.to_string()), "{first} from nowhere");
    }
}

fn tags_and_hosts(text: &str) {
    let tag = "\"5f-1\"";
    assert!(!names(text, tag) || text.contains(tag) || text.contains('*'));
    assert!(names(&format!("{text}, W/{tag}"), tag));
    if is_own_host(text) {
        // An attacker's name never is: it would have to be an address or this machine's own name.
        let bare = text.rsplit_once(':').map_or(text, |(host, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<IpAddr>().is_err() { host } else { text }
        });
        let bare = bare.trim_matches(['[', ']']);
        assert!(bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok(), "{text:?}");
    }
    if let (Ok(header), Some((name, value))) = (text.parse::<Header>(), text.split_once(':')) {
        // What stands round the two is not kept.
        assert!(![name, value].iter().any(|part| part.trim().contains(['\n', '\0'])), "{header:?} would be two");
    }
}

fn unpack(packed: bool, cap: usize, parts: &[&[u8]]) -> Result<Vec<u8>, HttpError> {
    let mut body = Gunzip::new(packed, cap);
    parts.iter().try_for_each(|part| body.push(part))?;
    body.finish()
}

fn bodies(flags: u8, step: usize, bytes: &[u8]) {
    let (named, cap) = (flags & 1 != 0, usize::from(flags >> 1) * 64);
    let pieces: Vec<&[u8]> = bytes.chunks(step).collect();
    let (whole, cut) = (unpack(named, cap, &[bytes]), unpack(named, cap, &pieces));
    assert_eq!(whole.is_ok(), cut.is_ok(), "{whole:?} {cut:?}");
    if let (Ok(whole), Ok(cut)) = (whole, cut) {
        assert!(whole == cut && whole.len() <= cap);
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).expect("memory");
    let packed = packer.finish().expect("memory");
    let pieces: Vec<&[u8]> = packed.chunks(step).collect();
    match unpack(named, cap, &pieces) {
        Ok(body) => assert!(body == bytes && bytes.len() <= cap),
        Err(HttpError::TooLarge(_)) => assert!(bytes.len() > cap || packed.len() > cap),
        Err(error) => unreachable!("{error}"),
    }
    let short = &packed[..packed.len() - 1 - step % packed.len().min(8)];
    assert!(unpack(named, usize::MAX, &[short]).is_err());
}

fn datagrams(bytes: &[u8]) {
    if let Some((from, payload)) = unwrap(bytes) {
        let mut again = Vec::new();
        wrap(Target::Addr(from), payload, &mut again);
        assert_eq!(unwrap(&again), Some((from, payload)));
    }
    let to: SocketAddr = ([bytes.len() as u8, 2, 3, 4], 5).into();
    let mut wrapped = vec![1; 9];
    wrap(Target::Addr(to), bytes, &mut wrapped);
    assert_eq!(unwrap(&wrapped), Some((to, bytes)));
}
