//! The way that this run's packets may leave: the one place that opens sockets.
//!
//! Everything that talks to the network holds a [`NetPath`] and gets its sockets from it, so that none can be opened that
//! ignores what the user allowed: an address family (`-4`, `-6`), one interface (`--interface`), a proxy (`--proxy`).
//! It fails closed. Every socket is tied to the interface by the kernel before it is used, and names are looked up over
//! such sockets or by the proxy; when the interface goes away or the proxy refuses, sockets fail, and the run hears of it
//! by [`NetPath::broken`] and ends. Datagrams go through a SOCKS5 proxy where it carries them ([`super::udp_relay`]), else
//! nowhere.

mod lookout;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::bound_dns;
use super::device::Device;
use super::proxy::{Proxy, ProxyError, ProxyUrl};
use super::resolve;
use crate::proto::tracker::udp::Family;

/// What the user allows (`-4 -6 --interface --proxy --dns`); the default allows everything.
#[derive(Clone, Debug, Default)]
pub struct PathRules {
    pub only: Option<Family>,
    /// Name or address of an interface.
    pub interface: Option<String>,
    pub proxy: Option<ProxyUrl>,
    /// The name server that is asked instead of the system's.
    pub dns: Option<SocketAddr>,
}

/// The permitted path. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetPath(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    only: Option<Family>,
    device: Option<Device>,
    proxy: Option<Proxy>,
    /// Asked for names instead of the system, if there is a fence or the user named one.
    name_servers: Vec<SocketAddr>,
    broken: watch::Sender<Option<String>>,
    /// The proxy could not be reached by somebody.
    doubt: Notify,
}

/// Why there is no such path.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    #[error("no interface with an address is called {0:?}, and none has that address")]
    NoInterface(String),
    #[error("the interface {0} has lost its IPv{1} address")]
    LostAddress(String, u8),
    #[error("the interface {0:?} is down")]
    Down(String),
    #[error("the interface {0} has no IPv{1} address")]
    NoFamily(String, u8),
    #[error("sockets can't be tied to the interface {0}: {1}")]
    Refused(String, String),
    #[error("the name server {0} is on this machine and asks on by any way that it likes")]
    Stub(IpAddr),
    #[error("this system names no name server")]
    NoNameServer,
    #[error("the proxy {0}: {1}")]
    Proxy(String, String),
    #[error("can't find the proxy {0}: {1}")]
    NoProxy(String, String),
    #[error("the name of the proxy, {0}, would be looked up past the interface")]
    ProxyPastInterface(String),
}

impl PathError {
    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            PathError::NoInterface(_) | PathError::Down(_) => Some("`ip addr` shows what there is; is the VPN up?"),
            PathError::Stub(_) | PathError::NoNameServer => Some("--dns ADDRESS names one that the interface leads to"),
            PathError::Proxy(..) => Some("check its address, and name and password in the URL"),
            PathError::NoProxy(..) => Some("name it by its address, or mend the system's look-up of names"),
            PathError::ProxyPastInterface(_) => Some("beside --interface name it by its address"),
            PathError::NoFamily(..) | PathError::Refused(..) | PathError::LostAddress(..) => None,
        }
    }
}

/// How long the proxy may take to be reached.
const PROXY_DEADLINE: Duration = Duration::from_secs(10);

impl Default for NetPath {
    fn default() -> Self {
        NetPath::open()
    }
}

impl NetPath {
    /// Without any fence.
    pub fn open() -> NetPath {
        NetPath::with(None, None, None, Vec::new())
    }

    /// The path that `rules` leave. A proxy that is named by a name is looked up now, as the only name that ever is, and
    /// its address holds for the run; that waits as long as the system does.
    ///
    /// # Errors
    /// If the interface is not there or not up, or names can't be looked up over it, or the proxy is not found.
    pub fn new(rules: &PathRules) -> Result<NetPath, PathError> {
        let device = rules.interface.as_deref().map(Device::find).transpose()?;
        if let (Some(device), Some(only)) = (&device, rules.only) {
            let (has, number) = match only {
                Family::V4 => (device.source(true).is_some(), 4),
                Family::V6 => (device.source(false).is_some(), 6),
            };
            if !has {
                return Err(PathError::NoFamily(device.name.clone(), number));
            }
        }
        let name_servers = match (rules.dns, &rules.proxy, &device) {
            (Some(server), ..) => vec![server],
            // The proxy looks names up.
            (None, Some(_), _) | (None, None, None) => Vec::new(),
            (None, None, Some(device)) => bound_dns::system_servers(device)?,
        };
        // What the interface has no address of can't leave by it.
        let has = |v4: bool| device.as_ref().is_none_or(|device| device.source(v4).is_some());
        let only = rules.only.or(match (has(true), has(false)) {
            (true, false) => Some(Family::V4),
            (false, true) => Some(Family::V6),
            _ => None,
        });
        let proxy = rules.proxy.as_ref().map(|url| find_proxy(url, only, device.is_some())).transpose()?;
        let path = NetPath::with(only, device, proxy, name_servers);
        if let Some(device) = &path.0.device {
            let refused = |e: io::Error| PathError::Refused(device.name.clone(), e.to_string());
            path.socket(true, Type::DGRAM).or_else(|_| path.socket(false, Type::DGRAM)).map_err(refused)?;
        }
        Ok(path)
    }

