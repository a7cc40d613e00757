"""A network of libtorrent's DHT nodes, the k-th at 10.88.1.k:6881 (the addresses are there already):

libtorrent_nodes.py COUNT seed TORRENT FOLDER    one of them serves the torrent and announces it, then: ready
libtorrent_nodes.py COUNT leech MAGNET FOLDER    ready, then one of them looks for the torrent, and at the end: complete

Runs until it is killed.
"""
import random
import sys
import time
import warnings

import libtorrent

warnings.simplefilter("ignore", DeprecationWarning)
count, verb, source, folder = int(sys.argv[1]), *sys.argv[2:5]


def address(k):
    return f"10.88.1.{k + 1}"


def started(k):
    return libtorrent.session({
        "listen_interfaces": f"{address(k)}:6881",
        "enable_dht": True,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "dht_bootstrap_nodes": f"{address(0 if k else 1)}:6881",
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "alert_mask": 0,
    })


sessions = [started(k) for k in range(count)]
# Left to itself libtorrent takes many minutes to fill its tables.
while min(session.status().dht_nodes for session in sessions) < count // 2:
    for session in sessions:
        for k in random.sample(range(count), 6):
            session.add_dht_node((address(k), 6881))
    time.sleep(2)

parameters = libtorrent.parse_magnet_uri(source) if verb == "leech" else libtorrent.add_torrent_params()
if verb == "seed":
    parameters.ti = libtorrent.torrent_info(source)
parameters.save_path = folder
torrent = sessions[count // 2].add_torrent(parameters)
if verb == "seed":
    while not torrent.status().is_seeding:
        time.sleep(0.1)
    # Who looks for it looks again, and it is announced again: neither has to come first.
    torrent.force_dht_announce()
print("ready", flush=True)
complete = verb == "seed"
while True:
    torrent.force_dht_announce()
    if not complete and torrent.status().is_seeding:
        complete = True
        print("complete", flush=True)
    time.sleep(1)
