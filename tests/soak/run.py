#!/usr/bin/env python3
"""A mixed load on a real server: tests/soak/run.py [--minutes 60] [--rate N] [--server PROGRAM]

Classify, SentimentScore, GenerateDigits and streams, cancelled calls, new connections and bad
requests, all at once. Between rounds of load everyone pauses, and the server is measured. After a
warm-up, its resident memory must stay within 5 % and its descriptors must stay the same. Prints a
row for each round, and ends with 1 if anything does not hold. `--rate` spares a machine that has
other work: all together make at most N of these steps a second.
"""

import argparse
import collections
import statistics
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from served import Server, built_server, client_packages, wait_until

# Of the time, until memory counts.
WARM_UP = 0.25
ROUNDS = 40
FLAT = 0.05
SEVEN = (ROOT / "client" / "examples" / "seven.png").read_bytes()
INFERENCE = "/quintet.v1.InferenceService"


class Load:
    """What the workers share: whether and when to work, and what they did."""

    def __init__(self, rate):
        self.interval, self.next_step = 1 / rate if rate else 0, 0
        self.go, self.stop = threading.Event(), threading.Event()
        self.lock, self.working = threading.Lock(), 0
        self.done, self.faults = collections.Counter(), collections.Counter()

    def wait_for_turn(self):
        """Keeps the rate."""
        with self.lock:
            now = time.monotonic()
            mine = self.next_step = max(now, self.next_step + self.interval)
        self.stop.wait(mine - now)

    def run(self, kind, step):
        """One worker: takes a step again and again, while there is to be load."""
        while not self.stop.is_set():
            if not self.go.wait(0.2):
                continue
            self.wait_for_turn()
            with self.lock:
                if not self.go.is_set():
                    continue
                self.working += 1
            try:
                step()
                self.done[kind] += 1
            except Exception as fault:
                self.faults[f"{kind}: {str(fault)[:200]}"] += 1
            finally:
                with self.lock:
                    self.working -= 1

    def pause(self):
        """Everyone ends the step that is under way."""
        self.go.clear()
        wait_until(lambda: self.working == 0, "the end of the calls")


def workers(address):
    """Name and step of each worker."""
    import grpc
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    descriptors = ROOT / "proto" / "src" / "gen" / "descriptor.bin"
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file:
        pool.Add(file)

    def message(name):
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"quintet.v1.{name}"))

    def connect():
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        return grpc.insecure_channel(address, options=options)

    def call(channel, method, kind="unary_unary", answer=None):
        return getattr(channel, kind)(
            f"{INFERENCE}/{method}",
            request_serializer=lambda it: it if isinstance(it, bytes) else it.SerializeToString(),
            response_deserializer=message(f"{answer or method}Response").FromString,
        )

    picture = message("ClassifyRequest")(model="cnn", images=[dict(encoded=SEVEN)])
    texts = message("SentimentScoreRequest")(model="lstm", texts=["A good film.", "Dull, and far too long."])
    some = message("GenerateDigitsRequest")(count=4, seed=7)
    many = message("GenerateDigitsRequest")(count=64, format=2)
    shared = connect()
    classify, score = call(shared, "Classify"), call(shared, "SentimentScore")
    generate = call(shared, "GenerateDigits")
    classify_stream = call(shared, "ClassifyStream", "stream_stream")
    generate_stream = call(shared, "GenerateDigitsStream", "unary_stream", "GenerateDigits")

    def classified(answer):
        assert answer.classifications[0].labels[0].name == "7", answer

    def stream():
        asked = [message("ClassifyStreamRequest")(index=it, request=picture) for it in range(20)]
        answers = list(classify_stream(iter(asked), timeout=60))
        assert sorted(it.index for it in answers) == list(range(20)), answers
        for answer in answers:
            classified(answer.response)

    def generated():
        assert len(generate(some, timeout=60).digits) == 4

    def generated_stream():
        assert sum(len(it.digits) for it in generate_stream(many, timeout=60)) == 64

    def cancel():
        calls = [classify.future(picture, timeout=60) for _ in range(10)]
        for it in calls:
            it.cancel()

    def deadlines():
        for it in [classify.future(picture, timeout=0.002) for _ in range(10)]:
            if it.exception() and it.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise it.exception()

    def leave_a_stream():
        answers = generate_stream(many, timeout=60)
        next(answers)
        answers.cancel()

    def reconnect():
        with connect() as channel:
            classified(call(channel, "Classify")(picture, timeout=60))

    def bad(request, allowed):
        def step():
            try:
                classify(request, timeout=60)
            except grpc.RpcError as error:
                assert error.code() in allowed, error
            else:
                raise AssertionError("a bad request was answered")

        return step

    invalid, unknown = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    damaged = message("ClassifyRequest")(images=[dict(encoded=SEVEN[:100])])
    nobody = message("ClassifyRequest")(model="nobody", images=picture.images)
    return [
        ("classify", lambda: classified(classify(picture, timeout=60))),
        ("sentiment", lambda: score(texts, timeout=60)),
        ("generate", generated),
        ("classify stream", stream),
        ("generate stream", generated_stream),
        ("cancel", cancel),
        ("deadline", deadlines),
        ("left stream", leave_a_stream),
        ("reconnect", reconnect),
        ("no message", bad(b"\xff" * 40, [invalid])),
        ("damaged file", bad(damaged, [invalid])),
        ("no model", bad(nobody, [unknown])),
    ]


