"""A libtorrent session with one torrent: libtorrent_peer.py SOURCE SAVE_PATH PORT. Runs until it is killed."""
import sys
import time

import libtorrent

source, save_path, port = sys.argv[1:4]
session = libtorrent.session({
    "listen_interfaces": f"127.0.0.1:{port}",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "alert_mask": libtorrent.alert.category_t.error_notification | libtorrent.alert.category_t.status_notification,
})
if source.startswith("magnet:"):
    parameters = libtorrent.parse_magnet_uri(source)
else:
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(source)
parameters.save_path = save_path
session.add_torrent(parameters)
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        print(alert, flush=True)
