//! What a stranger can send.

use std::io::{IoSlice, IoSliceMut};
use std::time::Duration;

use rand::RngExt;
use rtorrent_cli::proto::utp::packet::{Extension, HEADER_LEN, Header, Kind, Packet};
use rtorrent_cli::proto::utp::seq::Seq;
use rtorrent_cli::proto::utp::{Event, Stalled};

use crate::net::{Link, Net, Stream, addr, pair};

const SEC: Duration = Duration::from_secs(1);

fn datagram(kind: Kind, id: u16, seq: u16, ack: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { kind, id, timestamp: 0, delay: 0, window: 1 << 20, seq: Seq(seq), ack: Seq(ack) };
    let mut out = Vec::new();
    header.encode(Extension::None, &mut out);
    out.extend_from_slice(payload);
    out
}

/// A net in which host 0 is played by the test; what host 1 sent.
fn answers(net: &mut Net, sent: &[Vec<u8>]) -> Vec<Vec<u8>> {
    net.watch = true;
    let mut batch = Vec::new();
    for datagram in sent {
        net.hosts[1].handle_datagram(net.now, addr(0), datagram);
    }
    let mut all = Vec::new();
    while let Some(transmit) = net.hosts[1].poll_transmit(net.now, 8, &mut batch) {
        assert_eq!(transmit.to, addr(0));
        all.extend(batch.chunks(transmit.segment).map(<[u8]>::to_vec));
    }
    all
}

fn quiet() -> Net {
    Net::new(1, Link::new(10), Link::new(10))
}

#[test]
fn an_address_that_never_answers_gets_one_bare_packet_a_call() {
    let mut net = quiet();
    let syn = datagram(Kind::Syn, 100, 1, 0, b"");
    let first = answers(&mut net, std::slice::from_ref(&syn));
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].len(), HEADER_LEN);
    let again = answers(&mut net, std::slice::from_ref(&syn));
    assert_eq!(again.len(), 1, "the answer may have been lost");
    net.run(60 * SEC);
    assert_eq!(net.seen.len(), 0, "nothing by itself");
    assert!(net.events[1].is_empty(), "nobody is told of it");
    assert!(net.hosts[1].is_empty(), "and it is forgotten");
}

#[test]
fn data_from_a_caller_who_does_not_know_our_number_is_not_believed() {
    let mut net = quiet();
    let answer = answers(&mut net, &[datagram(Kind::Syn, 100, 1, 0, b"")]).remove(0);
    let ours = Packet::decode(&answer).unwrap().header;
    assert_eq!((ours.kind, ours.id, ours.ack), (Kind::State, 100, Seq(1)));
    let wrong = ours.seq.plus(7).0;
    answers(&mut net, &[datagram(Kind::Data, 101, 2, wrong, b"forged")]);
    net.run(Duration::ZERO);
    assert!(net.events[1].is_empty());
    let right = ours.seq.minus(1).0;
    answers(&mut net, &[datagram(Kind::Data, 101, 2, right, b"hello")]);
    net.run(Duration::ZERO);
    assert!(matches!(net.events[1][..], [Event::Accepted(_)]), "{:?}", net.events[1]);
}

#[test]
fn a_flood_of_calls_is_bounded_and_lets_others_in() {
    let mut net = quiet();
    for id in 0..10_000u16 {
        let from = std::net::SocketAddr::new([10, 0, (id >> 8) as u8, id as u8].into(), 1000);
        net.hosts[1].handle_datagram(net.now, from, &datagram(Kind::Syn, id, 1, 0, b""));
    }
    assert!(net.hosts[1].len() <= 256, "{}", net.hosts[1].len());
    net.connect();
}

#[test]
fn packets_of_nobody_are_answered_with_a_reset_now_and_then() {
    let mut net = quiet();
    let strays: Vec<_> = (0..1000).map(|n| datagram(Kind::Data, n, 77, 0, b"x")).collect();
    let resets = answers(&mut net, &strays);
    assert!((1..=64).contains(&resets.len()), "{}", resets.len());
    let header = Packet::decode(&resets[0]).unwrap().header;
    assert_eq!((header.kind, header.id, header.ack), (Kind::Reset, 0, Seq(77)));
    assert!(answers(&mut net, &[datagram(Kind::Reset, 5, 1, 1, b"")]).is_empty(), "a reset is not answered");
}

