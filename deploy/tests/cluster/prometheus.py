"""Prometheus, as Debian packages it, where the ScaledObject looks for it."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import images
import load
from kubectl import ROOT, Skip, apply, get, kubectl, run, say

IMAGE = "registry.example/prometheus:debian"
SPACE = "monitoring"


def program():
    """The program: the machine's own, or that of Debian's package, which is not installed."""
    own = shutil.which("prometheus")
    if own:
        return Path(own)
    folder = ROOT / ".runtime" / "prometheus"
    if not (folder / "usr" / "bin" / "prometheus").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, capture_output=True).returncode:
            raise Skip("there is no prometheus, and no Debian package of it")
        run("dpkg-deb", "-x", next(folder.glob("prometheus_*.deb")), folder)
    return folder / "usr" / "bin" / "prometheus"


def scrapes(monitor):
    """What a ServiceMonitor of one endpoint asks for. Debian's Prometheus does not read Kubernetes'
    API, so it looks up the servers' addresses."""
    space = monitor["metadata"]["namespace"]
    (endpoint,) = monitor["spec"]["endpoints"]
    (port,) = [it["port"] for it in get("service", "quintet")["spec"]["ports"] if it["name"] == endpoint["port"]]
    name = f"quintet-headless.{space}.svc.cluster.local"
    return {
        "job_name": monitor["metadata"]["name"],
        "scrape_interval": endpoint["interval"],
        "dns_sd_configs": [{"names": [name], "type": "A", "port": port, "refresh_interval": "5s"}],
        "relabel_configs": [{"target_label": "namespace", "replacement": space}],
    }


def install(cluster, monitor):
    """Starts it in the namespace that the network policy lets scrape; `monitor` is a ServiceMonitor."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images.with_libraries(root, images.copy(program(), root / "prometheus"))
        cluster.load(IMAGE, root, {"Entrypoint": ["/prometheus"], "User": "65534:65534"})
    load.namespace(SPACE)
    names = {"name": "prometheus-operated", "namespace": SPACE}
    labels = {"app": "prometheus"}
    config = {"scrape_configs": [scrapes(monitor)]}
    arguments = ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data", "--log.level=warn"]
    apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": names, "data": {"prometheus.yml": json.dumps(config)}},
        {"apiVersion": "v1", "kind": "Service", "metadata": names, "spec": {"selector": labels, "ports": [{"port": 9090}]}},
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": names,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "securityContext": {"runAsNonRoot": True, "fsGroup": 65534},
                        "containers": [{
                            "name": "prometheus", "image": IMAGE, "args": arguments,
                            "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 2},
                            "volumeMounts": [
                                {"name": "config", "mountPath": "/etc/prometheus"}, {"name": "data", "mountPath": "/data"},
                            ],
                        }],
                        "volumes": [{"name": "config", "configMap": {"name": names["name"]}}, {"name": "data", "emptyDir": {}}],
                    },
                },
            },
        },
    )
    kubectl("-n", SPACE, "rollout", "status", "deployment/prometheus-operated", "--timeout=120s")
    say("Prometheus scrapes the servers")
