//! What works from here: the DHT over each family, calls from outside, the speed of the disk and of the hashes.
//!
//! Facts alone; what they mean to a person is said above. Nothing here takes longer than [`Examination::patience`] and
//! the second or so of the disk, and without a network it is over at once.

mod calls;
mod speed;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;

pub use self::calls::Calls;
pub use self::speed::{DiskSpeed, HashSpeed};
use super::dht_task::{DhtConfig, DhtHandle, DhtStatus};
use super::net_path::NetPath;
use super::port_map::{MapStatus, Mapped, PortMap};
use super::resolve::Resolver;
use super::udp_task::UdpPort;
use crate::base::id::{InfoHashV1, TorrentId};
use crate::proto::dht::external::PortSeen;
use crate::proto::dht::node::NodeStatus;
use crate::proto::dht::node_id::NodeId;

/// What is to be examined.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The way that packets may leave.
    pub path: NetPath,
    /// Where others are to call; any free port for `None`.
    pub port: Option<RangeInclusive<u16>>,
    /// HOST:PORT of nodes to ask instead of the well-known routers.
    pub bootstrap: Vec<String>,
    /// The DHT tables of the last run.
    pub table_file: Option<PathBuf>,
    /// Where downloads would go.
    pub dir: PathBuf,
    /// How long the DHT may take.
    pub patience: Duration,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The port that others could call by TCP, and the one for UDP (DHT, uTP), where they were asked for.
    pub port: Result<u16, String>,
    pub udp_port: Option<Result<u16, String>>,
    /// Names of routers that were looked up, and how many of them were found; none without a network.
    pub names: u32,
    pub resolved: u32,
    pub v4: Path,
    pub v6: Path,
    /// What the router said to being asked for the port.
    pub mapping: Result<Mapped, String>,
    pub disk: Result<DiskSpeed, String>,
    pub hash: HashSpeed,
}

/// One family's way to the world.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// Our own address on the way to the Internet, if there is such a way.
    pub route: Option<IpAddr>,
    /// Queries sent to nodes of the DHT, answers to them, and nodes that answered.
    pub queries: u64,
    pub answers: u64,
    pub nodes: u32,
    /// Where nodes see us.
    pub external: Option<IpAddr>,
    pub seen_port: Option<PortSeen>,
    pub calls: Calls,
}

/// Finds it all out, side by side. To be called within a tokio runtime.
pub async fn examine(examination: Examination) -> Diagnosis {
    let dir = examination.dir.clone();
    let speeds = tokio::task::spawn_blocking(move || (speed::disk(&dir), speed::hash()));
    let inbound = calls::Inbound::listen(&examination.path, examination.port.clone());
    let port = inbound.as_ref().map(calls::Inbound::port).map_err(ToString::to_string);
    let fence = &examination.path;
    let (mut v4, mut v6) =
        (Path { route: route_v4(fence), ..Path::default() }, Path { route: route_v6(fence), ..Path::default() });
    let (mut names, mut resolved, mut udp_port) = (0, 0, None);
    // While the DHT is asked, and until the calls have been tried, since they may come through it.
    let may_map = v4.route.is_some() && !fence.is_fenced();
    let map = port.as_ref().ok().filter(|_| may_map).map(|&port| PortMap::start(port, port));
    if fence.is_proxied() || v4.route.is_some() || v6.route.is_some() || !examination.bootstrap.is_empty() {
        let port = port.as_ref().copied().unwrap_or(0);
        let asked = ask_the_dht(&examination, port).await;
        if let Ok((_, dht)) = &asked {
            (names, resolved) = (dht.names, dht.resolved);
            v4.note(dht.v4);
            v6.note(dht.v6);
        }
        udp_port = Some(asked.map(|(port, _)| port).map_err(|error| error.to_string()));
    }
    let mapping = match &map {
        Some(map) => mapped(map, examination.patience).await,
        None if fence.is_fenced() => Err("behind a fence no router is asked".into()),
        None => Err("there is no way to the Internet by IPv4".into()),
    };
    if let Ok(mut inbound) = inbound {
        v4.calls = inbound.probe(v4.route, v4.external).await;
        v6.calls = inbound.probe(v6.route, v6.external).await;
    }
    if let Some(map) = &map {
        map.close(Duration::from_secs(1)).await;
    }
    let (disk, hash) = speeds.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    Diagnosis { port, udp_port, names, resolved, v4, v6, mapping, disk, hash }
}

impl Path {
    fn note(&mut self, node: Option<NodeStatus>) {
        if let Some(node) = node {
            (self.queries, self.answers) = (node.queries, node.answers);
            (self.nodes, self.external, self.seen_port) = (node.confirmed, node.external, node.port);
        }
    }
}

