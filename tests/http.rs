//! The HTTP client against servers on loopback that do the wrong things.

#[path = "common/free_port.rs"]
mod free_port;
#[path = "common/odd_server.rs"]
mod odd_server;

use std::io::Write;
use std::time::Duration;

use free_port::ClosedPort;
use odd_server::{Act, OddServer, reply};
use rtorrent_cli::io::http::{Bounds, FetchError, Fetched, HttpClient, HttpError, Reach, Reply};
use rtorrent_cli::io::resolve::Resolver;
use tokio::io::AsyncWriteExt;

fn client() -> HttpClient {
    HttpClient::new("rtorrent-cli/test", Resolver::new())
}

async fn get(url: &str) -> Result<Reply, HttpError> {
    client().get(url, Bounds::TRACKER, None, Reach::NotInward).await
}

fn body(bytes: &[u8]) -> Result<Reply, HttpError> {
    Ok(Reply::Body { status: 200, body: bytes.to_vec() })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn we_say_who_we_are_and_that_gzip_is_fine() {
    let server = OddServer::start(|head| {
        let head = head.to_lowercase();
        assert!(head.contains("user-agent: rtorrent-cli/test\r\n"), "{head}");
        assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
        Act::Send(reply("200 OK\r\nContent-Encoding: gzip", &gzip(b"de")))
    })
    .await;
    assert_eq!(get(&server.url("/announce?info_hash=%00%FF%26")).await, body(b"de"));
}

#[tokio::test]
async fn what_is_escaped_goes_out_as_it_stands() {
    let server =
        OddServer::start(|head| Act::Send(reply("200 OK", head.split(' ').nth(1).unwrap_or_default().as_bytes())))
            .await;
    let path = "/a%20b/announce?k=%zz&info_hash=%00%FF%26~-._%2F%5B";
    assert_eq!(get(&server.url(path)).await, body(path.as_bytes()));
}

#[tokio::test]
async fn bodies_in_chunks_or_until_the_end() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n1\r\ne\r\n0\r\n\r\n".to_vec();
    let server = OddServer::start(move |_| Act::Send(chunked.clone())).await;
    assert_eq!(get(&server.url("/")).await, body(b"de"));
    let server = OddServer::start(|_| Act::Send(b"HTTP/1.0 200 OK\r\n\r\nde".to_vec())).await;
    assert_eq!(get(&server.url("/")).await, body(b"de"));
}

