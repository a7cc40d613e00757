use super::*;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn next(book: &mut Book, now: Instant) -> Option<SocketAddr> {
    book.next(now, |_| true)
}

#[test]
fn fresh_addresses_of_good_sources_come_first() {
    let (mut book, now) = (Book::default(), Instant::now());
    for (source, text) in [
        (Source::Resume, "1.1.1.1:1"),
        (Source::Pex, "1.1.1.2:1"),
        (Source::Tracker, "1.1.1.3:1"),
        (Source::Tracker, "1.1.1.4:1"),
        (Source::User, "1.1.1.5:1"),
    ] {
        assert!(book.add(source, addr(text)));
    }
    assert_eq!(next(&mut book, now), Some(addr("1.1.1.5:1")));
    book.failed(now, addr("1.1.1.5:1"), DialFailure::Refused);
    let later = now + Duration::from_secs(60);
    assert_eq!(next(&mut book, later), Some(addr("1.1.1.3:1")), "a failure comes after all fresh ones");
    assert!(!book.add(Source::Tracker, addr("1.1.1.2:1")), "known, but better vouched for now");
    assert_eq!(next(&mut book, later), Some(addr("1.1.1.2:1")));
    assert_eq!(next(&mut book, later), Some(addr("1.1.1.4:1")));
    assert_eq!(next(&mut book, later), Some(addr("1.1.1.1:1")));
    assert_eq!(next(&mut book, later), Some(addr("1.1.1.5:1")));
    assert_eq!(next(&mut book, later), None, "all are in use");
}

#[test]
fn mapped_addresses_are_ipv4_and_nonsense_is_refused() {
    let mut book = Book::default();
    assert!(book.add(Source::Dht, addr("[::ffff:9.8.7.6]:5")));
    assert!(!book.add(Source::Dht, addr("9.8.7.6:5")));
    for nonsense in ["9.8.7.6:0", "0.0.0.0:5", "255.255.255.255:5", "224.0.0.1:5", "[::]:5", "[ff02::1]:5"] {
        assert!(!book.add(Source::User, addr(nonsense)), "{nonsense}");
    }
    book.ban(addr("9.8.7.6:5"), true);
    assert!(book.is_banned(addr("[::ffff:9.8.7.6]:1234")));
    assert!(!book.add(Source::User, addr("9.8.7.6:7")));
}

#[test]
fn failures_wait_longer_and_longer_and_are_forgotten_unless_the_user_named_them() {
    let (mut book, mut now) = (Book::default(), Instant::now());
    book.add(Source::User, addr("10.0.0.1:1"));
    book.add(Source::Tracker, addr("10.0.0.2:1"));
    let mut pauses = Vec::new();
    for _ in 0..8 {
        while let Some(addr) = next(&mut book, now) {
            book.failed(now, addr, DialFailure::TimedOut);
        }
        let due = book.next_due().unwrap();
        pauses.push((due - now).as_secs());
        now = due;
    }
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
    assert_eq!((pauses[0], pauses[7]), (10, 1280));
    assert_eq!(book.len(), 1, "the tracker's is forgotten");
    book.failed(now, addr("10.0.0.1:1"), DialFailure::Ourselves);
    assert!(book.is_empty() && book.is_banned(addr("10.0.0.1:1")));
}

#[test]
fn the_book_is_bounded_and_keeps_what_the_user_named() {
    let (mut book, now) = (Book::default(), Instant::now());
    book.add(Source::User, addr("10.9.9.9:9"));
    for n in 0..LIMIT as u32 + 500 {
        book.add(Source::Pex, SocketAddr::from((std::net::Ipv4Addr::from(0x0b00_0000 + n), 1)));
    }
    assert_eq!(book.len(), LIMIT);
    assert_eq!(next(&mut book, now), Some(addr("10.9.9.9:9")));
}

#[test]
fn addresses_of_pex_never_push_out_better_ones() {
    let (mut book, now) = (Book::default(), Instant::now());
    for n in 0..LIMIT as u32 {
        book.add(Source::Tracker, SocketAddr::from((std::net::Ipv4Addr::from(0x0b00_0000 + n), 1)));
    }
    assert!(!book.add(Source::Pex, addr("1.2.3.4:1")));
    let tried = next(&mut book, now).unwrap();
    book.failed(now, tried, DialFailure::TimedOut);
    assert!(book.add(Source::Pex, addr("1.2.3.4:1")), "one that failed gives way");
    assert!(book.source(tried).is_none());
}

