//! Where a node is whose name only the proxy can look up: a ping goes out to the name, and the address that answers it is
//! the node's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::io::udp_task::UdpPort;

/// Between pings to one name, and how many it gets.
const PATIENCE: Duration = Duration::from_secs(3);
const PINGS: u32 = 3;

/// Names that have been pinged, by transaction id. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Whereabouts(Arc<Mutex<HashMap<[u8; 8], oneshot::Sender<SocketAddr>>>>);

impl Whereabouts {
    /// The address of `host`, if anybody answers there.
    pub async fn ask(&self, udp: &UdpPort, host: &str, port: u16) -> Option<SocketAddr> {
        for _ in 0..PINGS {
            let transaction = rand::random();
            let (tell, told) = oneshot::channel();
            self.lock().insert(transaction, tell);
            udp.send_by_name(host, port, &ping(transaction, rand::random()));
            let told = timeout(PATIENCE, told).await;
            self.lock().remove(&transaction);
            if let Ok(Ok(addr)) = told {
                return Some(addr);
            }
        }
        None
    }

    /// True if the datagram is an answer to one of the pings.
    pub fn take(&self, from: SocketAddr, datagram: &[u8]) -> bool {
        let mut asked = self.lock();
        if asked.is_empty() {
            return false;
        }
        let marks = datagram.windows(KEY.len() + 8).filter_map(|window| window.strip_prefix(KEY));
        let found = marks.filter_map(|id| asked.remove_entry(id)).next();
        match found {
            // Who asked may have lost patience.
            Some((_, tell)) => tell.send(from).is_ok(),
            None => false,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 8], oneshot::Sender<SocketAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key `t` and the length of our ids.
const KEY: &[u8] = b"1:t8:";

/// A ping of one that answers no queries (BEP 5, BEP 43). The id is thrown away: the node's own is not known to it yet.
fn ping(transaction: [u8; 8], id: [u8; 20]) -> Vec<u8> {
    [b"d1:ad2:id20:", &id[..], b"e1:q4:ping2:roi1e", KEY, &transaction, b"1:y1:qe"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::dht::krpc::Message;

    #[test]
    fn the_answer_to_a_ping_is_known_by_its_transaction() {
        let (whereabouts, from) = (Whereabouts::default(), "1.2.3.4:5".parse().unwrap());
        let (tell, mut told) = oneshot::channel();
        whereabouts.lock().insert(*b"12345678", tell);
        assert!(!whereabouts.take(from, b"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t8:123456791:y1:re"));
        assert!(whereabouts.take(from, b"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t8:123456781:y1:re"));
        assert_eq!(told.try_recv(), Ok(from));
        assert!(whereabouts.lock().is_empty());
    }

    #[test]
    fn a_ping_is_one() {
        assert!(Message::decode(&ping([1; 8], [2; 20])).is_ok());
    }
}
