//! Announces on the local network, as single datagrams and as a conversation.
//!
//! Must hold: what is read is within its bounds and reads the same when it is written again; whoever talks, one source is
//! heard twelve times a minute at most, only torrents of ours come out, never our own announces, and rounds keep their
//! distance.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::lsd::{Announce, GROUP_V4, GROUP_V6, Lsd};

fuzz_target!(|bytes: &[u8]| {
    if let Some(announce) = Announce::decode(bytes) {
        assert!(announce.port != 0 && (1..=Announce::MAX_HASHES).contains(&announce.hashes.len()));
        assert!(announce.cookie.as_ref().is_none_or(|cookie| cookie.len() <= 64));
        for group in [GROUP_V4.into(), GROUP_V6.into()] {
            assert_eq!(Announce::decode(&announce.encode(group)).as_ref(), Some(&announce));
        }
    }
    converse(bytes);
});

fn hash(n: u8) -> InfoHashV1 {
    InfoHashV1([n % 40; 20])
}

/// Steps of two bytes: what happens and to whom.
fn converse(script: &[u8]) {
    let start = Instant::now();
    let (mut now, mut ours, mut last_round) = (start, BTreeSet::new(), None);
    let mut lsd = Lsd::new(now, 6881, &mut StdRng::seed_from_u64(1));
    let (mut heard, mut own) = (BTreeMap::<_, Vec<Instant>>::new(), None);
    for step in script.chunks_exact(2).take(600) {
        let &[what, whom] = step else { continue };
        match what % 6 {
            0 => {
                lsd.add(now, hash(whom));
                ours.insert(hash(whom));
            }
            1 => {
                lsd.remove(&hash(whom));
                ours.remove(&hash(whom));
            }
            2 => now += Duration::from_secs(whom.into()),
            3 => {
                let due = lsd.poll_timeout().is_some_and(|at| at <= now);
                let round = lsd.poll_announce(now);
                assert_eq!(round.is_some(), due);
                if let Some(round) = round {
                    assert!((1..=Announce::MAX_HASHES).contains(&round.hashes.len()));
                    assert!(round.hashes.iter().all(|hash| ours.contains(hash)));
                    assert!(round.encode(GROUP_V6.into()).len() <= 1400);
                    let pause = last_round.map(|last| now.saturating_duration_since(last));
                    assert!(pause.is_none_or(|pause| pause >= Duration::from_secs(60)));
                    last_round = Some(now);
                    own = Some(round);
                }
            }
            4 => {
                let from = SocketAddr::new(Ipv4Addr::new(192, 168, 0, whom % 4).into(), 6771);
                let theirs = Announce { port: 7000, hashes: vec![hash(whom), hash(whom / 2)], cookie: None };
                if let Some((peer, hashes)) = lsd.handle_packet(now, from, &theirs.encode(GROUP_V4.into())) {
                    assert_eq!((peer.ip(), peer.port()), (from.ip(), 7000));
                    assert!(!hashes.is_empty() && hashes.iter().all(|hash| ours.contains(hash)));
                    heard.entry(from).or_default().push(now);
                }
            }
            _ => {
                let from = SocketAddr::new(Ipv4Addr::new(192, 168, 1, whom).into(), 6771);
                if let Some(own) = &own {
                    assert_eq!(lsd.handle_packet(now, from, &own.encode(GROUP_V4.into())), None);
                }
            }
        }
        if let Some(at) = lsd.poll_timeout() {
            assert!(!ours.is_empty() && at <= now + Duration::from_secs(360));
        }
    }
    for times in heard.values() {
        // Counted by the minute: twice twelve may stand side by side where one ends.
        let crowded = times.windows(25).any(|few| few[24] - few[0] < Duration::from_secs(60));
        assert!(!crowded, "{times:?}");
    }
}