#[test]
fn a_forged_reset_or_end_has_to_know_the_numbers() {
    let (mut net, caller, callee) = pair(3, Link::new(10), Link::new(10));
    net.watch = true;
    net.hosts[0].write(caller, &[IoSlice::new(b"?")]).unwrap();
    net.run(SEC);
    let sample = net.seen.iter().find(|(host, _)| *host == 0).map(|(_, bytes)| Packet::decode(bytes).unwrap().header);
    let header = sample.unwrap();
    let mut killed = 0;
    for guess in (0..65_536u32).step_by(251) {
        let guess = guess as u16;
        for kind in [Kind::Reset, Kind::Fin] {
            let forged = datagram(kind, header.id, guess, guess, b"");
            net.hosts[1].handle_datagram(net.now, addr(0), &forged);
        }
        killed += u32::from(net.hosts[1].ending(callee).is_some());
        if killed > 0 {
            break;
        }
    }
    // One number in 64 is near enough for a RST: a forger who sees nothing has to guess address, port and id besides.
    let reset = datagram(Kind::Reset, header.id, 0, header.ack.plus(9000).0, b"");
    let (mut net, caller, callee) = pair(3, Link::new(10), Link::new(10));
    net.hosts[1].handle_datagram(net.now, addr(0), &reset);
    let fin = datagram(Kind::Fin, header.id, header.seq.plus(20_000).0, header.ack.0, b"");
    net.hosts[1].handle_datagram(net.now, addr(0), &fin);
    let from_elsewhere = datagram(Kind::Reset, header.id, 0, header.ack.0, b"");
    net.hosts[1].handle_datagram(net.now, "198.51.100.9:6881".parse().unwrap(), &from_elsewhere);
    assert_eq!(net.hosts[1].ending(callee), None);
    Stream::new((0, caller), (1, callee), 100_000).finish(&mut net, 10 * SEC);
    // The true one is believed.
    let known = datagram(Kind::Reset, header.id, 0, header.ack.0, b"");
    net.hosts[1].handle_datagram(net.now, addr(0), &known);
    assert!(net.hosts[1].ending(callee).is_some());
}

#[test]
fn noise_ends_nothing() {
    let (mut net, caller, callee) = pair(4, Link::new(10), Link::new(10));
    let mut stream = Stream::new((0, caller), (1, callee), 1 << 20);
    let until = net.now + 60 * SEC;
    while !stream.is_done() {
        stream.pump(&mut net);
        for _ in 0..5 {
            let len = net.rng.random_range(0..80);
            let mut noise: Vec<u8> = (0..len).map(|_| net.rng.random()).collect();
            if let [first, ..] = &mut noise[..] {
                *first = *first & 0x30 | 1; // data, ends, states, resets
            }
            let host = net.rng.random_range(0..2);
            net.hosts[host].handle_datagram(net.now, addr(1 - host), &noise);
        }
        assert!(net.step(until));
    }
}

#[test]
fn what_is_acknowledged_but_was_never_sent_is_no_acknowledgement() {
    let (mut net, caller, callee) = pair(5, Link::new(10), Link::new(10));
    net.watch = true;
    net.hosts[0].write(caller, &[IoSlice::new(b"one")]).unwrap();
    net.run(SEC);
    let last = |net: &Net, host| {
        let found = net.seen.iter().rev().find(|(from, _)| *from == host);
        Packet::decode(&found.unwrap().1).unwrap().header
    };
    let theirs = last(&net, 1);
    net.links[0].loss = 1.0;
    net.hosts[0].write(caller, &[IoSlice::new(b"two")]).unwrap();
    net.run(Duration::from_millis(1));
    net.links[0].loss = 0.0;
    let early = datagram(Kind::State, theirs.id, theirs.seq.0, theirs.ack.plus(500).0, b"");
    net.hosts[0].handle_datagram(net.now, addr(1), &early);
    net.run(5 * SEC);
    let mut buffer = [0; 16];
    assert_eq!(net.hosts[1].read(callee, &mut [IoSliceMut::new(&mut buffer)]), Ok(6));
    assert_eq!(&buffer[..6], b"onetwo");
    assert_eq!(net.hosts[1].read(callee, &mut [IoSliceMut::new(&mut buffer)]), Err(Stalled::WouldBlock));
}
