//! A network in which nodes come and go.

use std::time::Duration;

use rand::RngExt;
use rtorrent_cli::base::id::InfoHashV1;

use crate::net::{Kind, Net, Shape};

/// Every 10 seconds one of 150 nodes dies without a word and another joins: half of them are others after 17 minutes. A
/// torrent that is announced every 15 minutes is found all the time, by nodes that have just come.
#[test]
fn announces_that_are_repeated_survive_churn() {
    let shape = Shape { dead: 0.0, nat: 0.2, ..Shape::of(150, 5) };
    let mut net = Net::grown(shape, Duration::from_secs(60));
    let info_hash = InfoHashV1(net.random_id().0);
    let mut announcer = net.cold_client();
    let (mut found, mut looked) = (0, 0);
    for step in 0..180 {
        if step % 90 == 0 {
            announcer = net.cold_client();
            let announced = net.lookup(announcer, info_hash, Some(7000)).announced;
            assert!(announced.is_some_and(|nodes| nodes >= 6), "announced to {announced:?}");
        }
        let alive = net.alive();
        let victim = alive[net.rng().random_range(0..alive.len())];
        net.kill(victim);
        net.join();
        net.run(Duration::from_secs(10));
        if step % 3 == 2 {
            let seeker = net.cold_client();
            let peer = (net.addr(announcer).ip(), 7000).into();
            found += usize::from(net.lookup(seeker, info_hash, None).peers.contains(&peer));
            looked += 1;
            net.kill(seeker);
        }
    }
    assert!(found * 100 > looked * 98, "{found} of {looked}");
    assert!(net.alive().len() > 100 && net.count(Kind::Dead) > 150);
}
