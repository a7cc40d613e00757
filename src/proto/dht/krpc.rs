//! KRPC messages: what nodes say to each other, one bencoded dictionary a datagram (BEP 5, "KRPC Protocol").
//!
//! Reading never trusts a length, a key or a type: the bencode guard has walked the whole datagram before anything
//! else looks at it, unknown keys are passed over, and what is of no use for one field (a port 0, half a contact)
//! is left out without losing the rest. Writing puts keys in order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::node_id::{Contact, NodeId};
use crate::base::bencode::{Dict, Limits, Value};
use crate::base::compact::canonical;
use crate::base::id::InfoHashV1;

/// Our "v": the client's two letters and its version (BEP 5; BEP 20).
pub const VERSION: &[u8; 4] = b"RC01";

/// Transaction ids and tokens of others are echoed or kept only up to this length, in bytes.
const MAX_ECHO: usize = 64;

/// More contacts or peers than this are not taken from one message.
const MAX_CONTACTS: usize = 64;
const MAX_PEERS: usize = 512;

/// Error codes (BEP 5, "Errors"; BEP 44, "Errors").
pub mod code {
    pub const PROTOCOL: i64 = 203;
    pub const METHOD_UNKNOWN: i64 = 204;
    pub const VALUE_TOO_BIG: i64 = 205;
    pub const BAD_SIGNATURE: i64 = 206;
    pub const SALT_TOO_BIG: i64 = 207;
    pub const CAS_MISMATCH: i64 = 301;
    pub const SEQ_TOO_LOW: i64 = 302;
}

/// One datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// "t": chosen by who asks, echoed by who answers.
    pub transaction: Vec<u8>,
    pub body: Body,
    /// "ip": how the answering node sees the asking one (BEP 42).
    pub ip: Option<SocketAddr>,
    /// "ro": the sender answers no queries and belongs in no table (BEP 43).
    pub read_only: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    Query(Query),
    Reply(Box<Reply>),
    Error { code: i64, text: String },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The sender's id.
    pub id: NodeId,
    pub want: Want,
    pub ask: Ask,
}

/// Which families' nodes an answer is to name (BEP 32, "want"); neither: the family the query came over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    pub v4: bool,
    pub v6: bool,
}

/// The queries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    Ping,
    FindNode {
        target: NodeId,
    },
    GetPeers {
        info_hash: InfoHashV1,
        /// BEP 33: the asker wants bloom filters of the swarm.
        scrape: bool,
        /// BEP 33: the asker is a seed and has no use for seeds.
        no_seeds: bool,
    },
    AnnouncePeer {
        info_hash: InfoHashV1,
        /// `None` with "implied_port": the port the datagram came from.
        port: Option<u16>,
        token: Vec<u8>,
        /// BEP 33: the peer is a seed.
        seed: bool,
    },
    /// BEP 44.
    Get {
        target: NodeId,
        /// Only what is newer than this is wanted.
        seq: Option<i64>,
    },
    /// BEP 44.
    Put {
        token: Vec<u8>,
        item: Item,
        cas: Option<i64>,
    },
    /// BEP 51.
    SampleInfohashes {
        target: NodeId,
    },
    /// A query of another make; with a target it is answered like `find_node` (BEP 51, "Forward compatibility").
    Unknown {
        target: Option<NodeId>,
    },
}

/// What is stored under BEP 44: a bencoded value, and who signed it if it is mutable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Bencoded, as it came.
    pub value: Vec<u8>,
    pub signed: Option<Signed>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    pub key: [u8; 32],
    /// Empty in answers: who asks knows it.
    pub salt: Vec<u8>,
    pub seq: i64,
    pub signature: [u8; 64],
}