    fn with(only: Option<Family>, device: Option<Device>, proxy: Option<Proxy>, name_servers: Vec<SocketAddr>) -> Self {
        let broken = watch::channel(None).0;
        NetPath(Arc::new(Inner { only, device, proxy, name_servers, broken, doubt: Notify::new() }))
    }

    /// True if something must not leave by the system's own choice of way.
    pub fn is_fenced(&self) -> bool {
        self.0.device.is_some() || self.0.proxy.is_some()
    }

    /// True if a proxy carries everything: nobody can call us, and names mean something to it alone.
    pub fn is_proxied(&self) -> bool {
        self.0.proxy.is_some()
    }

    /// True if only the proxy can tell what addresses `host` has. What stands for this machine never goes there.
    pub fn looks_up(&self, host: &str) -> bool {
        self.is_proxied() && host.parse::<IpAddr>().is_err() && !is_this_machine(host)
    }

    /// True if there is no way for datagrams, whatever the proxy says.
    pub fn is_without_udp(&self) -> bool {
        self.0.proxy.as_ref().is_some_and(|proxy| !proxy.may_carry_udp())
    }

    /// True if the family of `ip` may be used.
    pub fn allows(&self, ip: IpAddr) -> bool {
        match self.0.only {
            None => true,
            Some(Family::V4) => ip.to_canonical().is_ipv4(),
            Some(Family::V6) => ip.to_canonical().is_ipv6(),
        }
    }

    /// The one address family that may be used, if it is one alone.
    pub fn only(&self) -> Option<Family> {
        self.0.only
    }

    /// Name servers that are asked over sockets of this path; empty: the system is asked, or the proxy.
    pub fn name_servers(&self) -> &[SocketAddr] {
        &self.0.name_servers
    }

