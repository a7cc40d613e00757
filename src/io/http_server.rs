//! A small HTTP/1.1 server: it accepts, reads requests and sends answers; what to answer is its user's business.
//!
//! A body is either whole or comes in chunks over a channel of one: the next chunk is made when the client has taken the
//! one before. When a client goes away its channel closes, and with the last handle of the server every connection ends.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

/// Clients at a time; more wait to be accepted.
const CLIENTS: usize = 64;
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// The head of a request is no longer.
const HEAD_BYTES: usize = 16 * 1024;
/// A pause after the system has refused a connection (no more files, say).
const PAUSE: Duration = Duration::from_millis(100);

/// A bound address, not yet served.
#[derive(Debug)]
pub struct HttpListener {
    listener: TcpListener,
    addr: SocketAddr,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct HttpServer(AbortHandle);

/// What is sent after the head of an answer.
#[derive(Debug)]
pub enum Reply {
    Whole(Option<Bytes>),
    /// So many bytes are still to come.
    Chunks {
        left: u64,
        chunks: mpsc::Receiver<Vec<u8>>,
    },
}

/// What a client asks for. Only the head counts: no request has a body of interest.
pub type Question = Request<()>;
pub type Answer = Response<Reply>;

impl HttpListener {
    /// Listens on `addr` (port 0: any free one). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the address can't be had.
    pub fn bind(addr: SocketAddr) -> io::Result<HttpListener> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        Ok(HttpListener { addr: listener.local_addr()?, listener })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers each request with what `answer` makes of it.
    pub fn serve(self, answer: impl Fn(Question) -> Answer + Send + Sync + 'static) -> HttpServer {
        HttpServer(tokio::spawn(accept(self.listener, Arc::new(answer))).abort_handle())
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept<F: Fn(Question) -> Answer + Send + Sync + 'static>(listener: TcpListener, answer: Arc<F>) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        // Never closed.
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        while clients.try_join_next().is_some() {}
        let answer = answer.clone();
        clients.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answered = answer(request.map(drop));
                async move { Ok::<_, Infallible>(answered) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(socket), service);
            // A client that breaks off is nobody's trouble.
            let _ = connection.await;
            drop(place);
        });
    }
}

impl Reply {
    pub fn empty() -> Reply {
        Reply::Whole(None)
    }

    pub fn text(text: impl Into<Bytes>) -> Reply {
        Reply::Whole(Some(text.into()))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Reply::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Reply::Chunks { left: 0, .. } => Poll::Ready(None),
            Reply::Chunks { left, chunks } => chunks.poll_recv(context).map(|chunk| match chunk {
                Some(chunk) => {
                    *left = left.saturating_sub(chunk.len() as u64);
                    Some(Ok(Frame::data(chunk.into())))
                }
                // The connection is cut, so that the client sees that something is missing.
                None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Reply::Whole(None) | Reply::Chunks { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Reply::Whole(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Reply::Chunks { left, .. } => *left,
        })
    }
}

/// Whether a `Host` header names this machine by an address or as `localhost`. A page on the web can have its own name
/// lead here (DNS rebinding); its browser then says that name.
pub fn is_own_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    #[test]
    fn only_addresses_and_localhost_are_own_hosts() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:1", "[::1]", "[::1]:80", "192.168.1.7:9"] {
            assert!(is_own_host(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example:1"] {
            assert!(!is_own_host(host), "{host}");
        }
    }

    async fn ask(addr: SocketAddr, request: &str) -> String {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is cut off still shows what came before.
        let _ = socket.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn answers_come_whole_in_chunks_and_cut_off() {
        let listener = HttpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.addr();
        let server = listener.serve(|question| {
            let (make, chunks) = mpsc::channel(1);
            match question.uri().path() {
                "/whole" => Response::new(Reply::text("all of it")),
                path => {
                    let parts = if path == "/chunks" { 3 } else { 2 };
                    tokio::spawn(async move {
                        for _ in 0..parts {
                            let _ = make.send(b"abc".to_vec()).await;
                        }
                    });
                    Response::new(Reply::Chunks { left: 9, chunks })
                }
            }
        });
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let whole = ask(addr, &get("/whole")).await;
        assert!(whole.contains("content-length: 9\r\n") && whole.ends_with("\r\n\r\nall of it"), "{whole}");
        let chunks = ask(addr, &get("/chunks")).await;
        assert!(chunks.contains("content-length: 9\r\n") && chunks.ends_with("\r\n\r\nabcabcabc"), "{chunks}");
        let cut = ask(addr, &get("/cut")).await;
        let (head, body) = cut.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 9\r\n") && "abcabc".starts_with(body), "{cut}");
        drop(server);
        // The task is told to end, and ends when it is its turn.
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_makes_the_chunks_learns_that_the_client_is_gone() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::sync::Mutex::new(Some(tell));
        let listener = HttpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.addr();
        let _server = listener.serve(move |_| {
            let (make, chunks) = mpsc::channel(1);
            let tell = tell.lock().unwrap().take().unwrap();
            tokio::spawn(async move {
                make.closed().await;
                tell.send(()).unwrap();
            });
            Response::new(Reply::Chunks { left: 9, chunks })
        });
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0];
        socket.read_exact(&mut first).await.unwrap();
        drop(socket);
        tokio::time::timeout(Duration::from_secs(60), told).await.expect("told in time").unwrap();
    }
}
