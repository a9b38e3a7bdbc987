"""usage: garbage.py ROUNDS SEED PID...
Connect to every port on which one of the processes listens, ROUNDS times each,
and send what nobody of the run would: noise, other protocols, the beginning of
a handshake cut off at any byte or spoiled at any byte. Some connections are
closed at once, some stay open and silent until the end. Prints the ports.
"""
import os
import random
import socket
import sys

MAGIC, VERSION = b"CSTL", 1


def inodes(pid):
    """The sockets that a process has open."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            name = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if name.startswith("socket:["):
            found.add(name[len("socket:["):-1])
    return found


def ports(pids):
    """Where they listen, as (family, port)."""
    found = set()
    for pid in pids:
        own = inodes(pid)
        for file, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
            with open(f"/proc/{pid}/net/{file}", encoding="ascii") as table:
                for line in list(table)[1:]:
                    words = line.split()
                    if words[3] == "0A" and words[9] in own:
                        found.add((family, int(words[1].rsplit(":", 1)[1], 16)))
    return sorted(found)


def segment(kind, body):
    return kind.to_bytes(4, "little") + len(body).to_bytes(4, "little") + body


def hello(draw):
    """As a process of the run would begin."""
    body = MAGIC + VERSION.to_bytes(2, "little") + bytes([draw.choice((0, 1, 2))])
    body += (0xFFFFFFFF).to_bytes(4, "little") + (0).to_bytes(4, "little")
    return segment(1, body + draw.randbytes(32))


def garbage(draw):
    whole = hello(draw) + segment(draw.randrange(24), draw.randbytes(draw.randrange(200)))
    at = draw.randrange(len(whole))
    return draw.choice((
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        draw.randbytes(draw.randrange(1, 5000)),
        bytes(draw.randrange(1, 5000)),
        b"\xff" * draw.randrange(1, 5000),
        whole,
        whole[:at],
        whole[:at] + bytes([whole[at] ^ (1 << draw.randrange(8))]) + whole[at + 1:],
        segment(1, b"")[:4] + b"\xff\xff\xff\xff" + draw.randbytes(2000),
        segment(draw.randrange(1 << 32), draw.randbytes(40)),
    ))


def main():
    rounds, draw = int(sys.argv[1]), random.Random(int(sys.argv[2]))
    where = ports(sys.argv[3:])
    kept = []
    sent = 0
    for _ in range(rounds):
        for family, port in where:
            connection = socket.socket(family)
            connection.settimeout(10)
            try:
                connection.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
                connection.sendall(garbage(draw))
                if draw.random() < 0.3:
                    connection.recv(1000)
            except OSError:
                pass
            sent += 1
            if draw.random() < 0.5:
                kept.append(connection)
            else:
                connection.close()
    print(len(where), "ports,", sent, "connections")
    for connection in kept:
        connection.close()


main()
