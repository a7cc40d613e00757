//! Asking the router, in the protocols that routers speak.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::{InternetProtocol, PortMapping, PortMappingOptions, PortMappingType, TimeoutConfig};
use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{PortMappingProtocol, SearchOptions};
use tokio::time::timeout;

use super::{LEASE, Mapped};
use crate::io::interfaces;

/// What a mapping is called in the lists of routers.
const NAME: &str = "rtorrent-cli";

/// A UPnP router gets this long to show itself, and as long for each request.
const UPNP_PATIENCE: Duration = Duration::from_secs(2);

/// What a router holds for us.
pub enum Held {
    Pmp { tcp: PortMapping, udp: PortMapping },
    Upnp { router: Gateway<Tokio>, tcp: u16, udp: u16, external: Option<IpAddr> },
}

/// Asks for both ports, or for a longer lease of what is ours.
///
/// # Errors
/// In a person's words.
pub async fn ask(tcp: u16, udp: u16) -> Result<Held, String> {
    let (router, own) = interfaces::gateway().ok_or("no router is known: there is no IPv4 route to the Internet")?;
    match by_pmp(router, own, tcp, udp).await {
        Ok(held) => Ok(held),
        Err(pmp) => by_upnp(own, tcp, udp).await.map_err(|upnp| format!("{router}: {pmp}; UPnP: {upnp}")),
    }
}

async fn by_pmp(router: IpAddr, own: Ipv4Addr, tcp: u16, udp: u16) -> Result<Held, String> {
    let map = async |protocol, port: u16| {
        let port = NonZeroU16::new(port).ok_or("no port to map")?;
        let patience = TimeoutConfig {
            initial_timeout: Duration::from_millis(250),
            max_retries: 1,
            max_retry_timeout: Some(Duration::from_secs(1)),
        };
        let options = PortMappingOptions {
            external_port: Some(port),
            lifetime_seconds: Some(LEASE),
            timeout_config: Some(patience),
        };
        let mapping = PortMapping::new(router.into(), own.into(), protocol, port, options).await;
        let mapping = mapping.map_err(|error| error.to_string())?;
        let given = mapping.external_port();
        if given == port {
            return Ok(mapping);
        }
        // Trackers and nodes are told the port that we listen on.
        let _ = mapping.try_drop().await;
        Err(format!("it has given port {port} to somebody else; {given} is free"))
    };
    let tcp = map(InternetProtocol::Tcp, tcp).await?;
    match map(InternetProtocol::Udp, udp).await {
        Ok(udp) => Ok(Held::Pmp { tcp, udp }),
        Err(error) => {
            // One without the other is of no use to us, and in others' way.
            let _ = tcp.try_drop().await;
            Err(error)
        }
    }
}

async fn by_upnp(own: Ipv4Addr, tcp: u16, udp: u16) -> Result<Held, String> {
    let mut options = SearchOptions::default();
    options.bind_addr = SocketAddr::new(own.into(), 0);
    options.timeout = Some(UPNP_PATIENCE);
    options.single_search_timeout = Some(UPNP_PATIENCE);
    let found = timeout(UPNP_PATIENCE, search_gateway(options)).await;
    let router = found.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
    add(&router, PortMappingProtocol::TCP, own, tcp).await?;
    if let Err(error) = add(&router, PortMappingProtocol::UDP, own, udp).await {
        remove(&router, PortMappingProtocol::TCP, tcp).await;
        return Err(error);
    }
    let external = timeout(UPNP_PATIENCE, router.get_external_ip()).await.ok().and_then(Result::ok);
    Ok(Held::Upnp { router, tcp, udp, external })
}

async fn add(router: &Gateway<Tokio>, protocol: PortMappingProtocol, own: Ipv4Addr, port: u16) -> Result<(), String> {
    let adding = router.add_port(protocol, port, SocketAddr::new(own.into(), port), LEASE, NAME);
    timeout(UPNP_PATIENCE, adding).await.map_err(|_| "no answer")?.map_err(|error| error.to_string())
}

async fn remove(router: &Gateway<Tokio>, protocol: PortMappingProtocol, port: u16) {
    // What can't be removed ends with its lease.
    let _ = timeout(UPNP_PATIENCE, router.remove_port(protocol, port)).await;
}

impl Held {
    /// As the status shows it.
    pub fn told(&self) -> Mapped {
        match self {
            Held::Pmp { tcp, udp } => {
                let (by, external) = match tcp.mapping_type() {
                    PortMappingType::Pcp { external_ip, .. } => ("PCP", Some(external_ip.to_canonical())),
                    PortMappingType::NatPmp => ("NAT-PMP", None),
                };
                Mapped { by, external, tcp: tcp.external_port().get(), udp: udp.external_port().get() }
            }
            Held::Upnp { tcp, udp, external, .. } => Mapped { by: "UPnP", external: *external, tcp: *tcp, udp: *udp },
        }
    }

    pub async fn give_back(self) {
        match self {
            Held::Pmp { tcp, udp } => {
                let _ = tokio::join!(tcp.try_drop(), udp.try_drop());
            }
            Held::Upnp { router, tcp, udp, .. } => {
                tokio::join!(
                    remove(&router, PortMappingProtocol::TCP, tcp),
                    remove(&router, PortMappingProtocol::UDP, udp)
                );
            }
        }
    }
}
