//! Whether the path still holds: interface and proxy are looked after until one is gone, and then the run hears of it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::{NetPath, PathError};
use crate::io::device::Device;
use crate::io::proxy::{Proxy, ProxyError};

/// Between looks at the interface: nothing tells of its end.
const LOOK: Duration = Duration::from_secs(1);
/// Between looks at the proxy, where nobody has any trouble with it.
const LOOK_AT_PROXY: Duration = Duration::from_secs(30);
/// A proxy that can't be reached so many times in a row, with such pauses, is gone.
const PROBES: u32 = 4;
const PROBE_PAUSE: Duration = Duration::from_secs(3);

impl NetPath {
    /// Looks whether the proxy, if there is one, lets us in.
    ///
    /// # Errors
    /// [`PathError::Proxy`].
    pub async fn probe(&self) -> Result<(), PathError> {
        let Some(proxy) = &self.0.proxy else { return Ok(()) };
        match self.reach(proxy, None).await {
            Ok(_) => Ok(()),
            Err(error) => Err(PathError::Proxy(proxy.addr.to_string(), error.to_string())),
        }
    }

    /// Why the path is no more, once that is so.
    pub fn broken(&self) -> watch::Receiver<Option<String>> {
        self.0.broken.subscribe()
    }

    /// Looks after interface and proxy until one is gone; to be run beside everything else. Without a fence it ends at
    /// once.
    pub async fn watch(self) {
        let why = match (&self.0.device, &self.0.proxy) {
            (None, None) => return,
            (Some(device), None) => self.watch_device(device).await,
            (None, Some(proxy)) => self.watch_proxy(proxy).await,
            (Some(device), Some(proxy)) => tokio::select! {
                why = self.watch_device(device) => why,
                why = self.watch_proxy(proxy) => why,
            },
        };
        self.end(why);
    }

    async fn watch_device(&self, device: &Device) -> String {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = device.still_there() {
                return error.to_string();
            }
        }
    }

    async fn watch_proxy(&self, proxy: &Proxy) -> String {
        loop {
            // Who waits for nothing but the proxy has no trouble that it would tell.
            let _ = timeout(LOOK_AT_PROXY, self.0.doubt.notified()).await;
            let mut last = String::new();
            let mut failed = 0;
            while failed < PROBES {
                match self.reach(proxy, None).await {
                    Ok(_) => break,
                    Err(ProxyError::Login(why)) => return format!("the proxy {}: {why}", proxy.addr),
                    Err(error) => last = error.to_string(),
                }
                failed += 1;
                tokio::time::sleep(PROBE_PAUSE).await;
            }
            if failed == PROBES {
                return format!("the proxy {} is gone: {last}", proxy.addr);
            }
            // Not at every failed dial of a crowd.
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    /// What the trouble with the proxy means for the run.
    pub(super) fn distrust(&self, proxy: &Proxy, error: &ProxyError) {
        match error {
            ProxyError::Login(_) => self.end(format!("the proxy {}: {error}", proxy.addr)),
            ProxyError::Proxy(_) => self.doubt(),
            ProxyError::Target(_) | ProxyError::NoUdp => {}
        }
    }

    /// Somebody has trouble with the proxy: it is looked at soon.
    pub fn doubt(&self) {
        self.0.doubt.notify_one();
    }

    /// The proxy answered a request with status 407.
    pub fn on_login_refused(&self) {
        if let Some(proxy) = &self.0.proxy {
            self.end(format!("the proxy {}: it refuses name and password", proxy.addr));
        }
    }

    fn end(&self, why: String) {
        self.0.broken.send_if_modified(|broken| {
            let first = broken.is_none();
            broken.get_or_insert(why);
            first
        });
    }
}
