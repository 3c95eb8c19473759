"""The overlays of the base: TLS with callers, and traces."""

import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import images
import load
from events import DEPLOYMENT, rollout
from kubectl import ROOT, forwarded, kubectl, ready, run, say, until

sys.path += [str(ROOT / "tests"), str(ROOT / "deploy" / "tests")]

import security  # noqa: E402
import traces  # noqa: E402

NAMES = ["quintet.quintet.svc", "quintet-headless.quintet.svc"]
TARGET = f"dns:///{NAMES[1]}:50051"
COLLECTOR = "registry.example/otel-collector:0.1.0"
# A trace that its caller samples.
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def applied(overlay):
    """Applies a folder of deploy/kubernetes with one server of the test's image, and waits."""
    text = kubectl("kustomize", ROOT / "deploy" / "kubernetes" / overlay)
    kubectl("-n", "quintet", "scale", DEPLOYMENT, "--replicas=1")
    kubectl("apply", "-f", "-", stdin=text.replace("registry.example/quintet-server:0.1.0", images.SERVER))
    rollout("rollout", "status", DEPLOYMENT)
    return ready(1)[0]


def secret(name, namespace, **files):
    """Makes a secret, or replaces it; `files` are paths by the names of keys with _ for a dot."""
    command = ["-n", namespace, "create", "secret", "generic", name, "--dry-run=client", "-o", "yaml"]
    command += [f"--from-file={key.replace('_', '.')}={path}" for key, path in files.items()]
    kubectl("apply", "-f", "-", stdin=kubectl(*command))


def models(name, *options, secret="caller"):
    """Lists a server's models from a pod; whether that succeeded, and what it said."""
    return load.call(name, ["tool", TARGET, *options, "models"], secret=secret)


def status(address, token=None):
    """The HTTP status of /metrics."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://{address}/metrics", headers=headers), timeout=20) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def tls():
    """TLS, tokens and certificates as deploy/README says, and a renewed certificate."""
    server = images.TARGET / "release" / "quintet-server"
    with tempfile.TemporaryDirectory() as folder:
        folder, renewed = Path(folder) / "first", Path(folder) / "renewed"
        for it in (folder, renewed):
            it.mkdir()
            security.certificates(it, ",".join(f"DNS:{name}" for name in NAMES))
        (folder / "bob.token").write_text(security.callers(folder, server))
        metrics = folder / "metrics.token"
        entry = run(server, "token", "new", "prometheus", "--scope", "metrics", "--out", metrics)
        with (folder / "tokens.toml").open("a") as tokens:
            tokens.write(entry)

        serve = lambda it: secret(
            "quintet-tls", "quintet", tls_crt=it / "server.pem", tls_key=it / "server.key", ca_crt=folder / "ca.pem"
        )
        serve(folder)
        secret("quintet-tokens", "quintet", tokens_toml=folder / "tokens.toml")
        secret("quintet-metrics-token", "quintet", token=metrics)
        own = {f"{name}_{kind}": folder / f"{name}.{kind}" for name, kind in [("ca", "pem"), ("alice", "pem"), ("alice", "key"), ("bob", "token")]}
        secret("caller", load.CALLERS, **own, renewed_pem=renewed / "ca.pem")
        name = applied("tls")["metadata"]["name"]

        trusted = ["--tls-ca", "/secret/ca.pem"]
        for who, options, expected in [
            ("token", [*trusted, "--token-file", "/secret/bob.token"], None),
            ("certificate", [*trusted, "--tls-cert", "/secret/alice.pem", "--tls-key", "/secret/alice.key"], None),
            ("nobody", trusted, "unauthenticated"),
            ("plain-text", [], "cannot reach"),
            ("distrust", ["--tls-ca", "/secret/renewed.pem"], "invalid peer certificate"),
        ]:
            succeeded, said = models(f"tls-{who}", *options)
            assert succeeded == (expected is None) and (expected or "cnn") in said, f"{who}: {said}"
        with forwarded(f"pod/{name}", 9464) as address:
            assert (status(address), status(address, metrics.read_text().strip())) == (401, 200)
        say("the overlay tls serves a token and a certificate, and nobody else; metrics need their token")

        serve(renewed)
        options = ["--tls-ca", "/secret/renewed.pem", "--token-file", "/secret/bob.token"]
        until("the renewed certificate", lambda: models("tls-renewed", *options)[0], 240)
        (pod,) = ready(1)
        assert pod["metadata"]["name"] == name and not pod["status"]["containerStatuses"][0]["restartCount"]
    say("a renewed certificate is served without a restart")


def collector(cluster):
    """OpenTelemetry's collector where the overlay looks for it."""
    with tempfile.TemporaryDirectory() as folder:
        images.copy(traces.built_collector(), Path(folder) / "collector")
        (Path(folder) / "collector.yaml").write_text(traces.configuration("0.0.0.0:4317"))
        config = {"Entrypoint": ["/collector", "--config", "/collector.yaml"], "User": "65534:65534"}
        cluster.load(COLLECTOR, folder, config)
    kubectl("-n", "monitoring", "create", "deployment", "otel-collector", "--image", COLLECTOR)
    kubectl("-n", "monitoring", "expose", "deployment", "otel-collector", "--port", "4317")
    kubectl("-n", "monitoring", "rollout", "status", "deployment/otel-collector", "--timeout=120s")


def traced(cluster):
    """A server's spans reach the collector through the network policy."""
    if not cluster.is_own:
        return say("the overlay traces: skipped, because it takes a collector of the test's own")
    collector(cluster)
    applied("traces")
    succeeded, said = load.call(
        "traced", ["tool", TARGET, "sentiment", "what a fine film"], environment={"TRACEPARENT": PARENT}
    )
    assert succeeded, said

    def spans():
        text = kubectl("-n", "monitoring", "logs", "deployment/otel-collector", "--tail=-1")
        found = [it for it in traces.spans(text) if it.trace == PARENT.split("-")[1]]
        return len(found) == 5 and found

    call, _ = traces.request(until("the call's spans", spans), "SentimentScore")
    assert call.parent == PARENT.split("-")[2], call.parent
    say("the overlay traces sends a call's spans to the collector")


def back():
    """The base again, with two servers."""
    applied("base")
    kubectl("-n", "quintet", "scale", DEPLOYMENT, "--replicas=2")
    ready(2)