/// The keys of "r", all optional but the id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub id: NodeId,
    /// "nodes" (IPv4), where there is such a key.
    pub nodes: Option<Vec<Contact>>,
    /// "nodes6" (BEP 32).
    pub nodes6: Option<Vec<Contact>>,
    pub values: Vec<SocketAddr>,
    pub token: Option<Vec<u8>>,
    /// BEP 33: filters of seeds and of downloaders.
    pub filters: Option<Box<Filters>>,
    pub samples: Option<Samples>,
    pub item: Option<Item>,
    /// "seq" alone: the item is there, but not newer than asked (BEP 44).
    pub seq: Option<i64>,
}

/// "BFsd" and "BFpe" (BEP 33).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filters {
    pub seeds: [u8; 256],
    pub peers: [u8; 256],
}

/// BEP 51, "message format".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Samples {
    /// Seconds until another sample is drawn.
    pub interval: u32,
    /// How many info hashes are stored.
    pub num: u32,
    pub hashes: Vec<InfoHashV1>,
}

/// A datagram that is no KRPC message. Where it was a query with a transaction id, it can be answered with an error.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    pub reason: &'static str,
    pub query: Option<Vec<u8>>,
}

impl Reply {
    /// An answer that says only who answers: to `ping`, `announce_peer` and `put`.
    pub fn bare(id: NodeId) -> Reply {
        Reply {
            id,
            nodes: None,
            nodes6: None,
            values: Vec::new(),
            token: None,
            filters: None,
            samples: None,
            item: None,
            seq: None,
        }
    }
}

impl Message {
    /// Reads one datagram.
    ///
    /// # Errors
    /// [`Malformed`] if it is not bencode within [`Limits::KRPC`], or lacks what its kind needs.
    pub fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
        let lost = |reason| Malformed { reason, query: None };
        let (top, _) = Value::parse(bytes, Limits::KRPC).map_err(|_| lost("not bencode within the limits"))?;
        let top = top.as_dict().ok_or(lost("not a dictionary"))?;
        let transaction = short(&top, b"t").ok_or(lost("no transaction id"))?;
        let body = match bytes_of(&top, b"y") {
            Some(b"q") => {
                Body::Query(read_query(&top).map_err(|reason| Malformed { reason, query: Some(transaction.clone()) })?)
            }
            Some(b"r") => Body::Reply(Box::new(read_reply(&top).map_err(lost)?)),
            Some(b"e") => read_error(&top),
            _ => return Err(lost("neither query nor answer")),
        };
        let ip = bytes_of(&top, b"ip").and_then(read_address);
        let read_only = int_of(&top, b"ro") == Some(1);
        Ok(Message { transaction, body, ip, read_only })
    }

    /// The bytes of the datagram, with our "v".
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.open();
        match &self.body {
            Body::Query(query) => {
                out.key(b"a").open();
                write_arguments(&mut out, query);
                out.close();
            }
            Body::Error { code, text } => {
                out.key(b"e").raw(b"l").int(*code).bytes(text.as_bytes()).close();
            }
            Body::Reply(_) => {}
        }
        if let Some(ip) = self.ip {
            out.key(b"ip").bytes(&address_bytes(ip));
        }
        if let Body::Query(query) = &self.body {
            out.key(b"q").bytes(query.ask.method());
        }
        if let Body::Reply(reply) = &self.body {
            out.key(b"r").open();
            write_reply(&mut out, reply);
            out.close();
        }
        if self.read_only {
            out.key(b"ro").int(1);
        }
        out.key(b"t").bytes(&self.transaction).key(b"v").bytes(VERSION).key(b"y").bytes(match self.body {
            Body::Query(_) => b"q",
            Body::Reply(_) => b"r",
            Body::Error { .. } => b"e",
        });
        out.close();
        out.0
    }
}

impl Ask {
    fn method(&self) -> &'static [u8] {
        match self {
            Ask::Ping => b"ping",
            Ask::FindNode { .. } => b"find_node",
            Ask::GetPeers { .. } => b"get_peers",
            Ask::AnnouncePeer { .. } => b"announce_peer",
            Ask::Get { .. } => b"get",
            Ask::Put { .. } => b"put",
            Ask::SampleInfohashes { .. } => b"sample_infohashes",
            Ask::Unknown { .. } => b"unknown",
        }
    }
}

