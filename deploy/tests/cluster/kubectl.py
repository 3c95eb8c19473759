"""kubectl, and the cluster that it talks to."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Brings up a cluster of one node on this machine; KUBERNETES names another one of its kind.
TOOL = Path(os.environ.get("KUBERNETES", ROOT.parent / "shared" / "tools" / "kubernetes"))


class Skip(Exception):
    """The machine cannot run the test; the message says why."""


def say(message):
    print(f"test-kubernetes: {message}", flush=True)


def run(*command, stdin=None, check=True, **options):
    """Runs a command; returns its standard output."""
    command = [str(part) for part in command]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def fails(*command):
    """Runs a command that must fail; returns what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode, f"{' '.join(map(str, command))}: succeeded\n{done.stdout}"
    return done.stdout + done.stderr


def kubectl(*arguments, **options):
    return run("kubectl", *arguments, **options)


def get(*arguments, namespace="quintet"):
    return json.loads(kubectl("-n", namespace, "get", *arguments, "-o", "json"))


def apply(*resources):
    kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(it) for it in resources))


@contextlib.contextmanager
def forwarded(resource, port, namespace="quintet"):
    """The address on this machine that `kubectl port-forward` gives a port of the cluster."""
    command = ["kubectl", "-n", namespace, "port-forward", resource, f":{port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield re.search(r"127\.0\.0\.1:\d+", line).group()
    finally:
        process.terminate()
        process.wait()


def until(what, holds, seconds=120):
    """Waits until `holds` returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def pods(namespace="quintet"):
    """The servers' pods that are not on their way out."""
    found = get("pods", "-l", "app.kubernetes.io/name=quintet", namespace=namespace)["items"]
    return [it for it in found if "deletionTimestamp" not in it["metadata"]]


def is_ready(pod):
    conditions = pod["status"].get("conditions", [])
    return any(it["type"] == "Ready" and it["status"] == "True" for it in conditions)


def ready(count, namespace="quintet", seconds=120):
    """Waits until exactly `count` pods exist and are ready; returns them."""

    def are():
        found = pods(namespace)
        return len(found) == count and all(map(is_ready, found)) and found

    return until(f"{count} ready pods", are, seconds)


class Cluster:
    """The cluster of KUBECONFIG, or one that the tool starts and ends."""

    def __init__(self):
        self.is_own = "KUBECONFIG" not in os.environ
        if not self.is_own:
            return
        if os.geteuid() != 0:
            raise Skip("no KUBECONFIG, and starting a cluster needs root")
        if not shutil.which("go"):
            raise Skip("no KUBECONFIG, and building a cluster needs Go")
        if not Path("/sys/fs/cgroup/memory").is_dir():
            raise Skip("no KUBECONFIG, and starting a cluster needs cgroup v1")
        if not TOOL.exists():
            raise Skip(f"no KUBECONFIG, and {TOOL} is missing")
        say("starting a cluster; the first time it is built, in a quarter of an hour and more")
        line = run(TOOL, "start", env={"KUBE_CPUS": "8", **os.environ})
        for part in line.removeprefix("export ").split():
            name, _, value = part.partition("=")
            os.environ[name] = value.replace("$PATH", os.environ["PATH"])
        run(TOOL, "crds")

    def load(self, name, folder, config):
        """Makes an image of a folder, and gives it to the node."""
        run(TOOL, "image", name, folder, json.dumps(config))

    def on_node(self, *command, **options):
        return run(TOOL, "exec", *command, **options)

    def stop(self):
        if self.is_own and "KUBERNETES_KEEP" not in os.environ:
            run(TOOL, "stop")
