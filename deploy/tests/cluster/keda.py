"""KEDA, built from its Go module, and installed by its own manifests."""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from kubectl import ROOT, get, kubectl, run, say, until

MODULE = "github.com/kedacore/keda/v2"
VERSION = "2.21.0"
# By the names that KEDA's manifests have for them.
IMAGES = {"ghcr.io/kedacore/keda:main": "keda", "ghcr.io/kedacore/keda-metrics-apiserver:main": "keda-adapter"}
# The other scalers pull in the clients of some sixty services. The one for Azure's queues holds a
# constant of Prometheus' one.
SCALERS = {"scaler.go", "prometheus_scaler.go", "azure_queue_scaler.go"}
CASES = re.compile(r'\tcase "(?!prometheus")[^\n]*:\n(?:(?!\t(?:case|default|\})).*\n)+')


def module():
    """The folder of KEDA's sources."""
    return Path(json.loads(run("go", "mod", "download", "-json", f"{MODULE}@v{VERSION}", cwd="/"))["Dir"])


def programs():
    """KEDA's operator and metrics server, with the scaler of Prometheus alone; built once."""
    built = ROOT / ".runtime" / "keda" / VERSION
    if all((built / name).exists() for name in IMAGES.values()):
        return built
    say("building KEDA; some minutes")
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "keda"
        shutil.copytree(module(), sources, copy_function=shutil.copyfile)
        for path in [sources, *sources.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        for path in (sources / "pkg" / "scalers").glob("*.go"):
            if path.name not in SCALERS:
                path.unlink()
        builder = sources / "pkg" / "scaling" / "scalers_builder.go"
        builder.write_text(CASES.sub("", builder.read_text()))
        built.mkdir(parents=True, exist_ok=True)
        for command, name in (("operator", "keda"), ("adapter", "keda-adapter")):
            run("go", "build", "-trimpath", "-ldflags=-s -w", "-o", built / name, f"./cmd/{command}", cwd=sources,
                env={**os.environ, "CGO_ENABLED": "0"})
    return built


def install(cluster):
    """Applies KEDA's manifests without the webhooks, which check only what people write."""
    import yaml

    built = programs()
    for image, name in IMAGES.items():
        with tempfile.TemporaryDirectory() as root:
            shutil.copy(built / name, root)
            cluster.load(image, root, {"Entrypoint": [f"/{name}"], "User": "65532:65532"})
    resources = []
    for it in yaml.safe_load_all(kubectl("kustomize", module() / "config" / "default")):
        if "admission" in it["metadata"]["name"]:
            continue
        if it["kind"] == "Deployment":
            for container in it["spec"]["template"]["spec"]["containers"]:
                container["imagePullPolicy"] = "IfNotPresent"
                if it["metadata"]["name"] == "keda-operator":
                    container["args"].append("--enable-webhook-patching=false")
                    # A machine that does other work too leaves Prometheus little of its cores.
                    (timeout,) = [it for it in container["env"] if it["name"] == "KEDA_HTTP_DEFAULT_TIMEOUT"]
                    timeout["value"] = "15000"
        resources.append(it)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(resources))
    for name in ("keda-operator", "keda-metrics-apiserver"):
        kubectl("-n", "keda", "rollout", "status", f"deployment/{name}", "--timeout=240s")
    served = lambda: {it["type"]: it["status"] for it in get("apiservice", "v1beta1.external.metrics.k8s.io")["status"].get("conditions", [])}
    until("the API of external metrics", lambda: served().get("Available") == "True")
    say(f"KEDA {VERSION} serves external metrics")
