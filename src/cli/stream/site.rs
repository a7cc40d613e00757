//! What players are answered: a playlist, and the files, of which any stretch can be had at once.
//!
//! `/` and `/playlist.m3u` are the playlist, `/INDEX/NAME` is a file; only the index counts. A file that is not there yet
//! comes as fast as it is downloaded. Who names this machine by anything but an address or `localhost` is refused, so
//! that no page on the web can have its own name lead here; what a browser might run is not called so.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Range;

use hyper::header::{self, HeaderValue};
use hyper::{Method, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::{mpsc, watch};

use super::media::{content_type, plays};
use crate::base::metainfo::Info;
use crate::cli::text::escape;
use crate::engine::{Playback, Reader};
use crate::io::http_server::{Answer, Question, Reply, is_own_host};
use crate::proto::http_range::{Asked, asked, names};

/// What stands as it is in a part of a path (RFC 3986, "unreserved").
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PLAYLIST: &str = "/playlist.m3u";

/// The files of one torrent as players see them.
#[derive(Debug)]
pub struct Site {
    files: Vec<Entry>,
    /// Names this torrent in entity tags.
    tag: String,
    playback: watch::Receiver<Option<Playback>>,
}

#[derive(Debug)]
struct Entry {
    /// As `info` shows it, from 1.
    shown: usize,
    /// Index into the layout's files.
    file: usize,
    name: String,
    size: u64,
}

impl Site {
    /// Of the files of `info` those that are `selected`.
    pub fn new(info: &Info, selected: &[bool], playback: watch::Receiver<Option<Playback>>) -> Site {
        let stored = info.stored_files().enumerate().filter(|(_, (file, _))| selected[*file]);
        let files = stored.map(|(n, (file, entry))| {
            let name = entry.path.as_path().file_name().unwrap_or_default().to_string_lossy().into_owned();
            Entry { shown: n + 1, file, name, size: entry.length }
        });
        Site { files: files.collect(), tag: info.id.to_string(), playback }
    }

    /// Where the server at `addr` has each file, with its index as `info` shows it.
    pub fn urls(&self, addr: SocketAddr) -> Vec<(usize, String)> {
        let host = reachable(addr).to_string();
        self.files.iter().map(|entry| (entry.shown, entry.url(&host))).collect()
    }

    /// What a player is to be given: the one file to play, or the playlist.
    pub fn url(&self, addr: SocketAddr) -> String {
        let host = reachable(addr).to_string();
        match self.listed()[..] {
            [one] => one.url(&host),
            _ => format!("http://{host}{PLAYLIST}"),
        }
    }

    /// What is to be played: all files, if none of them looks like it.
    fn listed(&self) -> Vec<&Entry> {
        let media: Vec<&Entry> = self.files.iter().filter(|entry| plays(&entry.name)).collect();
        if media.is_empty() { self.files.iter().collect() } else { media }
    }

    /// Answers a request. Must be called within a tokio runtime.
    pub fn answer(&self, question: &Question, addr: SocketAddr) -> Answer {
        let host = question.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        let host = question.uri().authority().map(|authority| authority.as_str()).or(host);
        if !host.is_none_or(is_own_host) {
            return refusal(StatusCode::MISDIRECTED_REQUEST, "name this machine by its address\n");
        }
        if question.method() != Method::GET && question.method() != Method::HEAD {
            let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let path = question.uri().path();
        if path == "/" || path == PLAYLIST {
            let own = reachable(addr).to_string();
            return self.playlist(question, host.unwrap_or(&own));
        }
        let index = path.trim_start_matches('/').split('/').next().and_then(|index| index.parse::<usize>().ok());
        match self.files.iter().find(|entry| Some(entry.shown) == index) {
            Some(entry) => self.file(question, entry),
            None => refusal(StatusCode::NOT_FOUND, "no such file here\n"),
        }
    }

    fn playlist(&self, question: &Question, host: &str) -> Answer {
        let mut list = "#EXTM3U\n".to_owned();
        for entry in self.listed() {
            // A line of a playlist ends with the name's first line break, so there is none.
            let _ = writeln!(list, "#EXTINF:-1,{}\n{}", escape(&entry.name), entry.url(host));
        }
        let mut answer = Response::new(Reply::empty());
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/x-mpegurl; charset=utf-8"));
        headers.insert(header::CONTENT_LENGTH, list.len().into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if question.method() == Method::GET {
            *answer.body_mut() = Reply::text(list);
        }
        answer
    }

    fn file(&self, question: &Question, entry: &Entry) -> Answer {
        let said = |name| question.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let etag = format!("\"{}-{}\"", self.tag, entry.shown);
        let mut answer = Response::new(Reply::empty());
        let headers = answer.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&entry.name)));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        if said(header::IF_MATCH).is_some_and(|list| !names(list, &etag)) {
            *answer.status_mut() = StatusCode::PRECONDITION_FAILED;
            return answer;
        }
        if said(header::IF_NONE_MATCH).is_some_and(|list| names(list, &etag)) {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            return answer;
        }
        // Ranges are defined for GET alone; one that was asked for on the condition of another file is not meant.
        let ranges = question.method() == Method::GET && said(header::IF_RANGE).is_none_or(|other| other == etag);
        let range = match asked(said(header::RANGE).filter(|_| ranges), entry.size) {
            Asked::Nothing => {
                *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                set_range(&mut answer, None, entry.size);
                return answer;
            }
            Asked::Whole => 0..entry.size,
            Asked::Part(range) => {
                *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
                set_range(&mut answer, Some(&range), entry.size);
                range
            }
        };
        let left = range.end - range.start;
        answer.headers_mut().insert(header::CONTENT_LENGTH, left.into());
        if question.method() == Method::GET && left > 0 {
            let (make, chunks) = mpsc::channel(1);
            tokio::spawn(send(self.playback.clone(), entry.file, range, make));
            *answer.body_mut() = Reply::Chunks { left, chunks };
        }
        answer
    }
}

