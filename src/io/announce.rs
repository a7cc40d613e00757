//! One announce: to one tracker, on every address family that it has and under every hash of the torrent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::http::{Bounds, HttpClient, HttpError, Reach, Reply, status_line};
use super::udp_tracker::UdpTrackers;
use crate::base::compact::is_global;
use crate::base::id::InfoHashV1;
use crate::proto::tracker::http::{announce_url, parse_announce};
use crate::proto::tracker::udp::Family;
use crate::proto::tracker::udp_client::{Query, UdpAnswer};
use crate::proto::tracker::{AnnounceReply, AnnounceRequest, Scheme, TrackerError, TrackerUrl};

/// Reaches trackers; one for the whole run, clones share its sockets.
#[derive(Clone)]
pub struct Announcer {
    http: HttpClient,
    udp: UdpTrackers,
    /// Trackers that the user named.
    named: Arc<[String]>,
    /// Trackers may lie on the local network whatever they look like.
    anywhere: bool,
}

/// Where a tracker is.
pub(super) struct Place {
    /// Its first address of each family, of which there is at least one.
    pub v4: Option<SocketAddr>,
    pub v6: Option<SocketAddr>,
    /// Where it may lie, and may redirect to.
    pub reach: Reach,
}

/// A UDP tracker has had three packets by then.
const UDP_PATIENCE: Duration = Duration::from_secs(60);
/// The name look-up of a tracker may take no longer.
const LOOK_UP: Duration = Duration::from_secs(30);

impl Announcer {
    pub fn new(http: HttpClient, udp: UdpTrackers) -> Self {
        Announcer { http, udp, named: Arc::default(), anywhere: false }
    }

    /// The same for a torrent for which the user named these trackers. Others are asked on the local network only if
    /// they look like trackers, unless `anywhere`.
    pub fn trusting(self, named: &[String], anywhere: bool) -> Self {
        Announcer { named: named.into(), anywhere, ..self }
    }

    /// A torrent's word must not have us send requests to whatever listens on the local network: there a tracker stands
    /// at `/announce`, or the user named it.
    fn reach(&self, url: &TrackerUrl) -> Reach {
        let named = || self.named.iter().any(|named| TrackerUrl::parse(named).is_ok_and(|named| named == *url));
        let path = url.path_and_query();
        let path = path.split('?').next().unwrap_or_default();
        let trusted = url.scheme() == Scheme::Udp
            || self.anywhere
            || path == "/announce"
            || path.starts_with("/announce/")
            || named();
        if trusted { Reach::NotInward } else { Reach::Internet }
    }

    /// [`Announcer::announce`], and side by side with it the same words under the `other` hash of a hybrid, which stands in
    /// two swarms.
    ///
    /// # Errors
    /// If neither swarm gave a reply.
    pub async fn announce_also(
        &self,
        url: &TrackerUrl,
        request: &AnnounceRequest,
        other: Option<InfoHashV1>,
        heard: impl Fn(AnnounceReply),
    ) -> Result<(), TrackerError> {
        let Some(info_hash) = other else { return self.announce(url, request, heard).await };
        let second = AnnounceRequest { info_hash, ..request.clone() };
        let (first, second) = tokio::join!(self.announce(url, request, &heard), self.announce(url, &second, &heard));
        either(first, second)
    }

    /// Announces to `url` on both address families side by side; `heard` takes each reply as it comes.
    ///
    /// # Errors
    /// If neither family gave a reply: what the tracker said, or else why it was not reached.
    pub async fn announce(
        &self,
        url: &TrackerUrl,
        request: &AnnounceRequest,
        heard: impl Fn(AnnounceReply),
    ) -> Result<(), TrackerError> {
        let Place { v4, v6, reach } = self.find(url).await?;
        let ask = async |addr| self.ask(url, request, addr, reach).await.map(&heard);
        match (v4, v6) {
            (Some(v4), None) => ask(v4).await,
            (None, Some(v6)) => ask(v6).await,
            (Some(v4), Some(v6)) => {
                let (v4, v6) = tokio::join!(ask(v4), ask(v6));
                either(v4, v6)
            }
            (None, None) => Err(TrackerError::Unreachable("it has no addresses".into())),
        }
    }

