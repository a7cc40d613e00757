use std::net::{IpAddr, SocketAddr};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const OWN: NodeId = NodeId([0; 20]);

/// A node that shares exactly `depth` bits with [`OWN`], on a host of its own (private, so that no limit holds).
fn node(depth: u32, n: u16) -> Contact {
    let mut rng = StdRng::seed_from_u64(u64::from(depth) << 32 | u64::from(n));
    let id = OWN.random_beside(depth, &mut rng);
    Contact { id, addr: SocketAddr::from(([10, depth as u8, (n >> 8) as u8, n as u8], 6881)) }
}

fn global(ip: [u8; 4], id: NodeId) -> Contact {
    Contact { id, addr: SocketAddr::new(IpAddr::from(ip), 6881) }
}

#[test]
fn far_buckets_stay_at_eight_and_near_ones_are_split() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    for depth in 0..20 {
        (0..30).for_each(|n| table.answered(now, node(depth, n)));
    }
    assert_eq!(table.len(), 20 * K);
    assert_eq!(table.buckets.len(), 21, "the last one has been split and is empty");
    let near = table.closest_known(now, &OWN, K);
    assert!(near.iter().all(|contact| OWN.common_bits(&contact.id) == 19));
}

#[test]
fn closest_is_what_a_sort_of_everything_says() {
    let now = Instant::now();
    let mut rng = StdRng::seed_from_u64(5);
    let mut table = Table::new(OWN, now);
    (0..500).for_each(|n| table.answered(now, node(rng.random_range(0..12), n)));
    for _ in 0..50 {
        let target = NodeId::random(&mut rng);
        let mut all = table.contacts();
        all.retain(|contact| table.buckets.iter().flat_map(|b| &b.live).any(|live| live.contact == *contact));
        all.sort_by_key(|contact| target.distance(&contact.id));
        assert_eq!(table.closest_known(now, &target, 8), all[..8]);
    }
}

#[test]
fn a_node_is_named_to_others_only_after_it_has_answered() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    table.restore(now, node(0, 1));
    assert!(table.asked_us(now, node(0, 2)));
    assert_eq!(table.closest_known(now, &OWN, 8), []);
    assert_eq!(table.closest_usable(&OWN, 8).len(), 2);
    let due: Vec<Contact> = std::iter::from_fn(|| table.due(now)).map(|check| check.contact).collect();
    assert_eq!(due.len(), 2, "upkeep asks both");
    due.iter().for_each(|&contact| table.answered(now, contact));
    assert_eq!(table.closest_known(now, &OWN, 8).len(), 2);
}

#[test]
fn a_quiet_node_is_asked_twice_before_a_spare_takes_its_place() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    (0..8).for_each(|n| table.answered(now, node(0, n)));
    (0..8).for_each(|n| table.answered(now, node(1, n)));
    let later = now + Duration::from_secs(60);
    table.answered(later, node(0, 100));
    assert_eq!(table.len(), 16, "the ninth of the bucket waits");
    let quiet = now + QUESTIONABLE_AFTER;
    (1..8).for_each(|n| table.answered(quiet, node(0, n)));
    let check = table.due(quiet).expect("node 0 has been quiet");
    assert_eq!(check, Check { contact: node(0, 0), bucket: Depth::Beside(0) });
    table.failed(quiet, node(0, 0));
    assert!(table.contacts().contains(&node(0, 0)), "one failure is forgiven");
    let again = quiet + Table::SECOND_CHANCE;
    assert_eq!(table.due(again).map(|check| check.contact), Some(node(0, 0)));
    table.failed(again, node(0, 0));
    let known = table.closest_known(again, &node(0, 100).id, 8);
    assert!(known.contains(&node(0, 100)) && !known.contains(&node(0, 0)));
}

#[test]
fn one_node_a_global_host_and_one_a_subnet_and_bucket() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let id = |n: u8| NodeId([n; 20]);
    table.answered(now, global([60, 1, 1, 1], id(0x80)));
    table.answered(now, global([60, 1, 1, 1], id(0x81)));
    assert_eq!(table.len(), 1, "it restarted under another id");
    table.answered(now, Contact { addr: "60.1.1.1:7000".parse().unwrap(), id: id(0x82) });
    table.answered(now, global([60, 1, 1, 2], id(0x83)));
    assert_eq!(table.contacts().len(), 1, "neither another port nor a neighbour in its bucket");
    table.answered(now, global([60, 1, 2, 2], id(0x84)));
    assert_eq!(table.len(), 2);
}

#[test]
fn a_known_node_keeps_its_id_until_it_stops_answering() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let honest = node(3, 1);
    let thief = Contact { addr: "10.99.0.1:1".parse().unwrap(), ..honest };
    table.answered(now, honest);
    table.answered(now, thief);
    assert_eq!(table.contacts(), [honest]);
    table.failed(now, honest);
    table.failed(now, honest);
    table.answered(now, thief);
    assert_eq!(table.contacts(), [thief]);
}

#[test]
fn in_a_full_bucket_ids_that_fit_their_address_displace_those_that_do_not() {
    let now = Instant::now();
    let mut rng = StdRng::seed_from_u64(9);
    let mut table = Table::new(OWN, now);
    let far = |mut id: NodeId| {
        id.0[0] |= 0x80;
        id
    };
    (0..8).for_each(|n| table.answered(now, node(1, n)));
    for n in 0..8 {
        let ip = [61, n, 0, 1];
        let id = std::iter::repeat_with(|| far(NodeId::random(&mut rng))).find(|id| !id.fits(ip.into())).unwrap();
        table.answered(now, global(ip, id));
    }
    let mut fitting = (0..=255u8).filter_map(|n| {
        let ip = [62, n, 0, 1];
        let id = NodeId::for_address(ip.into(), &mut rng);
        (id.0[0] & 0x80 != 0).then(|| global(ip, id))
    });
    let eight: Vec<Contact> = fitting.by_ref().take(8).collect();
    eight.iter().for_each(|&contact| table.answered(now, contact));
    let live: Vec<Contact> = table.buckets[0].live.iter().map(|entry| entry.contact).collect();
    assert_eq!(live, eight);
}

#[test]
fn under_churn_the_table_stays_bounded_and_finds_the_living() {
    let mut rng = StdRng::seed_from_u64(11);
    let mut now = Instant::now();
    let mut table = Table::new(OWN, now);
    let mut living: Vec<Contact> = (0..200).map(|n| node(rng.random_range(0..8), n)).collect();
    for step in 0..4_000u16 {
        now += Duration::from_secs(10);
        let at = rng.random_range(0..living.len());
        living[at] = node(rng.random_range(0..8), 200 + step);
        table.answered(now, living[at]);
        while let Some(check) = table.due(now) {
            if living.contains(&check.contact) {
                table.answered(now, check.contact);
            } else {
                table.failed(now, check.contact);
            }
        }
        assert!(table.buckets.iter().all(|b| b.live.len() <= K && b.spare.len() <= K));
    }
    let known = table.closest_known(now, &OWN, 1_000);
    let alive = known.iter().filter(|contact| living.contains(contact)).count();
    // A node lives 2,000 s and is asked every 900 s: about a fifth have died since.
    assert!(known.len() >= 40 && alive * 10 >= known.len() * 7, "{alive} of {}", known.len());
}
