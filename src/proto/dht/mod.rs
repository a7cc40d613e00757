//! A node of the mainline DHT as a machine without I/O (BEP 5, 32, 33, 42, 43, 44, 51).

pub mod bloom;
pub mod bootstrap;
pub mod density;
pub mod dual;
pub mod external;
pub mod items;
pub mod krpc;
pub mod lookup;
pub mod node;
pub mod node_id;
pub mod peer_store;
pub mod repeat;
pub mod role;
pub mod rtt;
pub mod server;
pub mod table;
pub mod throttle;
pub mod tokens;
pub mod transactions;
