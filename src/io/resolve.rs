//! Host names to addresses: by the system, or behind a fence by name servers that are asked over the permitted path;
//! never here if a proxy looks names up, but for the proxy's own ([`NetPath::new`]).
//!
//! The system's look-up blocks, for many seconds where a name server is dead, and can't be called off. Each runs on a
//! thread of its own that nothing ever waits for: neither the exit of the program nor a runtime that is shut down.
//! Owns: the look-ups under way, so that one host is looked up once however many ask, and their results for a minute.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::bound_dns::BoundDns;
use super::net_path::{NetPath, is_this_machine};
use crate::proto::tracker::udp::Family;

/// A name that leads nowhere.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("can't find {host}: {why}")]
pub struct ResolveError {
    pub host: String,
    pub why: String,
}

type Answer = Result<Arc<[IpAddr]>, ResolveError>;

/// Looks names up; clones share their results.
#[derive(Clone, Debug)]
pub struct Resolver {
    known: Arc<Mutex<HashMap<String, Entry>>>,
    threads: Arc<Semaphore>,
    path: NetPath,
    servers: Servers,
}

/// Who is asked.
#[derive(Clone, Debug)]
enum Servers {
    System,
    /// Those of the path, or why they can't be asked.
    Bound(Result<Arc<BoundDns>, String>),
    /// The proxy looks names up.
    Nobody,
}

#[derive(Debug)]
struct Entry {
    answer: watch::Receiver<Option<Answer>>,
    /// `None`: it was pinned.
    since: Option<Instant>,
}

/// How long an answer holds.
const FOUND: Duration = Duration::from_secs(60);
/// How long a failure holds: long enough for those who ask at the same moment.
const NOT_FOUND: Duration = Duration::from_secs(2);
/// Look-ups at a time: beyond this, hostile lists of trackers wait for each other.
const MAX_THREADS: usize = 512;
const STACK: usize = 512 * 1024;

impl Resolver {
    /// Without any fence.
    pub fn new() -> Self {
        Resolver::on(NetPath::open())
    }

    /// Looks names up as `path` permits.
    pub fn on(path: NetPath) -> Self {
        let servers = match path.name_servers() {
            _ if path.is_proxied() => Servers::Nobody,
            [] => Servers::System,
            _ => Servers::Bound(BoundDns::new(&path).map(Arc::new)),
        };
        Resolver { known: Arc::default(), threads: Arc::new(Semaphore::new(MAX_THREADS)), path, servers }
    }

    /// The path on which names are looked up, and what is found is to be called.
    pub fn path(&self) -> &NetPath {
        &self.path
    }

    /// The addresses of `host`, a name or an address without brackets, of the families that may be used; never an empty
    /// list, each one once, `::ffff:a.b.c.d` as IPv4. Waits as long as the system does: give it a deadline.
    ///
    /// # Errors
    /// The name is unknown, or no name server answers.
    pub async fn lookup(&self, host: &str) -> Answer {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.permitted(host, [ip.to_canonical()].into());
        }
        let mut answer = self.begin(host).await;
        match answer.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().expect("it was waited for").and_then(|found| self.permitted(host, found)),
            Err(_) => Err(ResolveError { host: host.into(), why: "the look-up died".into() }),
        }
    }

    /// What of `found` may be called.
    fn permitted(&self, host: &str, found: Arc<[IpAddr]>) -> Answer {
        let family = match self.path.only() {
            None => return Ok(found),
            Some(Family::V4) => "IPv4",
            Some(Family::V6) => "IPv6",
        };
        let permitted: Vec<IpAddr> = found.iter().copied().filter(|ip| self.path.allows(*ip)).collect();
        let none = || ResolveError { host: host.into(), why: format!("it has no {family} address") };
        if permitted.is_empty() { Err(none()) } else { Ok(permitted.into()) }
    }

    /// Answers `host` with `addresses` for the rest of the run, without a look-up.
    pub fn pin(&self, host: &str, addresses: &[IpAddr]) {
        let (_, answer) = watch::channel(Some(Ok(addresses.into())));
        let entry = Entry { answer, since: None };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(host.into(), entry);
    }

    /// The look-up of `host` that is under way or fresh, else a new one.
    async fn begin(&self, host: &str) -> watch::Receiver<Option<Answer>> {
        let (tell, answer) = watch::channel(None);
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, entry| entry.is_fresh());
            if let Some(entry) = known.get(host) {
                return entry.answer.clone();
            }
            known.insert(host.into(), Entry { answer: answer.clone(), since: Some(Instant::now()) });
        }
        let host = host.to_owned();
        let failed = |why: String| Some(Err(ResolveError { host: host.clone(), why }));
        match &self.servers {
            Servers::System => self.look_up_by_system(host, tell).await,
            _ if is_this_machine(&host) => drop(tell.send_replace(Some(Ok([[127, 0, 0, 1].into()].into())))),
            Servers::Bound(Ok(servers)) => drop(tokio::spawn(ask_servers(servers.clone(), host, tell))),
            Servers::Bound(Err(why)) => drop(tell.send_replace(failed(why.clone()))),
            Servers::Nobody => {
                drop(tell.send_replace(failed("behind a proxy only addresses can be named here".into())))
            }
        }
        answer
    }

    async fn look_up_by_system(&self, host: String, tell: watch::Sender<Option<Answer>>) {
        let permit = Arc::clone(&self.threads).acquire_owned().await;
        let look_up = move || {
            let _permit = permit;
            tell.send_replace(Some(ask_system(&host)));
        };
        let thread = std::thread::Builder::new().name("look-up".into()).stack_size(STACK);
        // Without a thread `tell` is gone, and so the waiting is over.
        drop(thread.spawn(look_up));
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Resolver::new()
    }
}

