//! The encrypted handshake over a stream, on both sides: the machines of `proto::mse` moved by a straight sequence.

use std::io;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::watch;

use super::stream::PeerStream;
use crate::base::id::InfoHashV1;
use crate::proto::mse::{Admitted, Ciphers, Initiator, Methods, MseError, Receiver, Skeys};

/// Bytes that one read takes, at most. The machines seldom want more than a key.
const CHUNK: usize = 1024;

/// Calls for `skey`; `first` is said with the handshake. Nothing is read beyond it. `None`: the payload goes plain.
///
/// # Errors
/// The stream's, or `InvalidData` with the [`MseError`].
pub async fn initiate(
    stream: &mut PeerStream,
    skey: InfoHashV1,
    offer: Methods,
    first: Vec<u8>,
) -> io::Result<Option<Ciphers>> {
    let mut machine = Initiator::new(&mut StdRng::from_rng(&mut rand::rng()), skey, offer, first);
    let mut chunk = [0; CHUNK];
    loop {
        stream.write_all(&machine.take_output()).await?;
        let n = stream.read_some(&mut chunk[..machine.wants().min(CHUNK)]).await?;
        if let Some(ciphers) = machine.on_bytes(&chunk[..n]).map_err(refused)? {
            return Ok(ciphers);
        }
    }
}

/// Answers a caller whose first bytes were `begun`, at most as many as a key has. Nothing is read beyond its first
/// payload.
///
/// # Errors
/// The stream's, or `InvalidData` with the [`MseError`].
pub async fn receive(
    stream: &mut PeerStream,
    begun: &[u8],
    accept: Methods,
    skeys: &watch::Receiver<Skeys>,
) -> io::Result<Admitted> {
    let mut machine = Receiver::new(&mut StdRng::from_rng(&mut rand::rng()), accept);
    let mut chunk = [0; CHUNK];
    chunk[..begun.len()].copy_from_slice(begun);
    let mut n = begun.len();
    loop {
        let end = machine.on_bytes(&chunk[..n], &skeys.borrow()).map_err(refused)?;
        stream.write_all(&machine.take_output()).await?;
        if let Some(admitted) = end {
            return Ok(admitted);
        }
        n = stream.read_some(&mut chunk[..machine.wants().min(CHUNK)]).await?;
    }
}

fn refused(error: MseError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
