#!/usr/bin/env python3
"""Runs the fuzz targets: fuzz/run.py [TARGET ...] [--seconds 5] [--runs N]

Without targets it runs all of them. Prints what each reached, and ends with 1 if one found a fault;
cargo-fuzz then says where it left the input. Installs cargo-fuzz into .runtime/tools if there is
none.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import seed

FUZZ = Path(__file__).resolve().parent
ROOT = FUZZ.parent
TOOLS = ROOT / ".runtime" / "tools"
VERSION = "0.13.2"
# Beyond libFuzzer's 4096 bytes, where a smaller input says too little.
LENGTHS = {"calls": 8192, "picture": 16_384, "tokenizer": 8192}
# ONNX Runtime and the server that `calls` starts are not freed.
OPTIONS = ["-detect_leaks=0", "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1"]


def cargo_fuzz():
    path = shutil.which("cargo-fuzz") or shutil.which("cargo-fuzz", path=TOOLS / "bin")
    if path is None:
        install = ["cargo", "install", "--locked", "--root", TOOLS, f"cargo-fuzz@{VERSION}"]
        subprocess.run(install, check=True)
        path = TOOLS / "bin" / "cargo-fuzz"
    return path


def fuzz(program, target, arguments, environment):
    """Runs one target. Returns whether nothing was found."""
    command = [program, "run", target, "--", *OPTIONS, f"-max_len={LENGTHS.get(target, 4096)}"]
    command += [f"-runs={arguments.runs}"] if arguments.runs else [f"-max_total_time={arguments.seconds}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
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
    arguments.add_argument("--runs", type=int)
    arguments = arguments.parse_args()
    seed.write()
    program = cargo_fuzz()
    library = ROOT / ".runtime" / "onnxruntime" / "lib" / "libonnxruntime.so"
    environment = {"RUSTUP_TOOLCHAIN": "nightly", "ORT_DYLIB_PATH": str(library), **os.environ}
    environment["PATH"] = f"{Path(program).parent}:{os.environ['PATH']}"
    subprocess.run([program, "build"], cwd=ROOT, env=environment, check=True)
    listed = subprocess.run([program, "list"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    targets = arguments.targets or listed.stdout.split()
    sound = [fuzz(program, target, arguments, environment) for target in targets]
    sys.exit(not all(sound))


if __name__ == "__main__":
    main()