impl Entry {
    fn is_fresh(&self) -> bool {
        let Some(since) = self.since else { return true };
        let age = since.elapsed();
        match &*self.answer.borrow() {
            None => self.answer.has_changed().is_ok(),
            Some(Ok(_)) => age < FOUND,
            Some(Err(_)) => age < NOT_FOUND,
        }
    }
}

async fn ask_servers(servers: Arc<BoundDns>, host: String, tell: watch::Sender<Option<Answer>>) {
    let found = servers.lookup(&host).await.map_err(|why| ResolveError { host: host.clone(), why });
    let found = found.and_then(|found| each_once(&host, found.into_iter()));
    tell.send_replace(Some(found));
}

/// What the system says; waits as long as it does.
pub(super) fn ask_system(host: &str) -> Answer {
    let failed = |why: String| ResolveError { host: host.into(), why };
    let found = (host, 0).to_socket_addrs().map_err(|error| failed(plain(&error.to_string())))?;
    each_once(host, found.map(|addr| addr.ip()))
}

fn each_once(host: &str, found: impl Iterator<Item = IpAddr>) -> Answer {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in found.map(|ip| ip.to_canonical()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    let none = || ResolveError { host: host.into(), why: "it has no addresses".into() };
    if addresses.is_empty() { Err(none()) } else { Ok(addresses.into()) }
}

/// What the system says without its preamble.
fn plain(error: &str) -> String {
    error.strip_prefix("failed to lookup address information: ").unwrap_or(error).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_need_no_look_up_and_localhost_is_known() {
        let resolver = Resolver::new();
        assert_eq!(*resolver.lookup("::ffff:1.2.3.4").await.unwrap(), ["1.2.3.4".parse::<IpAddr>().unwrap()]);
        assert!(resolver.known.lock().unwrap().is_empty());
        let found = resolver.lookup("localhost").await.unwrap();
        assert!(found.iter().all(|ip| ip.is_loopback()), "{found:?}");
        assert_eq!(resolver.lookup("localhost").await.unwrap(), found);
    }

    #[tokio::test]
    async fn behind_a_proxy_no_name_is_looked_up_here() {
        let proxy = crate::io::proxy::ProxyUrl::parse("socks5h://127.0.0.1:9").unwrap();
        let rules = crate::io::net_path::PathRules { proxy: Some(proxy), ..Default::default() };
        let resolver = Resolver::on(NetPath::new(&rules).unwrap());
        assert!(resolver.lookup("tracker.example").await.unwrap_err().why.contains("proxy"));
        assert_eq!(*resolver.lookup("1.2.3.4").await.unwrap(), ["1.2.3.4".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn addresses_of_a_family_that_is_switched_off_do_not_count() {
        let rules = crate::io::net_path::PathRules { only: Some(Family::V6), ..Default::default() };
        let resolver = Resolver::on(NetPath::new(&rules).unwrap());
        resolver.pin("both.example", &["1.2.3.4".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(*resolver.lookup("both.example").await.unwrap(), ["2001:db8::1".parse::<IpAddr>().unwrap()]);
        assert_eq!(resolver.lookup("1.2.3.4").await.unwrap_err().why, "it has no IPv6 address");
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_looked_up_is_an_error_that_names_it() {
        let error = Resolver::new().lookup("a name.invalid").await.unwrap_err();
        assert_eq!(error.host, "a name.invalid");
    }
}
