//! Name look-ups over sockets of the permitted path, instead of the system's, which leave by any way that they like.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{RuntimeProvider, TokioHandle, TokioTime};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::device::Device;
use super::net_path::{NetPath, PathError};
use crate::proto::tracker::udp::Family;

/// How long a name server may take to be connected to.
const CONNECT: Duration = Duration::from_secs(5);

/// Asks the name servers of a path.
pub struct BoundDns(Resolver<OnPath>);

impl std::fmt::Debug for BoundDns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoundDns")
    }
}

impl BoundDns {
    /// Over `path`, of its name servers.
    ///
    /// # Errors
    /// What the resolver says of them.
    pub fn new(path: &NetPath) -> Result<BoundDns, String> {
        let servers = path.name_servers().iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, vec![], servers.collect());
        let mut options = ResolverOpts::default();
        options.use_hosts_file = ResolveHosts::Never;
        options.ip_strategy = match path.only() {
            None => LookupIpStrategy::Ipv4AndIpv6,
            Some(Family::V4) => LookupIpStrategy::Ipv4Only,
            Some(Family::V6) => LookupIpStrategy::Ipv6Only,
        };
        let on_path = OnPath { path: path.clone(), handle: TokioHandle::default() };
        let resolver = Resolver::builder_with_config(config, on_path).with_options(options).build();
        resolver.map(BoundDns).map_err(|error| error.to_string())
    }

    /// The addresses of `host`.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        // A name is whole as it stands: no search list is tried.
        let whole = if host.ends_with('.') { host.to_owned() } else { format!("{host}.") };
        match self.0.lookup_ip(whole).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The sockets of a path in the form that the resolver asks for.
#[derive(Clone)]
struct OnPath {
    path: NetPath,
    handle: TokioHandle,
}

impl RuntimeProvider for OnPath {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = UdpSocket;
    type Tcp = AsyncIoTokioAsStd<TcpStream>;

    fn create_handle(&self) -> TokioHandle {
        self.handle.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        _from: Option<SocketAddr>,
        within: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        let path = self.path.clone();
        Box::pin(async move {
            let connect = timeout(within.unwrap_or(CONNECT), path.connect_directly(server)).await;
            connect.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(AsyncIoTokioAsStd)
        })
    }

    fn bind_udp(
        &self,
        _from: SocketAddr,
        server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<UdpSocket>>>> {
        let path = self.path.clone();
        Box::pin(async move { path.dns_socket(server.is_ipv4()) })
    }
}

/// The system's name servers, as far as sockets that are tied to `device` may ask them.
///
/// # Errors
/// [`PathError::Stub`] if all of them are on this machine, [`PathError::NoNameServer`].
pub fn system_servers(device: &Device) -> Result<Vec<SocketAddr>, PathError> {
    let text = if cfg!(unix) { std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default() } else { String::new() };
    usable(&text, device.is_loopback())
}

/// The servers that a resolv.conf names; those on this machine only if `local` ones will do.
fn usable(text: &str, local: bool) -> Result<Vec<SocketAddr>, PathError> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let ip = (words.next()? == "nameserver").then(|| words.next()).flatten()?;
        ip.parse::<IpAddr>().ok()
    });
    let (here, elsewhere): (Vec<IpAddr>, Vec<IpAddr>) = servers.partition(IpAddr::is_loopback);
    let chosen = if local && elsewhere.is_empty() { here.clone() } else { elsewhere };
    match (chosen.is_empty(), here.first()) {
        (false, _) => Ok(chosen.into_iter().map(|ip| SocketAddr::new(ip, 53)).collect()),
        (true, Some(stub)) => Err(PathError::Stub(*stub)),
        (true, None) => Err(PathError::NoNameServer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_on_this_machine_is_not_asked() {
        let text = "# made by somebody\nsearch example\nnameserver 127.0.0.53\noptions edns0\n";
        assert_eq!(usable(text, false), Err(PathError::Stub([127, 0, 0, 53].into())));
        assert_eq!(usable(text, true), Ok(vec!["127.0.0.53:53".parse().unwrap()]));
        let both = format!("{text}nameserver 10.0.0.1\nnameserver fd00::1\n");
        assert_eq!(usable(&both, false), Ok(vec!["10.0.0.1:53".parse().unwrap(), "[fd00::1]:53".parse().unwrap()]));
        assert_eq!(usable("", false), Err(PathError::NoNameServer));
    }

    #[tokio::test]
    async fn a_name_server_is_asked_over_the_path() {
        // One that knows a single answer: 192.0.2.7 for every A question, nothing for AAAA.
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = server.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (len, from) = server.recv_from(&mut buffer).await.unwrap();
                let question_end = 12 + buffer[12..len].iter().position(|&byte| byte == 0).unwrap() + 5;
                let is_a = buffer[question_end - 3] == 1;
                let mut reply = buffer[..question_end].to_vec();
                reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
                if is_a {
                    reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
                }
                server.send_to(&reply, from).await.unwrap();
            }
        });
        let rules = super::super::net_path::PathRules { dns: Some(addr), ..Default::default() };
        let dns = BoundDns::new(&NetPath::new(&rules).unwrap()).unwrap();
        assert_eq!(dns.lookup("tracker.example").await, Ok(vec![[192, 0, 2, 7].into()]));
    }
}
