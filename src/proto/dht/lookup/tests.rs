use std::net::IpAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const HASH: InfoHashV1 = InfoHashV1([0; 20]);
const TARGET: NodeId = NodeId([0; 20]);

fn lookup(now: Instant) -> Lookup {
    Lookup::new(now, TARGET, Goal::Peers { info_hash: HASH, announce: None })
}

/// A node `bits` bits near to the target, on a private address of its own.
fn node(bits: u32, n: u16) -> Contact {
    let mut rng = StdRng::seed_from_u64(u64::from(bits) << 16 | u64::from(n));
    let [high, low] = n.to_be_bytes();
    Contact { id: TARGET.random_beside(bits, &mut rng), addr: SocketAddr::from(([10, bits as u8, high, low], 1)) }
}

fn global(ip: [u8; 4], id: NodeId) -> Contact {
    Contact { id, addr: SocketAddr::new(IpAddr::from(ip), 6881) }
}

fn asked(lookup: &mut Lookup, now: Instant) -> Vec<SocketAddr> {
    std::iter::from_fn(|| lookup.next_query(now)).map(|step| step.to).collect()
}

#[test]
fn nodes_that_each_answer_name_come_nearer_until_the_eight_nearest_have_answered() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    lookup.add_known(&[node(0, 1)]);
    let mut steps = 0;
    while !lookup.is_done(now) {
        steps += 1;
        for addr in asked(&mut lookup, now) {
            // Who is `bits` near knows eight that are one bit nearer, up to 6 bits: there are 8 such nodes.
            let IpAddr::V4(ip) = addr.ip() else { panic!() };
            let [_, bits, _, n] = ip.octets();
            let named: Vec<Contact> = (0..8).map(|n| node((u32::from(bits) + 1).min(6), n)).collect();
            lookup.on_answer(node(bits.into(), n.into()), Some(vec![bits, n]), &named);
        }
    }
    assert_eq!(steps, 8, "one a bit, and the last eight in two turns of four");
    let nearest: Vec<Contact> = lookup.announce_to().into_iter().map(|(contact, _)| contact).collect();
    assert_eq!(nearest.len(), 8);
    assert!(nearest.iter().all(|contact| TARGET.common_bits(&contact.id) == 6));
    assert!(nearest.windows(2).all(|pair| TARGET.distance(&pair[0].id) < TARGET.distance(&pair[1].id)));
    assert_eq!(lookup.report().hops, 7);
}

#[test]
fn a_nearer_node_is_asked_at_once_and_a_slow_one_gives_up_its_slot() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    lookup.add_known(&(0..16).map(|n| node(1, n)).collect::<Vec<_>>());
    let first = asked(&mut lookup, now);
    assert_eq!(first.len(), 8, "without any answer the whole window");
    lookup.on_answer(node(1, 0), None, &[]);
    assert!(asked(&mut lookup, now).is_empty(), "seven are still under way");
    let answering = first.iter().find(|&&addr| addr != node(1, 0).addr).unwrap();
    let from = (0..16).map(|n| node(1, n)).find(|contact| contact.addr == *answering).unwrap();
    let nearer: Vec<Contact> = (0..8).map(|n| node(9, n)).collect();
    lookup.on_answer(from, None, &nearer);
    let second = asked(&mut lookup, now);
    assert_eq!(second.len(), Lookup::SLOTS, "the old ones no longer hold slots");
    assert!(second.iter().all(|addr| nearer.iter().any(|contact| contact.addr == *addr)));
    lookup.on_slow(second[0]);
    assert_eq!(asked(&mut lookup, now).len(), 2, "its own slot and one more");
}

#[test]
fn a_slow_node_that_answers_after_all_counts() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    let all: Vec<Contact> = (0..8).map(|n| node(5, n)).collect();
    lookup.add_known(&all);
    asked(&mut lookup, now);
    lookup.on_slow(all[0].addr);
    all[1..].iter().for_each(|&contact| lookup.on_answer(contact, None, &[]));
    assert!(!lookup.is_done(now), "seven answers are too few to do without the eighth");
    lookup.on_answer(all[0], Some(b"t".to_vec()), &[]);
    assert!(lookup.is_done(now));
    assert_eq!(lookup.announce_to(), [(all[0], b"t".to_vec())]);
}

#[test]
fn it_ends_even_if_nodes_forever_claim_nearer_ones() {
    let mut now = Instant::now();
    let mut lookup = lookup(now);
    lookup.add_known(&[node(0, 0)]);
    let (mut next, mut total) = (1u16, 0);
    while !lookup.is_done(now) {
        now += Duration::from_millis(10);
        for addr in asked(&mut lookup, now) {
            total += 1;
            let from = Contact { id: node(0, 0).id, addr };
            let named: Vec<Contact> = (0..16).map(|n| node(u32::from(next / 2).min(150), next + n)).collect();
            next += 16;
            lookup.on_answer(from, None, &named);
        }
    }
    assert!(total <= Lookup::MAX_ASKED, "{total}");
    assert!(lookup.candidates.iter().count() <= Candidates::MAX);
}

