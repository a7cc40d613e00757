//! Streams over bad paths.

use std::io::{IoSlice, IoSliceMut};
use std::time::Duration;

use rtorrent_cli::proto::utp::{Ending, Stalled};

use crate::net::{Link, Net, Stream, addr, pair};

const SEC: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// Megabits a second of `len` bytes from host 0 to host 1.
fn mbits(seed: u64, there: Link, back: Link, len: u64) -> f64 {
    let (mut net, caller, callee) = pair(seed, there, back);
    let took = Stream::new((0, caller), (1, callee), len).finish(&mut net, 600 * SEC);
    len as f64 * 8e-6 / took.as_secs_f64()
}

#[test]
fn a_clean_path_is_filled() {
    // 100 Mbit/s, 100 ms there and back: 1.25 MB under way.
    let link = Link::new(50).rate(100, 200);
    let rate = mbits(1, link, Link::new(50), 40 * MIB);
    assert!(rate > 70.0, "{rate:.1} Mbit/s, the start included");
}

#[test]
fn bad_luck_does_not_empty_the_path() {
    for (percent, least) in [(1.0, 35.0), (5.0, 20.0)] {
        let link = Link { loss: percent / 100.0, ..Link::new(50).rate(100, 200) };
        let back = Link { loss: percent / 100.0, ..Link::new(50) };
        for seed in 1..3 {
            let rate = mbits(seed, link, back, 20 * MIB);
            assert!(rate > least, "{percent} % lost, seed {seed}: {rate:.1} Mbit/s");
        }
    }
}

#[test]
fn a_small_queue_costs_little() {
    for queue in [10, 30] {
        let rate = mbits(7, Link::new(25).rate(20, queue), Link::new(25), 20 * MIB);
        assert!(rate > 13.0, "queue of {queue} ms: {rate:.1} Mbit/s");
    }
}

#[test]
fn loss_reorder_and_duplicates_leave_the_stream_whole() {
    for seed in 0..12 {
        let link = Link {
            loss: 0.05,
            twice: 0.05,
            reorder: 0.2,
            late: Duration::from_millis(40),
            ..Link::new(20).rate(50, 100)
        };
        let (mut net, caller, callee) = pair(seed, link, link);
        let mut there = Stream::new((0, caller), (1, callee), 2 * MIB);
        let mut back = Stream::new((1, callee), (0, caller), MIB);
        let until = net.now + 120 * SEC;
        while !(there.is_done() && back.is_done()) {
            there.pump(&mut net);
            back.pump(&mut net);
            assert!(net.step(until), "seed {seed}: {} and {} bytes", there.read, back.read);
        }
    }
}

#[test]
fn numbers_wrap() {
    // 110 MiB are some 79,000 packets: the numbers go around, with losses on the seam too.
    let link = Link { loss: 0.001, ..Link::new(5).rate(400, 100) };
    let (mut net, caller, callee) = pair(3, link, Link::new(5));
    Stream::new((0, caller), (1, callee), 110 * MIB).finish(&mut net, 600 * SEC);
}

#[test]
fn heavy_loss_does_not_end_a_connection() {
    for seed in 0..5 {
        let link = Link { loss: 0.3, ..Link::new(20).rate(10, 100) };
        let (mut net, caller, callee) = pair(seed, link, link);
        Stream::new((0, caller), (1, callee), MIB / 2).finish(&mut net, 600 * SEC);
    }
}

#[test]
fn a_lone_lost_packet_is_sent_again_before_the_timeout() {
    let (mut net, caller, callee) = pair(5, Link::new(50), Link::new(50));
    net.run(SEC);
    net.links[0].loss = 1.0;
    net.hosts[0].write(caller, &[IoSlice::new(b"request")]).unwrap();
    net.run(Duration::from_millis(10));
    net.links[0].loss = 0.0;
    let start = net.now;
    while !net.hosts[1].is_readable(callee) {
        assert!(net.step(start + SEC), "not within a second");
    }
    let took = net.now - start;
    assert!(took < Duration::from_millis(400), "{took:?}");
}