fn read_query(top: &Dict) -> Result<Query, &'static str> {
    let method = bytes_of(top, b"q").ok_or("a query without a method")?;
    let args = top.get(b"a").and_then(|a| a.as_dict()).ok_or("a query without arguments")?;
    let id = id_of(&args, b"id").ok_or("a query without a node id")?;
    let target = |key: &[u8]| id_of(&args, key);
    let token = || short(&args, b"token").ok_or("no token");
    let ask = match method {
        b"ping" => Ask::Ping,
        b"find_node" => Ask::FindNode { target: target(b"target").ok_or("no target")? },
        b"get_peers" => Ask::GetPeers {
            info_hash: InfoHashV1(target(b"info_hash").ok_or("no info_hash")?.0),
            scrape: int_of(&args, b"scrape") == Some(1),
            no_seeds: int_of(&args, b"noseed") == Some(1),
        },
        b"announce_peer" => Ask::AnnouncePeer {
            info_hash: InfoHashV1(target(b"info_hash").ok_or("no info_hash")?.0),
            port: match int_of(&args, b"implied_port") {
                Some(implied) if implied != 0 => None,
                _ => Some(int_of(&args, b"port").and_then(|port| u16::try_from(port).ok()).ok_or("no port")?),
            },
            token: token()?,
            seed: int_of(&args, b"seed") == Some(1),
        },
        b"get" => Ask::Get { target: target(b"target").ok_or("no target")?, seq: int_of(&args, b"seq") },
        b"put" => Ask::Put {
            token: token()?,
            item: read_item(&args, short(&args, b"salt").unwrap_or_default())?.ok_or("no value")?,
            cas: int_of(&args, b"cas"),
        },
        b"sample_infohashes" => Ask::SampleInfohashes { target: target(b"target").ok_or("no target")? },
        _ => Ask::Unknown { target: target(b"target").or_else(|| target(b"info_hash")) },
    };
    let want = args.get(b"want").and_then(|want| want.as_list()).map_or(Want::default(), |list| {
        let names = |name: &[u8]| list.iter().take(8).any(|item| item.as_bytes() == Some(name));
        Want { v4: names(b"n4"), v6: names(b"n6") }
    });
    Ok(Query { id, want, ask })
}

fn read_reply(top: &Dict) -> Result<Reply, &'static str> {
    let r = top.get(b"r").and_then(|r| r.as_dict()).ok_or("an answer without a dictionary")?;
    let id = id_of(&r, b"id").ok_or("an answer without a node id")?;
    let filter = |key| bytes_of(&r, key).and_then(|bytes| <[u8; 256]>::try_from(bytes).ok());
    let filters = match (filter(b"BFsd"), filter(b"BFpe")) {
        (Some(seeds), Some(peers)) => Some(Box::new(Filters { seeds, peers })),
        _ => None,
    };
    let values = r.get(b"values").and_then(|values| values.as_list()).map_or(Vec::new(), |list| {
        list.iter().filter_map(|value| value.as_bytes().and_then(read_address)).take(MAX_PEERS).collect()
    });
    let samples = bytes_of(&r, b"samples").map(|samples| Samples {
        interval: int_of(&r, b"interval").unwrap_or(0).clamp(0, 21_600) as u32,
        num: int_of(&r, b"num").unwrap_or(0).clamp(0, u32::MAX.into()) as u32,
        hashes: samples.chunks_exact(20).map(|hash| InfoHashV1(hash.try_into().expect("20 bytes"))).collect(),
    });
    Ok(Reply {
        id,
        nodes: bytes_of(&r, b"nodes").map(|nodes| read_contacts(nodes, 26)),
        nodes6: bytes_of(&r, b"nodes6").map(|nodes| read_contacts(nodes, 38)),
        values,
        token: short(&r, b"token"),
        filters,
        samples,
        item: read_item(&r, Vec::new()).unwrap_or(None),
        seq: int_of(&r, b"seq"),
    })
}

