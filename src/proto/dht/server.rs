//! What we answer to the queries of others.
//!
//! The server owns what is stored for them (peers, values), the tokens and the limits; it decides each answer and its
//! size, and sends nothing itself. No answer is longer than [`MAX_ANSWER`], and none goes out beyond the throttle.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::items::Items;
use super::krpc::{Ask, Body, Message, Query, Reply, code};
use super::node_id::NodeId;
use super::peer_store::PeerStore;
use super::table::{K, Table};
use super::throttle::Throttle;
use super::tokens::Tokens;

/// The longest answer, in bytes (BEP 32, "Maximum packet size").
pub const MAX_ANSWER: usize = 1024;
/// The same for a value of BEP 44, which alone may have 1,000 bytes: still a datagram that nothing fragments.
const MAX_ITEM_ANSWER: usize = 1232;

/// Peers named in one answer.
const MAX_VALUES: usize = 50;

/// The tables that answers name nodes from.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pub v4: Option<&'a Table>,
    pub v6: Option<&'a Table>,
}

/// A query and what an answer needs of its datagram.
#[derive(Debug)]
pub struct Asked {
    pub from: SocketAddr,
    pub transaction: Vec<u8>,
    pub query: Query,
}

#[derive(Debug)]
pub struct Server {
    tokens: Tokens,
    peers: PeerStore,
    items: Items,
    throttle: Throttle,
    swept: Instant,
}

/// An error answer.
struct Denied(i64, String);

impl Server {
    /// How often what has expired is thrown out.
    const SWEEP: Duration = Duration::from_secs(5 * 60);

    pub fn new(now: Instant, rng: &mut StdRng) -> Server {
        Server {
            tokens: Tokens::new(now, rng),
            peers: PeerStore::new(),
            items: Items::default(),
            throttle: Throttle::new(now),
            swept: now,
        }
    }

    /// The datagram that answers, or nothing where limits forbid one.
    pub fn answer(
        &mut self,
        now: Instant,
        own: NodeId,
        asked: Asked,
        tables: Tables,
        rng: &mut StdRng,
    ) -> Option<Vec<u8>> {
        let Asked { from, transaction, query } = asked;
        if !self.throttle.admits(now, from) {
            return None;
        }
        self.sweep(now);
        let body = match self.decide(now, from, own, query, tables, rng) {
            Ok(reply) => Body::Reply(Box::new(reply)),
            Err(Denied(code, text)) => Body::Error { code, text },
        };
        let bytes = fitted(Message { transaction, body, ip: Some(from), read_only: false });
        self.throttle.affords(now, bytes.len()).then_some(bytes)
    }

    /// The datagram that says what was wrong with a query that could not be read.
    pub fn complain(&mut self, now: Instant, from: SocketAddr, transaction: Vec<u8>, text: &str) -> Option<Vec<u8>> {
        if !self.throttle.admits(now, from) {
            return None;
        }
        let body = Body::Error { code: code::PROTOCOL, text: text.into() };
        let bytes = Message { transaction, body, ip: Some(from), read_only: false }.encode();
        self.throttle.affords(now, bytes.len()).then_some(bytes)
    }

    fn decide(
        &mut self,
        now: Instant,
        from: SocketAddr,
        own: NodeId,
        query: Query,
        tables: Tables,
        rng: &mut StdRng,
    ) -> Result<Reply, Denied> {
        let mut reply = Reply::bare(own);
        let want = query.want;
        let (want_v4, want_v6) = match (want.v4, want.v6) {
            (false, false) => (from.is_ipv4(), from.is_ipv6()),
            both => both,
        };
        let name_nodes = |reply: &mut Reply, target: &NodeId| {
            let near = |table: &Table| table.closest_known(now, target, K);
            reply.nodes = want_v4.then(|| tables.v4.map_or(Vec::new(), near));
            reply.nodes6 = want_v6.then(|| tables.v6.map_or(Vec::new(), near));
        };
        match query.ask {
            Ask::Ping => {}
            Ask::FindNode { target } => name_nodes(&mut reply, &target),
            Ask::GetPeers { info_hash, scrape, no_seeds } => {
                name_nodes(&mut reply, &info_hash.into());
                reply.values = self.peers.peers(now, info_hash, no_seeds, MAX_VALUES, rng);
                reply.filters = scrape.then(|| self.peers.filters(now, info_hash)).flatten();
                let token = (!self.peers.is_full(info_hash)).then(|| self.tokens.issue(now, from.ip(), rng));
                reply.token = token.map(|token| token.to_vec());
            }
            Ask::AnnouncePeer { info_hash, port, token, seed } => {
                self.check_token(now, from, &token, rng)?;
                let port = port.unwrap_or(from.port());
                if port == 0 {
                    return Err(Denied(code::PROTOCOL, "port 0".into()));
                }
                self.peers.announce(now, &own, info_hash, SocketAddr::new(from.ip(), port), seed);
            }
            Ask::Get { target, seq } => {
                name_nodes(&mut reply, &target);
                reply.token = Some(self.tokens.issue(now, from.ip(), rng).to_vec());
                let item = self.items.get(now, &target);
                let stored_seq = item.and_then(|item| item.signed.as_ref()).map(|signed| signed.seq);
                if seq.is_some() && stored_seq.is_some() && stored_seq <= seq {
                    reply.seq = stored_seq;
                } else {
                    reply.item = item.cloned();
                }
            }
            Ask::Put { token, item, cas } => {
                self.check_token(now, from, &token, rng)?;
                let stored = self.items.put(now, &own, from, item, cas);
                stored.map_err(|refusal| Denied(refusal.code, refusal.text.into()))?;
            }
            Ask::SampleInfohashes { target } => {
                name_nodes(&mut reply, &target);
                reply.samples = Some(self.peers.sample(now, rng));
            }
            Ask::Unknown { target: Some(target) } => name_nodes(&mut reply, &target),
            Ask::Unknown { target: None } => return Err(Denied(code::METHOD_UNKNOWN, "unknown method".into())),
        }
        Ok(reply)
    }

