//! Sources that are URLs: fetched side by side before the run begins.

use tokio::task::JoinSet;

use super::error::Problem;
use super::exit::{Exit, Signal};
use super::get::Source;
use super::signals::Signals;
use super::source::{Given, shown};
use crate::io::http::{FetchError, Fetched, HttpClient};
use crate::io::resolve::Resolver;

/// Puts what was fetched, or why it was not, in the place of each URL.
///
/// # Errors
/// The signal that came meanwhile.
pub async fn fetch_all(sources: &mut [Source], user_agent: &str, signals: &mut Signals) -> Result<(), Signal> {
    let mut under_way = JoinSet::new();
    let mut client = None;
    for (at, source) in sources.iter().enumerate() {
        if let Ok(Given::Url(url)) = &source.given {
            let client = client.get_or_insert_with(|| HttpClient::new(user_agent, Resolver::new())).clone();
            let url = url.clone();
            under_way.spawn(async move { (at, fetch(&client, &url).await) });
        }
    }
    loop {
        tokio::select! {
            done = under_way.join_next() => match done {
                Some(Ok((at, given))) => sources[at].given = given,
                Some(Err(_)) => {}
                None => return Ok(()),
            },
            signal = signals.next() => return Err(signal),
        }
    }
}

/// What a source is once it has been fetched, if it needs to be; a signal ends the waiting.
///
/// # Errors
/// As [`fetch`].
pub async fn resolve(given: Given, user_agent: &str, signals: &mut Signals) -> Result<Result<Given, Signal>, Problem> {
    let Given::Url(url) = given else { return Ok(Ok(given)) };
    let client = HttpClient::new(user_agent, Resolver::new());
    tokio::select! {
        fetched = fetch(&client, &url) => fetched.map(Ok),
        signal = signals.next() => Ok(Err(signal)),
    }
}

/// Fetches one URL; one that leads to a magnet link is followed there.
///
/// # Errors
/// What the server, the network or the contents are at fault for.
pub async fn fetch(client: &HttpClient, url: &str) -> Result<Given, Problem> {
    match client.fetch_torrent(url).await {
        Ok(Fetched::Torrent(bytes)) => Given::torrent(bytes, &shown(url)),
        Ok(Fetched::Magnet(link)) => Given::magnet(&link),
        Err(error) => {
            let (exit, hint) = match &error {
                FetchError::WebPage => (Exit::NotATorrent, None),
                FetchError::Empty => (Exit::NotATorrent, None),
                FetchError::Status(404 | 410) => (Exit::NotFound, Some("check the URL")),
                FetchError::Status(401 | 403) => (Exit::Network, Some("the site wants a login or a key in the URL")),
                FetchError::Status(_) => (Exit::Network, None),
                FetchError::Http(_) => (Exit::Network, Some("check the URL and the network")),
            };
            let problem = Problem::new(exit, format!("cannot fetch {}: {error}", shown(url))).because(error);
            Err(hint.into_iter().fold(problem, Problem::hint))
        }
    }
}
