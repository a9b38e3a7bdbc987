"""Talk to the socket of a run as nobody should: garbage.py SOCKET WHAT [SEED]"""
import random
import socket
import struct
import sys

MAGIC, VERSION = 0x57545343, 2


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect(sys.argv[1])
    return s


def answer(s):
    """All that it says, until it hangs up."""
    said = b""
    try:
        while True:
            more = s.recv(1 << 16)
            if not more:
                return said
            said += more
    except ConnectionResetError:
        return said


def refused(said):
    """Is that an answer, which refuses?"""
    return len(said) > 10 and struct.unpack("<IBBI", said[:10])[2] == 3


def random_bytes(source):
    """Any bytes, some of them after a head that is good."""
    for _ in range(300):
        body = source.randbytes(source.randrange(0, 600))
        if source.random() < 0.5:
            body = struct.pack("<IBBI", MAGIC, VERSION, source.randrange(256),
                               source.choice([0, 3, len(body), 1 << 31])) + body
        s = connect()
        try:
            s.sendall(body)
            s.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass
        answer(s)
        s.close()


def wrong():
    """Each of these is answered by a sentence."""
    for body in (b"GET / HTTP/1.0\r\n\r\n", struct.pack("<IBBI", MAGIC, VERSION + 1, 1, 0),
                 struct.pack("<IBBI", MAGIC, VERSION, 0, 0), struct.pack("<IBBI", MAGIC, VERSION, 99, 0),
                 struct.pack("<IBBI", MAGIC, VERSION, 1, 1 << 20),
                 struct.pack("<IBBI", MAGIC, VERSION, 2, 3) + b"a\0b",
                 struct.pack("<IBBI", MAGIC, VERSION, 1, 0) + b"x"):
        s = connect()
        s.sendall(body)
        if not refused(answer(s)):
            sys.exit("not refused: %r" % body)


def silent():
    """Many who say nothing, or half: they are hung up on."""
    calls = [connect() for _ in range(60)]
    for s in calls[::2]:
        s.sendall(struct.pack("<IB", MAGIC, 1))
    for s in calls:
        if answer(s):
            sys.exit("an answer to nothing")


def deaf():
    """Who asks and does not listen; and goes away."""
    for _ in range(40):
        s = connect()
        s.sendall(struct.pack("<IBBI", MAGIC, VERSION, 1, 0))
        s.close()


def stranger():
    """One who may not is hung up on, without a word."""
    s = connect()
    try:
        s.sendall(struct.pack("<IBBI", MAGIC, VERSION, 1, 0))
    except (BrokenPipeError, ConnectionResetError):
        pass
    if answer(s):
        sys.exit("an answer to a stranger")


WHAT = sys.argv[2]
if WHAT == "random":
    random_bytes(random.Random(int(sys.argv[3])))
else:
    {"wrong": wrong, "silent": silent, "deaf": deaf, "stranger": stranger}[WHAT]()
