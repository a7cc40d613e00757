//! KRPC messages: what nodes say to each other, one bencoded dictionary a datagram (BEP 5, "KRPC Protocol").
//!
//! Reading never trusts a length, a key or a type: the bencode guard has walked the whole datagram before anything
//! else looks at it, unknown keys are passed over, and what is of no use for one field (a port 0, half a contact)
//! is left out without losing the rest. Writing puts keys in order.

pub mod compact;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::SocketAddr;

use super::node_id::{Contact, NodeId};
use crate::base::id::InfoHashV1;

/// Our "v": the client's two letters and its version (BEP 5; BEP 20).
pub const VERSION: &[u8; 4] = b"RC01";

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
