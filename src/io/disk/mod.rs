//! The disk threads: they hash pieces that are in memory, write them, read or send blocks for uploads, and sync.
//!
//! One [`DiskPool`] serves the whole process; each torrent holds a [`TorrentDisk`] of it. Work goes in without waiting,
//! what became of it comes back as [`DiskReport`]s on the torrent's channel. There are three kinds of threads, so that
//! neither a cold read nor a sync holds up the hashing and writing that downloads wait for. The threads end when the
//! last handle is dropped and the work that was queued is done.

mod pipe;
mod queue;
mod send;
mod serve;
mod standard_output;
mod syncer;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use self::pipe::Pipe;
use self::queue::Queue;
use self::syncer::Syncer;
use crate::base::bitfield::Bitfield;
use crate::base::layout::Layout;
use crate::io::file_set::{FileError, FileSet, Synced};
use crate::io::parcel::{Parcel, Served};
use crate::swarm::{DiskJob, DiskOutcome};

/// Threads that read and send for uploads.
const READERS: usize = 2;

/// What the disk threads tell a torrent.
#[derive(Debug)]
pub enum DiskReport {
    /// What became of one [`DiskJob`].
    Outcome(DiskOutcome),
    /// This selected file is whole, verified and has its final name.
    Finished(usize),
    /// Everything that had been written when the sync began is durable: a resume record may say so now. Comes after
    /// [`TorrentDisk::sync`], and by itself now and then while there are writes.
    Synced(Synced),
    /// A sync failed; what was written since the one before may be lost.
    SyncFailed(FileError),
    /// Standard output has lost its reader, and there is something left to write.
    ReaderGone,
    /// Standard output has lost its reader: whoever writes it is to be told ([`TorrentDisk::on_unread`]).
    Unread,
    /// All of the file has been taken from standard output.
    PassedOn,
}

/// Pieces that lie verified in files.
#[derive(Clone, Debug)]
pub struct OnDisk {
    pub files: Arc<FileSet>,
    pub pieces: Bitfield,
}

/// The disk threads of the process.
#[derive(Clone, Debug)]
pub struct DiskPool(Arc<Threads>);

/// One torrent's access to the disk threads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TorrentDisk {
    torrent: Arc<Torrent>,
    pool: Arc<Threads>,
}

/// A torrent as the disk threads see it.
#[derive(Debug)]
struct Torrent {
    store: Store,
    reports: UnboundedSender<DiskReport>,
    /// A sync is due some time.
    sync_due: AtomicBool,
    /// A sync is queued and has not begun.
    sync_queued: AtomicBool,
}

/// Where verified pieces go.
#[derive(Debug)]
enum Store {
    Files(Arc<FileSet>),
    /// Out of the process, in order.
    Pipe(Pipe),
}

/// Dropped with the last handle, it closes the queues.
#[derive(Debug)]
struct Threads {
    writes: Arc<Queue<(Arc<Torrent>, DiskJob)>>,
    uploads: Arc<Queue<Upload>>,
    syncer: Arc<Syncer>,
}

/// Work for an upload.
#[derive(Debug)]
struct Upload {
    files: Arc<FileSet>,
    task: UploadTask,
}

#[derive(Debug)]
enum UploadTask {
    /// Read a block into memory.
    Read { piece: u32, begin: u32, len: u32, reply: oneshot::Sender<Result<Vec<u8>, FileError>> },
    /// Send to a plain TCP peer.
    Serve { socket: Arc<TcpStream>, parcel: Parcel, near: bool, reply: oneshot::Sender<Served> },
}

impl DiskPool {
    /// How many threads hash and write on this machine: one less than it has cores, 1 to 4.
    pub fn default_threads() -> usize {
        thread::available_parallelism().map_or(1, |cores| cores.get() - 1).clamp(1, 4)
    }

