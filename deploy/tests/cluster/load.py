"""Callers under way while something happens to the servers."""

import json
import time

import images
from kubectl import apply, get, kubectl, say, until

CALLERS = "quintet-callers"
# The SDK and grpc-go call every address of the headless service. The bench never retries.
TARGETS = {
    "sdk": "dns:///quintet-headless.quintet.svc:50051",
    "go": "dns:///quintet-headless.quintet.svc.cluster.local:50051",
    "bench": "dns:///quintet-headless.quintet.svc:50051",
}


def pod(name, arguments, namespace=CALLERS, secret=None, environment=None):
    """A pod that runs the caller's image once, as strictly confined as the servers. It finds the
    files of a secret under /secret."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "caller"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "caller", "image": images.CALLER, "args": arguments,
                "env": [{"name": name, "value": value} for name, value in (environment or {}).items()],
                "volumeMounts": [{"name": "secret", "mountPath": "/secret", "readOnly": True}] * bool(secret),
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }],
            "volumes": [{"name": "secret", "secret": {"secretName": secret}}] * bool(secret),
        },
    }


def namespace(name, **labels):
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def finished(name, where=CALLERS, seconds=300):
    """Waits for a pod's end; returns whether it succeeded, and its log."""
    done = lambda: get("pod", name, namespace=where)["status"]["phase"] in ("Succeeded", "Failed")
    until(f"the end of {name}", done, seconds)
    phase = get("pod", name, namespace=where)["status"]["phase"]
    log = kubectl("-n", where, "logs", name)
    kubectl("-n", where, "delete", "pod", name, "--wait=true")
    return phase == "Succeeded", log


def call(name, arguments, where=CALLERS, **options):
    """Runs the caller's image once; `options` are those of a pod."""
    apply(pod(name, arguments, where, **options))
    return finished(name, where)


class Load:
    """One caller of each kind, for a number of seconds."""

    def __init__(self, name, seconds):
        self.name = name
        self.names = {kind: f"{name}-{kind}" for kind in TARGETS}
        apply(*(pod(self.names[kind], [kind, target, str(seconds)]) for kind, target in TARGETS.items()))
        running = lambda it: get("pod", it, namespace=CALLERS)["status"]["phase"] == "Running"
        until("callers that run", lambda: all(map(running, self.names.values())))
        self.started = time.monotonic()

    def results(self, took):
        """Waits for the callers; returns a row of the table. Callers that retry must have lost no call."""
        rows = {}
        for kind, name in self.names.items():
            succeeded, log = finished(name)
            assert succeeded, f"{self.name}, {kind}: {log}"
            rows[kind] = json.loads(log.splitlines()[-1] if kind != "bench" else log)
        for kind in ("sdk", "go"):
            row = rows[kind]
            assert not row["failures"], f"{self.name}, {kind}: {row}"
            assert row["calls"] == row["answered"] > 0, f"{self.name}, {kind}: {row}"
        bench = rows["bench"]
        failed = {code: it["count"] for code, it in bench["errors"].items()}
        # A call whose answer was lost with its connection, or that met a server on its way out.
        assert set(failed) <= {"UNAVAILABLE", "LOST", "UNANSWERED"}, f"{self.name}, bench: {bench['errors']}"
        row = {
            "event": self.name, "seconds": took,
            "sdk": rows["sdk"]["calls"], "go": rows["go"]["calls"], "go_worst": rows["go"]["worst_seconds"],
            "bench": bench["requests"], "bench_failed": sum(failed.values()), "bench_worst": bench["latency_us"]["max"] / 1e6,
        }
        say(f"{self.name}: {row}")
        return row


def table(rows):
    """The rows as Markdown."""
    head = ["", "took, s", "calls by the SDK", "lost", "by grpc-go", "lost", "slowest, s", "without retries", "failed", "slowest, s"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for it in rows:
        cells = [
            it["event"], f"{it['seconds']:.0f}", f"{it['sdk']:,}", "0", f"{it['go']:,}", "0", f"{it['go_worst']:.2f}",
            f"{it['bench']:,}", f"{it['bench_failed']}", f"{it['bench_worst']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
