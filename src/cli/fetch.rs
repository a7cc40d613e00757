//! Sources that are URLs.

use super::error::Problem;
use super::exit::{Exit, Signal};
use super::signals::Signals;
use super::source::{Given, shown};
use crate::io::http::{FetchError, Fetched, Header, HttpClient};
use crate::io::net_path::NetPath;
use crate::io::resolve::Resolver;

/// What a source is once it has been fetched, if it needs to be; a signal ends the waiting.
///
/// # Errors
/// As [`fetch`].
pub async fn resolve(
    given: Given,
    user_agent: &str,
    headers: &[Header],
    path: &NetPath,
    signals: &mut Signals,
) -> Result<Result<Given, Signal>, Problem> {
    let Given::Url(url) = given else { return Ok(Ok(given)) };
    let client = HttpClient::new(user_agent, Resolver::on(path.clone()));
    tokio::select! {
        fetched = fetch(&client, &url, headers) => fetched.map(Ok),
        signal = signals.next() => Ok(Err(signal)),
    }
}

/// Fetches one URL; one that leads to a magnet link is followed there.
///
/// # Errors
/// What the server, the network or the contents are at fault for.
pub async fn fetch(client: &HttpClient, url: &str, headers: &[Header]) -> Result<Given, Problem> {
    match client.fetch_torrent(url, headers).await {
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
