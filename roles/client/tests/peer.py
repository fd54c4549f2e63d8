"""Both ends of IP-HTTPS, written from the specification alone: OpenSSL's TLS, packets and checksums by hand.

peer.py client PORT CA CERT KEY    talks to a gateway on the loopback address
peer.py server CA CERT KEY         is a gateway for one client; prints its port first

Ends with status 0 when the other end did everything that it must.
"""
import ipaddress
import socket
import ssl
import struct
import sys

ICMPV6 = 58
NO_NEXT_HEADER = 59
ADDRESS = ipaddress.ip_address("fd00:1::a").packed
GATEWAY = ipaddress.ip_address("fe80::1").packed
OURS = ipaddress.ip_address("fe80::8:15:16:23").packed
FAR = ipaddress.ip_address("fd00:2::1").packed
ALL_ROUTERS = ipaddress.ip_address("ff02::2").packed


def checksum(octets):
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, destination, payload, following=NO_NEXT_HEADER, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), following, hops) + source + destination + payload


def icmp(source, destination, kind, body):
    message = struct.pack("!BBH", kind, 0, 0) + body
    pseudo = source + destination + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    return packet(source, destination, message, ICMPV6, 255)


def checked(octets):
    """The ICMPv6 message of a packet whose hop limit and checksum are right."""
    assert octets[6] == ICMPV6 and octets[7] == 255, octets[:40]
    pseudo = octets[8:40] + struct.pack("!II", len(octets) - 40, ICMPV6)
    assert checksum(pseudo + octets[40:]) == 0, "checksum"
    return octets[40:]


class Link:
    def __init__(self, tls):
        self.tls = tls
        self.buffer = b""

    def exactly(self, n):
        while len(self.buffer) < n:
            more = self.tls.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def head(self):
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            text += self.exactly(1)
        return text.decode("ascii").split("\r\n")

    def receive(self):
        header = self.exactly(40)
        assert header[0] >> 4 == 6, header
        return header + self.exactly(struct.unpack("!H", header[4:6])[0])


def client(port, ca, cert, key):
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(cert, key)
    raw = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = context.wrap_socket(raw, server_hostname="da.example.com")
    link = Link(tls)
    tls.sendall(b"POST /IPHTTPS HTTP/1.1\r\nHost: da.example.com\r\nContent-Length: 18446744073709551615\r\n\r\n")
    lines = link.head()
    assert lines[0] == "HTTP/1.1 200 OK", lines
    names = [line.split(":")[0].lower() for line in lines[1:] if line]
    assert "content-length" not in names and "transfer-encoding" not in names, names
    # One octet a record.
    for octet in icmp(OURS, ALL_ROUTERS, 133, bytes(4)):
        tls.sendall(bytes([octet]))
    offer = link.receive()
    message = checked(offer)
    assert message[0] == 134 and offer[8:24] == GATEWAY and offer[24:40] == OURS, offer[:40]
    assert message[6:8] == b"\0\0", "no default route is offered"
    address, options = None, message[16:]
    while options:
        length = options[1] * 8
        if options[0] == 3 and options[2] == 128:
            assert options[3] & 0xC0 == 0x40, "autonomous, not on-link"
            address = options[16:32]
        options = options[length:]
    assert address == ADDRESS, address
    # Whether the gateway is there, and whether it answers once for two questions in one record.
    ask = icmp(OURS, GATEWAY, 135, bytes(4) + GATEWAY)
    tls.sendall(ask + ask)
    for _ in range(2):
        answer = checked(link.receive())
        assert answer[0] == 136 and answer[4] & 0x40 and answer[8:24] == GATEWAY, answer
    # A stream of packets of every size, cut anywhere; what comes back is the same with its ends exchanged.
    sizes = [n * 37 % 1461 for n in range(2000)]
    sent = [packet(address, FAR, bytes([n % 256]) * size) for n, size in enumerate(sizes)]
    stream = b"".join(sent)
    # One thread: OpenSSL does not allow two on a connection.
    answered, ends = 0, 0
    for at in range(0, len(stream), 20011):
        tls.sendall(stream[at : at + 20011])
        while answered < len(sent) and ends + len(sent[answered]) <= at + 20011:
            one = sent[answered]
            ends += len(one)
            answered += 1
            back = link.receive()
            assert back == one[:8] + one[24:40] + one[8:24] + one[40:], (back[:40], one[:40])
    assert answered == len(sent)
    # From an address that is not ours: lost. Then one that is: comes back, so that we know that the first did not.
    tls.sendall(packet(FAR, ADDRESS, b"stolen") + packet(ADDRESS, FAR, b"own"))
    assert link.receive()[40:] == b"own"
    # What is no packet ends the connection.
    tls.sendall(b"\x45" + bytes(39))
    try:
        link.exactly(1)
    except (EOFError, ConnectionError, ssl.SSLError):
        return
    raise AssertionError("the gateway goes on after bad framing")


def server(ca, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    raw, _ = listener.accept()
    raw.settimeout(20)
    tls = context.wrap_socket(raw, server_side=True)
    names = [value for kind, value in tls.getpeercert()["subjectAltName"] if kind == "DNS"]
    assert names == ["laptop-01"], names
    link = Link(tls)
    lines = link.head()
    assert lines[0] == "POST /IPHTTPS HTTP/1.1", lines
    fields = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in lines[1:] if line}
    assert fields["host"].startswith("da.example.com") and int(fields["content-length"]) >= 2**63 - 1, fields
    tls.sendall(b"HTTP/1.1 200 OK\r\nServer: Microsoft-HTTPAPI/2.0\r\nDate: Wed, 25 Nov 2026 10:00:00 GMT\r\n\r\n")
    asked = link.receive()
    assert checked(asked)[0] == 133 and asked[24:40] == ALL_ROUTERS, asked
    prefix = struct.pack("!BBBBIII", 3, 4, 128, 0x40, 7200, 3600, 0) + ADDRESS
    route = struct.pack("!BBBBI", 24, 3, 64, 0, 1800) + ipaddress.ip_address("fd00:2::").packed
    mtu = struct.pack("!BBHI", 5, 1, 0, 1400)
    offer = icmp(GATEWAY, asked[8:24], 134, struct.pack("!BBHII", 64, 0, 0, 0, 0) + prefix + route + mtu)
    for octet in offer:
        tls.sendall(bytes([octet]))
    echoed = 0
    while True:
        try:
            got = link.receive()
        except (EOFError, ConnectionError, ssl.SSLError):
            break
        if got[6] == ICMPV6 and got[40] == 135:
            message = checked(got)
            assert message[8:24] == GATEWAY and got[24:40] == GATEWAY
            tls.sendall(icmp(GATEWAY, got[8:24], 136, struct.pack("!I", 0xE0000000) + GATEWAY))
            continue
        assert got[8:24] == ADDRESS, got[:40]
        tls.sendall(got[:8] + got[24:40] + got[8:24] + got[40:])
        echoed += 1
    assert echoed == 2000, echoed


{"client": client, "server": server}[sys.argv[1]](*sys.argv[2:])
