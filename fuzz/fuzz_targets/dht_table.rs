//! The file that keeps the DHT's tables.
//!
//! Must hold: whatever stood in it, what is saved of it is read the same again; nodes come out where they were in, at an
//! address of their family, and never more than a table has room for.
#![no_main]

use std::collections::BTreeSet;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::proto::dht::dual::Dual;
use rtorrent_cli::proto::dht::krpc::compact::contacts_from;
use rtorrent_cli::proto::dht::node::Family;
use rtorrent_cli::proto::dht::node_id::Contact;
use serde_bencode::value::Value;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    if kind % 2 == 0 {
        return keep(rest);
    }
    // Nodes of our making, so that most are taken: one id and many of its neighbours.
    let (id, rest) = rest.split_at(rest.len().min(20));
    let id: [u8; 20] = std::array::from_fn(|at| id.get(at).copied().unwrap_or(0));
    let nodes = |len: usize| -> Vec<u8> {
        let one = |(nth, chunk): (usize, &[u8])| {
            let mut node = id.to_vec();
            let bit = usize::from(chunk[0]) % 160;
            node[bit / 8] ^= 0x80 >> (bit % 8);
            node[19] ^= nth as u8;
            node.extend([chunk[1]].iter().cycle().take(len - 22));
            node.extend([chunk[2], 1]);
            node
        };
        rest.chunks_exact(3).take(250).enumerate().flat_map(one).collect()
    };
    let table = |nodes: &[u8]| [&b"d2:id20:"[..], &id, b"5:nodes", &string(nodes), b"e"].concat();
    keep(&[&b"d2:v4"[..], &table(&nodes(26)), b"2:v6", &table(&nodes(38)), b"e"].concat());
});

fn string(bytes: &[u8]) -> Vec<u8> {
    [bytes.len().to_string().as_bytes(), b":", bytes].concat()
}

fn dual(saved: &[u8]) -> Dual {
    Dual::new(Instant::now(), &[Family::V4, Family::V6], Some(saved), &mut StdRng::seed_from_u64(1))
}

fn keep(file: &[u8]) {
    let first = dual(file);
    let saved = first.save();
    let second = dual(&saved).save();
    let third = dual(&second).save();
    for v6 in [false, true] {
        let [(id, one), (second_id, two), (third_id, three)] = [&saved, &second, &third].map(|file| nodes(file, v6));
        assert!(id == second_id && id == third_id);
        assert!(two.is_subset(&one) && two == three, "{one:?}\n{two:?}\n{three:?}");
        assert!(one.len() <= 160 * 16 && one.iter().all(|(_, addr)| addr.is_ipv6() == v6));
    }
}

/// Id and nodes of one family.
fn nodes(file: &[u8], v6: bool) -> (Vec<u8>, BTreeSet<([u8; 20], std::net::SocketAddr)>) {
    let Ok(Value::Dict(both)) = serde_bencode::from_bytes(file) else { panic!("no dictionary") };
    let Some(Value::Dict(one)) = both.get(if v6 { &b"v6"[..] } else { b"v4" }) else { panic!("a family is missing") };
    let (Some(Value::Bytes(id)), Some(Value::Bytes(nodes))) = (one.get(&b"id"[..]), one.get(&b"nodes"[..])) else {
        panic!("id or nodes are missing")
    };
    let pair = |contact: Contact| (contact.id.0, contact.addr);
    (id.clone(), contacts_from(nodes, v6).into_iter().map(pair).collect())
}
