//! One network interface, and what ties sockets to it.
//!
//! Each is bound to an address of the interface, and nothing is sent from it once the interface has that no more. On
//! Linux and macOS the kernel besides sends what leaves a tied socket by that interface or not at all; elsewhere the
//! address has to do.

use std::net::IpAddr;

use if_addrs::{IfOperStatus, Interface};
use socket2::Socket;

use super::net_path::PathError;

/// An interface that was there and up when it was found.
#[derive(Clone, Debug)]
pub struct Device {
    pub name: String,
    index: Option<u32>,
    /// The address that the user named it by: then this one alone is used.
    pub ip: Option<IpAddr>,
    addrs: Vec<IpAddr>,
}

impl Device {
    /// The interface of this name, or the one that has this address.
    ///
    /// # Errors
    /// [`PathError::NoInterface`], [`PathError::Down`].
    pub fn find(wanted: &str) -> Result<Device, PathError> {
        let missing = || PathError::NoInterface(wanted.into());
        let all = if_addrs::get_if_addrs().map_err(|_| missing())?;
        let ip = wanted.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let is_meant = |it: &&Interface| if ip.is_some() { Some(it.ip()) == ip } else { it.name == wanted };
        let found = all.iter().find(is_meant).ok_or_else(missing)?;
        if is_down(found) {
            return Err(PathError::Down(found.name.clone()));
        }
        let addrs = all.iter().filter(|it| it.name == found.name).map(Interface::ip).collect();
        Ok(Device { name: found.name.clone(), index: found.index, ip, addrs })
    }

    /// Is it still there, up, and with the address that it was named by?
    ///
    /// # Errors
    /// What has become of it.
    pub fn still_there(&self) -> Result<(), PathError> {
        let named = self.ip.map_or_else(|| self.name.clone(), |ip| ip.to_string());
        let now = Device::find(&named)?;
        if now.name != self.name || now.index != self.index {
            return Err(PathError::NoInterface(named));
        }
        let lost = |v4: bool| self.source(v4).is_some_and(|ip| !now.addrs.contains(&ip));
        match (lost(true), lost(false)) {
            (true, _) => Err(PathError::LostAddress(self.name.clone(), 4)),
            (_, true) => Err(PathError::LostAddress(self.name.clone(), 6)),
            _ => Ok(()),
        }
    }

    pub fn is_loopback(&self) -> bool {
        self.addrs.iter().all(IpAddr::is_loopback)
    }

    /// The address that sockets of that family are bound to, if it has any that is good for more than its own link.
    /// Without one the kernel would take that of another interface once this one has lost its own.
    pub fn source(&self, v4: bool) -> Option<IpAddr> {
        let link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let own = || self.addrs.iter().copied().find(|ip| ip.is_ipv4() == v4 && !link_local(ip));
        self.ip.map_or_else(own, |ip| (ip.is_ipv4() == v4).then_some(ip))
    }

    /// Ties a fresh socket to it.
    ///
    /// # Errors
    /// The system's; the socket must not be used then.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn tie(&self, socket: &Socket, _v4: bool) -> std::io::Result<()> {
        socket.bind_device(Some(self.name.as_bytes()))
    }

    /// Ties a fresh socket to it.
    ///
    /// # Errors
    /// The system's; the socket must not be used then.
    #[cfg(target_vendor = "apple")]
    pub fn tie(&self, socket: &Socket, v4: bool) -> std::io::Result<()> {
        let index = self.index.and_then(std::num::NonZeroU32::new);
        let index = index.ok_or(std::io::ErrorKind::NotFound)?;
        if v4 { socket.bind_device_by_index_v4(Some(index)) } else { socket.bind_device_by_index_v6(Some(index)) }
    }

    /// Here the address that a socket is bound to has to do.
    ///
    /// # Errors
    /// None.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "its twins need both")]
    pub fn tie(&self, _socket: &Socket, _v4: bool) -> std::io::Result<()> {
        Ok(())
    }

    /// Keeps an HTTP client to it, one for that family alone if one is named.
    pub fn fence(&self, builder: reqwest::ClientBuilder, v4: Option<bool>) -> reqwest::ClientBuilder {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        let builder = builder.interface(&self.name);
        let own = v4.map_or_else(|| self.source(true).or(self.source(false)), |v4| self.source(v4));
        own.into_iter().fold(builder, |builder, ip| builder.local_address(ip))
    }
}

/// Down for good or at the moment; tunnels do not say.
fn is_down(interface: &Interface) -> bool {
    #[cfg(target_os = "linux")]
    if let Ok(flags) = std::fs::read_to_string(format!("/sys/class/net/{}/flags", interface.name)) {
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(1);
        return flags & 1 == 0; // IFF_UP
    }
    matches!(interface.oper_status, IfOperStatus::Down | IfOperStatus::NotPresent | IfOperStatus::LowerLayerDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_by_name_and_by_address() {
        let by_ip = Device::find("127.0.0.1").unwrap();
        let by_name = Device::find(&by_ip.name).unwrap();
        assert!(by_name.is_loopback() && by_name.ip.is_none());
        assert_eq!(by_ip.source(true), Some([127, 0, 0, 1].into()));
        assert_eq!(by_ip.source(false), None);
        by_name.still_there().unwrap();
    }
}
