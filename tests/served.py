"""What the tests in Python share: packages from PyPI, a server as a process, and its measures."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# NVIDIA's client and gRPC for Python.
CLIENT = ROOT / "tests" / "triton" / "requirements.txt"


def fetch(requirements, folder):
    """Installs the packages into the folder by plain pip: not every python3 has venv."""
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    print(f"fetching {requirements.relative_to(ROOT)} into {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--require-hashes", "--target", folder, "-r", requirements]
    subprocess.run(pip, check=True)
    stamp.write_text(wanted)
    return folder


def client_packages():
    """The folder with the packages of CLIENT."""
    return fetch(CLIENT, ROOT / ".runtime" / "triton" / "packages")


def built_server():
    """The newer of the release build and the debug build."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / profile / "quintet-server" for profile in ("release", "debug")]
    built = [program for program in built if program.exists()]
    if not built:
        sys.exit("there is no quintet-server; `cargo build -p quintet-server` makes one")
    return max(built, key=lambda program: program.stat().st_mtime)


class Server:
    """A server on free ports. The constructor returns once every model is ready."""

    def __init__(self, program, models, *options):
        library = ROOT / ".runtime" / "onnxruntime" / "lib" / "libonnxruntime.so"
        free = "127.0.0.1:0"
        command = [program, "--models-dir", models, "--listen", free, "--admin-listen", free]
        self.process = subprocess.Popen(
            [*command, "--log-format", "json", "--device", "cpu", *options],
            env={"ORT_DYLIB_PATH": str(library), **os.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A server that hangs ends, and so does the loop below.
        guard = threading.Timer(60, self.process.kill)
        guard.start()
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            fields = json.loads(line) if line.startswith("{") else {}
            if fields.get("message") == "listening":
                self.grpc, self.admin = fields["grpc"], fields["http"]
            if fields.get("message") == "not ready":
                break
            if fields.get("message") == "ready":
                guard.cancel()
                # The pipe must not fill up.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        guard.cancel()
        self.process.kill()
        sys.exit("the server did not get ready:\n" + "".join(lines))

    def stop(self):
        """Lets it drain; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=40)

    def _status(self, key):
        """A line of /proc/PID/status that is in kB, in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) << 10
        raise KeyError(key)

    def memory(self):
        """Resident memory in bytes."""
        return self._status("VmRSS")

    def peak_memory(self):
        """The most resident memory since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def descriptors(self):
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_seconds(self):
        """User and system time so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name):
        """The sum of a metric's series."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith((name + " ", name + "{")))


def wait_until(condition, what, seconds=60):
    """Polls; a condition that never comes true is an error."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)
