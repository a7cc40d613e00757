//! The port of a run: TCP and UDP at one number wherever that can be had, since peers are told of one.

use std::io;
use std::ops::RangeInclusive;

use super::listen::Listeners;
use super::net_path::NetPath;
use super::udp_socket::UdpPair;
use super::udp_task::UdpPort;

/// What a run listens on.
#[derive(Debug)]
pub struct Ports {
    pub listeners: Listeners,
    /// `None`: it is not wanted, the system has no UDP, or the proxy carries none.
    pub udp: Option<UdpPort>,
}

/// What is to be had.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The first of these that is free; any free one for `None`.
    pub ports: Option<RangeInclusive<u16>>,
    /// Callers come over TCP; without, only the number is kept for us.
    pub tcp: bool,
    pub udp: bool,
}

/// Any free port that is free for TCP is almost always so for UDP.
const TRIES: usize = 8;

impl Ports {
    /// Binds on `path`: the first port that is free for all that is wanted, else the first that is for TCP, with UDP
    /// elsewhere. Behind a proxy nothing listens, and UDP is what the proxy carries. To be called within a tokio runtime.
    ///
    /// # Errors
    /// The last refusal, if no port can be had, or none for UDP where nothing else is wanted.
    pub async fn open(path: &NetPath, wanted: Wanted) -> io::Result<Ports> {
        let Wanted { ports, tcp, udp } = wanted;
        if path.is_proxied() {
            let listeners = Listeners::bind(path, None)?;
            let carried = if udp && !path.is_without_udp() { UdpPort::open_on(path, 0).await.ok() } else { None };
            return Ok(Ports { listeners, udp: carried });
        }
        let candidates = ports.clone().map_or_else(|| vec![0; TRIES], Iterator::collect);
        let (mut second_best, mut refusal) = (None, io::Error::from(io::ErrorKind::AddrInUse));
        for port in candidates {
            let listeners = match Listeners::bind(path, Some(port..=port)) {
                Ok(listeners) => {
                    if tcp {
                        listeners
                    } else {
                        listeners.without_tcp()
                    }
                }
                Err(error) => {
                    refusal = error;
                    continue;
                }
            };
            if !udp {
                return Ok(Ports { listeners, udp: None });
            }
            match UdpPair::bind(path, &path.udp_ips(), listeners.port()) {
                Ok(pair) if pair.is_at(listeners.port()) => {
                    return Ok(Ports { listeners, udp: Some(UdpPort::on(pair)) });
                }
                Ok(_) => refusal = io::ErrorKind::AddrInUse.into(),
                Err(error) => refusal = error,
            }
            second_best.get_or_insert(listeners);
        }
        match second_best {
            Some(listeners) if tcp => {
                let udp = UdpPort::open(path, &path.udp_ips(), 0).ok();
                Ok(Ports { listeners, udp })
            }
            _ => Err(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    /// These tests look for ports in the same places: one at a time.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    /// Two ports in a row of which the first is held by `hold`.
    async fn range<T>(hold: impl Fn(u16) -> io::Result<T>) -> (T, RangeInclusive<u16>) {
        // Below those that the system gives to whoever asks for any, and in another process at others.
        let begin = std::process::id().wrapping_mul(101) as u16;
        for nth in 0..5_000 {
            let first = 21_000 + begin.wrapping_add(nth) % 5_000 * 2;
            let Ok(held) = hold(first) else { continue };
            let free = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, first + 1)).is_ok()
                && std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, first + 1)).is_ok();
            if free {
                return (held, first..=first + 1);
            }
        }
        panic!("no two free ports on this machine");
    }

    fn v4_alone() -> NetPath {
        let only = Some(crate::proto::tracker::udp::Family::V4);
        NetPath::new(&crate::io::net_path::PathRules { only, ..Default::default() }).unwrap()
    }

    #[tokio::test]
    async fn of_a_range_the_first_port_that_is_free_for_both_is_taken() {
        let _alone = ALONE.lock().await;
        let (_held, ports) = range(|port| std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).await;
        let wanted = Wanted { ports: Some(ports.clone()), tcp: true, udp: true };
        let open = Ports::open(&v4_alone(), wanted).await.unwrap();
        assert_eq!((open.listeners.port(), open.udp.unwrap().port()), (*ports.end(), *ports.end()));
        let (_held, ports) = range(|port| std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).await;
        let wanted = Wanted { ports: Some(ports.clone()), tcp: true, udp: true };
        let open = Ports::open(&v4_alone(), wanted).await.unwrap();
        assert_eq!((open.listeners.port(), open.udp.unwrap().port()), (*ports.end(), *ports.end()));
    }

    #[tokio::test]
    async fn one_port_that_udp_can_not_have_is_tcps_alone() {
        let _alone = ALONE.lock().await;
        let (held, ports) = range(|port| std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).await;
        let taken = *ports.start();
        let wanted = Wanted { ports: Some(taken..=taken), tcp: true, udp: true };
        let open = Ports::open(&v4_alone(), wanted.clone()).await.unwrap();
        assert_eq!(open.listeners.port(), taken);
        assert_ne!(open.udp.unwrap().port(), taken);
        drop(open.listeners);
        let error = Ports::open(&v4_alone(), Wanted { tcp: false, ..wanted }).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "uTP alone has to be where we say");
        drop(held);
    }

    #[tokio::test]
    async fn where_every_port_of_the_range_is_taken_it_is_told() {
        let held = std::net::TcpListener::bind((IpAddr::from([0; 4]), 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let wanted = Wanted { ports: Some(port..=port), tcp: true, udp: true };
        assert_eq!(Ports::open(&v4_alone(), wanted).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
