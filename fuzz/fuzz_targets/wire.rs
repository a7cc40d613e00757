//! A frame that is read and written again reads as the same message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::proto::wire::{HANDSHAKE_LEN, Handshake, Message};

fuzz_target!(|bytes: &[u8]| {
    if let Some(start) = bytes.first_chunk::<HANDSHAKE_LEN>()
        && let Ok(handshake) = Handshake::decode(start)
    {
        assert_eq!(handshake.encode(), *start);
    }
    let mut rest = bytes;
    while let Ok(Some((message, len))) = Message::take(rest) {
        let mut written = Vec::new();
        if !matches!(message, Message::Unknown(_)) {
            message.encode(&mut written);
            assert_eq!(Message::take(&written), Ok(Some((message, written.len()))));
        }
        rest = &rest[len..];
    }
});
