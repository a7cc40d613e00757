"""What runs inside the namespaces: the eye on a link, and the servers of the world. Each prints `ready`, then a line for
whatever asks it, with the address that it came from."""
import hashlib
import http.server
import os
import pathlib
import random
import socket
import socketserver
import struct
import sys
import time

GOOD, BAD = "10.90.1.1", "10.90.2.1"  # the world's addresses on the two links
SEED, TRACKER, UDP_TRACKER, NODE, WEB, SOCKS, HTTP_PROXY = 7001, 7002, 7003, 7004, 7005, 1080, 3128
PEER = socket.inet_aton(GOOD) + struct.pack("!H", SEED)


def say(*words):
    print(*words, flush=True)


def eye(interface):
    """A line for each IP packet and ARP question that leaves by an interface."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE: nothing is missed while others have the processor
    wire.bind((interface, 0))
    say("ready")
    while True:
        try:
            frame, (_, _, direction, *_) = wire.recvfrom(65536)
        except OSError:  # the link is down or gone: what leaves when it is up again is seen again
            time.sleep(0.05)
            continue
        if direction != 4:  # PACKET_OUTGOING
            continue
        kind = struct.unpack("!H", frame[12:14])[0]
        if kind == 0x0806:
            say("arp", socket.inet_ntoa(frame[38:42]))
        elif kind == 0x0800:
            start = 14 + (frame[14] & 15) * 4
            port = struct.unpack("!H", frame[start + 2:start + 4])[0] if frame[23] in (6, 17) else 0
            bare_reset = frame[23] == 6 and frame[start + 13] & 4 and len(frame) - start <= 60
            say({6: "tcp", 17: "udp"}.get(frame[23], frame[23]), socket.inet_ntoa(frame[30:34]), port,
                *["reset"][:bool(bare_reset)])
        elif kind == 0x86dd and frame[20] in (6, 17):
            port, = struct.unpack("!H", frame[56:58])
            say({6: "tcp", 17: "udp"}[frame[20]], socket.inet_ntop(socket.AF_INET6, frame[38:54]), port)
        elif kind == 0x86dd and frame[20] in (0, 58):  # the kernel looks for its neighbours
            say("icmp6")
        else:
            say(f"ethertype {kind:#06x}")


class Tracker(http.server.BaseHTTPRequestHandler):
    """Names the seed to everybody."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        say("tracker", self.client_address[0])
        body = b"d8:intervali60e5:peers6:" + PEER + b"e"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Web(http.server.BaseHTTPRequestHandler):
    """The files of a folder, in parts too."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        say("web", self.client_address[0], self.path)
        data = (FOLDER / pathlib.PurePath(self.path).name).read_bytes()
        part, status = self.headers.get("Range"), 200
        whole = len(data)
        if part:
            first, _, last = part.removeprefix("bytes=").partition("-")
            first, last = int(first), min(int(last or whole - 1), whole - 1)
            data, status = data[first:last + 1], 206
        self.send_response(status)
        if part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def handle_error(self, *_):
        pass  # who hangs up is no news


def serve(port, handler):
    server = Server(("0.0.0.0", port), handler)
    say("ready")
    server.serve_forever()


def datagrams(port, answer):
    """One socket an address: an answer comes from where the question went."""
    import selectors
    ready = selectors.DefaultSelector()
    for address in (GOOD, BAD):
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.bind((address, port))
        ready.register(own, selectors.EVENT_READ)
    say("ready")
    while True:
        for key, _ in ready.select():
            packet, sender = key.fileobj.recvfrom(2048)
            if reply := answer(packet, sender):
                key.fileobj.sendto(reply, sender)


def udp_tracker(packet, sender):
    action, transaction = struct.unpack("!II", packet[8:16])
    say("udp-tracker", sender[0], "connect" if action == 0 else "announce")
    if action == 0:
        return struct.pack("!IIQ", 0, transaction, 77)
    return struct.pack("!IIIII", 1, transaction, 60, 0, 1) + PEER


def dns(packet, sender):
    """Every name is an IPv4 address: that of the world on the good link."""
    end = 12 + packet[12:].index(0) + 5
    kind = struct.unpack("!H", packet[end - 4:end - 2])[0]
    say("dns", sender[0], kind)
    head = packet[:2] + b"\x81\x80" + packet[4:6] + struct.pack("!HHH", kind == 1, 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(GOOD) if kind == 1 else b""
    return head + packet[12:end] + record


def node(packet, sender):
    """A node of the DHT that knows no other, and that the seed has everything."""
    at = packet.rindex(b"1:t") + 3
    length, _, rest = packet[at:].partition(b":")
    transaction = rest[:int(length)]
    values = b"5:token1:x6:valuesl6:" + PEER + b"e" if b"9:get_peers" in packet else b""
    say("node", sender[0])
    return b"d1:rd2:id20:" + NODE_ID + b"5:nodes0:" + values + b"e1:t%d:" % len(transaction) + transaction + b"1:y1:re"


NODE_ID = hashlib.sha1(random.randbytes(9)).digest()

if __name__ == "__main__":
    what = sys.argv[1]
    FOLDER = pathlib.Path(sys.argv[2]) if what == "web" else None
    {"eye": lambda: eye(sys.argv[2]),
     "tracker": lambda: serve(TRACKER, Tracker),
     "web": lambda: serve(WEB, Web),
     "udp-tracker": lambda: datagrams(UDP_TRACKER, udp_tracker),
     "dns": lambda: datagrams(53, dns),
     "node": lambda: datagrams(NODE, node)}[what]()