#[test]
fn invented_nodes_that_never_answer_do_not_keep_it_from_the_real_ones() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    let real: Vec<Contact> = (0..8).map(|n| node(4, n)).collect();
    let liar = node(3, 99);
    lookup.add_known(&real);
    lookup.add_known(&[liar]);
    let mut wasted = 0;
    let mut waiting: VecDeque<SocketAddr> = VecDeque::new();
    while !lookup.is_done(now) {
        waiting.extend(asked(&mut lookup, now));
        let Some(addr) = waiting.pop_front() else { panic!("nothing under way and not done") };
        if let Some(&contact) = real.iter().find(|contact| contact.addr == addr) {
            lookup.on_answer(contact, Some(vec![1]), &[liar]);
        } else if addr == liar.addr {
            lookup.on_answer(liar, None, &(0..16).map(|n| node(30, n)).collect::<Vec<_>>());
        } else {
            wasted += 1;
            lookup.on_slow(addr);
            lookup.on_lost(addr);
        }
    }
    assert!(wasted <= 16, "{wasted}");
    assert_eq!(lookup.announce_to().len(), 8);
}

#[test]
fn ids_that_do_not_fit_do_not_count_towards_the_end() {
    let now = Instant::now();
    let mut rng = StdRng::seed_from_u64(4);
    let mut lookup = lookup(now);
    // 30 hosts stand nearer than anybody can honestly; 8 honest ones are farther.
    let sybils: Vec<Contact> = (0..30).map(|n| global([60, n, 0, 1], TARGET.random_beside(100, &mut rng))).collect();
    let honest: Vec<Contact> =
        (0..8).map(|n| global([70, n, 0, 1], NodeId::for_address(IpAddr::from([70, n, 0, 1]), &mut rng))).collect();
    lookup.add_known(&sybils);
    lookup.add_known(&honest);
    while !lookup.is_done(now) {
        let addrs = asked(&mut lookup, now);
        assert!(!addrs.is_empty());
        for addr in addrs {
            let from = *sybils.iter().chain(&honest).find(|contact| contact.addr == addr).unwrap();
            lookup.on_answer(from, Some(vec![1]), &[]);
        }
    }
    let chosen = lookup.announce_to();
    assert!(honest.iter().all(|contact| chosen.iter().any(|(chosen, _)| chosen == contact)));
    assert!(chosen.len() <= 2 * K);
}

#[test]
fn one_host_and_one_subnet_get_few_places() {
    let now = Instant::now();
    let mut rng = StdRng::seed_from_u64(4);
    let mut lookup = lookup(now);
    let crowd: Vec<Contact> = (0..100).map(|n| global([60, 1, 1, n], NodeId::random(&mut rng))).collect();
    lookup.add_known(&crowd);
    let ports: Vec<Contact> = (1..100)
        .map(|port| Contact { id: NodeId::random(&mut rng), addr: SocketAddr::from(([61, 1, 1, 1], port)) })
        .collect();
    lookup.add_known(&ports);
    assert_eq!(asked(&mut lookup, now).len(), Candidates::MAX_PER_SUBNET + 1);
}

#[test]
fn peers_come_once_and_none_that_nobody_can_call() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    let from: SocketAddr = "60.1.1.1:1".parse().unwrap();
    let told: Vec<SocketAddr> = ["61.0.0.1:5", "61.0.0.1:5", "61.0.0.2:0", "0.0.0.0:5", "192.168.1.1:5", "224.0.0.1:5"]
        .map(|addr| addr.parse().unwrap())
        .to_vec();
    assert_eq!(lookup.on_peers(now, from, &told), told[..1]);
    assert_eq!(lookup.on_peers(now, from, &told), []);
    let private: SocketAddr = "192.168.1.7:1".parse().unwrap();
    assert_eq!(lookup.on_peers(now, private, &told), [told[4]], "from within a private net they are right");
}

#[test]
fn seeds_are_asked_at_once_and_only_routers_are_never_announced_to() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    let (router, plain) = (node(2, 1), node(2, 2));
    lookup.add_seed(Entry { addr: router.addr, router: true });
    lookup.add_seed(Entry { addr: plain.addr, router: false });
    assert_eq!(asked(&mut lookup, now), [router.addr, plain.addr]);
    lookup.on_answer(router, Some(vec![1]), &[node(3, 3)]);
    lookup.on_answer(plain, Some(vec![2]), &[router]);
    assert_eq!(asked(&mut lookup, now), [node(3, 3).addr]);
    lookup.on_answer(node(3, 3), Some(vec![3]), &[]);
    assert!(lookup.is_done(now));
    assert_eq!(lookup.announce_to(), [(node(3, 3), vec![3]), (plain, vec![2])]);
}

