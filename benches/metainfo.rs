//! How long the largest torrents take to read, and how much memory: `cargo bench --bench metainfo`.
//!
//! Goals: milliseconds for half a million pieces (10 MB); at most 100 MB for 100,000 files.

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use rtorrent_cli::base::bencode::{Limits, scan};
use rtorrent_cli::base::metainfo::Metainfo;
use rtorrent_cli::base::selection::Selection;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn half_a_million_pieces(bencher: Bencher) {
    read(bencher, one_file_of(500_000));
}

#[divan::bench]
fn a_hundred_thousand_files(bencher: Bencher) {
    read(bencher, files(100_000));
}

#[divan::bench]
fn scan_a_hundred_thousand_files(bencher: Bencher) {
    let torrent = files(100_000);
    bencher.counter(BytesCount::new(torrent.len())).bench(|| scan(black_box(&torrent), Limits::TORRENT).unwrap());
}

#[divan::bench]
fn scan_a_find_node_packet(bencher: Bencher) {
    let packet = b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe";
    bencher.bench(|| scan(black_box(packet), Limits::KRPC).unwrap());
}

#[divan::bench]
fn select_from_a_hundred_thousand_files(bencher: Bencher) {
    let info = Metainfo::parse(&files(100_000)).unwrap().info;
    let patterns = ["*1.mkv", "ext:srt", "size>1M", "re:7{3}", "1-5"].map(str::to_owned);
    let selection = Selection::parse(&patterns, &[]).unwrap();
    bencher.bench(|| selection.apply(black_box(&info)).unwrap());
}

fn read(bencher: Bencher, torrent: Vec<u8>) {
    bencher.counter(BytesCount::new(torrent.len())).bench(|| Metainfo::parse(black_box(&torrent)).unwrap());
}

fn one_file_of(pieces: usize) -> Vec<u8> {
    wrapped(format!("6:lengthi{}e", pieces as u64 * 16_384).into_bytes(), pieces)
}

/// 1,000 folders of equally many files, of 1,000 bytes each.
fn files(count: usize) -> Vec<u8> {
    let mut list = b"5:filesl".to_vec();
    for nth in 0..count {
        let (folder, name) = (format!("Folder {:04}", nth % 1_000), format!("{nth:06} some ordinary name.mkv"));
        list.extend(format!("d6:lengthi1000e4:pathl{}:{folder}{}:{name}ee", folder.len(), name.len()).bytes());
    }
    list.push(b'e');
    wrapped(list, (count * 1_000).div_ceil(16_384))
}

fn wrapped(files: Vec<u8>, pieces: usize) -> Vec<u8> {
    let mut torrent = b"d8:announce15:http://tracker/4:infod".to_vec();
    torrent.extend(files);
    torrent.extend(format!("4:name5:bench12:piece lengthi16384e6:pieces{}:", pieces * 20).bytes());
    torrent.extend((0..pieces * 20).map(|nth| (nth * 31 % 251) as u8));
    torrent.extend(b"ee");
    torrent
}
