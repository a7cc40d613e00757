//! Protocol machines without I/O: bytes and time in, bytes and events out.

pub mod dht;
pub mod ext;
pub mod http_range;
pub mod lsd;
pub mod mse;
pub mod session;
pub mod tracker;
pub mod utp;
pub mod web_seed;
pub mod wire;
