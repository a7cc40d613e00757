//! The network interfaces of this machine, as far as discovery needs them.

use std::net::{IpAddr, Ipv4Addr};

/// An interface that is up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    pub index: u32,
    pub v4: Option<Ipv4Addr>,
    pub v6: bool,
    pub multicast: bool,
    /// The router behind it, and our own address towards it.
    pub gateway: Option<(IpAddr, Ipv4Addr)>,
}

/// All that are up, without the loopback.
pub fn interfaces() -> Vec<Interface> {
    let up = netdev::get_interfaces().into_iter().filter(|it| it.is_up() && !it.is_loopback());
    up.map(|it| {
        let v4 = it.ipv4_addrs().into_iter().next();
        let router = it.gateway.as_ref().and_then(|gateway| gateway.ipv4.first().copied());
        Interface {
            index: it.index,
            v4,
            v6: it.has_ipv6(),
            multicast: it.is_multicast(),
            gateway: router.zip(v4).map(|(router, own)| (router.into(), own)),
        }
    })
    .collect()
}

/// The IPv4 router that leads to the Internet, and our own address towards it.
pub fn gateway() -> Option<(IpAddr, Ipv4Addr)> {
    let default = netdev::get_default_interface().ok()?;
    interfaces().into_iter().find(|it| it.index == default.index)?.gateway
}