    /// Starts `writers` threads that hash and write, and the few others.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn start(writers: usize) -> io::Result<DiskPool> {
        let threads = Threads {
            writes: Arc::new(Queue::new()),
            uploads: Arc::new(Queue::new()),
            syncer: Arc::new(Syncer::new()),
        };
        for _ in 0..writers.max(1) {
            let (writes, syncer) = (threads.writes.clone(), threads.syncer.clone());
            spawn("disk-write", move || writer::run(&writes, &syncer))?;
        }
        for _ in 0..READERS {
            let uploads = threads.uploads.clone();
            spawn("disk-read", move || run_uploads(&uploads))?;
        }
        let syncer = threads.syncer.clone();
        spawn("disk-sync", move || syncer.run())?;
        Ok(DiskPool(Arc::new(threads)))
    }

    /// The handle of one torrent, whose reports go to `reports`. If taking up the files has told something that no
    /// record says yet, a sync is queued at once.
    pub fn torrent(&self, files: Arc<FileSet>, reports: UnboundedSender<DiskReport>) -> TorrentDisk {
        let wants_sync = files.wants_sync();
        let disk = self.handle(Store::Files(files), reports);
        if wants_sync {
            disk.sync();
        }
        disk
    }

    /// The handle of a torrent of which file `file` goes to standard output, and nothing to the disk. A piece is
    /// verified when its bytes have been written; nothing can be read back. The pieces of `there` are read from their
    /// files when their turn comes, and not told of. [`DiskReport::PassedOn`] is the last report.
    ///
    /// # Errors
    /// If standard output is closed, or the system gives no more threads.
    pub fn standard_output(
        &self,
        layout: &Arc<Layout>,
        file: usize,
        there: Option<OnDisk>,
        reports: UnboundedSender<DiskReport>,
    ) -> io::Result<TorrentDisk> {
        let pipe = Pipe::start(standard_output::open()?, layout.clone(), file, there, reports.clone())?;
        Ok(self.handle(Store::Pipe(pipe), reports))
    }

    /// Has [`DiskReport::Unread`] said when nobody reads standard output any more, where that can be seen.
    ///
    /// # Errors
    /// If standard output is closed, or the system gives no more threads.
    pub fn watch_standard_output(&self, reports: UnboundedSender<DiskReport>) -> io::Result<()> {
        standard_output::watch(standard_output::open()?, reports)
    }

    fn handle(&self, store: Store, reports: UnboundedSender<DiskReport>) -> TorrentDisk {
        let torrent = Torrent { store, reports, sync_due: AtomicBool::new(false), sync_queued: AtomicBool::new(false) };
        TorrentDisk { torrent: Arc::new(torrent), pool: self.0.clone() }
    }
}

impl TorrentDisk {
    /// Queues a job; its outcome comes as a [`DiskReport::Outcome`].
    pub fn submit(&self, job: DiskJob) {
        self.pool.writes.push((self.torrent.clone(), job));
    }

    /// Queues a read of verified bytes, which must lie in the piece. If the receiver is dropped before its turn comes,
    /// nothing is read.
    pub fn read(&self, piece: u32, begin: u32, len: u32) -> oneshot::Receiver<Result<Vec<u8>, FileError>> {
        let (reply, answer) = oneshot::channel();
        self.upload(UploadTask::Read { piece, begin, len, reply });
        answer
    }

    /// Queues a parcel to be sent to `socket`, to which nobody else writes until the parcel comes back; `near` says that
    /// the peer is on this machine. Parcels are sent in the order in which they came, so that peers that have one queued
    /// at a time get equal turns.
    pub fn serve(&self, socket: Arc<TcpStream>, parcel: Parcel, near: bool) -> oneshot::Receiver<Served> {
        let (reply, answer) = oneshot::channel();
        self.upload(UploadTask::Serve { socket, parcel, near, reply });
        answer
    }

    fn upload(&self, task: UploadTask) {
        // Without files there is nothing to read, and who waits for the answer sees the question dropped.
        if let Store::Files(files) = &self.torrent.store {
            self.pool.uploads.push(Upload { files: files.clone(), task });
        }
    }

    /// Standard output has lost its reader: once what waits is written, [`DiskReport::ReaderGone`] is all that comes.
    pub fn on_unread(&self) {
        match &self.torrent.store {
            Store::Pipe(pipe) => pipe.on_reader_gone(),
            Store::Files(_) => {}
        }
    }

    /// Queues a sync of all that was written to files up to now; [`DiskReport::Synced`] or [`DiskReport::SyncFailed`]
    /// answers. Where nothing is kept, nothing does.
    pub fn sync(&self) {
        self.pool.syncer.request(&self.torrent);
    }
}

impl Torrent {
    fn files(&self) -> Option<&Arc<FileSet>> {
        match &self.store {
            Store::Files(files) => Some(files),
            Store::Pipe(_) => None,
        }
    }

    fn report(&self, report: DiskReport) {
        // A torrent that is gone needs no reports.
        let _ = self.reports.send(report);
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.writes.close();
        self.uploads.close();
        self.syncer.close();
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(drop)
}

fn run_uploads(uploads: &Queue<Upload>) {
    while let Some(Upload { files, task }) = uploads.pop() {
        match task {
            UploadTask::Read { piece, begin, len, reply } if !reply.is_closed() => {
                let mut bytes = vec![0; len as usize];
                let _ = reply.send(files.read(piece, begin, &mut bytes).map(|()| bytes));
            }
            UploadTask::Serve { socket, parcel, near, reply } if !reply.is_closed() => {
                let _ = reply.send(serve::serve(&files, &socket, parcel, near));
            }
            // The peer is gone.
            UploadTask::Read { .. } | UploadTask::Serve { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
