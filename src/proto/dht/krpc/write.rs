//! From a [`Message`] to the bytes of a datagram.

use super::compact::{address_bytes, contact_bytes};
use super::{Ask, Body, Message, Query, Reply, VERSION, Want};

impl Message {
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
