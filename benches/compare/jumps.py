#!/usr/bin/env python3
"""How soon a film plays after a jump: times until the first byte, 256 KiB and 1 MiB after each jump are there.

    jumps.py rtorrent-cli PATH     the program at PATH
    jumps.py webtorrent PATH       webtorrent-cli's bin/cmd.js at PATH
    jumps.py libtorrent            python3-libtorrent, with deadlines of 100 ms a piece

One seeder, the rtorrent-cli in SEEDER (default: the one on the path), serves 36 MB in pieces of 256 KiB at 600 KiB/s on
loopback. Each place is read for four seconds, then the connection is closed and the next one asks from elsewhere.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time

SEEDER = os.environ.get("SEEDER", "rtorrent-cli")
PLACES = (0, 24_000_000, 12_000_000, 34_000_000, 18_000_000)
MARKS = (1, 256 << 10, 1 << 20)
SECONDS = 4
QUIET = ["--no-dht", "--no-lsd", "--port-map=no", "--state-dir", "none"]


def report(place, times, got):
    print(f"from {place / 1e6:4.1f} MB: {' '.join(times) or 'nothing'} s; {got >> 10} KiB in {SECONDS} s", flush=True)


def by_http(port, path):
    for place in PLACES:
        began, got, times, head = time.time(), 0, [], b""
        with socket.create_connection(("127.0.0.1", port)) as ask:
            ask.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nRange: bytes={place}-\r\n\r\n".encode())
            ask.settimeout(0.02)
            while time.time() < began + SECONDS:
                try:
                    chunk = ask.recv(1 << 16)
                except TimeoutError:
                    continue
                if not chunk:
                    break
                if b"\r\n\r\n" not in head:
                    head += chunk
                    chunk = head.partition(b"\r\n\r\n")[2]
                got += len(chunk)
                while len(times) < len(MARKS) and got >= MARKS[len(times)]:
                    times.append(f"{time.time() - began:.2f}")
        report(place, times, got)


def by_libtorrent(torrent, seeder, out):
    import libtorrent

    settings = dict(enable_dht=False, enable_lsd=False, enable_upnp=False, enable_natpmp=False)
    session = libtorrent.session(settings)
    info = libtorrent.torrent_info(torrent)
    handle = session.add_torrent({"ti": info, "save_path": out})
    handle.connect_peer(("127.0.0.1", seeder))
    length = info.piece_length()
    for place in PLACES:
        began, times, first = time.time(), [], place // length
        handle.clear_piece_deadlines()
        for nth, piece in enumerate(range(first, min(first + 32, info.num_pieces()))):
            handle.set_piece_deadline(piece, nth * 100)
        while time.time() < began + SECONDS:
            piece = first
            while piece < info.num_pieces() and handle.have_piece(piece):
                piece += 1
            got = max(0, piece * length - place)
            while len(times) < len(MARKS) and got >= MARKS[len(times)]:
                times.append(f"{time.time() - began:.2f}")
            time.sleep(0.005)
        report(place, times, got)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as dir:
        film, torrent = os.path.join(dir, "film.mp4"), os.path.join(dir, "film.torrent")
        with open(film, "wb") as file:
            file.write(os.urandom(36_000_000))
        subprocess.run([SEEDER, "create", film, "-o", torrent, "--piece-length", "256K"], check=True, capture_output=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        seed = subprocess.Popen([SEEDER, "seed", torrent, film, *QUIET, "-p", str(port), "--limit-up", "600K"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # The path comes when everything is checked.
        seed.stdout.readline()
        out, player = os.path.join(dir, "out"), None
        try:
            if sys.argv[1] == "libtorrent":
                by_libtorrent(torrent, port, out)
            elif sys.argv[1] == "webtorrent":
                magnet = subprocess.run([SEEDER, "info", "--magnet", torrent], check=True, capture_output=True, text=True)
                link = f"{magnet.stdout.strip()}&x.pe=127.0.0.1:{port}"
                player = subprocess.Popen(["node", sys.argv[2], "download", link, "-p", "8123", "-o", out],
                                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                while True:
                    try:
                        socket.create_connection(("127.0.0.1", 8123)).close()
                        break
                    except OSError:
                        time.sleep(0.05)
                by_http(8123, "/0/film.mp4")
            else:
                player = subprocess.Popen([sys.argv[2], "stream", torrent, "-d", out, *QUIET, "--peer", f"127.0.0.1:{port}"],
                                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                host, path = re.match(r"http://[^/]+:(\d+)(/\S*)", player.stdout.readline()).groups()
                by_http(int(host), path)
        finally:
            for process in filter(None, (player, seed)):
                process.kill()
                process.wait()


main()
