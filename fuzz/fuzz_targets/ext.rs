//! Messages of the extension protocol.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::proto::ext::{ExtHandshake, HolepunchMessage, MetadataMessage, PexMessage, dont_have};

fuzz_target!(|bytes: &[u8]| {
    let mut handshake = ExtHandshake::default();
    let _ = handshake.update(bytes);
    let _ = handshake.update(bytes);
    let _ = dont_have(bytes);
    // What is not known is never written.
    if let Some(message) = MetadataMessage::decode(bytes).ok().filter(|message| *message != MetadataMessage::Unknown) {
        let written = message.encode();
        assert_eq!(MetadataMessage::decode(&written), Ok(message));
    }
    if let Some(message) = HolepunchMessage::decode(bytes) {
        assert_eq!(HolepunchMessage::decode(&message.encode()), Some(message));
    }
    if let Ok(message) = PexMessage::decode(bytes) {
        let _ = PexMessage::decode(&message.encode()).expect("our own bytes");
    }
});
