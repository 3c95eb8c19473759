#!/usr/bin/env python3
"""Builds and runs the fuzz targets: fuzz/run.py [TARGET ...] [--seconds 5] [--runs N]

Without targets it runs all of them. Each runs for so many seconds, or until it has had N inputs if
that is sooner. Prints what each reached, and ends with 1 if one found a fault; libFuzzer then says
where it left the input.

The pinned toolchain is enough, because LLVM's coverage needs no nightly Rust. Only our own crates
have it (rustc.sh). All others are those that the tests are built of.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import seed

FUZZ = Path(__file__).resolve().parent
ROOT = FUZZ.parent
# In bytes. Short inputs are tried often; in these formats they say too little.
LENGTHS = {"calls": 4096, "framing": 256, "manifest": 2048, "onnx": 1024, "picture": 4096, "text": 256, "tokenizer": 2048}
LENGTH = 512
# ONNX Runtime and the server that `calls` starts are not freed. From the same corpus, the same inputs
# follow.
OPTIONS = ["-seed=1", "-detect_leaks=0", "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1"]


def build():
    """The targets' programs by name."""
    # The locked versions of everything that the programs under test are built of.
    shutil.copy(ROOT / "Cargo.lock", FUZZ / "Cargo.lock")
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    command = ["cargo", "build", "--target-dir", target, "--message-format=json-render-diagnostics"]
    environment = {**os.environ, "RUSTC_WRAPPER": str(FUZZ / "rustc.sh")}
    built = subprocess.run(command, cwd=FUZZ, env=environment, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        sys.exit(built.returncode)
    artifacts = [json.loads(line) for line in built.stdout.splitlines()]
    programs = {it["target"]["name"]: it["executable"] for it in artifacts if it.get("executable")}
    return dict(sorted(programs.items()))


def fuzz(target, program, arguments):
    """Runs one target. Returns whether nothing was found."""
    corpus, artifacts = FUZZ / "corpus" / target, FUZZ / "artifacts" / target
    artifacts.mkdir(parents=True, exist_ok=True)
    command = [program, *OPTIONS, f"-artifact_prefix={artifacts}/", f"-max_len={LENGTHS.get(target, LENGTH)}"]
    command += [f"-runs={arguments.runs}", f"-max_total_time={arguments.seconds}", corpus]
    library = ROOT / ".runtime" / "onnxruntime" / "lib" / "libonnxruntime.so"
    environment = {"ORT_DYLIB_PATH": str(library), "ORT_DISABLE_TELEMETRY": "1", **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, errors="replace")
    figures = dict(re.findall(r"stat::(\w+): +(\d+)", done.stderr))
    covered = re.findall(r"cov: (\d+)", done.stderr)
    runs = int(figures.get("number_of_executed_units", 0))
    speed = figures.get("average_exec_per_sec", "?")
    print(f"{target:12} {runs:10} executions, {speed:>7} a second, {covered[-1] if covered else 0:>6} edges", flush=True)
    if done.returncode:
        print("\n".join(done.stderr.splitlines()[-60:]))
    return done.returncode == 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("targets", nargs="*", metavar="TARGET")
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--runs", type=int, default=-1)
    arguments = arguments.parse_args()
    seed.write()
    programs = build()
    targets = arguments.targets or programs
    sound = [fuzz(target, programs[target], arguments) for target in targets]
    sys.exit(not all(sound))


if __name__ == "__main__":
    main()