#[test]
fn a_lone_seed_is_asked_again_when_its_datagram_is_lost() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    lookup.add_seed(Entry { addr: node(2, 1).addr, router: true });
    for _ in 0..Lookup::MAX_SEED_ASKED {
        assert_eq!(asked(&mut lookup, now), [node(2, 1).addr]);
        lookup.on_slow(node(2, 1).addr);
    }
    assert_eq!(asked(&mut lookup, now), []);
    lookup.on_lost(node(2, 1).addr);
    assert!(lookup.is_done(now));
}

#[test]
fn without_anybody_to_ask_it_waits_and_then_ends() {
    let now = Instant::now();
    let lookup = lookup(now);
    assert!(!lookup.is_done(now));
    assert_eq!(lookup.deadline(), now + Lookup::MAX_WAIT);
    assert!(lookup.is_done(now + Lookup::MAX_WAIT));
}

/// Sixteen stand where eight should; each names the eight nearest round the target, but one knows `hidden` beside it.
fn crowded(reach: f64, hidden: Contact) -> (Lookup, Vec<Step>) {
    let now = Instant::now();
    let mut lookup = lookup(now);
    let crowd: Vec<Contact> = (0..16).map(|n| node(6, n)).collect();
    lookup.set_reach(reach);
    lookup.add_known(&crowd);
    let mut steps = Vec::new();
    while let Some(step) = lookup.next_query(now) {
        steps.push(step);
        let from = *crowd.iter().find(|contact| contact.addr == step.to).unwrap_or(&hidden);
        let named = if step.neighbours && from == crowd[9] { vec![hidden] } else { crowd[..8].to_vec() };
        lookup.on_answer(from, (!step.neighbours).then(|| b"t".to_vec()), &named);
    }
    assert!(lookup.is_done(now));
    (lookup, steps)
}

#[test]
fn in_a_crowded_place_all_within_reach_are_asked_and_each_for_its_own_neighbours_too() {
    let hidden = node(4, 99);
    let (lookup, steps) = crowded(1.0 / 16.0, hidden);
    assert_eq!(steps.iter().filter(|step| !step.neighbours).count(), 17);
    assert_eq!(steps.iter().filter(|step| step.neighbours).count(), 17);
    assert!(lookup.announce_to().contains(&(hidden, b"t".to_vec())), "who came to crowd it out has not");
    let (_, steps) = crowded(1.0 / 4096.0, hidden);
    assert_eq!((steps.len(), steps.iter().any(|step| step.neighbours)), (8, false), "nobody has crowded here");
}

/// So many stand in half of the reach and two a little beyond it; how many were asked, and how many for neighbours.
fn asked_where(near: u16) -> (usize, usize) {
    let now = Instant::now();
    let mut lookup = lookup(now);
    lookup.set_reach(1.0 / 16.0);
    lookup.add_known(&(0..near).map(|n| node(6, n)).chain([node(3, 90), node(3, 91)]).collect::<Vec<_>>());
    let steps: Vec<Step> = std::iter::from_fn(|| {
        let step = lookup.next_query(now)?;
        lookup.on_answer(Contact { id: step.id.unwrap(), addr: step.to }, None, &[]);
        Some(step)
    })
    .collect();
    assert!(lookup.is_done(now));
    (steps.iter().filter(|step| !step.neighbours).count(), steps.iter().filter(|step| step.neighbours).count())
}

#[test]
fn a_doubtful_place_is_looked_at_and_round_a_crowded_one_a_wider_circle_is_asked() {
    assert_eq!(asked_where(7), (8, 0), "fewer than eight within half of the reach: as it should be");
    assert_eq!(asked_where(8), (8, 8));
    assert_eq!(asked_where(10), (10, 8));
    assert_eq!(asked_where(11), (13, 13));
}

#[test]
fn a_neighbour_that_does_not_answer_again_does_not_hold_up_the_end() {
    let now = Instant::now();
    let mut lookup = lookup(now);
    lookup.set_reach(1.0 / 16.0);
    lookup.add_known(&(0..16).map(|n| node(6, n)).collect::<Vec<_>>());
    while let Some(step) = lookup.next_query(now) {
        match step.neighbours {
            true => lookup.on_slow(step.to),
            false => lookup.on_answer(Contact { id: step.id.unwrap(), addr: step.to }, None, &[]),
        }
    }
    assert!(lookup.is_done(now) && lookup.closest().len() == K);
}