#[test]
fn among_equals_the_canonical_priority_decides_once_it_is_known() {
    let (mut book, now) = (Book::default(), Instant::now());
    let peers: Vec<SocketAddr> = (0..50).map(|n| SocketAddr::from(([98, n * 5, 54, 32], 1))).collect();
    peers.iter().for_each(|peer| _ = book.add(Source::Dht, *peer));
    book.add(Source::Tracker, addr("5.5.5.5:5"));
    assert_eq!(book.priority(peers[0]), 0);
    book.set_ours(Ours { v4: Some([123, 213, 32, 10].into()), v6: None, port: 1 });
    assert_eq!(next(&mut book, now), Some(addr("5.5.5.5:5")), "a better source still comes first");
    let mut order = Vec::new();
    while let Some(addr) = next(&mut book, now) {
        order.push(book.priority(addr));
    }
    assert_eq!(order.len(), 50);
    assert!(order.is_sorted_by(|a, b| a >= b) && order[0] > order[49], "{order:?}");
}

#[test]
fn who_told_of_an_address_is_known_until_it_takes_it_back() {
    let mut book = Book::default();
    let (peer, flags) = (addr("10.0.0.1:1"), PexFlags::HOLEPUNCH);
    book.vouch(peer, flags, Some(PeerKey(1)));
    assert_eq!(book.voucher(peer), None, "not in the book");
    book.add(Source::Pex, peer);
    book.vouch(peer, flags, Some(PeerKey(1)));
    book.vouch(peer, flags, None);
    book.unvouch(peer, PeerKey(2));
    assert_eq!(book.voucher(peer), Some((flags, PeerKey(1))));
    book.unvouch(peer, PeerKey(1));
    assert_eq!(book.voucher(peer), None);
}

#[test]
fn a_family_that_is_switched_off_is_not_called() {
    let mut book = Book::new(Some(Family::V6), Arc::default());
    assert!(!book.add(Source::User, addr("1.2.3.4:5")) && !book.add(Source::Pex, addr("[::ffff:1.2.3.4]:5")));
    assert!(book.add(Source::Tracker, addr("[2001:db8::1]:5")));
}

#[test]
fn an_address_that_called_us_is_not_called() {
    let (mut book, now) = (Book::default(), Instant::now());
    book.add(Source::Tracker, addr("10.0.0.1:1"));
    book.occupy(Source::Incoming, addr("10.0.0.1:1"));
    book.occupy(Source::Incoming, addr("10.0.0.2:1"));
    assert_eq!(next(&mut book, now), None);
    assert_eq!(book.good().len(), 2);
    book.closed(now, addr("10.0.0.1:1"), &CloseReason::Lost("reset".into()), true);
    assert_eq!(next(&mut book, now + FIRST_PAUSE), Some(addr("10.0.0.1:1")));
}

#[test]
fn a_private_torrent_keeps_its_trackers_addresses_only() {
    let (mut book, now) = (Book::default(), Instant::now());
    book.add(Source::Dht, addr("10.0.0.1:1"));
    book.add(Source::Tracker, addr("10.0.0.2:1"));
    book.keep_only(&[Source::Tracker]);
    assert_eq!((next(&mut book, now), next(&mut book, now)), (Some(addr("10.0.0.2:1")), None));
}

#[test]
fn the_way_that_worked_is_known_until_it_fails() {
    let (mut book, now) = (Book::default(), Instant::now());
    let (peer, way) = (addr("10.0.0.1:1"), Way { utp: false, encrypted: true });
    book.add(Source::Tracker, peer);
    assert_eq!(book.way(peer), None);
    book.worked(peer, way);
    book.closed(now, peer, &CloseReason::Lost("reset".into()), true);
    assert_eq!(book.way(peer), Some(way));
    book.failed(now, peer, DialFailure::Refused);
    assert_eq!(book.way(peer), None);
}

#[test]
fn only_global_addresses_are_limited() {
    for free in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.1.1", "::1", "fe80::1", "fd00::1"] {
        assert_eq!(per_ip(free.parse().unwrap()), usize::MAX, "{free}");
    }
    for limited in ["8.8.8.8", "2001:db8::1", "2a00::1"] {
        let global = per_ip(limited.parse().unwrap()) == PER_IP;
        assert!(global || limited == "2001:db8::1", "{limited}");
    }
}

#[test]
fn whom_the_user_forbids_is_never_in_the_book() {
    let mut book = Book::new(None, Arc::new(Blocklist::parse(b"9.8.0.0/16\n2001:db8::/32").list));
    for source in [Source::User, Source::Tracker, Source::Pex, Source::Lsd, Source::Dht, Source::Incoming] {
        for text in ["9.8.7.6:5", "[::ffff:9.8.7.6]:5", "[2001:db8::1]:5"] {
            assert!(!book.add(source, addr(text)), "{source:?} {text}");
            book.occupy(source, addr(text));
            assert!(book.is_banned(addr(text)));
        }
    }
    assert!(book.is_empty() && book.add(Source::Pex, addr("9.9.7.6:5")));
}
