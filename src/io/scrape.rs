//! Scrapes: how many peers the trackers of a torrent know of, without joining them (BEP 48, BEP 15).

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::task::JoinSet;

use super::announce::{Announcer, Place};
use super::http::Reach;
use crate::base::id::TorrentId;
use crate::proto::tracker::scrape::{parse_scrape, scrape_url};
use crate::proto::tracker::udp::Family;
use crate::proto::tracker::udp_client::{Query, UdpAnswer};
use crate::proto::tracker::{Scheme, Scrape, TrackerError, TrackerUrl};

/// What one tracker said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scraped {
    /// The tracker's URL without its secrets.
    pub name: String,
    /// Its numbers, or one line that says why there are none.
    pub outcome: Result<Scrape, String>,
}

/// Scrapes `urls` for a torrent, under each of its hashes, side by side, each for no longer than `within`. One entry a
/// URL, in the same order.
pub async fn scrape(trackers: &Announcer, urls: &[String], id: TorrentId, within: Duration) -> Vec<Scraped> {
    let mut running = JoinSet::new();
    let mut scraped: Vec<Scraped> = Vec::new();
    for (nth, text) in urls.iter().enumerate() {
        let url = TrackerUrl::parse(text);
        let (name, outcome) = match &url {
            Ok(url) => (url.to_string(), Err("no answer in time".into())),
            Err(error) => ("tracker".into(), Err(error.to_string())),
        };
        scraped.push(Scraped { name, outcome });
        if let Ok(url) = url {
            let trackers = trackers.clone();
            running.spawn(async move {
                let outcome = one(&trackers, &url, id, within).await;
                (nth, outcome.map_err(|error| url.scrub(&error.to_string())))
            });
        }
    }
    let collect = async {
        while let Some(done) = running.join_next().await {
            if let Ok((nth, outcome)) = done {
                scraped[nth].outcome = outcome;
            }
        }
    };
    drop(tokio::time::timeout(within, collect).await);
    scraped
}

/// Asks on both address families; the first that answers will do.
async fn one(trackers: &Announcer, url: &TrackerUrl, id: TorrentId, within: Duration) -> Result<Scrape, TrackerError> {
    let Place { v4, v6, reach } = trackers.find(url).await?;
    let ask = async |addr| on_family(trackers, url, id, (addr, reach), within).await;
    match (v4, v6) {
        (Some(v4), Some(v6)) => {
            let (mut v4, mut v6) = (pin!(ask(v4)), pin!(ask(v6)));
            let (first, rest) = tokio::select! {
                first = &mut v4 => (first, v6),
                first = &mut v6 => (first, v4),
            };
            match first {
                Ok(scrape) => Ok(scrape),
                Err(error) => rest.await.map_err(|_| error),
            }
        }
        (Some(addr), None) | (None, Some(addr)) => ask(addr).await,
        (None, None) => Err(TrackerError::Unreachable("it has no addresses".into())),
    }
}

async fn on_family(
    trackers: &Announcer,
    url: &TrackerUrl,
    id: TorrentId,
    (addr, reach): (SocketAddr, Reach),
    within: Duration,
) -> Result<Scrape, TrackerError> {
    match url.scheme() {
        Scheme::Http | Scheme::Https => {
            let url = scrape_url(url, id.hashes()).ok_or_else(|| TrackerError::BadReply("can't be scraped".into()))?;
            parse_scrape(&trackers.http_body(&url, Family::of(&addr), reach).await?, id.hashes())
        }
        Scheme::Udp => match trackers.udp().ask(addr, Query::Scrape(id.hashes().collect()), within).await? {
            UdpAnswer::Scraped(entries) => entries
                .into_iter()
                .take(id.hashes().count())
                .reduce(Scrape::beside)
                .ok_or_else(|| TrackerError::BadReply("an empty reply".into())),
            UdpAnswer::Announced(_) => unreachable!("a scrape is answered by a scrape"),
        },
    }
}
