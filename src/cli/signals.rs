//! SIGINT, SIGTERM and SIGHUP as values; Ctrl-C where there are no signals.

use super::error::Problem;
#[cfg(unix)]
use super::exit::Exit;
use super::exit::Signal;

/// The signals that end a run, in the order of their arrival.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    streams: [(Signal, tokio::signal::unix::Signal); 3],
}

impl Signals {
    /// From now on the signals do not end the process but arrive at [`Signals::next`].
    ///
    /// # Errors
    /// If the system refuses.
    #[cfg(unix)]
    pub fn listen() -> Result<Self, Problem> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |name, kind| {
            let stream = signal(kind);
            let told = |error: std::io::Error| Problem::new(Exit::Other, "cannot listen for signals").because(error);
            stream.map(|stream| (name, stream)).map_err(told)
        };
        let streams = [
            listen(Signal::Interrupt, SignalKind::interrupt())?,
            listen(Signal::Terminate, SignalKind::terminate())?,
            listen(Signal::Hangup, SignalKind::hangup())?,
        ];
        Ok(Signals { streams })
    }

    /// From now on Ctrl-C does not end the process but arrives at [`Signals::next`].
    ///
    /// # Errors
    /// None here.
    #[cfg(not(unix))]
    pub fn listen() -> Result<Self, Problem> {
        Ok(Signals {})
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (name, stream) in &mut self.streams {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*name);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
