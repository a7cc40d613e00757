//! uTP (BEP 29): streams over UDP that give way to everybody else on the link.
//!
//! [`socket::Socket`] is the whole protocol as a machine: datagrams and time in, datagrams, events and streams out. It
//! routes packets to [`connection::Connection`]s by address and connection id. Below that stand [`flight`] (what was
//! sent), [`inbound`] (what came), [`congestion`] (how much may be under way) and [`mtu`] (how long a datagram may be).

pub mod congestion;
pub mod connection;
pub mod delay;
pub mod flight;
pub mod inbound;
mod minutes;
pub mod mtu;
mod outbound;
pub mod packet;
mod resets;
pub mod rtt;
pub mod seq;
pub mod socket;

pub use connection::{Ending, Stalled};
pub use socket::{ConnectionKey, Event, Socket, Transmit};
