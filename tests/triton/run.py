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
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLIENT = ROOT / ".runtime" / "triton"


def fetch(requirements, folder):
    """Installs the packages into the folder by plain pip: not every python3 has venv."""
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    print(f"triton: fetching {requirements.name} into {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--require-hashes", "--target", folder, "-r", requirements]
    subprocess.run(pip, check=True)
    stamp.write_text(wanted)
    return folder


def python(packages, *command, **how):
    """Runs this Python with the packages."""
    return subprocess.run(
        [sys.executable, *command], env={**os.environ, "PYTHONPATH": str(packages)}, **how
    )


def built_server():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / profile / "quintet-server" for profile in ("release", "debug")]
    built = [program for program in built if program.exists()]
    if not built:
        sys.exit("triton: there is no quintet-server; `cargo build -p quintet-server` makes one")
    return max(built, key=lambda program: program.stat().st_mtime)


def start(program, models):
    """The server's process and its gRPC address, once every model is ready."""
    library = ROOT / ".runtime" / "onnxruntime" / "lib" / "libonnxruntime.so"
    environment = {"ORT_DYLIB_PATH": str(library), **os.environ}
    free = "127.0.0.1:0"
    command = [program, "--models-dir", models, "--listen", free, "--admin-listen", free]
    server = subprocess.Popen(
        [*command, "--log-format", "json", "--device", "cpu"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # A server that hangs ends, and so does the loop below.
    guard = threading.Timer(60, server.kill)
    guard.start()
    lines, address = [], None
    for line in server.stdout:
        lines.append(line)
        if not line.startswith("{"):
            continue
        fields = json.loads(line)
        if fields.get("message") == "listening":
            address = fields["grpc"]
        if fields.get("message") == "not ready":
            break
        if fields.get("message") == "ready" and address:
            guard.cancel()
            # The pipe must not fill up.
            threading.Thread(target=server.stdout.read, daemon=True).start()
            return server, address
    guard.cancel()
    server.kill()
    sys.exit("triton: the server did not get ready:\n" + "".join(lines))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--server", type=Path)
    arguments.add_argument("--models-dir", type=Path, default=ROOT / "models")
    arguments.add_argument("--perf-analyzer", action="store_true")
    arguments = arguments.parse_args()
    packages = fetch(HERE / "requirements.txt", CLIENT / "packages")
    server, address = start(arguments.server or built_server(), arguments.models_dir)
    try:
        tests = [HERE / "test_triton_client.py", address, arguments.models_dir]
        failed = python(packages, *tests).returncode
        if arguments.perf_analyzer and not failed:
            cuda = fetch(HERE / "requirements-perf.txt", CLIENT / "cuda")
            failed = perf_analyzer(packages, cuda, address, arguments.models_dir)
    finally:
        server.terminate()
        stopped = server.wait(timeout=40)
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
