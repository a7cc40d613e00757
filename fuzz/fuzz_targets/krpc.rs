//! A datagram that is read can be written, and then reads as the same message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::proto::dht::krpc::Message;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Message::decode(bytes) {
        let _ = Message::decode(&message.encode());
    }
});
