//! Records of an earlier run: any bytes, bytes whose seal and info hash are right, and records that we wrote.
//!
//! Must hold: what is written is read as it was, unknown keys included; what is read is written in one way; and a byte that
//! changed on the disk is always noticed.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::bitfield::Bitfield;
use rtorrent_cli::base::hash::{sha1, sha256};
use rtorrent_cli::base::id::{InfoHashV1, InfoHashV2, TorrentId};
use rtorrent_cli::io::file_set::Stamp;
use rtorrent_cli::io::resume::ResumeRecord;
use rtorrent_cli::swarm::action::SpilledPiece;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => judge(bytes),
        1 => judge(&sealed(&with_identity(bytes))),
        _ => write_and_read(bytes),
    }
});

fn judge(file: &[u8]) {
    if let Some(record) = ResumeRecord::from_bytes(file) {
        let written = record.to_bytes();
        let again = ResumeRecord::from_bytes(&written).expect("our own bytes");
        assert!(again == record, "{record:?}\n{again:?}");
        assert_eq!(again.to_bytes(), written);
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [bytes.len().to_string().as_bytes(), b":", bytes].concat()
}

fn sealed(record: &[u8]) -> Vec<u8> {
    [&b"d6:record"[..], &string(record), b"4:sha1", &string(&sha1(record)), b"e"].concat()
}

/// The inside of a dictionary, with an info dictionary and its hash put before it.
fn with_identity(inside: &[u8]) -> Vec<u8> {
    let info = b"d4:name1:xe";
    [&b"d4:info"[..], &string(info), b"2:v1", &string(&sha1(info)), inside, b"e"].concat()
}

/// A record of whatever the bytes say, and what becomes of it on a disk that changes a byte.
fn write_and_read(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let mut byte = || bytes.next().unwrap_or(0);
    let mut some = |most: u8| -> Vec<u8> {
        let n = byte() % most;
        (0..n).map(|_| byte()).collect()
    };
    let info = some(40);
    let (v1, v2) = (InfoHashV1(sha1(&info)), InfoHashV2(sha256(&info)));
    let id = match some(2).len() + some(2).len() {
        0 => TorrentId::new(Some(v1), None),
        1 => TorrentId::new(None, Some(v2)),
        _ => TorrentId::new(Some(v1), Some(v2)),
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let number = |bytes: Vec<u8>| bytes.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
    let bits = |bytes: &[u8]| {
        let mut bits = Bitfield::new(bytes.len() as u32 * 5);
        bytes.iter().for_each(|byte| _ = bits.set(u32::from(*byte) % (bytes.len() as u32 * 5)));
        bits
    };
    let path = |bytes: Vec<u8>| {
        use std::os::unix::ffi::OsStringExt as _;
        std::ffi::OsString::from_vec(bytes).into()
    };
    let stamp = |bytes: &[u8]| match bytes {
        [] => None,
        [size, time @ ..] => Some(Stamp { size: u64::from(*size) << 40, mtime: -(time.len() as i64) }),
    };
    let record = ResumeRecord {
        id: id.expect("one at least"),
        info,
        layers: some(40),
        trackers: some(4).into_iter().map(|n| (0..n % 4).map(|n| format!("udp://{n}/")).collect()).collect(),
        web_seeds: some(5).chunks(2).map(|chunk| text(chunk.to_vec())).collect(),
        peers: some(9)
            .into_iter()
            .map(|n| if n % 2 == 0 { ([n, 2, 3, 4], 5).into() } else { (std::net::Ipv6Addr::from([n; 16]), 7).into() })
            .collect(),
        name: Some(text(some(20))).filter(|name| !name.is_empty()),
        dir: path(some(30)),
        target: path(some(30)),
        selected: some(20).into_iter().map(|byte| byte % 2 == 0).collect(),
        verified: bits(&some(60)),
        stamps: some(8).chunks(3).map(stamp).collect(),
        edges: stamp(&some(3)),
        spilled: some(12)
            .chunks(3)
            .map(|chunk| SpilledPiece { piece: u32::from(chunk[0]) << 24, blocks: bits(chunk) })
            .collect(),
        downloaded: number(some(8)),
        uploaded: number(some(9)),
        added: number(some(9)) as i64,
        completed: some(9).first().map(|first| i64::from(*first) - 100),
        unknown: BTreeMap::from([(b"zz".to_vec(), string(&some(9))), (vec![0, 255], b"i-7e".to_vec())]),
    };
    let file = record.to_bytes();
    assert!(ResumeRecord::from_bytes(&file).as_ref() == Some(&record), "{record:?}");
    let at = number(some(4)) as usize % file.len();
    let mut damaged = file.clone();
    damaged[at] ^= byte_of(&some(3));
    if damaged != file {
        assert!(ResumeRecord::from_bytes(&damaged).is_none_or(|other| other == record), "byte {at}");
    }
    assert!(ResumeRecord::from_bytes(&file[..at]).is_none());
}

fn byte_of(bytes: &[u8]) -> u8 {
    bytes.first().copied().unwrap_or(1)
}
