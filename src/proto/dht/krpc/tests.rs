use std::net::IpAddr;

use proptest::prelude::*;

use super::compact::{contact_bytes, read_address};
use super::read::MAX_ECHO;
use super::*;

const ID: NodeId = NodeId(*b"abcdefghij0123456789");
const OTHER: NodeId = NodeId(*b"mnopqrstuvwxyz123456");

fn query(ask: Ask) -> Message {
    let body = Body::Query(Query { id: ID, want: Want::default(), ask });
    Message { transaction: b"aa".to_vec(), body, ip: None, read_only: false }
}

fn reply(reply: Reply) -> Message {
    Message { transaction: b"aa".to_vec(), body: Body::Reply(Box::new(reply)), ip: None, read_only: false }
}

/// The example packets of BEP 5, each as the document has it.
#[test]
fn the_examples_of_bep_5_read_as_what_they_say() {
    let cases: [(&[u8], Message); 7] = [
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", query(Ask::Ping)),
        (b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re", reply(Reply::bare(OTHER))),
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
            query(Ask::FindNode { target: OTHER }),
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
            query(Ask::GetPeers { info_hash: InfoHashV1(OTHER.0), scrape: false, no_seeds: false }),
        ),
        (
            // two peers: "axje.u" is 97.120.106.101 port 0x2e75, "idhtnm" is 105.100.104.116 port 0x6e6d
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
            reply(Reply {
                token: Some(b"aoeusnth".to_vec()),
                values: vec!["97.120.106.101:11893".parse().unwrap(), "105.100.104.116:28269".parse().unwrap()],
                ..Reply::bare(ID)
            }),
        ),
        (
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
            query(Ask::AnnouncePeer {
                info_hash: InfoHashV1(OTHER.0),
                port: None,
                token: b"aoeusnth".to_vec(),
                seed: false,
            }),
        ),
        (
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
            Message {
                transaction: b"aa".to_vec(),
                body: Body::Error { code: 201, text: "A Generic Error Ocurred".into() },
                ip: None,
                read_only: false,
            },
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Message::decode(bytes).unwrap(), expected, "{}", String::from_utf8_lossy(bytes));
    }
}

/// What we send, byte for byte: a read-only question for both families' nodes.
#[test]
fn a_query_as_it_goes_out() {
    let mut message = query(Ask::FindNode { target: OTHER });
    message.read_only = true;
    if let Body::Query(query) = &mut message.body {
        query.want = Want { v4: true, v6: true };
    }
    let expected = concat!(
        "d",
        "1:ad2:id20:abcdefghij0123456789", // who asks
        "6:target20:mnopqrstuvwxyz123456", // for whom
        "4:wantl2:n42:n6e",                // BEP 32
        "e",
        "1:q9:find_node",
        "2:roi1e",   // BEP 43
        "1:t2:aa",   // echoed in the answer
        "1:v4:RC01", // us
        "1:y1:q",
        "e",
    );
    assert_eq!(String::from_utf8(message.encode()).unwrap(), expected);
}

#[test]
fn the_address_echo_and_both_families_of_nodes_survive() {
    let v4 = Contact { id: OTHER, addr: "198.51.100.7:6881".parse().unwrap() };
    let v6 = Contact { id: ID, addr: "[2a02:8109::7]:6881".parse().unwrap() };
    let mut message = reply(Reply { nodes: Some(vec![v4, v4]), nodes6: Some(vec![v6]), ..Reply::bare(ID) });
    message.ip = Some("203.0.113.9:51413".parse().unwrap());
    assert_eq!(Message::decode(&message.encode()).unwrap(), message);
}

