//! The first step of a call: TCP and uTP race, and the first to connect carries everything. The other is given up before
//! it has said a word: two handshakes from one peer would make the other side drop both.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::dial::{Dialler, Transport};
use super::net_path::NetPath;
use super::stream::PeerStream;
use super::utp::UtpHandle;
use crate::swarm::action::Way;

/// How long a SYN may go unanswered. Dials race, so that a dead address costs nobody but itself; three SYNs (at 0, 1
/// and 3 s) have left by then.
const CONNECT_DEADLINE: Duration = Duration::from_secs(7);

/// What worked before, or else TCP, which costs less, is given so much of a start. Who refuses it ends that at once.
const HEAD_START: Duration = Duration::from_millis(150);

/// Connects to `addr`; true if over uTP. `way` is what worked before.
///
/// # Errors
/// That of TCP if both fail, `TimedOut` after seven seconds.
pub async fn connect(addr: SocketAddr, dialler: &Dialler, way: Option<Way>) -> io::Result<(PeerStream, bool)> {
    let path = &dialler.path;
    let race = async {
        match (&dialler.utp, dialler.transport) {
            (Some(utp), Transport::Auto) => race(addr, path, utp, way.is_some_and(|way| way.utp)).await,
            (Some(utp), Transport::Utp) => over_utp(addr, utp).await,
            (None, Transport::Utp) => Err(io::ErrorKind::Unsupported.into()),
            (_, Transport::Tcp) | (None, Transport::Auto) => over_tcp(addr, path).await,
        }
    };
    timeout(CONNECT_DEADLINE, race).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn over_tcp(addr: SocketAddr, path: &NetPath) -> io::Result<(PeerStream, bool)> {
    Ok((PeerStream::tcp(path.connect(addr).await?)?, false))
}

async fn over_utp(addr: SocketAddr, utp: &UtpHandle) -> io::Result<(PeerStream, bool)> {
    Ok((PeerStream::Utp(utp.connect(addr).await?), true))
}

async fn race(addr: SocketAddr, path: &NetPath, utp: &UtpHandle, utp_first: bool) -> io::Result<(PeerStream, bool)> {
    if utp_first {
        first_of(over_utp(addr, utp), over_tcp(addr, path)).await
    } else {
        first_of(over_tcp(addr, path), over_utp(addr, utp)).await
    }
}

/// The first that succeeds; `second` begins after the head start, or when `first` has failed.
async fn first_of<T>(
    first: impl Future<Output = io::Result<T>>,
    second: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::pin!(first, second);
    tokio::select! {
        end = &mut first => match end {
            Ok(won) => return Ok(won),
            Err(error) => return second.await.map_err(|other| worse(error, other)),
        },
        () = sleep(HEAD_START) => {}
    }
    tokio::select! {
        end = &mut first => match end {
            Ok(won) => Ok(won),
            Err(error) => second.await.map_err(|other| worse(error, other)),
        },
        end = &mut second => match end {
            Ok(won) => Ok(won),
            Err(other) => first.await.map_err(|error| worse(error, other)),
        },
    }
}

/// What to say of an address that failed twice: that it was silent says more than that one port refused.
fn worse(one: io::Error, other: io::Error) -> io::Error {
    if other.kind() == io::ErrorKind::TimedOut { other } else { one }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn refused() -> io::Result<u8> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    #[tokio::test]
    async fn the_first_to_connect_wins() {
        assert_eq!(first_of(ready(Ok(1)), async { panic!("not within the head start") }).await.unwrap(), 1);
        assert_eq!(first_of(pending(), ready(Ok(2))).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_refusal_lets_the_other_begin_and_decides_nothing() {
        assert_eq!(first_of(ready(refused()), ready(Ok(2))).await.unwrap(), 2);
        let (tell, told) = tokio::sync::oneshot::channel();
        let second = async {
            let _ = tell.send(());
            refused()
        };
        let first = async {
            let _ = told.await;
            Ok(1)
        };
        assert_eq!(first_of(first, second).await.unwrap(), 1, "the second was refused before the first connected");
    }

    #[tokio::test]
    async fn silence_is_what_is_told() {
        let silent = || ready(io::Result::<u8>::Err(io::ErrorKind::TimedOut.into()));
        let error = first_of(ready(refused()), silent()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = first_of(silent(), ready(refused())).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
