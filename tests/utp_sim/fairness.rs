//! One bottleneck, several streams.

use std::time::Duration;

use rtorrent_cli::proto::utp::ConnectionKey;

use crate::net::{Link, Net, Stream, pair};
use crate::reno::Reno;

const SEC: Duration = Duration::from_secs(1);

/// Runs a stream of ours, with a TCP beside it or alone; megabits a second of both.
fn beside(net: &mut Net, keys: (ConnectionKey, ConnectionKey), tcp: Option<&mut Reno>, time: Duration) -> (f64, f64) {
    let mut stream = Stream::new((0, keys.0), (1, keys.1), u64::MAX);
    (stream.written, stream.read) = net.progress;
    let (start, read) = (net.now, stream.read);
    let until = start + time;
    let mut tcp = tcp;
    let delivered = tcp.as_ref().map_or(0, |tcp| tcp.delivered);
    while net.now < until {
        stream.pump(net);
        let mut next = until;
        if let Some(tcp) = &mut tcp {
            tcp.run(net.now, &mut net.links[0]);
            next = tcp.next().map_or(until, |at| at.min(until));
        }
        net.step(next);
    }
    net.progress = (stream.written, stream.read);
    let rate = |bytes: u64| bytes as f64 * 8e-6 / time.as_secs_f64();
    (rate(stream.read - read), rate(tcp.map_or(0, |tcp| tcp.delivered) - delivered))
}

#[test]
fn a_tcp_gets_the_link_and_gives_it_back() {
    // 20 Mbit/s, 50 ms there and back, a queue of 300 ms as home routers have it.
    let (mut net, caller, callee) = pair(1, Link::new(25).rate(20, 300), Link::new(25));
    let keys = (caller, callee);
    let (alone, _) = beside(&mut net, keys, None, 20 * SEC);
    assert!(alone > 16.0, "alone: {alone:.1} Mbit/s");
    let mut tcp = Reno::new(Duration::from_millis(25));
    beside(&mut net, keys, Some(&mut tcp), 10 * SEC);
    let (ours, theirs) = beside(&mut net, keys, Some(&mut tcp), 30 * SEC);
    assert!(theirs > 8.0 * ours, "beside a TCP: ours {ours:.1}, its {theirs:.1} Mbit/s");
    beside(&mut net, keys, None, 10 * SEC);
    let (again, _) = beside(&mut net, keys, None, 10 * SEC);
    assert!(again > 14.0, "alone again: {again:.1} Mbit/s");
}

#[test]
fn a_queue_shorter_than_the_target_is_shared() {
    let (mut net, caller, callee) = pair(2, Link::new(25).rate(20, 40), Link::new(25));
    let mut tcp = Reno::new(Duration::from_millis(25));
    beside(&mut net, (caller, callee), Some(&mut tcp), 20 * SEC);
    let (ours, theirs) = beside(&mut net, (caller, callee), Some(&mut tcp), 60 * SEC);
    assert!(theirs > 0.3 * ours && ours > 1.0, "ours {ours:.1}, its {theirs:.1} Mbit/s");
}

#[test]
fn the_queue_stays_at_the_target() {
    let (mut net, caller, callee) = pair(3, Link::new(25).rate(20, 2000), Link::new(25));
    beside(&mut net, (caller, callee), None, 30 * SEC);
    let status = net.hosts[0].status(caller).unwrap();
    let queueing = status.queueing.unwrap();
    assert!((40..160).contains(&queueing.as_millis()), "{status:?}");
}
