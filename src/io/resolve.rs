//! Host names to addresses.
//!
//! The system's look-up blocks, for many seconds where a name server is dead, and can't be called off. Each runs on a
//! thread of its own that nothing ever waits for: neither the exit of the program nor a runtime that is shut down.
//! Owns: the look-ups under way, so that one host is looked up once however many ask, and their results for a minute.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

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
    pub fn new() -> Self {
        Resolver { known: Arc::default(), threads: Arc::new(Semaphore::new(MAX_THREADS)) }
    }

    /// The addresses of `host`, a name or an address without brackets; never an empty list, each one once, `::ffff:a.b.c.d`
    /// as IPv4. Waits as long as the system does: give it a deadline.
    ///
    /// # Errors
    /// The name is unknown, or no name server answers.
    pub async fn lookup(&self, host: &str) -> Answer {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok([ip.to_canonical()].into());
        }
        let mut answer = self.begin(host).await;
        match answer.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().expect("it was waited for"),
            Err(_) => Err(ResolveError { host: host.into(), why: "the look-up died".into() }),
        }
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
        let permit = Arc::clone(&self.threads).acquire_owned().await;
        let host = host.to_owned();
        let look_up = move || {
            let _permit = permit;
            tell.send_replace(Some(ask_system(&host)));
        };
        let thread = std::thread::Builder::new().name("look-up".into()).stack_size(STACK);
        // Without a thread `tell` is gone, and so the waiting is over.
        drop(thread.spawn(look_up));
        answer
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

fn ask_system(host: &str) -> Answer {
    let failed = |why: String| ResolveError { host: host.into(), why };
    let found = (host, 0).to_socket_addrs().map_err(|error| failed(plain(&error.to_string())))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in found.map(|addr| addr.ip().to_canonical()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    if addresses.is_empty() { Err(failed("it has no addresses".into())) } else { Ok(addresses.into()) }
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
    async fn a_name_that_cannot_be_looked_up_is_an_error_that_names_it() {
        let error = Resolver::new().lookup("a name.invalid").await.unwrap_err();
        assert_eq!(error.host, "a name.invalid");
    }
}
