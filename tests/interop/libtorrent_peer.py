"""A libtorrent session with one torrent: libtorrent_peer.py SOURCE SAVE_PATH PORT [SPEAKS]. Runs until it is killed.

SPEAKS: any; or what alone may follow an encrypted handshake, plaintext or rc4; or utp. Then nothing else is spoken.
"""
import sys
import time

import libtorrent

source, save_path, port = sys.argv[1:4]
speaks = sys.argv[4] if len(sys.argv) > 4 else "any"
session = libtorrent.session({
    "listen_interfaces": f"127.0.0.1:{port}",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    # Who could not be reached is called again soon, and again.
    "min_reconnect_time": 1,
    "max_failcount": 1000,
    "alert_mask": libtorrent.alert.category_t.error_notification | libtorrent.alert.category_t.status_notification,
})
if speaks == "utp":
    session.apply_settings({"enable_outgoing_tcp": False, "enable_incoming_tcp": False})
elif speaks != "any":
    level = libtorrent.enc_level.pe_rc4 if speaks == "rc4" else libtorrent.enc_level.pe_plaintext
    session.apply_settings({
        "out_enc_policy": int(libtorrent.enc_policy.pe_forced),
        "in_enc_policy": int(libtorrent.enc_policy.pe_forced),
        "allowed_enc_level": int(level),
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
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
