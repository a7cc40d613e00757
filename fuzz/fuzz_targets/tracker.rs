//! What trackers answer, and tracker URLs from torrents.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::tracker::udp::{Family, parse_response};
use rtorrent_cli::proto::tracker::{TrackerUrl, http, scrape};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(reply) = http::parse_announce(bytes) {
        assert!(reply.peers.iter().all(|peer| peer.port() != 0));
    }
    let _ = scrape::parse_scrape(bytes, [InfoHashV1([b'a'; 20]), InfoHashV1([b'b'; 20])]);
    let _ = parse_response(bytes, Family::V4);
    let _ = parse_response(bytes, Family::V6);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(url) = TrackerUrl::parse(text)
    {
        let _ = scrape::scrape_url(&url, [InfoHashV1([1; 20]), InfoHashV1([2; 20])]);
    }
});