def measure(server):
    """Memory in MB and descriptors, once everything in flight has ended."""
    wait_until(lambda: server.metric("quintet_requests_in_flight") == 0, "the end of the requests")
    descriptors = []
    for _ in range(10):
        # A connection that was closed just now may still be there.
        descriptors.append(server.descriptors())
        time.sleep(0.05)
    return server.memory() / 2**20, min(descriptors)


def soak(server, minutes, rate):
    """Runs the load. Returns what did not hold."""
    load = Load(rate)
    listed = workers(server.grpc)
    threads = [threading.Thread(target=load.run, args=worker, daemon=True) for worker in listed]
    for thread in threads:
        thread.start()
    print("minutes  warm   memory MB  descriptors     calls  faults", flush=True)
    samples, start = [], time.monotonic()
    for place in range(1, ROUNDS + 1):
        load.go.set()
        time.sleep(max(0, start + place * minutes * 60 / ROUNDS - time.monotonic()))
        load.pause()
        memory, descriptors = measure(server)
        is_warm = place > ROUNDS * WARM_UP
        if is_warm:
            samples.append((memory, descriptors))
        minutes_passed = (time.monotonic() - start) / 60
        print(f"{minutes_passed:7.1f}  {'yes' if is_warm else 'no ':5} {memory:10.1f} {descriptors:12}"
              f" {sum(load.done.values()):9} {sum(load.faults.values()):7}", flush=True)
    load.stop.set()
    for thread in threads:
        thread.join()
    print()
    for kind, _ in listed:
        print(f"{kind:16} {load.done[kind]:9}")
    seconds = server.processor_seconds()
    print(f"\nthe server used {seconds:.0f} s of processor time, {seconds / 60 / minutes:.2f} of a core")
    third = len(samples) // 3
    first, last = (statistics.median(memory for memory, _ in part) for part in (samples[:third], samples[-third:]))
    print(f"memory: {first:.1f} MB after the warm-up, {last:.1f} MB at the end ({last / first - 1:+.1%})")
    offences = [f"{times} times {fault}" for fault, times in load.faults.items()]
    offences += [f"no {kind} succeeded" for kind, _ in listed if not load.done[kind]]
    if last > first * (1 + FLAT):
        offences.append(f"memory rose by more than {FLAT:.0%}")
    first, last = (max(count for _, count in part) for part in (samples[:third], samples[-third:]))
    if last > first:
        offences.append(f"descriptors rose from {first} to {last}")
    return offences


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--server", type=Path)
    arguments.add_argument("--models-dir", type=Path, default=ROOT / "models")
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--rate", type=float, default=0)
    arguments = arguments.parse_args()
    sys.path.insert(0, str(client_packages()))
    server = Server(arguments.server or built_server(), arguments.models_dir)
    try:
        offences = soak(server, arguments.minutes, arguments.rate)
    finally:
        stopped = server.stop()
    offences += [f"the server ended with {stopped}"] if stopped else []
    for offence in offences:
        print(f"soak: {offence}")
    sys.exit(bool(offences))


if __name__ == "__main__":
    main()
