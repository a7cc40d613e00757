//! From the bytes of a datagram to a [`Message`].

use super::compact::{read_address, read_contacts};
use super::{Ask, Body, Filters, Item, Malformed, Message, Query, Reply, Samples, Signed, Want};
use crate::base::bencode::{Dict, Limits, Value};
use crate::base::id::InfoHashV1;
use crate::proto::dht::node_id::NodeId;

/// Transaction ids and tokens of others are echoed or kept only up to this length, in bytes.
pub(super) const MAX_ECHO: usize = 64;

/// More peers than this are not taken from one message.
const MAX_PEERS: usize = 512;

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
