"""A libtorrent session with one torrent: libtorrent_peer.py ADDRESS:PORT ROLE TORRENT FOLDER [WORD]...

ROLE: seed or leech, which want the first two files; idle wants the third. WORDS: HOST:PORT, a peer to call; pex, peers
tell of each other. Says "connected ADDR" for each new peer and "complete" when it has what it wants. Runs until it is
killed.
"""
import sys
import time

import libtorrent

listen, role, torrent, folder = sys.argv[1:5]
words = sys.argv[5:]
session = libtorrent.session({
    "listen_interfaces": listen,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "close_redundant_connections": False,
    "min_reconnect_time": 1,
    "max_failcount": 1000,
    "peer_connect_timeout": 5,
    "in_enc_policy": int(libtorrent.enc_policy.disabled),
    "out_enc_policy": int(libtorrent.enc_policy.disabled),
})
parameters = libtorrent.add_torrent_params()
parameters.ti = libtorrent.torrent_info(torrent)
parameters.save_path = folder
parameters.file_priorities = [0, 0, 1] if role == "idle" else [1, 1, 0]
if "pex" not in words:
    parameters.flags |= libtorrent.torrent_flags.disable_pex
parameters.flags |= libtorrent.torrent_flags.disable_dht | libtorrent.torrent_flags.disable_lsd
handle = session.add_torrent(parameters)
for word in words:
    if ":" in word:
        host, port = word.rsplit(":", 1)
        handle.connect_peer((host.strip("[]"), int(port)))
known, done = set(), False
while True:
    session.wait_for_alert(200)
    session.pop_alerts()
    for peer in handle.get_peer_info():
        if not peer.flags & peer.connecting and not peer.flags & peer.handshake:
            if peer.ip[0] not in known:
                known.add(peer.ip[0])
                print("connected", peer.ip[0], flush=True)
    if not done and handle.status().is_finished and handle.status().state != libtorrent.torrent_status.checking_files:
        done = True
        print("complete", flush=True)
