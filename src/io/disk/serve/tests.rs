use std::collections::VecDeque;
use std::fs;

use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpListener;

use super::super::send::send_copy;
use super::*;
use crate::base::layout::BLOCK_LEN;
use crate::io::file_set::fixture::Fixture;

/// Pieces of two blocks: a file of many, one that lies within a piece, padding, one more, and one that is not selected.
fn fixture() -> (Fixture, FileSet) {
    let piece = u64::from(2 * BLOCK_LEN);
    let fx = Fixture::new(
        2 * BLOCK_LEN,
        &[("t/a", 20 * piece + 5), ("t/b", 700), (".pad/0", piece - 705), ("t/c", piece + 100), ("t/d", 400)],
    );
    let files = fx.open(&[0, 1, 3]);
    fx.put(&files, &(0..fx.layout.pieces()).collect::<Vec<_>>()).unwrap();
    (fx, files)
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Every block of the torrent, small frames among them, and the bytes that they make.
fn everything(fx: &Fixture) -> (Parcel, Vec<u8>) {
    let (mut parts, mut stream) = (VecDeque::new(), Vec::new());
    for piece in 0..fx.layout.pieces() {
        for begin in (0..fx.layout.piece_len(piece)).step_by(BLOCK_LEN as usize) {
            let len = BLOCK_LEN.min(fx.layout.piece_len(piece) - begin);
            parts.push_back(Part::Block(BlockRequest { piece, begin, len }));
            stream.extend(piece_header(piece, begin, len));
            stream.extend_from_slice(&fx.piece(piece)[begin as usize..][..len as usize]);
        }
        parts.push_back(Part::Bytes(vec![piece as u8; 9]));
        stream.extend([piece as u8; 9]);
    }
    (Parcel { parts, written: 0 }, stream)
}

#[tokio::test]
async fn the_stream_is_the_same_however_often_the_socket_is_full() {
    for near in [false, true] {
        the_stream_is_the_same(near).await;
    }
}

async fn the_stream_is_the_same(near_peer: bool) {
    let (fx, files) = fixture();
    let (near, mut far) = sockets().await;
    socket2::SockRef::from(&near).set_send_buffer_size(8_000).unwrap();
    socket2::SockRef::from(&far).set_recv_buffer_size(8_000).unwrap();
    let (mut parcel, expected) = everything(&fx);
    let blocks = parcel.parts.iter().filter(|part| matches!(part, Part::Block(_))).count();
    let reading = tokio::spawn(async move {
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        got
    });
    let (mut sent, mut bytes, mut turns) = (0, 0, 0);
    loop {
        near.ready(Interest::WRITABLE).await.unwrap();
        let served = serve(&files, &near, parcel, near_peer);
        (sent, bytes, turns) = (sent + served.sent.len(), bytes + served.bytes, turns + 1);
        parcel = served.rest;
        match served.end {
            ServeEnd::Done => break,
            ServeEnd::Full => {}
            other => panic!("{other:?}"),
        }
    }
    drop(near);
    assert!(reading.await.unwrap() == expected);
    assert_eq!((sent, bytes), (blocks, expected.len()));
    assert!(turns > 2, "the socket was full now and then");
}

#[tokio::test]
async fn a_file_that_shrank_is_said_before_its_header_and_ends_the_connection_after_it() {
    for near in [false, true] {
        a_file_shrinks(near).await;
    }
}

async fn a_file_shrinks(near_peer: bool) {
    let (fx, files) = fixture();
    let (near, mut far) = sockets().await;
    near.ready(Interest::WRITABLE).await.unwrap();
    let cut = fx.layout.piece_offset(2) + 100;
    fs::OpenOptions::new().write(true).open(fx.out.path().join("t/a")).unwrap().set_len(cut).unwrap();
    let block = |piece| BlockRequest { piece, begin: 0, len: BLOCK_LEN };
    let parcel = |blocks: &[u32], written| Parcel {
        parts: blocks.iter().map(|&piece| Part::Block(block(piece))).collect(),
        written,
    };

    let served = serve(&files, &near, parcel(&[1, 2, 0], 0), near_peer);
    assert!(matches!(served.end, ServeEnd::Unreadable(request) if request == block(2)), "{served:?}");
    assert_eq!((served.sent, served.rest.parts.len(), served.rest.written), (vec![block(1)], 1, 0));

    // The header is out already.
    let served = serve(&files, &near, parcel(&[2, 0], PIECE_HEADER_LEN), near_peer);
    let ServeEnd::Broken(error) = &served.end else { panic!("{served:?}") };
    assert!(error.to_string().contains("t/a has 65636 bytes where 655365 were expected"), "{error}");
    drop(near);
    let mut got = Vec::new();
    far.read_to_end(&mut got).await.unwrap();
    let whole = [&piece_header(1, 0, BLOCK_LEN)[..], &fx.piece(1)[..BLOCK_LEN as usize]].concat();
    let half = if near_peer { &[] } else { &fx.piece(2)[..100] };
    assert!(got == [&whole[..], half].concat());
}

#[tokio::test]
async fn a_file_that_is_gone_is_a_block_that_cannot_be_read() {
    let (fx, files) = fixture();
    let (near, _far) = sockets().await;
    near.ready(Interest::WRITABLE).await.unwrap();
    drop(files);
    let files = FileSet::open(fx.choose(&[0, 1, 3])).unwrap();
    fs::remove_file(fx.out.path().join("t/c")).unwrap();
    // In one file, and across two of which one is gone.
    for piece in [21, 22] {
        let block = BlockRequest { piece, begin: 0, len: 100 };
        for near_peer in [false, true] {
            let parcel = Parcel { parts: VecDeque::from([Part::Block(block)]), written: 0 };
            let served = serve(&files, &near, parcel, near_peer);
            assert!(matches!(served.end, ServeEnd::Unreadable(request) if request == block), "{served:?}");
            assert_eq!((served.bytes, served.rest.parts.len()), (0, 0));
        }
    }
}

#[tokio::test]
async fn a_dead_socket_ends_the_turn() {
    let (fx, files) = fixture();
    let (near, far) = sockets().await;
    near.ready(Interest::WRITABLE).await.unwrap();
    socket2::SockRef::from(&far).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(far);
    near.ready(Interest::READABLE).await.unwrap();
    for near_peer in [false, true] {
        let served = serve(&files, &near, everything(&fx).0, near_peer);
        assert!(matches!(served.end, ServeEnd::Broken(_)), "{served:?}");
    }
}

#[tokio::test]
async fn both_ways_of_sending_a_file_send_the_same() {
    let (fx, files) = fixture();
    let (file, offset) = files.locate(3, 0, BLOCK_LEN).unwrap();
    for send in [send_file, send_copy] {
        let (near, mut far) = sockets().await;
        near.ready(Interest::WRITABLE).await.unwrap();
        let n = send(&near, &file, offset, BLOCK_LEN as usize).unwrap();
        assert!(n > 0);
        let end = fx.file(0).len() as u64;
        assert_eq!(send(&near, &file, end, 10).unwrap(), 0, "at the end of the file");
        drop(near);
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert!(got == fx.piece(3)[..n]);
    }
}
