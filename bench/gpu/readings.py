"""Reads what nvidia-smi, the trainer and the server print."""

import json
import re
from dataclasses import dataclass, field

DEVICE = ["nvidia-smi", "--format=csv,noheader", "--query-gpu=name,driver_version,memory.total,memory.used"]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def devices(text):
    """Name, driver, memory and used memory of each GPU."""
    return [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if "," in line]


def training_samples(err):
    """Samples of an epoch, from the trainer's standard error."""
    found = re.search(r"parameters, (\d+) training and ", err)
    return int(found[1]) if found else None


def epoch_seconds(metrics):
    """The seconds of each finished epoch, from the text of metrics.jsonl."""
    return [json.loads(line)["seconds"] for line in metrics.splitlines()]


def verdict(out):
    """The lines of the trainer's result that have a single figure: accuracy, loss, parity."""
    kept = ("accuracy", "loss", "float32 weights", "onnxruntime and libtorch", "expected calibration")
    return [line for line in out.splitlines() if line.startswith(kept)]


@dataclass
class Placement:
    """Where a served model runs, by ONNX Runtime's own record."""

    model: str
    device: str
    # None: it is served, so its golden samples agree. Else why it is not.
    refused: str | None
    # Nodes of each execution provider.
    counts: dict = field(default_factory=dict)
    # Of each node on the CPU: "Conv (conv1)", and why it is there; None: not recorded.
    on_cpu: list = field(default_factory=list)


# ONNX Runtime's reasons, and what they come to.
REASONS = [
    (r"Force fallback to CPU execution for node: (?P<name>.*) because", "cheaper there: its inputs are shapes"),
    (r"CUDA kernel not found in registries for Op type: (?P<op>\S+) node name: (?P<name>.*)", "no CUDA kernel"),
    (
        r"CUDA kernel not supported\. Fallback to CPU execution provider for Op type: (?P<op>\S+) node name: (?P<name>.*)",
        "the CUDA kernel does not support these attributes",
    ),
]
PLACED = re.compile(r" (?:All nodes|Node\(s\)) placed on \[(\w+)\]\. Number of nodes: (\d+)")
NODE = re.compile(r"  +(\S+) \((.*)\)$")


class Sessions:
    """The messages of ONNX Runtime about one model. Several instances say the same."""

    def __init__(self):
        self.counts, self.nodes, self.reasons, self.provider = {}, {}, {}, None

    def read(self, message):
        message = message.removeprefix("onnxruntime: ")
        for pattern, reason in REASONS:
            if found := re.search(pattern, message):
                names = found.groupdict()
                self.reasons[names["name"].strip() or names.get("op")] = reason
        if message == "Node placements":
            self.counts, self.nodes, self.provider = {}, {}, None
        elif found := PLACED.match(message):
            self.provider = found[1]
            self.counts[found[1]] = int(found[2])
        elif self.provider and (found := NODE.match(message)):
            self.nodes.setdefault(self.provider, []).append((found[1], found[2]))

    def placement(self, model, device, refused):
        nodes = self.nodes.get(CPU, [])
        reason = [self.reasons.get(name or op) for op, name in nodes]
        shown = [f"{op} ({name})" if name else op for op, name in nodes]
        return Placement(model, device, refused, self.counts, list(zip(shown, reason)))


def placements(log):
    """The models of a server's log, which it writes by `--log quintet_server=debug --log-format
    json`. It loads one model after the other."""
    found, sessions = [], Sessions()
    for line in log.splitlines():
        if not line.startswith("{"):
            continue
        entry = json.loads(line)
        message = entry.get("message", "")
        if message.startswith("onnxruntime: "):
            sessions.read(message)
        elif message.startswith("model ready"):
            found.append(sessions.placement(entry["model"], entry["device"], None))
            sessions = Sessions()
        elif message == "model not served":
            found.append(sessions.placement(entry["model"], "", entry["reason"]))
            sessions = Sessions()
    return found