    fn check_token(&mut self, now: Instant, from: SocketAddr, token: &[u8], rng: &mut StdRng) -> Result<(), Denied> {
        let good = self.tokens.accepts(now, from.ip(), token, rng);
        if good { Ok(()) } else { Err(Denied(code::PROTOCOL, "bad token".into())) }
    }

    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) >= Self::SWEEP {
            self.swept = now;
            self.peers.expire(now);
            self.items.expire(now);
        }
    }
}

/// The bytes of an answer, with as many peers and nodes left out as it takes to keep its limit.
fn fitted(mut message: Message) -> Vec<u8> {
    loop {
        let bytes = message.encode();
        let Body::Reply(reply) = &mut message.body else { return bytes };
        let limit = if reply.item.is_some() { MAX_ITEM_ANSWER } else { MAX_ANSWER };
        if bytes.len() <= limit || !shorten(reply) {
            return bytes;
        }
    }
}

/// Leaves out what is missed least; false if there is nothing left to leave out.
fn shorten(reply: &mut Reply) -> bool {
    fn halve<T>(list: &mut Vec<T>) -> bool {
        let had = list.len();
        list.truncate(had / 2);
        had > 0
    }
    if reply.values.len() > K {
        return halve(&mut reply.values);
    }
    let longest = match (&mut reply.nodes, &mut reply.nodes6) {
        (Some(v4), Some(v6)) => Some(if v6.len() >= v4.len() { v6 } else { v4 }),
        (Some(only), None) | (None, Some(only)) => Some(only),
        (None, None) => None,
    };
    longest.is_some_and(halve) || halve(&mut reply.values)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use rand::SeedableRng;

    use super::super::krpc::{Item, Want};
    use super::super::node_id::Contact;
    use super::*;
    use crate::base::id::InfoHashV1;

    const HASH: InfoHashV1 = InfoHashV1([7; 20]);
    const OWN: NodeId = NodeId([1; 20]);

    struct World {
        server: Server,
        v4: Table,
        v6: Table,
        now: Instant,
        rng: StdRng,
    }

    impl World {
        fn new() -> World {
            let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(3));
            let server = Server::new(now, &mut rng);
            let (mut v4, mut v6) = (Table::new(OWN, now), Table::new(OWN, now));
            for n in 0..100u8 {
                let id = NodeId::random(&mut rng);
                v4.answered(now, Contact { id, addr: SocketAddr::from(([50, n, 0, 1], 6881)) });
                let ip = IpAddr::from([0x2a02, 0x100 + u16::from(n), 0, 0, 0, 0, 0, 1]);
                v6.answered(now, Contact { id, addr: SocketAddr::new(ip, 6881) });
            }
            World { server, v4, v6, now, rng }
        }

        fn ask_bytes(&mut self, from: &str, ask: Ask, want: Want) -> Option<Vec<u8>> {
            let query = Query { id: NodeId([9; 20]), want, ask };
            let tables = Tables { v4: Some(&self.v4), v6: Some(&self.v6) };
            let asked = Asked { from: from.parse().unwrap(), transaction: b"tx".to_vec(), query };
            self.server.answer(self.now, OWN, asked, tables, &mut self.rng)
        }

        fn ask(&mut self, from: &str, ask: Ask) -> Body {
            let message = Message::decode(&self.ask_bytes(from, ask, Want::default()).unwrap()).unwrap();
            assert_eq!((message.transaction.as_slice(), message.ip), (b"tx".as_slice(), Some(from.parse().unwrap())));
            message.body
        }

        fn reply(&mut self, from: &str, ask: Ask) -> Reply {
            match self.ask(from, ask) {
                Body::Reply(reply) => *reply,
                other => panic!("{other:?}"),
            }
        }

        fn token(&mut self, from: &str) -> Vec<u8> {
            self.reply(from, get_peers(false)).token.unwrap()
        }
    }

    fn get_peers(scrape: bool) -> Ask {
        Ask::GetPeers { info_hash: HASH, scrape, no_seeds: false }
    }

    fn announce(port: Option<u16>, token: Vec<u8>) -> Ask {
        Ask::AnnouncePeer { info_hash: HASH, port, token, seed: false }
    }

    #[test]
    fn who_announces_with_its_token_is_found_by_others() {
        let mut world = World::new();
        let token = world.token("60.0.0.1:5000");
        assert!(matches!(world.ask("60.0.0.1:5000", announce(Some(7000), token.clone())), Body::Reply(_)));
        assert_eq!(world.reply("60.0.0.2:1", get_peers(false)).values, ["60.0.0.1:7000".parse().unwrap()]);
        world.ask("60.0.0.1:5000", announce(None, token.clone()));
        assert_eq!(world.reply("60.0.0.2:1", get_peers(false)).values, ["60.0.0.1:5000".parse().unwrap()]);
        assert!(matches!(world.ask("60.0.0.3:5000", announce(Some(1), token)), Body::Error { code: 203, .. }));
    }

    #[test]
    fn nodes_of_the_asking_family_unless_others_are_wanted() {
        let mut world = World::new();
        let find = Ask::FindNode { target: OWN };
        let plain = world.reply("60.0.0.1:1", find.clone());
        assert_eq!((plain.nodes.map(|nodes| nodes.len()), plain.nodes6), (Some(8), None));
        let six = world.reply("[2a02::1]:1", find.clone());
        assert_eq!((six.nodes, six.nodes6.map(|nodes| nodes.len())), (None, Some(8)));
        let both = world.ask_bytes("60.0.0.1:1", find, Want { v4: true, v6: true }).unwrap();
        let Body::Reply(both) = Message::decode(&both).unwrap().body else { panic!() };
        assert_eq!((both.nodes.unwrap().len(), both.nodes6.unwrap().len()), (8, 8));
    }

    #[test]
    fn no_answer_is_longer_than_its_limit() {
        let mut world = World::new();
        for n in 0..400u32 {
            let peer = SocketAddr::new(IpAddr::from((0x3d00_0000 + n).to_be_bytes()), 6881);
            world.server.peers.announce(world.now, &OWN, HASH, peer, n % 2 == 0);
        }
        let want = Want { v4: true, v6: true };
        for (n, scrape) in [(1, false), (2, true)] {
            for from in [format!("60.0.0.{n}:1"), format!("[2a02:{n}::1]:1")] {
                let bytes = world.ask_bytes(&from, get_peers(scrape), want).unwrap();
                assert!(bytes.len() <= MAX_ANSWER, "{} bytes", bytes.len());
                let Body::Reply(reply) = Message::decode(&bytes).unwrap().body else { panic!() };
                assert!(reply.values.len() >= 6 && reply.token.is_some(), "{reply:?}");
                assert_eq!(reply.filters.is_some(), scrape);
            }
        }
        let value = [b"980:".as_slice(), &[b'x'; 980]].concat();
        let token = world.token("60.0.0.1:1");
        let item = Item { value: value.clone(), signed: None };
        world.ask("60.0.0.1:1", Ask::Put { token, item, cas: None });
        let target = NodeId(crate::base::hash::sha1(&value));
        let bytes = world.ask_bytes("60.0.0.2:1", Ask::Get { target, seq: None }, want).unwrap();
        assert!(bytes.len() <= MAX_ITEM_ANSWER);
        let Body::Reply(reply) = Message::decode(&bytes).unwrap().body else { panic!() };
        assert_eq!(reply.item.map(|item| item.value), Some(value));
    }

    #[test]
    fn an_unknown_query_with_a_target_is_answered_like_find_node_and_one_without_by_204() {
        let mut world = World::new();
        assert_eq!(world.reply("60.0.0.1:1", Ask::Unknown { target: Some(OWN) }).nodes.unwrap().len(), 8);
        assert!(matches!(world.ask("60.0.0.1:1", Ask::Unknown { target: None }), Body::Error { code: 204, .. }));
    }

    #[test]
    fn samples_come_even_when_there_are_none() {
        let mut world = World::new();
        let empty = world.reply("60.0.0.1:1", Ask::SampleInfohashes { target: OWN }).samples.unwrap();
        assert_eq!((empty.num, empty.hashes), (0, vec![]));
        let token = world.token("60.0.0.1:1");
        world.ask("60.0.0.1:1", announce(Some(1), token));
        let one = world.reply("60.0.0.1:1", Ask::SampleInfohashes { target: OWN }).samples.unwrap();
        assert_eq!((one.num, one.hashes), (1, vec![HASH]));
    }

    #[test]
    fn a_flood_is_not_answered() {
        let mut world = World::new();
        let answers = (0..500).filter(|_| world.ask_bytes("60.0.0.1:1", get_peers(false), Want::default()).is_some());
        assert_eq!(answers.count(), 60);
    }
}
