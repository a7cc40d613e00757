"""A libtorrent session that knows peers from the local network alone:

libtorrent_peer.py LISTEN seed TORRENT FOLDER    ready, when it serves
libtorrent_peer.py LISTEN leech MAGNET FOLDER    ready, and at the end: complete

LISTEN is ADDRESS:PORT. Runs until it is killed.
"""
import sys
import time
import warnings

import libtorrent

warnings.simplefilter("ignore", DeprecationWarning)
listen, verb, source, folder = sys.argv[1:5]
session = libtorrent.session({
    "listen_interfaces": listen,
    "enable_dht": False,
    "enable_lsd": True,
    "enable_upnp": False,
    "enable_natpmp": False,
    "alert_mask": 0,
})
parameters = libtorrent.parse_magnet_uri(source) if verb == "leech" else libtorrent.add_torrent_params()
if verb == "seed":
    parameters.ti = libtorrent.torrent_info(source)
parameters.save_path = folder
torrent = session.add_torrent(parameters)
while verb == "seed" and not torrent.status().is_seeding:
    time.sleep(0.1)
print("ready", flush=True)
while verb == "leech" and not torrent.status().is_seeding:
    time.sleep(0.1)
if verb == "leech":
    print("complete", flush=True)
while True:
    time.sleep(1)
