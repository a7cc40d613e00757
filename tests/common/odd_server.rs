//! A TCP server that answers every request with bytes that a test chose: for all that servers do wrong.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Listens until it is dropped.
pub struct OddServer {
    pub addr: SocketAddr,
    requests: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

/// What to do with a request.
pub enum Act {
    /// Send this and close.
    Send(Vec<u8>),
    /// Send this, and hang up when the next request comes on the same connection: as one that is closed just then.
    SendOnce(Vec<u8>),
    /// Say nothing and keep the connection.
    Hang,
    /// Send the first once and the second for ever.
    Flood(Vec<u8>, Vec<u8>),
}

impl OddServer {
    /// `act` gets the request's head, from the method to the empty line.
    pub async fn start(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> OddServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let mut task = JoinSet::new();
        let (act, counter) = (Arc::new(act), Arc::clone(&requests));
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (act, counter) = (Arc::clone(&act), Arc::clone(&counter));
                connections.spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
                            return;
                        }
                    }
                    counter.fetch_add(1, Ordering::SeqCst);
                    match act(&String::from_utf8_lossy(&head)) {
                        Act::Send(bytes) => drop(stream.write_all(&bytes).await),
                        Act::SendOnce(bytes) => {
                            drop(stream.write_all(&bytes).await);
                            drop(stream.readable().await);
                        }
                        Act::Hang => std::future::pending().await,
                        Act::Flood(first, more) => {
                            let mut sent = stream.write_all(&first).await;
                            while sent.is_ok() {
                                sent = stream.write_all(&more).await;
                            }
                        }
                    }
                });
            }
        });
        OddServer { addr, requests, _task: task }
    }

    /// Always sends `body` with `head` lines before it (`200 OK\r\nX: y`).
    pub async fn answering(head: &str, body: &[u8]) -> OddServer {
        let answer = reply(head, body);
        OddServer::start(move |_| Act::Send(answer.clone())).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// How many requests have come.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// An HTTP response; `head` is the status and perhaps further header lines.
pub fn reply(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
