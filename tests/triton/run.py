#!/usr/bin/env python3
"""Starts the server on free ports and lets NVIDIA's own client talk to it.

    tests/triton/run.py [--server PROGRAM] [--models-dir DIR] [--perf-analyzer]

The client comes from PyPI, pinned and hash-checked, into .runtime/triton. A second call finds it
there. Without --server it is the newer of target/release/quintet-server and
target/debug/quintet-server. --perf-analyzer also runs NVIDIA's load generator on every model, a few
seconds each. It is in the client's wheel but needs two libraries that are not: libcudart.so.12,
fetched like the client, and libb64.so.0d (Debian's libb64-0d), which must be installed.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from served import Server, built_server, client_packages, fetch


def python(packages, *command, **how):
    """Runs this Python with the packages."""
    return subprocess.run(
        [sys.executable, *command], env={**os.environ, "PYTHONPATH": str(packages)}, **how
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--server", type=Path)
    arguments.add_argument("--models-dir", type=Path, default=ROOT / "models")
    arguments.add_argument("--perf-analyzer", action="store_true")
    arguments = arguments.parse_args()
    packages = client_packages()
    server = Server(arguments.server or built_server(), arguments.models_dir)
    try:
        tests = [HERE / "test_triton_client.py", server.grpc, arguments.models_dir]
        failed = python(packages, *tests).returncode
        if arguments.perf_analyzer and not failed:
            cuda = fetch(HERE / "requirements-perf.txt", ROOT / ".runtime" / "triton" / "cuda")
            failed = perf_analyzer(packages, cuda, server.grpc, arguments.models_dir)
    finally:
        stopped = server.stop()
    if stopped:
        print(f"triton: the server ended with {stopped}")
    sys.exit(failed or stopped)


def perf_analyzer(packages, cuda, address, models):
    """Runs the load generator on every model; its exit status."""
    libraries = cuda / "nvidia" / "cuda_runtime" / "lib"
    program = packages / "bin" / "perf_analyzer"
    # pip does not keep the program's permission.
    program.chmod(0o755)
    known = os.environ.get("LD_LIBRARY_PATH", "")
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{libraries}:{known}"}
    for bundle in sorted(path.parent for path in models.glob("*/*/manifest.toml")):
        model = bundle.parent.name
        data = ROOT / ".runtime" / "triton" / f"{model}.json"
        python(packages, HERE / "samples.py", bundle, data, check=True)
        for extra in ([], ["-b", "4"], ["--streaming", "--async"]):
            print(f"triton: perf_analyzer {model} {' '.join(extra)}", flush=True)
            command = [program, "-i", "grpc", "-u", address, "-m", model, *extra]
            command += ["--input-data", data]
            command += ["--concurrency-range", "8", "--measurement-interval", "1000"]
            # The question is whether it runs, not how fast: a busy machine is no failure.
            command += ["--max-trials", "5", "--stability-percentage", "999"]
            failed = subprocess.run(command, env=environment).returncode
            if failed:
                return failed
    return 0


if __name__ == "__main__":
    main()
