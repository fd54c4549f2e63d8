"""Many clients of a translator, each with an address of its own. Prints what went wrong, or "good"."""

import socket
import struct
import sys

SERVER, POOL_PREFIX, CLIENTS = sys.argv[1], sys.argv[2], sys.argv[3:]
WRONG = []


def check(what, good):
    if not good:
        WRONG.append(what)


def opened(kind, address, protocol=0):
    s = socket.socket(socket.AF_INET6, kind, protocol)
    s.bind((address, 0))
    s.settimeout(5)
    return s


def tcp(address):
    s = opened(socket.SOCK_STREAM, address)
    s.connect((SERVER, 7001))
    sent = bytes(range(256)) * 400
    s.sendall(sent)
    s.shutdown(socket.SHUT_WR)
    got = b""
    while piece := s.recv(65536):
        got += piece
    check(f"{address}: {len(got)} octets of {len(sent)} by TCP", got == sent)
    s.close()


def udp(address, size):
    s = opened(socket.SOCK_DGRAM, address)
    for n in range(5):
        sent = bytes([n]) * size
        s.sendto(sent, (SERVER, 7002))
        try:
            check(f"{address}: a datagram of {size} came back changed", s.recv(65536) == sent)
        except TimeoutError:
            check(f"{address}: no answer to a datagram of {size}", False)
    return s


def ping(address):
    s = opened(socket.SOCK_DGRAM, address, socket.IPPROTO_ICMPV6)
    s.connect((SERVER, 0))
    s.send(struct.pack("!BBHHH", 128, 0, 0, 0, 1) + b"ping")
    check(f"{address}: another answer to a ping", s.recv(100)[0] == 129)


def refused(address):
    s = opened(socket.SOCK_DGRAM, address)
    s.connect((SERVER, 9))
    s.send(b"x")
    try:
        s.recv(1)
        check(f"{address}: an answer from nobody", False)
    except ConnectionRefusedError:
        pass
    except TimeoutError:
        check(f"{address}: no error about a port where nobody listens", False)


def outside(s):
    """What the server sees of a socket, as an address behind the prefix."""
    s.sendto(b"who", (SERVER, 7003))
    address, port = s.recv(100).decode().split()
    return POOL_PREFIX + address, int(port)


def neighbours(one, other):
    """One writes to the other's outside address, a small datagram and one that is cut, and is answered."""
    a, b = opened(socket.SOCK_DGRAM, one), opened(socket.SOCK_DGRAM, other)
    seen_b = outside(b)
    seen_a = outside(a)
    for size in (10, 3000):
        try:
            a.sendto(b"h" * size, seen_b)
            got, sender = b.recvfrom(65536)
            check(f"{one} came to {other} as {sender}", sender[:2] == (canonical(seen_a[0]), seen_a[1]))
            b.sendto(got, sender)
            got, sender = a.recvfrom(65536)
            check(f"{other} answered {one} with {len(got)}", len(got) == size)
        except TimeoutError:
            check(f"{one} and {other} do not meet with {size}", False)


def canonical(address):
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


for each in CLIENTS:
    tcp(each)
    udp(each, 40)
    udp(each, 3000)
    ping(each)
    refused(each)
for n in range(len(CLIENTS)):
    neighbours(CLIENTS[n], CLIENTS[(n + 1) % len(CLIENTS)])
print("\n".join(WRONG) or "good")
