"""A router that forwards ports on request, by the protocols named: router.py ADDRESS PROTOCOL...

PROTOCOL: pcp (RFC 6887), natpmp (RFC 6886), upnp (IGD:1). Prints `ready`, then a line for each request:
`map PROTOCOL tcp|udp PORT` and `unmap PROTOCOL tcp|udp PORT`. Nothing is forwarded in fact.
"""
import http.server
import re
import socket
import struct
import sys
import threading

ADDRESS, PROTOCOLS = sys.argv[1], sys.argv[2:]
EXTERNAL = "60.1.2.3"
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"


def say(*words):
    # In one piece: other threads say something too.
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def port_mapping():
    """NAT-PMP and PCP share a port; the first byte of a request is the version."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((ADDRESS, 5351))
    while True:
        request, client = udp.recvfrom(1100)
        if request[0] == 2 and "pcp" in PROTOCOLS:
            lifetime, = struct.unpack(">I", request[4:8])
            protocol, internal = request[36], struct.unpack(">H", request[40:42])[0]
            head = struct.pack(">BBBBII12x", 2, 0x81, 0, 0, lifetime, 1000)
            external = b"\0" * 10 + b"\xff\xff" + socket.inet_aton(EXTERNAL)
            udp.sendto(head + request[24:40] + struct.pack(">HH", internal, internal) + external, client)
            say("map" if lifetime else "unmap", "pcp", {6: "tcp", 17: "udp"}[protocol], internal)
        elif request[0] == 0 and "natpmp" in PROTOCOLS:
            if request[1] == 0:
                udp.sendto(struct.pack(">BBHI", 0, 128, 0, 1000) + socket.inet_aton(EXTERNAL), client)
                continue
            internal, external, lifetime = struct.unpack(">HHI", request[4:12])
            external = internal if lifetime else 0
            udp.sendto(struct.pack(">BBHIHHI", 0, 128 + request[1], 0, 1000, internal, external, lifetime), client)
            say("map" if lifetime else "unmap", "natpmp", {1: "udp", 2: "tcp"}[request[1]], internal)
        elif "natpmp" in PROTOCOLS:
            udp.sendto(struct.pack(">BBHI", 0, 128, 1, 1000), client)  # unsupported version


DESCRIPTION = f"""<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>
<serviceType>{SERVICE}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>/control</controlURL><eventSubURL>/event</eventSubURL><SCPDURL>/scpd.xml</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>"""


def action(name, *arguments):
    listed = "".join(f"<argument><name>{it}</name><direction>in</direction></argument>" for it in arguments)
    return f"<action><name>{name}</name><argumentList>{listed}</argumentList></action>"


SCPD = '<?xml version="1.0"?><scpd xmlns="urn:schemas-upnp-org:service-1-0"><actionList>' + "".join([
    action("AddPortMapping", "NewRemoteHost", "NewExternalPort", "NewProtocol", "NewInternalPort", "NewInternalClient",
           "NewEnabled", "NewPortMappingDescription", "NewLeaseDuration"),
    action("DeletePortMapping", "NewRemoteHost", "NewExternalPort", "NewProtocol"),
    action("GetExternalIPAddress"),
]) + "</actionList></scpd>"


class Control(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(SCPD if self.path == "/scpd.xml" else DESCRIPTION)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        value = lambda name: re.search(f"<{name}>([^<]*)</{name}>", body)[1]
        verb = self.headers["SOAPAction"].strip('"').split("#")[1]
        inside = ""
        if verb == "GetExternalIPAddress":
            inside = f"<NewExternalIPAddress>{EXTERNAL}</NewExternalIPAddress>"
        else:
            word = "map" if verb == "AddPortMapping" else "unmap"
            say(word, "upnp", value("NewProtocol").lower(), value("NewExternalPort"))
        self.answer(f'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
                    f'<u:{verb}Response xmlns:u="{SERVICE}">{inside}</u:{verb}Response></s:Body></s:Envelope>')

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def discovery():
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind(("239.255.255.250", 1900))
    group = socket.inet_aton("239.255.255.250") + socket.inet_aton(ADDRESS)
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((ADDRESS, 0))
    while True:
        request, client = udp.recvfrom(2000)
        if request.startswith(b"M-SEARCH"):
            kind = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
            out.sendto(f"HTTP/1.1 200 OK\r\nST: {kind}\r\nUSN: uuid:1::{kind}\r\nLOCATION: http://{ADDRESS}:5000/d.xml\r\n"
                       f"CACHE-CONTROL: max-age=120\r\nEXT:\r\nSERVER: test\r\n\r\n".encode(), client)


threads = [port_mapping] if {"pcp", "natpmp"} & set(PROTOCOLS) else []
if "upnp" in PROTOCOLS:
    server = http.server.ThreadingHTTPServer((ADDRESS, 5000), Control)
    threads += [server.serve_forever, discovery]
for each in threads:
    threading.Thread(target=each, daemon=True).start()
say("ready")
threading.Event().wait()
