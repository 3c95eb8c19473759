"""Hostile peers beside a caller that is not: the caller is answered, memory is bounded, and after
the peers have left, the server is idle and has given everything back.
"""

import ssl
import sys
import threading
import time
from pathlib import Path

import tritonclient.grpc as triton

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "triton"))

import attacks
from frames import *
from served import wait_until
from test_triton_client import Model

MAX_BYTES_IN_FLIGHT = 64 << 20
# Resident memory beyond that of the quiet server: during an attack, and after it.
PEAK = 400 << 20
AFTER = 64 << 20
# Of one core, while nobody asks anything.
IDLE_SHARE = 0.05
# Calls beside an attack, at the least.
CALLS = 5


class Caller(threading.Thread):
    """Calls a model again and again on a connection of its own, until it is told to stop."""

    def __init__(self, address, model, **options):
        super().__init__(daemon=True)
        self.address, self.model, self.options = address, model, options
        self.answered, self.slowest, self.failure = 0, 0.0, None
        self.stop = threading.Event()

    def run(self):
        try:
            with triton.InferenceServerClient(self.address, **self.options) as client:
                while not self.stop.is_set():
                    start = time.monotonic()
                    result = client.infer(self.model.name, self.model.inputs(), client_timeout=15)
                    self.model.check(result)
                    self.slowest = max(self.slowest, time.monotonic() - start)
                    self.answered += 1
        except Exception as failure:
            self.failure = failure

    def has_called(self, more):
        """Waits for so many more answers."""
        enough = self.answered + more
        wait_until(lambda: self.failure or self.answered >= enough, "the caller's answers")

    def end(self):
        self.stop.set()
        self.join(60)
        if self.failure or self.is_alive():
            raise AssertionError(f"the caller beside it failed: {self.failure or 'no answer'}")


def is_idle(server):
    before, seconds = server.processor_seconds(), 0.4
    time.sleep(seconds)
    return server.processor_seconds() - before <= IDLE_SHARE * seconds


def settle(server, descriptors, memory):
    """Waits until the server has given back what an attack took."""
    wait_until(lambda: server.descriptors() <= descriptors, "the end of the connections")
    for gauge in ("quintet_requests_in_flight", "quintet_bytes_in_flight"):
        wait_until(lambda: server.metric(gauge) == 0, f"{gauge} 0")
    wait_until(lambda: is_idle(server), "idleness")
    wait_until(lambda: server.memory() - memory <= AFTER, f"less than {AFTER >> 20} MB more than before")


def suffer(server, name, attack, model, quiet):
    """One attack. Returns the memory at its peak and after it, beyond that of the quiet server."""
    memory, descriptors = quiet
    server.forget_peak()
    caller = Caller(server.grpc, model)
    caller.start()
    caller.has_called(1)
    start = time.monotonic()
    for _ in attack(server.grpc):
        caller.has_called(CALLS)
        # Others are let in.
        newcomer = Caller(server.grpc, model)
        newcomer.start()
        newcomer.has_called(1)
        newcomer.end()
    took = time.monotonic() - start
    caller.end()
    peak = server.peak_memory() - memory
    settle(server, descriptors, memory)
    after = server.memory() - memory
    print(f"{name:48} {took:5.1f} s  peak {peak >> 20:+5} MB  after {after >> 20:+5} MB"
          f"  {caller.answered:5} calls, slowest {caller.slowest:.2f} s", flush=True)
    if peak > PEAK:
        raise AssertionError(f"took {peak >> 20} MB")


class Patient(threading.Thread):
    """Peers that do nothing, or nearly, for a minute: the server ends each of them by itself."""

    def __init__(self, server, groups):
        super().__init__(daemon=True)
        self.server, self.groups = server, groups
        self.failures = []

    def run(self):
        before = self.server.descriptors()
        start = time.monotonic()
        open_peers = [(name, make(self.server.grpc), trickle) for name, count, make, trickle in self.groups
                      for _ in range(count)]
        while open_peers and time.monotonic() - start < 100:
            time.sleep(1)
            still = []
            for name, peer, trickle in open_peers:
                if trickle:
                    peer.send(trickle, patience=0.1)
                if not peer.has_ended():
                    still.append((name, peer, trickle))
            open_peers = still
        took = time.monotonic() - start
        for name in sorted({name for name, _, _ in open_peers}):
            count = sum(name == other for other, _, _ in open_peers)
            self.failures.append(f"{name}: {count} were not ended by the server in {took:.0f} s")
        try:
            wait_until(lambda: self.server.descriptors() <= before, "the end of the connections")
        except AssertionError as failure:
            self.failures.append(f"patient peers: {failure}")
        print(f"{sum(count for _, count, _, _ in self.groups)} patient peers were ended in {took:.0f} s", flush=True)


def opened(*parts):
    """Makes a peer that has sent these bytes."""

    def make(address):
        peer = Peer(address, b"")
        peer.send(*parts)
        return peer

    return make


def client_hello():
    """The first bytes that a TLS client sends."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


START = PREFACE + frame(SETTINGS, 0, 0)
# Name, how many, how each begins, and what it sends each second.
PLAIN = [
    ("no preface", 100, opened(), None),
    ("half a preface", 100, opened(PREFACE[:10]), None),
    ("a preface byte by byte", 20, opened(), b"P"),
    ("headers byte by byte", 20, opened(START, b"\0\x3f\0\x01\x04\0\0\0\x01"), b"\0"),
    ("a frame's header and no more", 100, opened(START, frame(DATA, 0, 1, bytes(9))[:5]), None),
    ("gone without FIN, idle", 100, opened(START), None),
    ("gone without FIN, within a request", 100, opened(START, request(1, attacks.CLASSIFY)), None),
    ("gone without FIN, with an answer under way", 20,
     opened(PREFACE + settings(window=0), request(1, attacks.GENERATE, attacks.MANY_IMAGES)), None),
]
TLS = [
    ("no handshake", 200, opened(), None),
    ("half a ClientHello", 200, opened(client_hello()[:60]), None),
    ("a handshake that is not finished", 200, opened(client_hello()), None),
    ("a ClientHello byte by byte", 20, opened(client_hello()[:5]), b"\0"),
    ("plain text", 50, opened(START), None),
]


def check(plain, quiet_ones, cert, folder, only):
    """All peers: floods against `plain`, patient ones against two other servers, without and with
    TLS, at the same time. Prints a line each, and returns the offences."""
    model = Model(folder)
    chosen = {name: attack for name, attack in attacks.ATTACKS.items() if only is None or only in name}
    offences = []
    patient, callers = [], []
    if only in (None, "patient"):
        without, tls = quiet_ones
        callers = [Caller(without.grpc, model), Caller(tls.grpc, model, ssl=True, root_certificates=str(cert))]
        patient = [Patient(without, PLAIN), Patient(tls, TLS)]
    for caller in callers:
        caller.start()
        caller.has_called(1)
    for thread in patient:
        thread.start()
    # Its pools are filled before anything is measured.
    warm = Caller(plain.grpc, model)
    warm.start()
    warm.has_called(300)
    warm.end()
    wait_until(lambda: is_idle(plain), "idleness")
    quiet = plain.memory(), plain.descriptors()
    for name, attack in chosen.items():
        try:
            suffer(plain, name, attack, model, quiet)
        except AssertionError as failure:
            offences.append(f"{name}: {failure}")
    for thread in patient:
        thread.join()
        offences += thread.failures
    for caller in callers:
        try:
            caller.end()
        except AssertionError as failure:
            offences.append(f"beside patient peers: {failure}")
    return offences
