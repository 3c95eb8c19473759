#!/usr/bin/env python3
"""Runs Quintet on this machine's NVIDIA GPU and prints one Markdown report; see bench/gpu.sh.

PyTorch 2.11.0 for CUDA 13 must be installed: libtorch, CUDA and cuDNN are its. Each step has a time
limit of its own, and one that fails leaves a line in the report. Exit codes: 0 all steps worked, 1
some failed, or there is no GPU.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import readings
import tables
from steps import Failure, Steps

HERE = Path(__file__).resolve().parent
# Under six minutes, with what it takes to end.
SECONDS = 340
THREADS = min(os.cpu_count(), 256)
# Network -> flags and seconds on CUDA. The CNN's is the whole run, whose accuracy is reported.
TRAININGS = {
    "mlp": (["--epochs", "3"], 40),
    "cnn": (["--epochs", "8"], 60),
    "resnet": (["--epochs", "3"], 50),
    "transformer": (["--epochs", "1"], 70),
    "gan": (["--epochs", "1", "--batch-size", "128", "--judged", "1000"], 45),
}
WHOLE_RUN = "cnn"
CPU_LIMIT = 30


def libraries(torch):
    """The folders of libtorch, and of CUDA and cuDNN beside PyTorch."""
    if torch is None:
        found = importlib.util.find_spec("torch")
        if found is None:
            raise Failure("this Python has no PyTorch, and --torch-lib does not name its lib folder")
        torch = Path(found.origin).parent / "lib"
    packages = torch.parent.parent
    return [torch, *sorted(packages.glob("nvidia/*/lib"))]


class Report:
    """The steps, each of which gives a section."""

    def __init__(self, package, folders, scratch, seconds):
        self.bin, self.data, self.models = package / "bin", package / "data", package / "models"
        self.scratch = scratch
        self.library = package / "lib" / "libonnxruntime.so"
        known = os.environ.get("LD_LIBRARY_PATH")
        path = ":".join([*map(str, folders), *([known] if known else [])])
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": path,
            "ORT_DYLIB_PATH": str(self.library),
        }
        self.steps = Steps(scratch, seconds, environment)
        self.speeds, self.sections = {}, []

    def section(self, title, step):
        text = self.steps.attempt(title, step)
        if text:
            self.sections.append((title, text))

    def server(self, name, device, limit, **how):
        command = [self.bin / "quintet-server", "--models-dir", self.models, "--device", device]
        command += ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        command += ["--log", "quintet_server=debug", "--log-format", "json"]
        return self.steps.run(name, command, limit, **how)

    def train(self, network, device, flags, limit):
        command = [self.bin / "quintet-trainer", "train", network, "--device", device, *flags]
        # The reviews' tokens in it serve both devices.
        runs = self.scratch / "runs"
        shutil.rmtree(runs / network, ignore_errors=True)
        command += ["--threads", THREADS if device == "cpu" else 1, "--data-dir", self.data]
        command += ["--models-dir", self.scratch / "models", "--runs-dir", runs]
        command += ["--judge", self.models / "cnn" / "1"]
        ended = self.steps.run(f"quintet-trainer train {network} --device {device}", command, limit)
        metrics = runs / network / "metrics.jsonl"
        seconds = readings.epoch_seconds(metrics.read_text()) if metrics.exists() else []
        samples = readings.training_samples(ended.err)
        speed = tables.Speed(samples, seconds, ended.seconds)
        self.speeds.setdefault(network, {})[device] = speed
        return ended

    def refusals(self, steps):
        # An empty list hides every GPU.
        hidden = {"CUDA_VISIBLE_DEVICES": ""}
        train = [self.bin / "quintet-trainer", "train", "mlp", "--device", "cuda", "--data-dir", self.data]
        train += ["--runs-dir", self.scratch / "none", "--models-dir", self.scratch / "none"]
        refused = [
            steps.run("quintet-trainer train mlp --device cuda", train, 30, **hidden),
            self.server("quintet-server --device cuda", "cuda", 30, until=['"listening"'], **hidden),
        ]
        # They are not among those that should end with 0.
        del steps.ended[-2:]
        for each in refused:
            if not each.code:
                steps.failures.append((each.name, "did not refuse to run without a GPU"))
        return tables.refusals(refused)

    def placement(self, steps):
        until = ['"message":"ready"', '"message":"not ready"']
        ended = self.server("quintet-server --device cuda, all models", "cuda", 70, until=until)
        models = readings.placements(ended.err)
        names = sorted(path.name for path in self.models.iterdir() if path.is_dir())
        left_out = set(names) - {model.model for model in models}
        if left_out:
            steps.failures.append(("parity", f"not loaded: {', '.join(sorted(left_out))}"))
        for model in models:
            if model.refused is not None:
                steps.failures.append((f"parity of {model.model}", model.refused))
        if not models:
            ended.check()
        return tables.placement(models)

    def train_on_cuda(self, steps):
        whole = None
        for network, (flags, limit) in TRAININGS.items():
            name = f"train {network} on CUDA"
            ended = steps.attempt(name, lambda _: self.train(network, "cuda", flags, limit))
            if ended and network == WHOLE_RUN:
                whole = ended
            if ended:
                steps.attempt(name, lambda _: ended.check())
        if whole is None or not readings.verdict(whole.out):
            return None
        flags = " ".join(TRAININGS[WHOLE_RUN][0])
        lines = "\n".join(readings.verdict(whole.out))
        return f"`quintet-trainer train {WHOLE_RUN} {flags} --device cuda`\n\n```\n{lines}\n```"

    def bench(self, steps):
        command = [self.bin / "quintet-bench", "--device", "cuda", "--concurrency", "1,8,64,256"]
        command += ["--models-dir", self.models, "--onnxruntime", self.library]
        command += ["--seconds", "1", "--passes", "3", "--model", "mlp", "--model", "cnn"]
        ended = steps.run("quintet-bench --device cuda", command, 110)
        ended.check()
        return ended.out.strip()

    def train_on_cpu(self, steps):
        for network, (flags, _) in TRAININGS.items():
            one = ["--epochs", "1", *flags[2:]]
            name = f"train {network} on the CPU"
            ended = steps.attempt(name, lambda _: self.train(network, "cpu", one, CPU_LIMIT))
            # The CPU may be too slow for an epoch. The table says so, and nothing failed.
            if ended and not ended.timed_out:
                steps.attempt(name, lambda _: ended.check())
        return tables.training(self.speeds, THREADS)

    def run(self):
        self.section("Without a GPU", self.refusals)
        self.section("Parity and placement", self.placement)
        self.section(f"A whole training run: {WHOLE_RUN}", self.train_on_cuda)
        self.section("Serving", self.bench)
        self.section("Training", self.train_on_cpu)


def torch_version():
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def gpus():
    """The rows of nvidia-smi; without a GPU, or a driver, a failure."""
    try:
        asked = subprocess.run(readings.DEVICE, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"no NVIDIA GPU: {error}") from error
    found = readings.devices(asked.stdout) if asked.returncode == 0 else []
    if not found:
        raise Failure(f"no NVIDIA GPU: nvidia-smi: {(asked.stdout + asked.stderr).strip()}")
    return found


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = arguments.add_argument
    add("--package", type=Path, default=HERE.parent.parent, metavar="DIR", help="what unpack.py unpacked")
    add("--torch-lib", type=Path, metavar="DIR", help="PyTorch's lib folder, if not this Python's")
    add("--seconds", type=int, default=SECONDS, metavar="N", help="for all steps together")
    arguments = arguments.parse_args()
    try:
        found = gpus()
        package = arguments.package.resolve()
        if not (package / "bin" / "quintet-server").is_file():
            raise Failure(f"{package}: no package; `make gpu-package` makes one, unpack.py unpacks it")
        folders = libraries(arguments.torch_lib)
    except Failure as failure:
        sys.exit(f"gpu: {failure}")
    signal.signal(signal.SIGTERM, interrupted)
    scratch = Path(tempfile.mkdtemp(prefix="quintet-gpu-"))
    report = Report(package, folders, scratch, arguments.seconds)
    steps = report.steps
    try:
        report.run()
    except KeyboardInterrupt:
        steps.failures.append(("report", "stopped"))
    shutil.rmtree(scratch, ignore_errors=True)
    bad = [each for each in steps.ended if each.code and not each.timed_out]
    facts = [
        f"{time.strftime('%Y-%m-%d')}, {THREADS} CPU threads, PyTorch {torch_version()}",
        f"`bench/gpu.sh`, {steps.elapsed():.0f} s",
        f"memory of the GPUs in use after: {', '.join(row[3] for row in gpus())}",
    ]
    print(f"# Quintet on a GPU\n\n{tables.device(found, facts)}\n")
    for title, text in report.sections:
        print(f"## {title}\n\n{text}\n")
    print(f"## How each program ended\n\n{tables.exits(steps.ended)}\n")
    print(f"## What failed\n\n{tables.failures(steps.failures)}")
    sys.exit(bool(steps.failures or bad))


if __name__ == "__main__":
    main()