    /// Announces on the family of `addr`.
    async fn ask(
        &self,
        url: &TrackerUrl,
        request: &AnnounceRequest,
        addr: SocketAddr,
        reach: Reach,
    ) -> Result<AnnounceReply, TrackerError> {
        match url.scheme() {
            Scheme::Http | Scheme::Https => {
                parse_announce(&self.http_body(&announce_url(url, request), Family::of(&addr), reach).await?)
            }
            Scheme::Udp => {
                let query = Query::Announce { request: request.clone(), url_data: url.path_and_query().into() };
                match self.udp.ask(addr, query, UDP_PATIENCE).await? {
                    UdpAnswer::Announced(reply) => Ok(reply),
                    UdpAnswer::Scraped(_) => unreachable!("an announce is answered by an announce"),
                }
            }
        }
    }

    /// Where the tracker is, if it may be asked there.
    pub(super) async fn find(&self, url: &TrackerUrl) -> Result<Place, TrackerError> {
        let (path, reach) = (self.http.resolver().path(), self.reach(url));
        if path.is_without_udp() && url.scheme() == Scheme::Udp {
            return Err(TrackerError::Unreachable("the proxy carries no UDP".into()));
        }
        if path.looks_up(url.host()) {
            return Ok(Place { v4: Some(self.udp.behind_proxy(url.host(), url.port())), v6: None, reach });
        }
        let look_up = tokio::time::timeout(LOOK_UP, self.http.resolver().lookup(url.host()));
        let looked_up = match url.scheme() {
            Scheme::Https => tokio::join!(look_up, self.http.get_ready()).0,
            Scheme::Http | Scheme::Udp => look_up.await,
        };
        let found = match looked_up {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(TrackerError::Unreachable(error.why)),
            Err(_) => return Err(TrackerError::Unreachable("no name server answers".into())),
        };
        if reach == Reach::Internet && !found.iter().all(|ip| is_global(*ip)) {
            let why =
                "on the local network only trackers at /announce are asked; --tracker URL or --allow-private does it";
            return Err(TrackerError::BadReply(why.into()));
        }
        let first = |fits: fn(&IpAddr) -> bool| found.iter().copied().find(fits).map(|ip| (ip, url.port()).into());
        Ok(Place { v4: first(IpAddr::is_ipv4), v6: first(IpAddr::is_ipv6), reach })
    }

    /// The body of a tracker's answer, also under a status that says no if it is bencode: some put their reasons there.
    pub(super) async fn http_body(&self, url: &str, family: Family, reach: Reach) -> Result<Vec<u8>, TrackerError> {
        // A proxy chooses the family itself.
        let family = Some(family).filter(|_| !self.http.resolver().path().is_proxied());
        match self.http.get(url, Bounds::TRACKER, family, reach).await {
            Ok(Reply::Body { status, body }) if (200..300).contains(&status) || body.starts_with(b"d") => Ok(body),
            Ok(Reply::Body { status, .. }) => Err(TrackerError::BadReply(status_line(status))),
            Ok(Reply::Magnet(_)) => Err(TrackerError::BadReply("a redirect to a magnet link".into())),
            Err(error @ (HttpError::Unreachable(_) | HttpError::TimedOut(_))) => {
                Err(TrackerError::Unreachable(error.to_string()))
            }
            Err(error) => Err(TrackerError::BadReply(error.to_string())),
        }
    }

    pub(super) fn udp(&self) -> &UdpTrackers {
        &self.udp
    }
}

/// One good end is enough; of two bad ones, what the tracker itself said tells more than that it was not reached.
fn either(first: Result<(), TrackerError>, second: Result<(), TrackerError>) -> Result<(), TrackerError> {
    match (first, second) {
        (Err(TrackerError::Unreachable(_)), Err(error)) | (Err(error), Err(_)) => Err(error),
        _ => Ok(()),
    }
}
