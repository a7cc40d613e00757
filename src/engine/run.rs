//! The engine as the command line sees it: start it, add items, watch them, shut it down.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::context::{Context, SharedContext};
use super::item::{Event, Failure, FailureKind, Item, ItemKey, Progress};
use super::limits::RunLimits;
use super::playback::Playback;
use super::settings::EngineSettings;
use super::torrent_task::{Control, TorrentTask};
use crate::base::id::PeerId;
use crate::base::selection::Selection;
use crate::io::announce::Announcer;
use crate::io::dht_task::DhtStatus;
use crate::io::dial::{Dialler, Transport};
use crate::io::disk::DiskPool;
use crate::io::http::HttpClient;
use crate::io::listen;
use crate::io::net_path::PathError;
use crate::io::ports::{Ports, Wanted};
use crate::io::resolve::Resolver;
use crate::io::udp_task::UdpPort;
use crate::io::udp_tracker::UdpTrackers;

/// How long the DHT may take to write its tables down.
const DHT_FAREWELL: Duration = Duration::from_millis(500);

/// How long a router may take to close the ports again.
const MAP_FAREWELL: Duration = Duration::from_secs(1);

/// All downloads of a run. Lives within a tokio runtime.
pub struct Engine {
    context: SharedContext,
    /// What happens to the items.
    pub events: mpsc::UnboundedReceiver<(ItemKey, Event)>,
    tell: mpsc::UnboundedSender<(ItemKey, Event)>,
    items: JoinSet<()>,
    controls: Vec<mpsc::UnboundedSender<Control>>,
    next: u32,
}

/// One item of a running engine.
#[derive(Clone, Debug)]
pub struct ItemHandle {
    pub key: ItemKey,
    progress: watch::Receiver<Progress>,
    playback: watch::Receiver<Option<Playback>>,
    control: mpsc::UnboundedSender<Control>,
}

impl ItemHandle {
    /// The present moment of the item.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Lets an item that was to be held go on, with `selection` in the place of its own if one is given.
    pub fn go(&self, selection: Option<Selection>) {
        let _ = self.control.send(Control::Go(selection));
    }

    /// The way to read it while it downloads, once its files are open; for an item that is to be played.
    pub fn playback(&self) -> watch::Receiver<Option<Playback>> {
        self.playback.clone()
    }

    /// Stops it in order; its last event follows. Does nothing once it is over.
    pub fn stop(&self) {
        let _ = self.control.send(Control::Stop);
    }
}

impl Engine {
    /// Binds the listeners and starts the disk threads. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`FailureKind::Network`] if no port can be had or the proxy does not let us in, [`FailureKind::Other`] if the
    /// system gives no threads.
    pub async fn start(settings: EngineSettings) -> Result<Engine, Failure> {
        raise_open_files();
        let path = settings.path.clone();
        path.probe().await.map_err(|e| no_path(&e))?;
        let (transport, encryption) = (settings.transport, settings.encryption);
        let wanted = Wanted {
            ports: settings.port.clone(),
            tcp: transport != Transport::Utp,
            udp: settings.dht || transport != Transport::Tcp,
        };
        let Ports { listeners, udp } = Ports::open(&path, wanted).await.map_err(|e| cannot_listen(&settings, &e))?;
        if transport == Transport::Utp && udp.is_none() {
            return Err(failure(FailureKind::Network, "uTP alone needs UDP, and there is no way for that".into()));
        }
        let disk = DiskPool::start(DiskPool::default_threads())
            .map_err(|e| failure(FailureKind::Other, format!("can't start the disk threads: {e}")))?;
        let mut rng = StdRng::from_rng(&mut rand::rng());
        let http = HttpClient::new(&settings.user_agent, Resolver::on(path.clone()));
        let (tell, events) = mpsc::unbounded_channel();
        if let Some(udp) = &udp {
            udp.set_blocklist(settings.blocklist.clone());
        }
        let registry = listen::serve(listeners, encryption, settings.blocklist.clone());
        let utp = udp.as_ref().filter(|_| transport != Transport::Tcp).map(UdpPort::utp);
        if let Some(utp) = &utp {
            utp.accept(registry.arrivals());
        }
        tokio::spawn(path.clone().watch());
        let dialler = Dialler { transport, encryption, utp, path: path.clone() };
        let context = Context {
            peer_id: PeerId::ours(&mut rng),
            key: rng.next_u32(),
            registry,
            dialler,
            udp,
            disk,
            announcer: Announcer::new(http.clone(), UdpTrackers::spawn(StdRng::from_rng(&mut rng), path.clone())),
            http,
            limits: RunLimits::start(&settings.limits),
            dht: OnceLock::new(),
            lsd: OnceLock::new(),
            port_map: OnceLock::new(),
            running: watch::channel(0).0,
            client: settings.user_agent.as_str().into(),
            settings,
        };
        Ok(Engine { context: Arc::new(context), events, tell, items: JoinSet::new(), controls: Vec::new(), next: 1 })
    }

    /// The port that peers can call.
    pub fn port(&self) -> u16 {
        self.context.registry.port()
    }

    /// How the DHT does, if an item has started it.
    pub fn dht_status(&self) -> Option<DhtStatus> {
        Some(self.context.dht.get()?.as_ref()?.status())
    }

    /// Starts to work on `item`.
    pub fn add(&mut self, item: Item) -> ItemHandle {
        let key = ItemKey(self.next);
        self.next += 1;
        let (control, controls) = mpsc::unbounded_channel();
        let controls = (control.downgrade(), controls);
        let (task, inbox, seen) = TorrentTask::new(self.context.clone(), key, item, self.tell.clone(), controls);
        self.items.spawn(task.run(inbox));
        self.controls.push(control.clone());
        ItemHandle { key, progress: seen.progress, playback: seen.playback, control }
    }

    /// Stops what still runs, in order, and waits for it no longer than `grace`.
    pub async fn shutdown(mut self, grace: Duration) {
        for control in &self.controls {
            let _ = control.send(Control::Stop);
        }
        let all = async { while self.items.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(grace, all).await;
        let dht = async {
            if let Some(Some(dht)) = self.context.dht.get() {
                dht.shutdown(DHT_FAREWELL).await;
            }
        };
        let ports = async {
            if let Some(map) = self.context.port_map.get() {
                map.close(MAP_FAREWELL).await;
            }
        };
        tokio::join!(dht, ports);
    }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message }
}

fn no_path(error: &PathError) -> Failure {
    let hint = error.hint().map_or(String::new(), |hint| format!("; {hint}"));
    failure(FailureKind::Network, format!("{error}{hint}"))
}

fn cannot_listen(settings: &EngineSettings, error: &io::Error) -> Failure {
    let ports = match &settings.port {
        Some(ports) if ports.start() == ports.end() => format!("port {}", ports.start()),
        Some(ports) => format!("any port of {}-{}", ports.start(), ports.end()),
        None => "any port".into(),
    };
    failure(FailureKind::Network, format!("can't listen on {ports}: {error}; give another --port"))
}

/// Many torrents have more files than the usual soft limit allows to be open.
fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // A refusal leaves the limit as it was: the number of open files is bounded below it anyway.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
