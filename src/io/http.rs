//! The HTTP(S) client: bounded requests for trackers and .torrent files.
//!
//! Every body is read piece by piece up to a cap, what is gzipped is unpacked here up to the same cap, and redirects are
//! followed here, since each hop is looked at: a link may lead to a `magnet:`, or from the internet into the local
//! network. The connections are those of `clients`.

mod clients;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, HeaderName, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{RequestBuilder, Response, StatusCode, Url};

use self::clients::{Clients, Hosts, IDLE};
use super::gunzip::Gunzip;
use super::resolve::Resolver;
use crate::base::compact::is_global;
use crate::proto::http_range::part_of;
use crate::proto::tracker::http::looks_like_a_page;
use crate::proto::tracker::udp::Family;

/// Makes requests; clones share connections.
#[derive(Clone)]
pub struct HttpClient(Arc<Clients>);

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of the body, packed and unpacked.
    pub body: usize,
    pub redirects: u32,
    /// From the look-up of the name to the last byte.
    pub total: Duration,
}

impl Bounds {
    /// An announce or a scrape.
    pub const TRACKER: Bounds = Bounds { body: 1 << 20, redirects: 5, total: Duration::from_secs(30) };
    /// A .torrent file.
    pub const TORRENT: Bounds = Bounds { body: 32 << 20, redirects: 10, total: Duration::from_secs(300) };
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Of whatever status.
    Body { status: u16, body: Vec<u8> },
    /// A redirect to a `magnet:` link.
    Magnet(String),
}

/// Whose word a URL is, and so where it may lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// The user said that private addresses are all right.
    Anywhere,
    /// The user named the URL: no redirect may lead from the internet into the local network.
    NotInward,
    /// It stood in a torrent: neither it nor a redirect may lead anywhere but to the internet.
    Internet,
}

/// An answer of which the body is yet to be read.
#[derive(Debug)]
pub struct Opened {
    pub status: u16,
    /// Where it came from in the end.
    pub url: String,
    /// First byte and length of the whole, of a part of a file (status 206); the length where the server knows it.
    pub part: Option<(u64, Option<u64>)>,
    /// How long the server wants to be left alone, in seconds or until a date.
    pub retry_after: Option<String>,
    /// The body is packed although that was not asked for.
    pub packed: bool,
    response: Response,
}

impl Opened {
    /// The next bytes of the body; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, HttpError> {
        self.response.chunk().await.map_err(|error| HttpError::Unreachable(why(&error)))
    }
}

/// Why nothing usable came back. No message carries the URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL, or one that it redirects to, can't or must not be fetched.
    #[error("{0}")]
    BadUrl(&'static str),
    /// No connection, no TLS, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("more than {0} redirects")]
    Redirects(u32),
    #[error("the answer is larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
    #[error("the answer is damaged: {0}")]
    Damaged(String),
}

/// A header of a request, as `Name: value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    name: HeaderName,
    value: HeaderValue,
}

impl std::str::FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Header, String> {
        let wrong = || format!("{text:?} is not a header; write for example 'Cookie: a=b'");
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        Ok(Header { name, value })
    }
}

/// A .torrent file, or where one was asked for and a magnet link was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fetched {
    Torrent(Vec<u8>),
    Magnet(String),
}

/// Why a URL gave no torrent. The caller names the URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the server says {}", status_line(*.0))]
    Status(u16),
    #[error("got a web page; log in?")]
    WebPage,
    #[error("got an empty answer")]
    Empty,
}

impl HttpClient {
    /// A client that calls itself `user_agent`. Costs nothing before the first request.
    pub fn new(user_agent: &str, resolver: Resolver) -> Self {
        let user_agent = HeaderValue::from_str(user_agent).unwrap_or(HeaderValue::from_static("rtorrent-cli"));
        HttpClient(Arc::new(Clients::new(user_agent, resolver)))
    }