impl Entry {
    fn url(&self, host: &str) -> String {
        format!("http://{host}/{}/{}", self.shown, utf8_percent_encode(&self.name, PART))
    }
}

/// Where a player on this machine finds a server that listens there.
fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (std::net::Ipv4Addr::LOCALHOST, addr.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, addr.port()).into(),
        addr => addr,
    }
}

fn set_range(answer: &mut Answer, range: Option<&Range<u64>>, size: u64) {
    let text = match range {
        Some(range) => format!("bytes {}-{}/{size}", range.start, range.end - 1),
        None => format!("bytes */{size}"),
    };
    if let Ok(text) = HeaderValue::from_str(&text) {
        answer.headers_mut().insert(header::CONTENT_RANGE, text);
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Answer {
    let mut answer = Response::new(Reply::text(why));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// Reads for one request until everything is sent or the client is gone.
async fn send(
    mut playback: watch::Receiver<Option<Playback>>,
    file: usize,
    range: Range<u64>,
    make: mpsc::Sender<Vec<u8>>,
) {
    let work = async {
        let opened = playback.wait_for(Option::is_some).await.ok().and_then(|playback| playback.clone());
        if let Some(playback) = opened {
            pass_on(playback.read(file, range), &make).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = make.closed() => {}
    }
}

async fn pass_on(mut reader: Reader, make: &mpsc::Sender<Vec<u8>>) {
    loop {
        match reader.next().await {
            Ok(Some(bytes)) => {
                if make.send(bytes).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return tracing::info!(%error, "a player's request ends early"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    /// A folder of a film, its subtitles and a page; nothing of it is there.
    fn site() -> Site {
        let mut raw = b"d5:filesl".to_vec();
        for (name, length) in [("a film #1.mkv", 40_000), ("a.srt", 100), ("x.html", 5), ("empty.mp3", 0)] {
            raw.extend(format!("d6:lengthi{length}e4:pathl{}:{name}ee", name.len()).bytes());
        }
        raw.extend(b"e4:name3:top12:piece lengthi16384e6:pieces60:");
        raw.extend([7; 60]);
        raw.push(b'e');
        let info = Info::parse(&raw).unwrap();
        Site::new(&info, &[true, true, true, true], watch::channel(None).1)
    }

    const ADDR: ([u8; 4], u16) = ([127, 0, 0, 1], 80);

    fn ask(method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        site().answer(&request.body(()).unwrap(), ADDR.into())
    }

    fn said<'a>(answer: &'a Answer, name: &str) -> &'a str {
        answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn a_file_is_served_whole_in_part_or_not_at_all() {
        let whole = ask(Method::GET, "/1/whatever", &[]);
        assert_eq!((whole.status().as_u16(), said(&whole, "content-length")), (200, "40000"));
        assert_eq!(said(&whole, "content-type"), "video/x-matroska");
        assert_eq!((said(&whole, "accept-ranges"), said(&whole, "x-content-type-options")), ("bytes", "nosniff"));
        assert!(matches!(whole.body(), Reply::Chunks { left: 40_000, .. }));
        let part = ask(Method::GET, "/1", &[("range", "bytes=100-199")]);
        assert_eq!((part.status().as_u16(), said(&part, "content-range")), (206, "bytes 100-199/40000"));
        assert!(matches!(part.body(), Reply::Chunks { left: 100, .. }));
        let none = ask(Method::GET, "/1", &[("range", "bytes=40000-")]);
        assert_eq!((none.status().as_u16(), said(&none, "content-range")), (416, "bytes */40000"));
        let head = ask(Method::HEAD, "/1", &[("range", "bytes=0-1")]);
        assert_eq!((head.status().as_u16(), said(&head, "content-length")), (200, "40000"));
        assert!(matches!(head.body(), Reply::Whole(None)));
        let empty = ask(Method::GET, "/4", &[]);
        assert_eq!((empty.status().as_u16(), said(&empty, "content-length")), (200, "0"));
        assert_eq!(said(&ask(Method::GET, "/3/x.html", &[]), "content-type"), "application/octet-stream");
    }

    #[tokio::test]
    async fn conditions_count() {
        let etag = said(&ask(Method::HEAD, "/1", &[]), "etag").to_owned();
        assert_eq!(ask(Method::GET, "/1", &[("if-none-match", &etag)]).status().as_u16(), 304);
        let range = ("range", "bytes=0-9");
        assert_eq!(ask(Method::GET, "/1", &[range, ("if-match", &etag)]).status().as_u16(), 206);
        assert_eq!(ask(Method::GET, "/1", &[range, ("if-match", "\"another\"")]).status().as_u16(), 412);
        assert_eq!(ask(Method::GET, "/1", &[range, ("if-range", &etag)]).status().as_u16(), 206);
        assert_eq!(ask(Method::GET, "/1", &[range, ("if-range", "\"another\"")]).status().as_u16(), 200);
    }

    #[tokio::test]
    async fn who_means_another_machine_another_method_or_another_file_is_refused() {
        let status = |method, path, headers: &[(&str, &str)]| ask(method, path, headers).status().as_u16();
        assert_eq!(status(Method::GET, "/1", &[("host", "evil.example")]), 421);
        assert_eq!(status(Method::GET, "http://evil.example/1", &[("host", "127.0.0.1")]), 421);
        assert_eq!(status(Method::GET, "/1", &[("host", "localhost:80")]), 200);
        assert_eq!(status(Method::POST, "/1", &[]), 405);
        for path in ["/0", "/5", "/x", "/../1", "//", "/99999999999999999999999"] {
            assert_eq!(status(Method::GET, path, &[]), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn the_playlist_has_what_plays_with_names_escaped() {
        let answer = ask(Method::GET, "/", &[("host", "192.168.1.7:9000")]);
        let Reply::Whole(Some(text)) = answer.into_body() else { panic!("a text") };
        let text = String::from_utf8(text.to_vec()).unwrap();
        let expected = "#EXTM3U\n#EXTINF:-1,a film #1.mkv\nhttp://192.168.1.7:9000/1/a%20film%20%231.mkv\n\
                        #EXTINF:-1,empty.mp3\nhttp://192.168.1.7:9000/4/empty.mp3\n";
        assert_eq!(text, expected);
        assert_eq!(site().url(([0, 0, 0, 0], 7).into()), "http://127.0.0.1:7/playlist.m3u");
        let urls = site().urls(ADDR.into());
        assert_eq!((urls.len(), &urls[1]), (4, &(2, "http://127.0.0.1:80/2/a.srt".to_owned())));
    }
}
