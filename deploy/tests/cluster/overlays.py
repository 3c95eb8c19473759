"""The overlays that need no GPU: TLS with tokens, and traces."""

import json
import sys
import tempfile
from pathlib import Path

import images
import load
from kubectl import ROOT, apply, kubectl, ready, say, until

sys.path[1:1] = [str(ROOT / "deploy" / "tests"), str(ROOT / "tests")]

import traces  # noqa: E402
from security import callers, certificates, run  # noqa: E402

OVERLAYS = ROOT / "deploy" / "kubernetes"
DEPLOYMENT = "deployment/quintet"
NAME = "quintet-headless.quintet.svc"
COLLECTOR = "registry.example/otel-collector:tests"


def use(overlay, count=1):
    """Applies an overlay, and waits until only its servers are left."""
    kubectl("apply", "-k", OVERLAYS / overlay)
    # What a new server waits for in earnest: callers that look names up again.
    change = {"spec": {"replicas": count, "minReadySeconds": 0}}
    kubectl("-n", "quintet", "patch", DEPLOYMENT, "--type=merge", "-p", json.dumps(change))
    kubectl("-n", "quintet", "set", "image", DEPLOYMENT, f"server={images.SERVER}")
    kubectl("-n", "quintet", "rollout", "status", DEPLOYMENT, "--timeout=180s")
    return ready(count)


def secret(name, namespace, files):
    data = {key: Path(path).read_text() for key, path in files.items()}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": data})


def secured():
    """TLS: a caller with a token and one with a certificate are served, and nobody else."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        certificates(folder, f"DNS:{NAME}")
        server = images.TARGET / "release" / "quintet-server"
        token = callers(folder, server)
        (folder / "token").write_text(token)
        entry = run(server, "token", "new", "prometheus", "--scope", "metrics", "--out", folder / "metrics")
        with (folder / "tokens.toml").open("a") as tokens:
            tokens.write(entry)
        secret("quintet-tls", "quintet", {"tls.crt": folder / "server.pem", "tls.key": folder / "server.key", "ca.crt": folder / "ca.pem"})
        secret("quintet-tokens", "quintet", {"tokens.toml": folder / "tokens.toml"})
        secret("quintet-metrics-token", "quintet", {"token": folder / "metrics"})
        secret("quintet-caller", load.CALLERS, {it: folder / it for it in ("ca.pem", "alice.pem", "alice.key", "token")})
    use("tls")

    def call(**variables):
        environment = {f"QUINTET_{name}": f"/secret/{file}" for name, file in variables.items()}
        return load.call("secured", ["tool", f"dns:///{NAME}:50051", "models"], secret="quintet-caller", environment=environment)

    succeeded, log = call(CLIENT_TLS_CA="ca.pem", TOKEN_FILE="token")
    assert succeeded and "cnn" in log, log
    succeeded, log = call(CLIENT_TLS_CA="ca.pem", CLIENT_TLS_CERT="alice.pem", CLIENT_TLS_KEY="alice.key")
    assert succeeded and "cnn" in log, log
    succeeded, log = call(CLIENT_TLS_CA="ca.pem")
    assert not succeeded and "token" in log.lower(), log
    succeeded, log = call()
    assert not succeeded, f"a call in plain text was answered: {log}"
    say("the overlay tls serves a token and a certificate by TLS, and nobody else")


def traced(cluster):
    """Traces: the policy lets spans out to the collector, and it gets all of a call."""
    if not cluster.is_own:
        return say("the overlay traces: skipped, because it takes a collector of the test's own")
    with tempfile.TemporaryDirectory() as root:
        images.copy(traces.built_collector(), Path(root) / "collector")
        cluster.load(COLLECTOR, root, {"Entrypoint": ["/collector"], "User": "10001:10001"})
    names, labels = {"name": "otel-collector", "namespace": "monitoring"}, {"app": "otel-collector"}
    load.namespace("monitoring")
    container = {
        "name": "collector", "image": COLLECTOR, "args": ["--config", "/etc/collector/collector.yaml"],
        "readinessProbe": {"tcpSocket": {"port": 4317}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/collector"}],
    }
    apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": names, "data": {"collector.yaml": traces.configuration("0.0.0.0:4317")}},
        {"apiVersion": "v1", "kind": "Service", "metadata": names, "spec": {"selector": labels, "ports": [{"port": 4317}]}},
        {
            "apiVersion": "v1", "kind": "Pod", "metadata": {**names, "labels": labels},
            "spec": {"containers": [container], "volumes": [{"name": "config", "configMap": {"name": names["name"]}}]},
        },
    )
    kubectl("-n", "monitoring", "wait", "--for=condition=Ready", "pod/otel-collector", "--timeout=60s")
    use("traces")
    trace, caller = traces.PARENT
    succeeded, log = load.call(
        "traced", ["tool", f"dns:///{NAME}:50051", "sentiment", "what a fine film"],
        environment={"TRACEPARENT": f"00-{trace}-{caller}-01"},
    )
    assert succeeded, log

    def got():
        found = [it for it in traces.spans(kubectl("-n", "monitoring", "logs", "otel-collector")) if it.trace == trace]
        return len(found) == 5 and found

    found = until("the spans of a call", got, 30)
    traces.request(found, "SentimentScore")
    kubectl("-n", "monitoring", "delete", "pod", "otel-collector", "--wait=false")
    say("the overlay traces sends a call's spans to the collector:\n" + "\n".join(traces.tree(found)))


def checked(cluster):
    kubectl("apply", "-k", OVERLAYS / "gpu", "--dry-run=server")
    say("the cluster would take the overlay gpu")
    secured()
    traced(cluster)
    use("base", 2)
