use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::base::blocklist::Blocklist;
use crate::base::id::{InfoHashV1, InfoHashV2};
use crate::io::listen::{self, Listeners, Registry};
use crate::io::udp_task::UdpPort;
use crate::proto::wire::Reserved;

const ID: InfoHashV1 = InfoHashV1([7; 20]);

fn handshake(who: u8) -> Handshake {
    Handshake { reserved: Reserved::OURS, info_hash: ID, peer_id: PeerId([who; 20]) }
}

fn dialler(encryption: Encryption) -> Dialler {
    Dialler { encryption, ..Dialler::default() }
}

/// A listener with this policy, and the callers that it lets pass.
fn serve(encryption: Encryption) -> (Registry, SocketAddr, mpsc::Receiver<Greeted>) {
    serve_without(encryption, b"")
}

fn serve_without(encryption: Encryption, blocklist: &[u8]) -> (Registry, SocketAddr, mpsc::Receiver<Greeted>) {
    let blocklist = Arc::new(Blocklist::parse(blocklist).list);
    let registry = listen::serve(Listeners::bind(&NetPath::open(), None).unwrap(), encryption, blocklist);
    let (callers, calls) = mpsc::channel(8);
    registry.register(TorrentId::from_v1(ID), callers);
    let addr = SocketAddr::from(([127, 0, 0, 1], registry.port()));
    (registry, addr, calls)
}

/// Calls it and says one thing each way; how the connection was made, and whether the payload is encrypted.
async fn call(caller: Encryption, called: Encryption, way: Option<Way>) -> Result<(Way, bool), DialFailure> {
    let (registry, addr, mut calls) = serve(called);
    let answer = tokio::spawn(async move {
        let mut greeted = calls.recv().await?;
        assert_eq!((greeted.handshake, greeted.early.len()), (handshake(1), 0));
        let answer = [&handshake(2).encode()[..], b"from the called"].concat();
        greeted.stream.write_all(&answer).await.unwrap();
        let mut bytes = [0; 15];
        greeted.stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"from the caller");
        Some(greeted.way)
    });
    let end = match dial(addr, TorrentId::from_v1(ID), handshake(1), &dialler(caller), way).await {
        Ok(mut greeted) => {
            assert_eq!(greeted.handshake, handshake(2));
            greeted.stream.write_all(b"from the caller").await.unwrap();
            let mut bytes = [0; 15];
            greeted.stream.read_exact(&mut bytes).await.unwrap();
            assert_eq!(&bytes, b"from the called");
            Ok((greeted.way, matches!(greeted.stream, PeerStream::Rc4(_))))
        }
        Err(failure) => Err(failure),
    };
    drop(registry);
    // Nobody has called for the torrent where the dial came to nothing.
    assert_eq!(end.ok().map(|(way, _)| way), answer.await.unwrap());
    end
}

#[tokio::test]
async fn two_sides_meet_where_their_policies_do() {
    use Encryption::{Auto, Off, Require};
    let plain = Way::default();
    let encrypted = Way { utp: false, encrypted: true };
    for (caller, called, expected) in [
        (Auto, Auto, Ok((plain, false))),
        (Auto, Off, Ok((plain, false))),
        (Auto, Require, Ok((encrypted, true))), // closed on the plain handshake, then called again
        (Off, Auto, Ok((plain, false))),
        (Off, Off, Ok((plain, false))),
        (Off, Require, Err(DialFailure::Refused)),
        (Require, Auto, Ok((encrypted, true))),
        (Require, Off, Err(DialFailure::Refused)),
        (Require, Require, Ok((encrypted, true))),
    ] {
        assert_eq!(call(caller, called, None).await, expected, "{caller:?} calls {called:?}");
    }
}

#[tokio::test]
async fn what_worked_before_comes_first_and_the_payload_goes_plain_where_both_may() {
    let encrypted = Way { utp: false, encrypted: true };
    assert_eq!(call(Encryption::Auto, Encryption::Auto, Some(encrypted)).await, Ok((encrypted, false)));
    // It has changed its mind since.
    assert_eq!(call(Encryption::Auto, Encryption::Off, Some(encrypted)).await, Ok((Way::default(), false)));
    // Our own policy stands above what worked.
    assert_eq!(call(Encryption::Off, Encryption::Auto, Some(encrypted)).await, Ok((Way::default(), false)));
}

/// A peer that swallows plain handshakes without a word.
#[tokio::test]
async fn a_peer_that_is_silent_is_called_again_encrypted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let peer = async {
        let (mut first, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 20];
        first.read_exact(&mut bytes).await.unwrap();
        assert!(Handshake::may_begin(&bytes));
        let (mut second, _) = listener.accept().await.unwrap();
        second.read_exact(&mut bytes).await.unwrap();
        assert!(!Handshake::may_begin(&bytes));
        // Not a key from which a secret follows.
        second.write_all(&[0; 96]).await.unwrap();
        drop(first);
    };
    let dialler = dialler(Encryption::Auto);
    let dial = dial(addr, TorrentId::from_v1(ID), handshake(1), &dialler, None);
    let (end, ()) = tokio::join!(dial, peer);
    assert_eq!(end.unwrap_err(), DialFailure::WrongHandshake);
}