/// What becomes of the mapping within that time.
async fn mapped(map: &PortMap, patience: Duration) -> Result<Mapped, String> {
    let mut status = map.watch();
    let told = tokio::time::timeout(patience, status.wait_for(|status| *status != MapStatus::Asking)).await;
    match told.map(|told| told.map(|told| told.clone())) {
        Ok(Ok(MapStatus::Mapped(mapped))) => Ok(mapped),
        Ok(Ok(MapStatus::Failed(why))) => Err(why),
        _ => Err("the router does not answer".into()),
    }
}

/// Enters the DHT and looks for a torrent that nobody has, which takes one past many nodes; from which port, and what
/// came of it.
async fn ask_the_dht(examination: &Examination, port: u16) -> std::io::Result<(u16, DhtStatus)> {
    let config = DhtConfig {
        port,
        well_known: examination.bootstrap.is_empty(),
        bootstrap: examination.bootstrap.clone(),
        table_file: examination.table_file.clone(),
        ..DhtConfig::default()
    };
    let udp = UdpPort::open_on(&examination.path, port).await?;
    let dht = DhtHandle::start_on(udp, config, Resolver::on(examination.path.clone()));
    let nobodys = NodeId::random(&mut StdRng::from_rng(&mut rand::rng()));
    let _search = dht.lookup(TorrentId::from_v1(InfoHashV1(nobodys.0)), None, false);
    let status = until_clear(&dht, examination.patience).await;
    let port = dht.port();
    dht.shutdown(Duration::from_millis(500)).await;
    Ok((port, status))
}

/// Waits until both families have told what they can: answers have come, and no more do for a while.
async fn until_clear(dht: &DhtHandle, patience: Duration) -> DhtStatus {
    const NO_MORE: Duration = Duration::from_millis(1500);
    let end = Instant::now() + patience;
    let (mut watch, mut answers, mut last) = (dht.watch(), 0, end);
    loop {
        let status = *watch.borrow_and_update();
        if status.answers() > answers {
            (answers, last) = (status.answers(), Instant::now() + NO_MORE);
        }
        let lost = status.names > 0 && status.resolved == 0 && status.queries() == 0;
        if lost || !matches!(tokio::time::timeout_at(last.min(end), watch.changed()).await, Ok(Ok(()))) {
            return status;
        }
    }
}

fn route_v4(path: &NetPath) -> Option<IpAddr> {
    route(path, SocketAddr::from(([1, 1, 1, 1], 53)))
}

fn route_v6(path: &NetPath) -> Option<IpAddr> {
    let far = SocketAddr::from(([0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111], 53));
    route(path, far).filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()))
}

/// The address from which the system would send there; nothing is sent.
fn route(path: &NetPath, to: SocketAddr) -> Option<IpAddr> {
    let own = path.udp_ips().into_iter().find(|ip| ip.is_ipv4() == to.is_ipv4())?;
    let socket = path.udp_socket(SocketAddr::new(own, 0)).ok()?;
    socket.connect(&to.into()).ok()?;
    Some(socket.local_addr().ok()?.as_socket()?.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No route is needed where nodes are named, and a node that is not there costs no more than the patience.
    #[tokio::test]
    async fn a_silent_node_is_a_fact_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let began = Instant::now();
        let diagnosis = examine(Examination {
            path: NetPath::open(),
            port: None,
            bootstrap: vec![silent.local_addr().unwrap().to_string()],
            table_file: None,
            dir: dir.path().to_owned(),
            // It lasts so long: a busy machine has to have asked by then.
            patience: Duration::from_secs(3),
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
        assert_eq!((diagnosis.names, diagnosis.resolved), (1, 1));
        assert!(diagnosis.v4.queries > 0 && diagnosis.v4.answers == 0 && diagnosis.v4.external.is_none());
        assert_eq!(diagnosis.v4.calls, Calls::Unknown);
        assert!(diagnosis.port.as_ref().is_ok_and(|&port| port != 0));
        assert!(matches!(diagnosis.udp_port, Some(Ok(port)) if port != 0), "{:?}", diagnosis.udp_port);
        assert!(diagnosis.disk.is_ok_and(|disk| disk.bytes_per_second > 0));
        assert!(diagnosis.hash.bytes_per_second > 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[tokio::test]
    async fn a_folder_that_takes_no_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let found = speed::disk(&dir.path().join("missing"));
        assert!(found.is_err_and(|why| why.contains("missing")));
    }
}
