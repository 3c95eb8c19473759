"""Frames of HTTP/2 by hand, and connections that send them (RFC 9113, RFC 7541)."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
INITIAL_WINDOW_SIZE = 4
CANCEL = struct.pack(">I", 8)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(**values):
    """Of the client: `window=0` and so on."""
    entries = {"window": INITIAL_WINDOW_SIZE}
    payload = b"".join(struct.pack(">HI", entries[name], value) for name, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def field(name, value):
    """A header field that is not indexed, as it is."""
    assert len(name) < 127 and len(value) < 127
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def request_block(path):
    """The headers of a gRPC call: POST and http of the static table, then fields by name."""
    fields = [(":authority", "hostile"), (":path", path), ("content-type", "application/grpc"), ("te", "trailers")]
    return b"\x83\x86" + b"".join(field(*it) for it in fields)


def request(stream, path, message=None):
    """A call on a stream; without a message it stays open."""
    head = frame(HEADERS, END_HEADERS, stream, request_block(path))
    if message is None:
        return head
    body = b"\0" + struct.pack(">I", len(message)) + message
    return head + frame(DATA, END_STREAM, stream, body)


def streams(count):
    """The numbers of a client's streams."""
    return range(1, 2 * count, 2)


class Peer:
    """A connection that sends what it is told, and reads only when asked to."""

    def __init__(self, address, opening=PREFACE + frame(SETTINGS, 0, 0)):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if opening:
            self.socket.sendall(opening)

    def send(self, *parts, patience=2):
        """Sends as much as the server takes. Returns whether it took all: it may close the
        connection, or read no more, for `patience` seconds, as nobody reads its answers."""
        self.socket.settimeout(patience)
        try:
            for part in parts:
                self.socket.sendall(part)
        except OSError:
            return False
        return True

    def has_ended(self):
        """Whether the server has closed the connection. Discards what it sent."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 16):
                pass
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def read_all(self):
        """Discards what comes until the server says no more for a moment, or closes."""
        self.socket.settimeout(0.2)
        try:
            while self.socket.recv(1 << 16):
                pass
        except OSError:
            pass

    def close(self):
        self.socket.close()