#[test]
fn a_call_is_repeated_and_a_dead_address_given_up() {
    let mut net = Net::new(1, Link { loss: 1.0, ..Link::new(10) }, Link::new(10));
    net.watch = true;
    let key = net.hosts[0].connect(net.now, addr(1)).unwrap();
    net.run(Duration::from_millis(6900));
    assert_eq!(net.seen.len(), 3, "at 0, 1 and 3 seconds");
    assert_eq!(net.hosts[0].ending(key), None);
    net.run(Duration::from_millis(200));
    assert_eq!(net.hosts[0].ending(key), Some(Ending::TimedOut));
    // The second one arrives, as does the third, and they are one call.
    let mut net = Net::new(2, Link { loss: 1.0, ..Link::new(10) }, Link { loss: 1.0, ..Link::new(10) });
    let key = net.hosts[0].connect(net.now, addr(1)).unwrap();
    net.run(Duration::from_millis(900));
    net.links[0].loss = 0.0;
    net.run(SEC);
    net.links[1].loss = 0.0;
    net.run(2 * SEC);
    assert_eq!(net.hosts[1].len(), 1);
    assert_eq!(net.hosts[0].ending(key), None);
    assert!(net.hosts[0].is_writable(key), "connected");
}

#[test]
fn datagrams_grow_to_what_the_path_carries() {
    for (carried, least) in [(1472, 1472), (1464, 1452), (1300, 1288), (1232, 1232)] {
        let link = Link { mtu: carried, ..Link::new(20).rate(50, 100) };
        let (mut net, caller, callee) = pair(4, link, link);
        let took = Stream::new((0, caller), (1, callee), 10 * MIB).finish(&mut net, 60 * SEC);
        let size = net.hosts[0].status(caller).unwrap().datagram;
        assert!((least..=carried).contains(&size), "{size} on a path of {carried}");
        assert!(took < 5 * SEC, "{took:?} on a path of {carried}: trials hold nothing up");
    }
}

#[test]
fn a_path_that_swallows_the_first_size_is_survived() {
    let link = Link { mtu: 1000, ..Link::new(20) };
    let (mut net, caller, callee) = pair(4, link, link);
    Stream::new((0, caller), (1, callee), MIB).finish(&mut net, 60 * SEC);
    let size = net.hosts[0].status(caller).unwrap().datagram;
    assert!((980..=1000).contains(&size), "{size}");
}

#[test]
fn a_reader_that_stops_stops_the_writer_and_may_go_on() {
    let (mut net, caller, callee) = pair(6, Link::new(10), Link::new(10));
    let mut stream = Stream::new((0, caller), (1, callee), 40 * MIB);
    stream.read_until = 4 * MIB;
    let until = net.now + 100 * SEC;
    loop {
        stream.pump(&mut net);
        if !net.step(until) {
            break;
        }
    }
    let waiting = stream.written - stream.read;
    assert!(waiting < 20 * MIB, "{waiting} bytes are held for a reader that sleeps");
    assert_eq!(net.hosts[0].ending(caller), None, "the connection lives");
    stream.read_until = u64::MAX;
    let took = stream.finish(&mut net, 60 * SEC);
    assert!(took < 5 * SEC, "{took:?}");
}

#[test]
fn the_end_comes_after_all_bytes_and_both_sides_forget() {
    for seed in 0..8 {
        let link = Link { loss: 0.2, ..Link::new(20) };
        let (mut net, caller, callee) = pair(seed, link, link);
        let mut stream = Stream::new((0, caller), (1, callee), 100_000);
        while stream.written < stream.len {
            stream.pump(&mut net);
            net.step(net.now + SEC);
        }
        net.hosts[0].release(net.now, caller);
        stream.finish(&mut net, 60 * SEC);
        let mut buffer = [0; 8];
        let until = net.now + 60 * SEC;
        let end = loop {
            match net.hosts[1].read(callee, &mut [IoSliceMut::new(&mut buffer)]) {
                Err(Stalled::WouldBlock) => assert!(net.step(until), "seed {seed}: no end"),
                other => break other,
            }
        };
        assert_eq!(end, Ok(0), "seed {seed}");
        net.hosts[1].release(net.now, callee);
        net.run(60 * SEC);
        assert!(net.hosts.iter().all(|host| host.is_empty()), "seed {seed}: {:?}", net.hosts.map(|host| host.len()));
    }
}

#[test]
fn a_peer_that_vanishes_is_noticed() {
    let (mut net, caller, callee) = pair(9, Link::new(10), Link::new(10));
    let mut stream = Stream::new((0, caller), (1, callee), 100 * MIB);
    stream.pump(&mut net);
    net.run(SEC);
    net.links.iter_mut().for_each(|link| link.loss = 1.0);
    stream.pump(&mut net);
    net.run(120 * SEC);
    assert_eq!(net.hosts[0].ending(caller), Some(Ending::TimedOut));
}