    /// The name look-ups that this client shares.
    pub fn resolver(&self) -> &Resolver {
        self.0.resolver()
    }

    /// Reads what TLS needs from the disk, if nobody has before: to be done beside a name look-up.
    pub async fn get_ready(&self) {
        drop(self.0.tls().await); // who makes the request hears of the failure
    }

    /// Fetches a .torrent over http(s), with `headers` for the host of `url` alone; a redirect to a magnet link is
    /// followed in so far as it is handed back.
    ///
    /// # Errors
    /// [`FetchError`], without the URL in it.
    pub async fn fetch_torrent(&self, url: &str, headers: &[Header]) -> Result<Fetched, FetchError> {
        let work = self.follow(url, Bounds::TORRENT, None, Reach::NotInward, headers);
        let total = Bounds::TORRENT.total;
        match tokio::time::timeout(total, work).await.unwrap_or(Err(HttpError::TimedOut(total)))? {
            Reply::Magnet(link) => Ok(Fetched::Magnet(link)),
            Reply::Body { status, .. } if !(200..300).contains(&status) => Err(FetchError::Status(status)),
            Reply::Body { body, .. } if body.is_empty() => Err(FetchError::Empty),
            Reply::Body { body, .. } if looks_like_a_page(&body) => Err(FetchError::WebPage),
            Reply::Body { body, .. } => Ok(Fetched::Torrent(body)),
        }
    }

    /// GET `url` within `bounds`, over `family` alone if one is named.
    ///
    /// # Errors
    /// [`HttpError`], without the URL in it. A status that says no is not an error here.
    pub async fn get(
        &self,
        url: &str,
        bounds: Bounds,
        family: Option<Family>,
        reach: Reach,
    ) -> Result<Reply, HttpError> {
        let work = self.follow(url, bounds, family, reach, &[]);
        tokio::time::timeout(bounds.total, work).await.unwrap_or(Err(HttpError::TimedOut(bounds.total)))
    }

    /// GET with the whole body.
    async fn follow(
        &self,
        url: &str,
        bounds: Bounds,
        family: Option<Family>,
        reach: Reach,
        headers: &[Header],
    ) -> Result<Reply, HttpError> {
        let named = parse(url.trim())?;
        let dress = |mut request: RequestBuilder, url: &Url| {
            // They may hold a key: a host that another one redirects to does not get them.
            for Header { name, value } in headers.iter().filter(|_| url.origin() == named.origin()) {
                request = request.header(name, value);
            }
            request
        };
        match self.hop(&named, named.clone(), bounds.redirects, family, reach, dress).await? {
            Landed::Magnet(link) => Ok(Reply::Magnet(link)),
            Landed::On(response) => {
                let status = response.status().as_u16();
                Ok(Reply::Body { status, body: read_body(response, bounds.body).await? })
            }
        }
    }

    /// GET what `named` stands for, the bytes of `range` alone if one is given, and hand the body on as it comes; at
    /// `known` if that is where it was found before. The caller has the deadlines.
    ///
    /// # Errors
    /// [`HttpError`], without the URL in it. A status that says no is not an error here.
    pub async fn open(
        &self,
        named: &str,
        known: Option<&str>,
        range: Option<(u64, u64)>,
        reach: Reach,
    ) -> Result<Opened, HttpError> {
        let named = parse(named)?;
        let start = known.map_or_else(|| Ok(named.clone()), parse)?;
        let dress = |request: RequestBuilder, _: &Url| {
            let request = request.header(ACCEPT_ENCODING, "identity");
            match range {
                Some((from, to)) => request.header(RANGE, format!("bytes={from}-{}", to - 1)),
                None => request,
            }
        };
        match self.hop(&named, start, Bounds::TORRENT.redirects, None, reach, dress).await? {
            Landed::On(response) => Ok(opened(response)),
            Landed::Magnet(_) => Err(HttpError::BadUrl("the server redirects to a magnet link")),
        }
    }