/// Many nodes send errors of odd shapes; any is an error.
fn read_error(top: &Dict) -> Body {
    let list = top.get(b"e").and_then(|e| e.as_list());
    let code = list.as_ref().and_then(|list| list.iter().next()).and_then(|code| code.as_int()).unwrap_or(201);
    let text = list.and_then(|list| list.iter().nth(1)).and_then(|text| text.as_bytes()).unwrap_or_default();
    Body::Error { code, text: String::from_utf8_lossy(&text[..text.len().min(128)]).into_owned() }
}

fn read_item(dict: &Dict, salt: Vec<u8>) -> Result<Option<Item>, &'static str> {
    let Some(value) = dict.get(b"v") else { return Ok(None) };
    let value = value.raw().to_vec();
    let signed = match bytes_of(dict, b"k") {
        None => None,
        Some(key) => Some(Signed {
            key: key.try_into().map_err(|_| "a public key has 32 bytes")?,
            salt,
            seq: int_of(dict, b"seq").ok_or("no sequence number")?,
            signature: bytes_of(dict, b"sig").and_then(|sig| sig.try_into().ok()).ok_or("a signature has 64 bytes")?,
        }),
    };
    Ok(Some(Item { value, signed }))
}

fn bytes_of<'a>(dict: &Dict<'a>, key: &[u8]) -> Option<&'a [u8]> {
    dict.get(key)?.as_bytes()
}

fn int_of(dict: &Dict, key: &[u8]) -> Option<i64> {
    dict.get(key)?.as_int()
}

fn id_of(dict: &Dict, key: &[u8]) -> Option<NodeId> {
    Some(NodeId(bytes_of(dict, key)?.try_into().ok()?))
}

/// A string that we may have to send back: `None` if it is too long for that.
fn short(dict: &Dict, key: &[u8]) -> Option<Vec<u8>> {
    bytes_of(dict, key).filter(|bytes| bytes.len() <= MAX_ECHO).map(<[u8]>::to_vec)
}

fn read_contacts(bytes: &[u8], len: usize) -> Vec<Contact> {
    let contact =
        |bytes: &[u8]| Some(Contact { id: NodeId(bytes[..20].try_into().ok()?), addr: read_address(&bytes[20..])? });
    bytes.chunks_exact(len).take(MAX_CONTACTS).filter_map(contact).collect()
}

/// Compact address of 6 or 18 bytes; `None` for other lengths and for port 0.
fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    let ip: IpAddr = match ip.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?).into(),
        _ => return None,
    };
    let port = u16::from_be_bytes([port[0], port[1]]);
    (port != 0).then(|| canonical(SocketAddr::new(ip, port)))
}

fn address_bytes(addr: SocketAddr) -> Vec<u8> {
    let mut bytes = match addr.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.extend(addr.port().to_be_bytes());
    bytes
}

/// Compact node infos of one family, for "nodes" or "nodes6".
pub fn contact_bytes(contacts: &[Contact]) -> Vec<u8> {
    contacts.iter().flat_map(|contact| [contact.id.0.to_vec(), address_bytes(contact.addr)].concat()).collect()
}

/// Reads what [`contact_bytes`] wrote for the family.
pub fn contacts_from(bytes: &[u8], v6: bool) -> Vec<Contact> {
    let len = if v6 { 38 } else { 26 };
    let one = |chunk: &[u8]| read_contacts(chunk, len).pop();
    bytes.chunks_exact(len).filter_map(one).collect()
}

