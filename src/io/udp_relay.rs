//! Datagrams through a SOCKS5 proxy (RFC 1928, 7): the relay that it opens for one socket, and the header that each
//! datagram bears between us and it.
//!
//! A relay lives as long as the connection that asked for it. A task holds that one and asks anew when it ends; until
//! then datagrams are lost, as on any network, and never go by another way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::net_path::NetPath;

/// Before a proxy that has ended a relay is asked for another.
const AGAIN: Duration = Duration::from_secs(2);

/// A relay of the proxy, while anybody holds this.
#[derive(Clone, Debug)]
pub struct UdpRelay {
    place: watch::Receiver<Option<SocketAddr>>,
}

/// Where a datagram is to go behind the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    Addr(SocketAddr),
    /// The proxy looks the name up.
    Name(&'a str, u16),
}

impl UdpRelay {
    /// Asks the proxy of `path` for a relay.
    ///
    /// # Errors
    /// If it carries no datagrams, or can't be reached.
    pub async fn open(path: &NetPath) -> io::Result<UdpRelay> {
        let (control, at) = path.associate().await?;
        let (sender, place) = watch::channel(Some(at));
        tokio::spawn(hold(path.clone(), control, sender));
        Ok(UdpRelay { place })
    }

    /// Where it takes datagrams; `None` while there is none.
    pub fn place(&self) -> Option<SocketAddr> {
        *self.place.borrow()
    }
}

async fn hold(path: NetPath, mut control: TcpStream, place: watch::Sender<Option<SocketAddr>>) {
    loop {
        tokio::select! {
            () = place.closed() => return,
            () = until_closed(&mut control) => {}
        }
        place.send_replace(None);
        path.doubt();
        let (anew, at) = loop {
            tokio::select! {
                () = place.closed() => return,
                () = sleep(AGAIN) => {}
            }
            match path.associate().await {
                Ok(opened) => break opened,
                Err(error) => tracing::debug!(%error, "the proxy opens no new relay"),
            }
        };
        control = anew;
        place.send_replace(Some(at));
    }
}

async fn until_closed(control: &mut TcpStream) {
    let mut byte = [0; 16];
    // Nothing is ever said on it again; it ends, or breaks.
    while let Ok(1..) = control.read(&mut byte).await {}
}

/// `payload` for `target` as the relay takes it, into `out`.
pub fn wrap(target: Target<'_>, payload: &[u8], out: &mut Vec<u8>) {
    out.clear();
    // Reserved, reserved, not a fragment.
    out.extend([0, 0, 0]);
    let port = match target {
        Target::Addr(addr) => {
            match addr.ip() {
                IpAddr::V4(ip) => {
                    out.push(1);
                    out.extend(ip.octets());
                }
                IpAddr::V6(ip) => {
                    out.push(4);
                    out.extend(ip.octets());
                }
            }
            addr.port()
        }
        Target::Name(name, port) => {
            let name = &name.as_bytes()[..name.len().min(255)];
            out.extend([3, name.len() as u8]);
            out.extend(name);
            port
        }
    };
    out.extend(port.to_be_bytes());
    out.extend(payload);
}

/// The sender behind the proxy, and what it sent. `None` for a fragment, a sender that is a name, or nonsense.
pub fn unwrap(datagram: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (head, rest) = datagram.split_at_checked(4)?;
    if head[2] != 0 {
        return None;
    }
    let (ip, rest): (IpAddr, &[u8]) = match head[3] {
        1 => rest.split_first_chunk::<4>().map(|(ip, rest)| (Ipv4Addr::from(*ip).into(), rest))?,
        4 => rest.split_first_chunk::<16>().map(|(ip, rest)| (Ipv6Addr::from(*ip).to_canonical(), rest))?,
        _ => return None,
    };
    let (port, payload) = rest.split_first_chunk::<2>()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_rfc() {
        let mut out = vec![9; 3];
        wrap(Target::Addr("1.2.3.4:258".parse().unwrap()), b"hi", &mut out);
        // Reserved, fragment 0, IPv4, address, port, payload.
        assert_eq!(out, [0, 0, 0, 1, 1, 2, 3, 4, 1, 2, b'h', b'i']);
        assert_eq!(unwrap(&out), Some(("1.2.3.4:258".parse().unwrap(), &b"hi"[..])));
        wrap(Target::Addr("[2001:db8::1]:1".parse().unwrap()), b"", &mut out);
        assert_eq!((out.len(), out[3]), (22, 4));
        assert_eq!(unwrap(&out), Some(("[2001:db8::1]:1".parse().unwrap(), &b""[..])));
        wrap(Target::Name("a.b", 80), b"x", &mut out);
        assert_eq!(out, [0, 0, 0, 3, 3, b'a', b'.', b'b', 0, 80, b'x']);
    }

    #[test]
    fn what_is_no_whole_datagram_of_an_address_is_nothing() {
        for bad in [&[][..], &[0, 0, 0, 1, 1, 2, 3], &[0, 0, 1, 1, 1, 2, 3, 4, 0, 1], &[0, 0, 0, 3, 1, b'a', 0, 1]] {
            assert_eq!(unwrap(bad), None, "{bad:?}");
        }
    }
}
