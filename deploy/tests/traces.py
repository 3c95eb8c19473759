#!/usr/bin/env python3
"""Sends traces to OpenTelemetry's own collector, and prints the tree of one.

    make test-traces

Callers of the SDK (client/examples/traced.rs) and the tool `quintet` call a server, and callers and
server send their spans. Each trace must lead from its caller over the request to the stages, and
calls must have shared a batch. Needs Go, and the programs built.
"""

import datetime
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from engine import free_port  # noqa: E402
from served import ROOT, Server, built_server, wait_until  # noqa: E402

PICTURE = ROOT / "client" / "examples" / "seven.png"
STAGES = ["preprocess", "queue", "compute", "postprocess"]
# What a caller of the tool has in its environment: a sampled trace.
PARENT = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


def built_collector():
    """The collector's program, built from its Go modules; again when they change."""
    if not shutil.which("go"):
        sys.exit("test-traces: building the collector needs Go")
    program = ROOT / ".runtime" / "collector" / "collector"
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-trimpath", "-o", program, "."], cwd=HERE / "collector", env=environment, check=True)
    return program


def configuration(endpoint):
    """The collector's: it takes spans there, and prints them."""
    return f"""
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{endpoint}"}}}}}}}}
exporters: {{debug: {{verbosity: detailed, use_internal_logger: false}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}}}
"""


class Span:
    """A span as the collector prints it."""

    def __init__(self, lines):
        fields = dict(re.findall(r"^\s+(Trace ID|Parent ID|ID|Name|Kind|Start time|End time)\s+: ?(.*)$", lines, re.M))
        self.trace, self.parent, self.id = fields["Trace ID"], fields["Parent ID"], fields["ID"]
        self.name = fields["Name"]
        self.start, self.end = (moment(fields[f"{which} time"]) for which in ("Start", "End"))
        self.attributes = dict(re.findall(r"-> ([\w.]+): \w+\((.*)\)", lines))

    @property
    def microseconds(self):
        return (self.end - self.start) // 1000

    def describe(self):
        shown = ("rpc.grpc.status_code", "quintet.model.name", "quintet.model.version", "quintet.batch_size")
        short = lambda key: key.removeprefix("quintet.").removeprefix("rpc.grpc.")
        told = [f"{short(key)} {self.attributes[key]}" for key in shown if key in self.attributes]
        name = self.name.removeprefix("quintet.v1.InferenceService/")
        return f"{name}  {self.microseconds} µs" + (f"  ({', '.join(told)})" if told else "")


def moment(text):
    """Nanoseconds since 1970 of `2026-11-29 06:00:00.123456789 +0000 UTC`."""
    seconds, _, fraction = text.removesuffix(" +0000 UTC").partition(".")
    whole = datetime.datetime.fromisoformat(seconds).replace(tzinfo=datetime.timezone.utc)
    return int(whole.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))


def spans(text):
    """The spans of what the collector printed, with the name of the service that sent each."""
    found = []
    for resource in text.split("ResourceSpans #")[1:]:
        service = re.search(r"-> service\.name: Str\((.*)\)", resource).group(1)
        for lines in re.split(r"^Span #", resource, flags=re.M)[1:]:
            # The last field of a span; of one that is not yet printed in full it is missing.
            if "End time" in lines:
                span = Span(lines)
                span.service = service
                found.append(span)
    return found


class Collector:
    """The collector as a process that prints what it is sent."""

    def __init__(self, folder):
        self.endpoint = f"127.0.0.1:{free_port()}"
        config = folder / "collector.yaml"
        config.write_text(configuration(self.endpoint))
        self.process = subprocess.Popen([built_collector(), "--config", config], stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self.reader.start()
        wait_until(self.listens, "a collector that listens")

    def listens(self):
        assert self.process.poll() is None, "the collector ended"
        host, _, port = self.endpoint.partition(":")
        with socket.socket() as caller:
            return caller.connect_ex((host, int(port))) == 0

    def stop(self):
        """Ends it; returns all spans."""
        self.process.terminate()
        self.process.wait(timeout=20)
        self.reader.join()
        return spans("".join(self.lines))


def tree(of_trace, parent="", indent=""):
    """A trace as lines, each span below its parent."""
    ids = {it.id for it in of_trace}
    below = [it for it in of_trace if it.parent == parent or (not parent and it.parent not in ids)]
    lines = []
    for span in sorted(below, key=lambda it: it.start):
        lines.append(f"{indent}{span.service}: {span.describe()}")
        lines += tree(of_trace, span.id, indent + "  ")
    return lines


def request(of_trace, method="Classify"):
    """Checks the server's part of a trace; returns the request's span and its batch's size."""
    (call,) = [it for it in of_trace if it.name == f"quintet.v1.InferenceService/{method}"]
    assert call.attributes["rpc.grpc.status_code"] == "0", call.attributes
    stages = sorted((it for it in of_trace if it.parent == call.id), key=lambda it: it.start)
    assert [it.name for it in stages] == STAGES, [it.name for it in stages]
    for stage in stages:
        assert call.start <= stage.start <= stage.end <= call.end, stage.describe()
        assert stage.attributes["quintet.model.version"] == "1", stage.attributes
    return call, int(stages[2].attributes["quintet.batch_size"])


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    caller, tool = target / "debug" / "examples" / "traced", built_server().with_name("quintet")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        shutil.copytree(ROOT / "models" / "cnn", folder / "models" / "cnn")
        collector = Collector(folder)
        try:
            endpoint = f"http://{collector.endpoint}"
            server = Server(built_server(), folder / "models", "--otlp-endpoint", endpoint, "--trace-ratio", "0", "--instances", "1")
            address = f"http://{server.grpc}"
            traces = []
            # Calls that arrive together share a batch unless the machine holds some of them up.
            for _ in range(20):
                ran = subprocess.run([caller, PICTURE, address, endpoint], check=True, capture_output=True, text=True)
                traces += ran.stdout.split()
            environment = {**os.environ, "TRACEPARENT": f"00-{PARENT[0]}-{PARENT[1]}-01"}
            subprocess.run([tool, "--server", address, "classify", PICTURE], check=True, capture_output=True, env=environment)
            # A call without a trace has none here.
            subprocess.run([tool, "--server", address, "classify", PICTURE], check=True, capture_output=True)
            assert server.stop() == 0
        finally:
            found = collector.stop()
    by_trace = {}
    for span in found:
        by_trace.setdefault(span.trace, []).append(span)
    assert set(by_trace) == {*traces, PARENT[0]}, f"{len(by_trace)} traces; {len(traces)} and the tool's were made"
    call, _ = request(by_trace[PARENT[0]])
    assert call.parent == PARENT[1] and len(by_trace[PARENT[0]]) == 5
    batches = {}
    for trace in traces:
        call, batch = request(by_trace[trace])
        (own,) = [it for it in by_trace[trace] if it.service == "caller"]
        assert call.parent == own.id and not own.parent, "\n".join(tree(by_trace[trace]))
        assert len(by_trace[trace]) == 6, "\n".join(tree(by_trace[trace]))
        batches[trace] = batch
    together = max(batches, key=batches.get)
    assert batches[together] > 1, "no two calls shared a batch"
    print(f"{len(found)} spans of {len(by_trace)} traces; one whose call rode in a batch of {batches[together]}:\n")
    print("\n".join(tree(by_trace[together])))


if __name__ == "__main__":
    main()
