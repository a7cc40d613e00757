"""A .torrent of BEP 52 as libtorrent makes it: libtorrent_make.py v2|hybrid PATH PIECE_LENGTH TRACKER OUT.

Prints the hashes that it has, one a line: v1 in 40 hex digits, v2 in 64.
"""
import os
import sys

import libtorrent

form, path, piece_length, tracker, out = sys.argv[1:6]
files = libtorrent.file_storage()
libtorrent.add_files(files, path)
flags = libtorrent.create_torrent.v2_only if form == "v2" else 0
made = libtorrent.create_torrent(files, int(piece_length), flags)
made.add_tracker(tracker)
libtorrent.set_piece_hashes(made, os.path.dirname(path))
with open(out, "wb") as file:
    file.write(libtorrent.bencode(made.generate()))
hashes = libtorrent.torrent_info(out).info_hashes()
if hashes.has_v1():
    print(hashes.v1)
if hashes.has_v2():
    print(hashes.v2)