fn write_arguments(out: &mut Writer, query: &Query) {
    let id = &query.id.0;
    match &query.ask {
        Ask::Ping => {
            out.key(b"id").bytes(id);
        }
        Ask::FindNode { target } | Ask::SampleInfohashes { target } => {
            out.key(b"id").bytes(id).key(b"target").bytes(&target.0);
        }
        Ask::GetPeers { info_hash, scrape, no_seeds } => {
            out.key(b"id").bytes(id).key(b"info_hash").bytes(&info_hash.0);
            if *no_seeds {
                out.key(b"noseed").int(1);
            }
            if *scrape {
                out.key(b"scrape").int(1);
            }
        }
        Ask::AnnouncePeer { info_hash, port, token, seed } => {
            out.key(b"id").bytes(id);
            if port.is_none() {
                out.key(b"implied_port").int(1);
            }
            out.key(b"info_hash").bytes(&info_hash.0).key(b"port").int(port.unwrap_or(1).into());
            if *seed {
                out.key(b"seed").int(1);
            }
            out.key(b"token").bytes(token);
        }
        Ask::Get { target, seq } => {
            out.key(b"id").bytes(id);
            if let Some(seq) = seq {
                out.key(b"seq").int(*seq);
            }
            out.key(b"target").bytes(&target.0);
        }
        Ask::Put { token, item, cas } => {
            if let Some(cas) = cas {
                out.key(b"cas").int(*cas);
            }
            out.key(b"id").bytes(id);
            if let Some(signed) = &item.signed {
                out.key(b"k").bytes(&signed.key);
                if !signed.salt.is_empty() {
                    out.key(b"salt").bytes(&signed.salt);
                }
                out.key(b"seq").int(signed.seq).key(b"sig").bytes(&signed.signature);
            }
            out.key(b"token").bytes(token).key(b"v").raw(&item.value);
        }
        Ask::Unknown { target } => {
            out.key(b"id").bytes(id);
            if let Some(target) = target {
                out.key(b"target").bytes(&target.0);
            }
        }
    }
    if query.want != Want::default() {
        out.key(b"want").raw(b"l");
        for name in [(query.want.v4, b"n4"), (query.want.v6, b"n6")] {
            if name.0 {
                out.bytes(name.1);
            }
        }
        out.close();
    }
}

fn write_reply(out: &mut Writer, reply: &Reply) {
    if let Some(filters) = &reply.filters {
        out.key(b"BFpe").bytes(&filters.peers).key(b"BFsd").bytes(&filters.seeds);
    }
    out.key(b"id").bytes(&reply.id.0);
    if let Some(samples) = &reply.samples {
        out.key(b"interval").int(samples.interval.into());
    }
    let signed = reply.item.as_ref().and_then(|item| item.signed.as_ref());
    if let Some(signed) = signed {
        out.key(b"k").bytes(&signed.key);
    }
    if let Some(nodes) = &reply.nodes {
        out.key(b"nodes").bytes(&contact_bytes(nodes));
    }
    if let Some(nodes) = &reply.nodes6 {
        out.key(b"nodes6").bytes(&contact_bytes(nodes));
    }
    if let Some(samples) = &reply.samples {
        let hashes: Vec<u8> = samples.hashes.iter().flat_map(|hash| hash.0).collect();
        out.key(b"num").int(samples.num.into()).key(b"samples").bytes(&hashes);
    }
    if let Some(seq) = signed.map(|signed| signed.seq).or(reply.seq) {
        out.key(b"seq").int(seq);
    }
    if let Some(signed) = signed {
        out.key(b"sig").bytes(&signed.signature);
    }
    if let Some(token) = &reply.token {
        out.key(b"token").bytes(token);
    }
    if let Some(item) = &reply.item {
        out.key(b"v").raw(&item.value);
    }
    if !reply.values.is_empty() {
        out.key(b"values").raw(b"l");
        for &peer in &reply.values {
            out.bytes(&address_bytes(peer));
        }
        out.close();
    }
}

/// Bencode as it is written; the caller keeps keys in order.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn open(&mut self) -> &mut Self {
        self.raw(b"d")
    }

    fn close(&mut self) -> &mut Self {
        self.raw(b"e")
    }

    fn key(&mut self, key: &[u8]) -> &mut Self {
        self.bytes(key)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes.len().to_string().into_bytes());
        self.0.push(b':');
        self.raw(bytes)
    }

    fn int(&mut self, value: i64) -> &mut Self {
        self.0.extend(format!("i{value}e").into_bytes());
        self
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
}
