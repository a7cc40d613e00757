//! `info --scrape`: what the trackers know of a swarm.

use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::args::NetworkArgs;
use super::error::Problem;
use super::exit::{Exit, Signal};
use super::facts::Facts;
use super::signals::Signals;
use super::text::count;
use crate::io::announce::Announcer;
use crate::io::http::HttpClient;
use crate::io::net_path::NetPath;
use crate::io::resolve::Resolver;
use crate::io::scrape::{Scraped, scrape};
use crate::io::udp_tracker::UdpTrackers;

/// How long a tracker may take; dead ones are the rule.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks every tracker of the torrent at once.
///
/// # Errors
/// If there is none to ask.
pub async fn all(
    facts: &Facts,
    network: &NetworkArgs,
    user_agent: &str,
    path: &NetPath,
    signals: &mut Signals,
) -> Result<Result<Vec<Scraped>, Signal>, Problem> {
    let own = if network.no_trackers { Vec::new() } else { facts.trackers.concat() };
    let mut urls: Vec<String> = Vec::new();
    for url in own.iter().chain(&network.trackers) {
        if !urls.contains(url) {
            urls.push(url.clone());
        }
    }
    if urls.is_empty() {
        return Err(Problem::new(Exit::Other, "there is no tracker to ask").hint("--tracker URL names one"));
    }
    let http = HttpClient::new(user_agent, Resolver::on(path.clone()));
    let trackers = Announcer::new(http, UdpTrackers::spawn(StdRng::from_rng(&mut rand::rng()), path.clone()));
    let trackers = trackers.trusting(&network.trackers, network.allow_private);
    tokio::select! {
        scraped = scrape(&trackers, &urls, facts.id, PATIENCE) => Ok(Ok(scraped)),
        signal = signals.next() => Ok(Err(signal)),
    }
}

/// Counts or a reason, the others null.
pub fn to_json(scraped: &Scraped) -> Value {
    let found = scraped.outcome.as_ref().ok();
    json!({
        "tracker": scraped.name,
        "seeders": found.map(|found| found.seeders),
        "leechers": found.map(|found| found.leechers),
        "completed": found.and_then(|found| found.completed),
        "error": scraped.outcome.as_ref().err(),
    })
}

/// `12 seeders, 3 leechers, 400 downloads so far  http://...`.
pub fn to_line(scraped: &Scraped) -> String {
    match &scraped.outcome {
        Ok(found) => {
            let completed = found.completed.map(|n| format!(", {} so far", count(n.into(), "download")));
            let (seeders, leechers) = (count(found.seeders.into(), "seeder"), count(found.leechers.into(), "leecher"));
            format!("{seeders}, {leechers}{}  {}", completed.unwrap_or_default(), scraped.name)
        }
        Err(why) => format!("{why}  {}", scraped.name),
    }
}