/// What a caller has to say beyond its handshake may come with its first payload.
#[tokio::test]
async fn what_follows_the_handshake_in_the_first_payload_is_handed_on() {
    for split in [0, 30, HANDSHAKE_LEN, HANDSHAKE_LEN + 9] {
        let (_registry, addr, mut calls) = serve(Encryption::Auto);
        let payload = [&handshake(1).encode()[..], b"and more of it"].concat();
        let (first, rest) = payload.split_at(split);
        let mut stream = PeerStream::tcp(tokio::net::TcpStream::connect(addr).await.unwrap()).unwrap();
        let ciphers = mse::initiate(&mut stream, ID, Methods::RC4, first.to_vec()).await.unwrap();
        let mut stream = stream.maybe_encrypted(ciphers);
        stream.write_all(rest).await.unwrap();
        let mut greeted = calls.recv().await.unwrap();
        assert_eq!(greeted.handshake, handshake(1));
        let mut more = greeted.early;
        let got = more.len();
        assert_eq!(got, split.saturating_sub(HANDSHAKE_LEN));
        more.resize(14, 0);
        greeted.stream.read_exact(&mut more[got..]).await.unwrap();
        assert_eq!(more, b"and more of it");
    }
}

#[tokio::test]
async fn who_hangs_up_on_tcp_is_tried_over_utp() {
    let loopback = [IpAddr::from([127, 0, 0, 1])];
    let (listener, theirs) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let theirs = UdpPort::open(&NetPath::open(), &loopback, port).unwrap();
        if theirs.port() == port {
            break (listener, theirs);
        }
    };
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    for encryption in [Encryption::Auto, Encryption::Require, Encryption::Off] {
        let (registry, _, mut calls) = serve(encryption);
        theirs.utp().accept(registry.arrivals());
        let answer = tokio::spawn(async move {
            let mut greeted = calls.recv().await.unwrap();
            greeted.stream.write_all(&handshake(2).encode()).await.unwrap();
            (greeted.way, greeted.stream)
        });
        let ours = UdpPort::open(&NetPath::open(), &loopback, 0).unwrap();
        let dialler = Dialler { utp: Some(ours.utp()), ..dialler(encryption) };
        let greeted = dial(addr, TorrentId::from_v1(ID), handshake(1), &dialler, None).await.unwrap();
        assert!(greeted.way.utp, "{encryption:?}");
        assert_eq!(greeted.way, answer.await.unwrap().0);
        assert_eq!(greeted.handshake, handshake(2));
    }
}

#[tokio::test]
async fn a_caller_whom_the_user_forbids_gets_no_byte() {
    let (_registry, addr, mut calls) = serve_without(Encryption::Auto, b"127.0.0.0/8");
    let mut caller = TcpStream::connect(addr).await.unwrap();
    let _ = caller.write_all(&handshake(1).encode()).await; // it may be closed by then
    let mut got = Vec::new();
    let _ = caller.read_to_end(&mut got).await; // an end or a reset
    assert!(got.is_empty() && calls.try_recv().is_err());
    let (registry, addr, mut calls) = serve_without(Encryption::Auto, b"126.0.0.0/8");
    let mut caller = TcpStream::connect(addr).await.unwrap();
    caller.write_all(&handshake(1).encode()).await.unwrap();
    assert_eq!(calls.recv().await.unwrap().handshake, handshake(1));
    drop(registry);
}

const V2: InfoHashV2 = InfoHashV2([8; 32]);

/// A torrent as somebody knows it.
fn known_as(v1: bool, v2: bool) -> TorrentId {
    TorrentId::new(v1.then_some(ID), v2.then_some(V2)).unwrap()
}

/// What both agree on where the caller knows the torrent as `caller` and the called as `called`: the hash, and in how many
/// calls.
async fn agreed(caller: TorrentId, called: TorrentId, encryption: Encryption) -> Result<InfoHashV1, DialFailure> {
    let ours = |id: TorrentId, hash, who| Handshake::ours(id, hash, Reserved::OURS, PeerId([who; 20]));
    let registry =
        listen::serve(Listeners::bind(&NetPath::open(), None).unwrap(), encryption, Arc::new(Blocklist::default()));
    let (callers, mut calls) = mpsc::channel(8);
    registry.register(called, callers);
    let addr = SocketAddr::from(([127, 0, 0, 1], registry.port()));
    tokio::spawn(async move {
        while let Some(mut greeted) = calls.recv().await {
            let answer = ours(called, greeted.handshake.answered_by(called), 2);
            greeted.stream.write_all(&answer.encode()).await.unwrap();
        }
    });
    let end = dial(addr, caller, ours(caller, caller.wire(), 1), &dialler(encryption), None).await;
    end.map(|greeted| greeted.handshake.info_hash)
}

#[tokio::test]
async fn two_sides_that_know_one_torrent_by_different_hashes_meet_in_one_that_both_know() {
    let (v1, v2, hybrid) = (known_as(true, false), known_as(false, true), known_as(true, true));
    let newer = V2.truncated();
    for encryption in [Encryption::Off, Encryption::Require, Encryption::Auto] {
        for (caller, called, expected) in [
            (hybrid, hybrid, Ok(newer)), // the answer upgrades
            (hybrid, v1, Ok(ID)),
            (v1, hybrid, Ok(ID)),
            (hybrid, v2, Ok(newer)), // hung up on, then called by the other hash
            (v2, hybrid, Ok(newer)),
            (v2, v2, Ok(newer)),
            (v1, v2, Err(DialFailure::Refused)),
            (v2, v1, Err(DialFailure::Refused)),
        ] {
            assert_eq!(agreed(caller, called, encryption).await, expected, "{caller:?} calls {called:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_with_a_hash_that_is_not_the_torrents_is_wrong() {
    for (id, answer, good) in [
        (known_as(true, false), V2.truncated(), false),
        (known_as(true, true), InfoHashV1([9; 20]), false),
        (known_as(true, true), V2.truncated(), true),
        (known_as(false, true), ID, false),
    ] {
        let theirs = Handshake { info_hash: answer, ..handshake(2) };
        assert_eq!(accept_answer(id, PeerId([1; 20]), &theirs).is_ok(), good, "{id:?}");
    }
}
