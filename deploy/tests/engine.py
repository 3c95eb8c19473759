"""Docker and compose for the tests. A command that fails raises an error with its output."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE_FILE = ROOT / "deploy" / "compose.yaml"


def say(message):
    print(f"test-deploy: {message}", flush=True)


def run(*command, stdin=None, check=True, env=None):
    """Runs a command; returns its output."""
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def logs(container):
    """A container's log, both streams."""
    return subprocess.run([docker(), "logs", container], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def works(*command):
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def docker():
    """A client that builds with cache mounts: one with buildx, or Debian's with BuildKit."""
    if works("docker", "buildx", "version") or not Path("/usr/bin/docker").exists():
        return "docker"
    return "/usr/bin/docker"


def revision():
    return subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip() or "unknown"


def build(target, tag):
    started = time.monotonic()
    run(
        docker(), "build", "-q", "-f", ROOT / "deploy" / "Dockerfile", "--target", target, "-t", tag,
        "--build-arg", f"REVISION={revision()}", ROOT,
        env={"DOCKER_BUILDKIT": "1"},
    )
    say(f"built {tag} in {time.monotonic() - started:.0f} s, {size(tag) / 1e6:.0f} MB")


def size(image):
    return int(run(docker(), "image", "inspect", "-f", "{{.Size}}", image))


def has_image(image):
    """Whether an image is here or can be pulled."""
    return works(docker(), "image", "inspect", image) or works(docker(), "pull", "-q", image)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, holds, seconds=60):
    """Waits until `holds` returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


class Compose:
    """A compose project on free ports."""

    def __init__(self, images, port=0):
        self.project = f"quintet-test-{os.getpid()}"
        self.port = port or free_port()
        self.prometheus_port = free_port()
        self.jaeger_port = free_port()
        self.tls_port = free_port()
        self.command = ["docker", "compose"] if works("docker", "compose", "version") else ["docker-compose"]
        self.env = {
            "QUINTET_PORT": str(self.port),
            "QUINTET_PROMETHEUS_PORT": str(self.prometheus_port),
            "QUINTET_GRAFANA_PORT": str(free_port()),
            "QUINTET_JAEGER_PORT": str(self.jaeger_port),
            "QUINTET_TLS_PORT": str(self.tls_port),
            "COMPOSE_PROFILES": "observability,train,tls",
            **images,
        }

    def __call__(self, *arguments):
        return run(*self.command, "-p", self.project, "-f", COMPOSE_FILE, *arguments, env=self.env)

    def containers(self, service):
        label = f"label=com.docker.compose.service={service}"
        project = f"label=com.docker.compose.project={self.project}"
        return run(docker(), "ps", "-q", "--no-trunc", "-f", label, "-f", project).split()

    def healthy(self, service, count):
        def are():
            states = [inspect(it)["State"] for it in self.containers(service)]
            return [it.get("Health", {}).get("Status") for it in states] == ["healthy"] * count

        until(f"{count} healthy {service}", are, 120)

    def query(self, expression):
        """The result of a query: a list of (labels, value)."""
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=10) as reply:
            data = json.load(reply)["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(it["metric"], float(it["value"][1])) for it in data["result"]]

    def traces(self, service):
        """The last traces of a service, as Jaeger has them."""
        url = f"http://127.0.0.1:{self.jaeger_port}/api/traces?service={service}"
        with urllib.request.urlopen(url, timeout=10) as reply:
            return json.load(reply)["data"]

    def client(self, *arguments, server="balancer:50051", stdin=None):
        """The client image inside the project's network."""
        return run(*self.client_command(server), *arguments, stdin=stdin)

    def client_command(self, server):
        image = self.env["QUINTET_CLIENT_IMAGE"]
        network = f"{self.project}_quintet"
        return [
            docker(), "run", "--rm", "-i", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--network", network, image, "--server", server,
        ]


def inspect(container):
    return json.loads(run(docker(), "inspect", container))[0]


def grpcurl():
    """grpcurl from the path or from where `go install` puts it."""
    places = [shutil.which("grpcurl"), os.environ.get("GRPCURL"), Path.home() / "go" / "bin" / "grpcurl"]
    for place in places:
        if place and Path(place).exists():
            return str(place)
    raise SystemExit("test-deploy: grpcurl is missing: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest")


class Load:
    """A caller that scores texts through the SDK until it is stopped. Any error is a failure."""

    def __init__(self, compose, server):
        self.server = server
        self.process = subprocess.Popen(
            [*compose.client_command(server), "sentiment", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.sent, self.answered = 0, 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._write), threading.Thread(target=self._read)]
        for thread in self.threads:
            thread.start()

    def _write(self):
        try:
            while not self.stopping.is_set():
                self.process.stdin.write("what a fine film\n" * 100)
                self.sent += 100
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def _read(self):
        for _ in self.process.stdout:
            self.answered += 1

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
        errors = self.process.stderr.read()
        code = self.process.wait(60)
        assert code == 0 and not errors, f"a caller of {self.server} saw an error after {self.answered} texts: {errors}"
        assert self.answered == self.sent > 0, f"{self.server}: {self.sent} texts sent, {self.answered} answered"
        say(f"{self.server}: {self.sent} texts sent, as many answered, no error")