#[test]
fn what_is_of_no_use_is_left_out_without_losing_the_rest() {
    // port 0 in a contact, half a contact at the end, a peer of 5 bytes, an unknown key, a wrong type for "token"
    let mut nodes = contact_bytes(&[Contact { id: OTHER, addr: "198.51.100.7:1".parse().unwrap() }]);
    nodes.extend([7; 24]);
    nodes.extend([0, 0]);
    nodes.extend([9; 13]);
    let mut bytes = b"d1:rd2:id20:abcdefghij01234567895:nodes65:".to_vec();
    bytes.extend(&nodes);
    bytes.extend(b"1:pi6881e5:tokeni7e6:valuesl5:axje.6:idhtnmi3eee1:t2:aa1:xle1:y1:re");
    let Body::Reply(reply) = Message::decode(&bytes).unwrap().body else { panic!() };
    assert_eq!(reply.nodes.unwrap().len(), 1);
    assert_eq!(reply.values, ["105.100.104.116:28269".parse().unwrap()]);
    assert_eq!(reply.token, None);
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address() {
    let mapped = [[0; 10].as_slice(), &[0xff, 0xff, 203, 0, 113, 9, 0x1a, 0xe1]].concat();
    assert_eq!(read_address(&mapped), Some("203.0.113.9:6881".parse().unwrap()));
}

#[test]
fn queries_that_lack_something_can_be_answered_and_other_rubbish_can_not() {
    let lacking: [&[u8]; 5] = [
        b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q9:get_peers1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti70000e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij01234567891:k3:abc5:token1:a1:vi1ee1:q3:put1:t2:aa1:y1:qe",
        b"d1:q4:ping1:t2:aa1:y1:qe",
    ];
    for bytes in lacking {
        assert_eq!(Message::decode(bytes).unwrap_err().query, Some(b"aa".to_vec()));
    }
    let nested = [b"d1:y".as_slice(), &[b'l'; 2000], &[b'e'; 2000], b"e"].concat();
    let long = [b"d1:t99:".as_slice(), &[b'x'; 99], b"1:y1:qe"].concat();
    let rubbish: [&[u8]; 9] = [
        b"",
        b"d",
        b"le",
        b"i1e",
        b"d1:t2:aae",
        b"d1:y1:qe",
        b"d1:rd2:id99999999999:abce1:t2:aa1:y1:re",
        &nested,
        &long,
    ];
    for bytes in rubbish {
        assert_eq!(Message::decode(bytes).unwrap_err().query, None, "{}", String::from_utf8_lossy(bytes));
    }
}

fn any_id() -> impl Strategy<Value = NodeId> {
    any::<[u8; 20]>().prop_map(NodeId)
}

fn any_peer(v6: bool) -> impl Strategy<Value = SocketAddr> {
    (any::<[u8; 4]>(), any::<[u8; 14]>(), 1..u16::MAX).prop_map(move |(v4, rest, port)| {
        let mut ip = [0x2a; 16];
        ip[2..].copy_from_slice(&rest);
        SocketAddr::new(if v6 { IpAddr::from(ip) } else { IpAddr::from(v4) }, port)
    })
}

fn any_contacts(v6: bool) -> impl Strategy<Value = Option<Vec<Contact>>> {
    let contact = (any_id(), any_peer(v6)).prop_map(|(id, addr)| Contact { id, addr });
    proptest::option::of(proptest::collection::vec(contact, 0..8))
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let token = proptest::collection::vec(any::<u8>(), 0..MAX_ECHO);
    let hash = || any_id().prop_map(|id| InfoHashV1(id.0));
    let signed = (any::<[u8; 32]>(), any::<[u8; 64]>(), any::<i64>(), token.clone())
        .prop_map(|(key, signature, seq, salt)| Signed { key, salt, seq, signature });
    let item = (any::<i64>(), proptest::option::of(signed))
        .prop_map(|(value, signed)| Item { value: format!("i{value}e").into_bytes(), signed });
    prop_oneof![
        Just(Ask::Ping),
        any_id().prop_map(|target| Ask::FindNode { target }),
        any_id().prop_map(|target| Ask::SampleInfohashes { target }),
        (hash(), any::<bool>(), any::<bool>()).prop_map(|(info_hash, scrape, no_seeds)| Ask::GetPeers {
            info_hash,
            scrape,
            no_seeds
        }),
        (hash(), any::<Option<u16>>(), token.clone(), any::<bool>())
            .prop_map(|(info_hash, port, token, seed)| Ask::AnnouncePeer { info_hash, port, token, seed }),
        (any_id(), any::<Option<i64>>()).prop_map(|(target, seq)| Ask::Get { target, seq }),
        (token, item, any::<Option<i64>>()).prop_map(|(token, item, cas)| Ask::Put { token, item, cas }),
        proptest::option::of(any_id()).prop_map(|target| Ask::Unknown { target }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn every_query_reads_back_as_it_was_and_is_strict_bencode(
        ask in any_ask(), v4: bool, v6: bool, read_only: bool, transaction: [u8; 4],
    ) {
        let body = Body::Query(Query { id: ID, want: Want { v4, v6 }, ask });
        let message = Message { transaction: transaction.to_vec(), body, ip: None, read_only };
        let bytes = message.encode();
        prop_assert_eq!(Message::decode(&bytes).unwrap(), message);
        prop_assert!(is_strict(&bytes));
    }

    #[test]
    fn every_reply_reads_back_as_it_was_and_is_strict_bencode(
        nodes in any_contacts(false), nodes6 in any_contacts(true),
        values in proptest::collection::vec(any_peer(false), 0..60), token: Option<[u8; 8]>,
        seq: Option<i64>, filters: bool, hashes in proptest::collection::vec(any_id(), 0..20), samples: bool,
    ) {
        let hashes = hashes.into_iter().map(|id| InfoHashV1(id.0)).collect();
        let message = reply(Reply {
            nodes, nodes6, values, seq, token: token.map(|token| token.to_vec()),
            filters: filters.then(|| Box::new(Filters { seeds: [1; 256], peers: [2; 256] })),
            samples: samples.then_some(Samples { interval: 60, num: 70, hashes }),
            ..Reply::bare(OTHER)
        });
        let bytes = message.encode();
        prop_assert_eq!(Message::decode(&bytes).unwrap(), message);
        prop_assert!(is_strict(&bytes));
    }

    #[test]
    fn bytes_bent_at_random_never_panic(mut bytes in any_ask().prop_map(|ask| query(ask).encode()), at: prop::sample::Index, to: u8, cut: prop::sample::Index) {
        let index = at.index(bytes.len());
        bytes[index] = to;
        let _ = Message::decode(&bytes);
        let _ = Message::decode(&bytes[..cut.index(bytes.len())]);
    }
}

/// Walks all of it with a reader that refuses unsorted and double keys.
fn is_strict(bytes: &[u8]) -> bool {
    fn walk(object: bendy::decoding::Object) -> Result<(), bendy::decoding::Error> {
        use bendy::decoding::Object;
        match object {
            Object::List(mut list) => {
                while let Some(item) = list.next_object()? {
                    walk(item)?;
                }
            }
            Object::Dict(mut dict) => {
                while let Some((_, item)) = dict.next_pair()? {
                    walk(item)?;
                }
            }
            Object::Integer(_) | Object::Bytes(_) => {}
        }
        Ok(())
    }
    let mut decoder = bendy::decoding::Decoder::new(bytes);
    decoder.next_object().is_ok_and(|object| object.is_some_and(|object| walk(object).is_ok()))
}
