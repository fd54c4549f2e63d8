"""Answers: 7001 TCP echo, 7002 UDP echo, 7003 UDP "who am I"."""

import socket
import threading


def echo_tcp():
    listener = socket.create_server(("0.0.0.0", 7001), backlog=64)
    while True:
        s, _ = listener.accept()
        threading.Thread(target=echo, args=(s,), daemon=True).start()


def echo(s):
    with s:
        while piece := s.recv(65536):
            s.sendall(piece)


def udp(port, answer):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    while True:
        got, sender = s.recvfrom(65536)
        s.sendto(answer(got, sender), sender)


threading.Thread(target=echo_tcp, daemon=True).start()
threading.Thread(target=udp, args=(7002, lambda got, _: got), daemon=True).start()
udp(7003, lambda _, sender: f"{sender[0]} {sender[1]}".encode())