    /// GET `url`, which was found by way of `named`, redirect by redirect, each request dressed with its headers.
    async fn hop(
        &self,
        named: &Url,
        mut url: Url,
        redirects: u32,
        family: Option<Family>,
        reach: Reach,
        dress: impl Fn(RequestBuilder, &Url) -> RequestBuilder,
    ) -> Result<Landed, HttpError> {
        let ready = async |url: &Url| {
            if url.scheme() == "https" {
                self.get_ready().await;
            }
        };
        // Once for all: a server may keep us waiting until its own name has another address.
        let (hosts, ()) = tokio::join!(self.hosts(reach, named), ready(named));
        for _ in 0..=redirects {
            tokio::join!(self.permit(&url, hosts), ready(&url)).0?;
            let client = self.0.of(&url, family, hosts).await?;
            let response = self.send(dress(client.get(url.clone()), &url)).await?;
            let Some(place) = redirect_of(&response) else { return Ok(Landed::On(response)) };
            if place.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:")) {
                return Ok(Landed::Magnet(place));
            }
            url =
                url.join(&place).map_err(|_| HttpError::BadUrl("the server redirects to something that is no URL"))?;
        }
        Err(HttpError::Redirects(redirects))
    }

    /// Where what `named` stands for may lie: a stranger's link must not reach the router or a service of this machine.
    async fn hosts(&self, reach: Reach, named: &Url) -> Hosts {
        match reach {
            Reach::Anywhere => Hosts::Any,
            Reach::Internet => Hosts::Internet,
            Reach::NotInward => match self.0.resolver().lookup(host_of(named)).await {
                Ok(found) if !all_global(&found) => Hosts::Any,
                // Or one that only the proxy knows.
                _ => Hosts::Internet,
            },
        }
    }

    /// Refuses an address that must not be called. Names are looked up here, so that the connection finds them known,
    /// and there again.
    async fn permit(&self, url: &Url, hosts: Hosts) -> Result<(), HttpError> {
        let host = host_of(url);
        if self.0.resolver().path().looks_up(host) {
            return Ok(());
        }
        match self.0.resolver().lookup(host).await {
            Ok(found) if hosts == Hosts::Internet && !all_global(&found) => Err(HttpError::BadUrl(INWARD)),
            // A name is looked up again on the way to the socket; an address goes there by itself.
            Err(error) if host.parse::<IpAddr>().is_ok() => Err(HttpError::Unreachable(error.why)),
            _ => Ok(()),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, HttpError> {
        let path = self.0.resolver().path();
        match send_again(request).await {
            // Between us and a proxy this is its own word; servers have 401.
            Ok(response) if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED && path.is_proxied() => {
                path.on_login_refused();
                Err(HttpError::Unreachable("the proxy refuses name and password".into()))
            }
            Ok(response) => Ok(response),
            Err(error) => {
                path.doubt();
                Err(HttpError::Unreachable(why(&error)))
            }
        }
    }
}

/// Where redirects led.
enum Landed {
    On(Response),
    Magnet(String),
}

/// What must not be called on a stranger's word.
const INWARD: &str = "it leads from the internet into the local network";

fn all_global(found: &[IpAddr]) -> bool {
    found.iter().all(|ip| is_global(*ip))
}

fn parse(url: &str) -> Result<Url, HttpError> {
    Url::parse(url).map_err(|_| HttpError::BadUrl("not a URL that can be fetched"))
}

/// Sends `request`, and sends it again if the server hangs up before it says anything: it may have given up a connection
/// that was kept open just when the request went out. Each of them can do that once, and a GET may be made twice.
async fn send_again(request: RequestBuilder) -> reqwest::Result<Response> {
    for _ in 0..IDLE {
        let copy = request.try_clone().expect("a GET has no body that could be used up");
        match copy.send().await {
            Err(error) if hung_up(&error) => {}
            outcome => return outcome,
        }
    }
    request.send().await
}

/// True if there was a connection, and it ended before the first byte of an answer.
fn hung_up(error: &reqwest::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let ended = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let ends = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof];
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
            || io.is_some_and(|kind| ends.contains(&kind))
    };
    !error.is_connect() && std::iter::successors(error.source(), |&cause| cause.source()).any(ended)
}