    /// Connects to `addr`, through the proxy if there is one. Set a deadline.
    ///
    /// # Errors
    /// The socket's, or what the proxy says of the target.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        if !self.allows(addr.ip()) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "an address of a family that is switched off"));
        }
        match &self.0.proxy {
            None => self.connect_directly(addr).await,
            Some(proxy) => match self.reach(proxy, Some(addr)).await {
                Ok(stream) => Ok(stream),
                Err(ProxyError::Target(kind)) => Err(kind.into()),
                Err(error) => {
                    self.distrust(proxy, &error);
                    Err(io::Error::new(io::ErrorKind::NetworkUnreachable, error))
                }
            },
        }
    }

    /// Asks the proxy for a relay of datagrams: the connection that it lives with, and where it takes them.
    pub(super) async fn associate(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let no_proxy = || io::Error::new(io::ErrorKind::Unsupported, "there is no proxy");
        let proxy = self.0.proxy.as_ref().ok_or_else(no_proxy)?;
        let ask = async {
            let mut stream = self.connect_directly(proxy.addr).await?;
            let at = proxy.associate(&mut stream).await?;
            Ok((stream, at))
        };
        let asked = timeout(PROXY_DEADLINE, ask).await;
        asked.unwrap_or_else(|_| Err(ProxyError::Proxy("it does not answer".into()))).map_err(|error| {
            self.distrust(proxy, &error);
            io::Error::new(io::ErrorKind::Unsupported, error)
        })
    }

    /// A UDP socket for talking to a relay of the proxy alone.
    pub(super) fn relay_socket(&self, v4: bool) -> io::Result<Socket> {
        let socket = self.socket(v4, Type::DGRAM)?;
        socket.bind(&SocketAddr::new(self.source(v4)?, 0).into())?;
        Ok(socket)
    }

    /// Connects past the proxy; for the proxy itself and for name servers.
    pub(super) async fn connect_directly(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        let Some(device) = &self.0.device else { return TcpStream::connect(addr).await };
        let socket = self.socket(addr.is_ipv4(), Type::STREAM)?;
        let own = device.source(addr.is_ipv4()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        socket.bind(&SocketAddr::new(own, 0).into())?;
        TcpSocket::from_std_stream(socket.into()).connect(addr).await
    }

    /// A tunnel to `target`, or only a look whether the proxy lets us in.
    async fn reach(&self, proxy: &Proxy, target: Option<SocketAddr>) -> Result<TcpStream, ProxyError> {
        let connect = timeout(PROXY_DEADLINE, self.connect_directly(proxy.addr)).await;
        let mut stream = match connect {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(ProxyError::Proxy(format!("it can't be reached: {error}"))),
            Err(_) => return Err(ProxyError::Proxy("it does not answer".into())),
        };
        // A tunnel's own time is the target's.
        match target {
            Some(target) => proxy.tunnel(&mut stream, target).await?,
            None => match timeout(PROXY_DEADLINE, proxy.greet(&mut stream)).await {
                Ok(greeted) => greeted?,
                Err(_) => return Err(ProxyError::Proxy("it does not answer".into())),
            },
        }
        Ok(stream)
    }

    /// Where to listen for callers: an address a family; nowhere behind a proxy.
    pub fn listen_ips(&self) -> Vec<IpAddr> {
        if self.is_proxied() { Vec::new() } else { self.own_ips() }
    }

    /// A listening socket.
    ///
    /// # Errors
    /// The system's.
    pub fn listen(&self, addr: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
        let socket = self.socket(addr.is_ipv4(), Type::STREAM)?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(backlog)?;
        TcpListener::from_std(socket.into())
    }

    /// Where to bind UDP sockets: an address a family; nowhere behind a proxy.
    pub fn udp_ips(&self) -> Vec<IpAddr> {
        if self.is_proxied() { Vec::new() } else { self.own_ips() }
    }

    /// A UDP socket at `addr`, to be given options and taken into the runtime.
    ///
    /// # Errors
    /// The system's; `Unsupported` behind a proxy.
    pub fn udp_socket(&self, addr: SocketAddr) -> io::Result<Socket> {
        if self.is_proxied() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "behind a proxy datagrams go to its relay"));
        }
        self.raw_udp(addr)
    }

    /// The same in the runtime.
    ///
    /// # Errors
    /// As [`NetPath::udp_socket`].
    pub fn udp(&self, addr: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.udp_socket(addr)?.into())
    }

    /// For the name server that the user named, proxy or not.
    pub(super) fn dns_socket(&self, v4: bool) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.raw_udp(SocketAddr::new(self.source(v4)?, 0))?.into())
    }

    /// The address to bind sockets to.
    fn source(&self, v4: bool) -> io::Result<IpAddr> {
        match &self.0.device {
            Some(device) => device.source(v4).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into()),
            None if v4 => Ok(Ipv4Addr::UNSPECIFIED.into()),
            None => Ok(Ipv6Addr::UNSPECIFIED.into()),
        }
    }

    fn raw_udp(&self, addr: SocketAddr) -> io::Result<Socket> {
        if !self.allows(addr.ip()) && !addr.ip().is_unspecified() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "an address of a family that is switched off"));
        }
        let socket = self.socket(addr.is_ipv4(), Type::DGRAM)?;
        socket.bind(&addr.into())?;
        Ok(socket)
    }

    /// A socket that the kernel ties to the interface.
    fn socket(&self, v4: bool, kind: Type) -> io::Result<Socket> {
        let (domain, protocol) = (
            if v4 { Domain::IPV4 } else { Domain::IPV6 },
            if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP },
        );
        let socket = Socket::new(domain, kind, Some(protocol))?;
        if !v4 {
            socket.set_only_v6(true)?;
        }
        if let Some(device) = &self.0.device {
            device.tie(&socket, v4)?;
        }
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn own_ips(&self) -> Vec<IpAddr> {
        [true, false].into_iter().filter_map(|v4| self.source(v4).ok()).filter(|ip| self.allows(*ip)).collect()
    }

    /// Keeps an HTTP client on the path, one of that family if one is named. The proxies of the environment count for
    /// nothing.
    pub fn fence(
        &self,
        builder: reqwest::ClientBuilder,
        family: Option<Family>,
    ) -> reqwest::Result<reqwest::ClientBuilder> {
        let mut builder = builder.no_proxy();
        if let Some(device) = &self.0.device {
            builder = device.fence(builder, family.or(self.0.only).map(|family| family == Family::V4));
        }
        if let Some(proxy) = &self.0.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.url())?);
        }
        Ok(builder)
    }
}