#[tokio::test]
async fn bombs_floods_and_garbage_end_soon() {
    let bomb = gzip(&vec![0; 100_000_000]);
    let server = OddServer::answering("200 OK\r\nContent-Encoding: gzip", &bomb).await;
    assert_eq!(get(&server.url("/")).await, Err(HttpError::TooLarge(1 << 20)));

    let endless = || Act::Flood(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 65_536]);
    let server = OddServer::start(move |_| endless()).await;
    assert_eq!(get(&server.url("/")).await, Err(HttpError::TooLarge(1 << 20)));

    let headers = || Act::Flood(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Header: y\r\n".repeat(1_000));
    let server = OddServer::start(move |_| headers()).await;
    assert!(matches!(get(&server.url("/")).await, Err(HttpError::Unreachable(_))));

    for garbage in
        [&b"\x16\x03\x01 not HTTP at all\r\n\r\n"[..], b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"]
    {
        let garbage = garbage.to_vec();
        let server = OddServer::start(move |_| Act::Send(garbage.clone())).await;
        assert!(matches!(get(&server.url("/")).await, Err(HttpError::Unreachable(_))));
    }
    let server = OddServer::answering("200 OK\r\nContent-Encoding: gzip", b"no gzip").await;
    assert!(matches!(get(&server.url("/")).await, Err(HttpError::Damaged(_))));
}

#[tokio::test]
async fn one_that_never_answers_is_given_up() {
    let server = OddServer::start(|_| Act::Hang).await;
    let short = Bounds { total: Duration::from_millis(50), ..Bounds::TRACKER };
    let outcome = client().get(&server.url("/"), short, None, Reach::NotInward).await;
    assert_eq!(outcome, Err(HttpError::TimedOut(Duration::from_millis(50))));
}

/// opentracker keeps no connection open, and does not say so.
#[tokio::test]
async fn what_meets_a_connection_that_is_given_up_is_sent_again() {
    let kept_open = || b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nde".to_vec();
    let server = OddServer::start(move |_| Act::SendOnce(kept_open())).await;
    let (client, url) = (client(), server.url("/announce"));
    let get = || client.get(&url, Bounds::TRACKER, None, Reach::NotInward);
    for _ in 0..3 {
        // Two at once: then there are two connections that wait to be given up.
        let (first, second) = tokio::join!(get(), get());
        assert_eq!((first, second), (body(b"de"), body(b"de")));
    }
    assert_eq!(server.requests(), 6, "each was heard once");

    let server = OddServer::start(|_| Act::Send(Vec::new())).await;
    assert!(matches!(
        client.get(&server.url("/"), Bounds::TRACKER, None, Reach::NotInward).await,
        Err(HttpError::Unreachable(_))
    ));
    assert!(server.requests() <= 3, "one that always hangs up is left in peace");
}

#[tokio::test]
async fn errors_do_not_carry_the_url() {
    let closed = ClosedPort::new();
    assert_eq!(
        get(&format!("http://{}/secret", closed.addr)).await,
        Err(HttpError::Unreachable("connection refused".into()))
    );
    let error = get("http://no-such-host.invalid/secret").await.unwrap_err();
    // A name server that is out of reach takes longer than we wait.
    let late = matches!(error, HttpError::TimedOut(_));
    let error = error.to_string();
    assert!((late || error.contains("no-such-host.invalid")) && !error.contains("secret"), "{error}");
    let not_tls = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/secret", not_tls.local_addr().unwrap());
    let greet = async {
        let (mut stream, _) = not_tls.accept().await.unwrap();
        stream.write_all(b"220 this is no TLS\r\n").await.unwrap();
        stream
    };
    let (error, _stream) = tokio::join!(get(&url), greet);
    let error = error.unwrap_err().to_string();
    assert!(!error.contains("secret") && !error.contains("127.0.0.1") && !error.contains("other error"), "{error}");
}

#[tokio::test]
async fn redirects_are_followed_so_far() {
    let server = OddServer::start(|head| {
        Act::Send(match head.split(' ').nth(1).unwrap_or_default() {
            "/1" => reply("302 Found\r\nLocation: /2?x=%FF", b"elsewhere"),
            "/2?x=%FF" => reply("308 Permanent Redirect\r\nLocation: 3", b""),
            "/3" => reply("200 OK", b"de"),
            "/link" => reply("301 Moved\r\nLocation: MAGNET:?xt=urn:btih:0123", b""),
            "/file" => reply("301 Moved\r\nLocation: file:///etc/passwd", b""),
            "/nowhere" => reply("301 Moved\r\nLocation: http://[", b""),
            "/unsaid" => reply("302 Found", b"no place"),
            _ => reply("302 Found\r\nLocation: /loop", b""),
        })
    })
    .await;
    assert_eq!(get(&server.url("/1")).await, body(b"de"));
    assert_eq!(get(&server.url("/link")).await, Ok(Reply::Magnet("MAGNET:?xt=urn:btih:0123".into())));
    assert!(matches!(get(&server.url("/file")).await, Err(HttpError::BadUrl(_))));
    assert!(matches!(get(&server.url("/nowhere")).await, Err(HttpError::BadUrl(_))));
    let unsaid = Reply::Body { status: 302, body: b"no place".to_vec() };
    assert_eq!(get(&server.url("/unsaid")).await, Ok(unsaid));
    let before = server.requests();
    assert_eq!(get(&server.url("/loop")).await, Err(HttpError::Redirects(5)));
    assert_eq!(server.requests() - before, 6);
}

#[tokio::test]
async fn a_torrent_a_magnet_or_a_word_about_what_it_is() {
    let server = OddServer::start(|head| {
        Act::Send(match head.split(' ').nth(1).unwrap_or_default() {
            "/torrent" => reply("200 OK", b"d4:infodee"),
            "/magnet" => reply("302 Found\r\nLocation: magnet:?xt=urn:btih:0123", b""),
            "/page" => reply("200 OK", b"\xEF\xBB\xBF\n<!DOCTYPE html><title>log in</title>"),
            "/empty" => reply("200 OK", b""),
            "/large" => reply("200 OK", &vec![b'd'; (32 << 20) + 1]),
            _ => reply("403 Forbidden", b"<html>no"),
        })
    })
    .await;
    let fetch = async |path: &str| client().fetch_torrent(&server.url(path), &[]).await;
    assert_eq!(fetch("/torrent").await, Ok(Fetched::Torrent(b"d4:infodee".to_vec())));
    assert_eq!(fetch("/magnet").await, Ok(Fetched::Magnet("magnet:?xt=urn:btih:0123".into())));
    assert_eq!(fetch("/page").await, Err(FetchError::WebPage));
    assert_eq!(fetch("/empty").await, Err(FetchError::Empty));
    assert_eq!(fetch("/large").await, Err(FetchError::Http(HttpError::TooLarge(32 << 20))));
    assert_eq!(fetch("/else").await.unwrap_err().to_string(), "the server says 403 Forbidden");
    assert_eq!(FetchError::WebPage.to_string(), "got a web page; log in?");
}
