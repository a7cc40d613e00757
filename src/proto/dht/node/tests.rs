use super::super::krpc::Reply;
use super::*;

const HASH: InfoHashV1 = InfoHashV1([3; 20]);

fn node(seed: u64) -> (Node, Instant) {
    let now = Instant::now();
    (Node::new(now, Family::V4, StdRng::seed_from_u64(seed)), now)
}

fn addr(n: u8) -> SocketAddr {
    SocketAddr::from(([60, n, 0, 1], 6881))
}

fn sent(node: &mut Node) -> Vec<(SocketAddr, Message)> {
    std::iter::from_fn(|| node.poll_transmit()).map(|(to, bytes)| (to, Message::decode(&bytes).unwrap())).collect()
}

fn events(node: &mut Node) -> Vec<DhtEvent> {
    std::iter::from_fn(|| node.poll_event()).collect()
}

fn answer(to: &Message, reply: Reply) -> Message {
    let body = Body::Reply(Box::new(reply));
    Message { transaction: to.transaction.clone(), body, ip: None, read_only: false }
}

fn id(n: u8) -> NodeId {
    NodeId([n; 20])
}

fn get_peers_to(sent: &[(SocketAddr, Message)], to: SocketAddr) -> Message {
    let is = |message: &Message| matches!(&message.body, Body::Query(Query { ask: Ask::GetPeers { .. }, .. }));
    sent.iter().find(|(addr, message)| *addr == to && is(message)).expect("it was asked for peers").1.clone()
}

#[test]
fn with_nothing_but_a_router_the_lookup_is_the_way_in_and_peers_come_with_the_answer() {
    let (mut node, now) = node(1);
    let lookup = node.get_peers(now, HASH, Some(Announce { port: 7000, seed: true }));
    assert_eq!(sent(&mut node), []);
    node.add_bootstrap(now, Entry { addr: addr(1), router: true });
    let asked = get_peers_to(&sent(&mut node), addr(1));
    let near = Contact { id: id(2), addr: addr(2) };
    let reply = Reply { nodes: Some(vec![near]), token: Some(vec![9]), ..Reply::bare(id(1)) };
    node.handle_packet(now, addr(1), &answer(&asked, reply).encode(), None);
    assert_eq!(node.status().confirmed, 0, "a router is not kept");
    let asked = get_peers_to(&sent(&mut node), addr(2));
    let peer: SocketAddr = "61.0.0.9:6881".parse().unwrap();
    let reply = Reply { values: vec![peer], token: Some(b"tok".to_vec()), ..Reply::bare(id(2)) };
    node.handle_packet(now, addr(2), &answer(&asked, reply).encode(), None);
    let events = events(&mut node);
    assert_eq!(events[0], DhtEvent::Peers { lookup, peers: vec![peer] });
    assert!(matches!(events[1], DhtEvent::Finished { announces: true, .. }), "{events:?}");
    let announced = sent(&mut node).into_iter().find_map(|(to, message)| match message.body {
        Body::Query(Query { ask: Ask::AnnouncePeer { info_hash, port, token, seed }, .. }) => {
            Some((to, info_hash, port, token, seed))
        }
        _ => None,
    });
    assert_eq!(announced, Some((addr(2), HASH, Some(7000), b"tok".to_vec(), true)));
}

#[test]
fn a_spoofed_answer_changes_nothing() {
    let (mut node, now) = node(2);
    node.get_peers(now, HASH, None);
    node.add_bootstrap(now, Entry { addr: addr(1), router: false });
    let asked = get_peers_to(&sent(&mut node), addr(1));
    let peer: SocketAddr = "61.0.0.9:6881".parse().unwrap();
    let lie = answer(&asked, Reply { values: vec![peer], ..Reply::bare(id(1)) });
    node.handle_packet(now, addr(7), &lie.encode(), None);
    let mut guessed = lie.clone();
    guessed.transaction[0] ^= 1;
    node.handle_packet(now, addr(1), &guessed.encode(), None);
    assert_eq!((events(&mut node), node.status().answers), (vec![], 0));
    node.handle_packet(now, addr(1), &lie.encode(), None);
    assert_eq!(node.status().answers, 1);
}