/// The proxy at its address, of that family if one alone may be used.
fn find_proxy(url: &ProxyUrl, only: Option<Family>, behind_interface: bool) -> Result<Proxy, PathError> {
    let Some(name) = url.name() else { return Ok(url.at(Ipv4Addr::UNSPECIFIED.into())) };
    if behind_interface {
        return Err(PathError::ProxyPastInterface(name.to_owned()));
    }
    let failed = |why: &str| PathError::NoProxy(name.to_owned(), why.to_owned());
    let found = resolve::ask_system(name).map_err(|error| failed(&error.why))?;
    let fits = |ip: &&IpAddr| only.is_none_or(|only| ip.is_ipv4() == (only == Family::V4));
    found.iter().find(fits).map(|ip| url.at(*ip)).ok_or_else(|| failed("it has no address of the family that is left"))
}

/// A name that stands for this machine wherever it is (RFC 6761, 6.3).
pub(super) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_is_switched_off_has_no_sockets() {
        let path = NetPath::new(&PathRules { only: Some(Family::V4), ..PathRules::default() }).unwrap();
        assert_eq!(path.listen_ips(), [IpAddr::from(Ipv4Addr::UNSPECIFIED)]);
        assert!(path.allows("::ffff:1.2.3.4".parse().unwrap()) && !path.allows("::1".parse().unwrap()));
        assert!(path.udp_socket("[::1]:0".parse().unwrap()).is_err());
        assert!(!path.is_fenced());
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        for name in ["no-such-interface", "203.0.113.77"] {
            let rules = PathRules { interface: Some(name.into()), ..PathRules::default() };
            assert_eq!(NetPath::new(&rules).unwrap_err(), PathError::NoInterface(name.into()));
        }
    }

    #[tokio::test]
    async fn a_connection_of_another_family_is_refused_before_a_packet() {
        let path = NetPath::new(&PathRules { only: Some(Family::V6), ..PathRules::default() }).unwrap();
        let error = path.connect("127.0.0.1:9".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn a_proxy_that_cannot_be_found_is_an_error_and_beside_an_interface_its_name_is_not_looked_up() {
        let proxy = Some(ProxyUrl::parse("socks5h://proxy.invalid:1080").unwrap());
        let rules = PathRules { proxy, ..PathRules::default() };
        assert!(matches!(NetPath::new(&rules), Err(PathError::NoProxy(name, _)) if name == "proxy.invalid"));
        let url = rules.proxy.unwrap();
        assert_eq!(find_proxy(&url, None, true).unwrap_err(), PathError::ProxyPastInterface("proxy.invalid".into()));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_tied_to_loopback_reaches_loopback_and_nothing_else() {
        let dns = Some("127.0.0.1:53".parse().unwrap());
        let path = NetPath::new(&PathRules { interface: Some("lo".into()), dns, ..PathRules::default() }).unwrap();
        let listener = path.listen("127.0.0.1:0".parse().unwrap(), 8).unwrap();
        let addr = listener.local_addr().unwrap();
        let (called, accepted) = tokio::join!(path.connect(addr), listener.accept());
        called.unwrap();
        accepted.unwrap();
        let away = timeout(Duration::from_millis(500), path.connect("192.0.2.1:9".parse().unwrap())).await;
        assert!(!matches!(away, Ok(Ok(_))), "there is no way there from lo");
    }

    #[tokio::test]
    async fn behind_a_proxy_there_is_neither_udp_nor_a_listener_and_a_dead_one_is_noticed() {
        // Held by us, and nobody listens there.
        let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        held.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let dead = held.local_addr().unwrap().as_socket().unwrap();
        let proxy = ProxyUrl::parse(&format!("socks5h://{dead}")).unwrap();
        let path = NetPath::new(&PathRules { proxy: Some(proxy), ..PathRules::default() }).unwrap();
        assert!(path.listen_ips().is_empty() && path.udp_ips().is_empty());
        assert!(path.udp("127.0.0.1:0".parse().unwrap()).is_err());
        assert!(matches!(path.probe().await, Err(PathError::Proxy(..))));
        let error = path.connect("127.0.0.1:9".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
    }
}