/// The host without the brackets of an IPv6 address.
fn host_of(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}

fn opened(response: Response) -> Opened {
    let text = |name| Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned());
    Opened {
        status: response.status().as_u16(),
        url: response.url().to_string(),
        part: text(CONTENT_RANGE).and_then(|range| part_of(&range)),
        retry_after: text(RETRY_AFTER),
        packed: text(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity"),
        response,
    }
}

/// Where a redirect leads.
fn redirect_of(response: &Response) -> Option<String> {
    let place = response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?;
    Some(String::from_utf8_lossy(place.as_bytes()).trim().to_owned())
}

/// The whole body, unpacked. It counts as packed if it says so or begins as gzip does: no bencode does.
async fn read_body(mut response: Response, cap: usize) -> Result<Vec<u8>, HttpError> {
    let named = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().ends_with(b"gzip");
    let packed = response.headers().get(CONTENT_ENCODING).is_some_and(named);
    let mut body = Gunzip::new(packed, cap);
    while let Some(chunk) = response.chunk().await.map_err(|error| HttpError::Unreachable(why(&error)))? {
        body.push(&chunk)?;
    }
    body.finish()
}

/// The innermost cause, in a few words and without the URL.
fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if let Some(error) = cause.downcast_ref::<std::io::Error>() {
        return match (error.get_ref(), error.kind()) {
            (_, std::io::ErrorKind::TimedOut) => "no connection in time".into(),
            (Some(inner), _) => inner.to_string(),
            (None, kind) => kind.to_string(),
        };
    }
    if cause.is::<reqwest::Error>() { "the request failed".into() } else { cause.to_string() }
}

/// A status as people know it: `404 Not Found`.
pub fn status_line(status: u16) -> String {
    let known = reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    known.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_redirect_must_not_lead_from_the_internet_to_us() {
        let resolver = Resolver::new();
        let pin = |host: &str, ips: &[&str]| {
            resolver.pin(host, &ips.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>());
        };
        pin("tracker.example", &["8.8.8.8", "2620:fe::fe"]);
        pin("other.example", &["9.9.9.9"]);
        pin("router.example", &["192.168.0.1"]);
        pin("both.example", &["9.9.9.9", "127.0.0.1"]);
        let client = HttpClient::new("test", resolver.clone());
        for (from, to, inward) in [
            ("http://tracker.example/", "http://router.example/", true),
            ("http://tracker.example/", "http://both.example/", true),
            ("http://tracker.example/", "http://127.0.0.1:80/", true),
            ("http://tracker.example/", "http://[::1]:80/", true),
            ("http://tracker.example/", "http://2130706433/", true),
            ("http://tracker.example/", "https://other.example/", false),
            ("http://tracker.example/", "http://tracker.example/x", false),
            ("http://router.example/", "http://127.0.0.1/", false),
        ] {
            let hosts = client.hosts(Reach::NotInward, &parse(from).unwrap()).await;
            let permitted = client.permit(&parse(to).unwrap(), hosts).await;
            assert_eq!(permitted == Err(HttpError::BadUrl(INWARD)), inward, "{from} to {to}");
            let permitted = client.permit(&parse(to).unwrap(), Hosts::Internet).await;
            assert_eq!(permitted.is_err(), !to.contains("other") && !to.contains("tracker"), "{to}");
            assert_eq!(client.permit(&parse(to).unwrap(), Hosts::Any).await, Ok(()));
        }
    }

    #[test]
    fn a_status_has_its_name_where_there_is_one() {
        assert_eq!(status_line(404), "404 Not Found");
        assert_eq!(status_line(999), "999");
    }
}