#[test]
fn a_read_only_node_says_so_and_answers_nobody() {
    let (mut node, now) = node(3);
    let ping = Body::Query(Query { id: id(9), want: Want::default(), ask: Ask::Ping });
    let ping = Message { transaction: vec![1], body: ping, ip: None, read_only: false }.encode();
    node.set_read_only(true);
    node.handle_packet(now, addr(9), &ping, None);
    node.handle_packet(now, addr(9), b"d1:q4:ping1:t2:aa1:y1:qe", None);
    assert_eq!(sent(&mut node), []);
    node.add_node(now, addr(1));
    assert!(sent(&mut node)[0].1.read_only);
    node.set_read_only(false);
    node.handle_packet(now, addr(9), &ping, None);
    let reply = sent(&mut node);
    assert!(matches!(reply[0].1.body, Body::Reply(_)) && reply[0].1.ip == Some(addr(9)));
}

#[test]
fn who_asks_is_asked_back_unless_it_is_read_only() {
    let (mut node, now) = node(4);
    let ask = |n: u8, read_only| {
        let body = Body::Query(Query { id: id(n), want: Want::default(), ask: Ask::Ping });
        Message { transaction: vec![n], body, ip: None, read_only }.encode()
    };
    node.handle_packet(now, addr(1), &ask(1, true), None);
    node.handle_packet(now, addr(2), &ask(2, false), None);
    sent(&mut node);
    let later = node.poll_timeout().expect("upkeep is due");
    node.handle_timeout(later);
    let asked: Vec<SocketAddr> = sent(&mut node).into_iter().map(|(to, _)| to).collect();
    assert_eq!(asked, [addr(2)]);
}

#[test]
fn an_id_follows_the_address_that_nodes_report() {
    let (mut node, now) = node(5);
    let ours: SocketAddr = "88.77.66.55:4000".parse().unwrap();
    for n in 1..=4 {
        node.add_node(now, addr(n));
        let asked = sent(&mut node).remove(0).1;
        let mut reply = answer(&asked, Reply::bare(id(n)));
        reply.ip = Some(ours);
        node.handle_packet(now, addr(n), &reply.encode(), None);
    }
    assert!(node.id().fits(ours.ip()));
    assert_eq!(node.status().nodes, 4, "the table is kept");
    assert!(events(&mut node).contains(&DhtEvent::External(ours.ip())));
}

#[test]
fn without_a_network_nobody_is_blamed_and_little_is_sent() {
    let (_, now) = node(6);
    let saved: Vec<Contact> = (1..=60).map(|n| Contact { id: id(n), addr: addr(n) }).collect();
    let mut node = Node::restored(now, Family::V4, id(0), &saved, StdRng::seed_from_u64(6));
    let known = node.status().nodes;
    let (mut at, mut queries) = (now, 0);
    while at < now + Duration::from_secs(3600) {
        at = node.poll_timeout().expect("it goes on trying").max(at + Duration::from_millis(1));
        node.handle_timeout(at);
        queries += sent(&mut node).len();
    }
    assert_eq!(node.status().nodes, known);
    assert!(queries < 1_500, "{queries} in an hour");
}

#[test]
fn hostile_datagrams_neither_panic_nor_grow_anything() {
    use rand::RngExt;
    let (mut node, now) = node(7);
    node.get_peers(now, HASH, None);
    node.add_bootstrap(now, Entry { addr: addr(1), router: false });
    let mut seeds: Vec<Vec<u8>> = sent(&mut node).into_iter().map(|(_, message)| message.encode()).collect();
    seeds.push(answer(&Message::decode(&seeds[0]).unwrap(), Reply::bare(id(1))).encode());
    let mut rng = StdRng::seed_from_u64(99);
    for n in 0..20_000u32 {
        let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
        for _ in 0..rng.random_range(0..4) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        bytes.truncate(rng.random_range(0..=bytes.len()));
        let from = SocketAddr::new(IpAddr::from((0x3d00_0000 + n % 5_000).to_be_bytes()), 6881);
        node.handle_packet(now, if n % 3 == 0 { addr(1) } else { from }, &bytes, None);
        while node.poll_transmit().is_some() {}
    }
    assert!(node.table.contacts().len() < 400 && node.transactions.open_count() < 50);
    assert!(node.running.len() <= 2 && node.events.len() < 100);
}
