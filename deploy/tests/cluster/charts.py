"""The Helm chart: equal in effect to kustomize's base, and installed."""

import functools
import json
import os
import subprocess

import images
import load
from kubectl import ROOT, forwarded, kubectl, ready, run, say

CLIENTS = ROOT / "tests" / "interop" / "go"
HELM = "helm.sh/helm/v3/cmd/helm@v3.19.0"
CHART = ROOT / "deploy" / "helm" / "quintet"
BASE = ROOT / "deploy" / "kubernetes" / "base"
# What Helm adds to every resource.
OWN_LABELS = {"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version",
              "app.kubernetes.io/component", "helm.sh/chart"}


@functools.cache
def helm():
    """Helm's program, built from its Go module."""
    folder = ROOT / ".runtime" / "helm"
    if not (folder / "helm").exists():
        run("go", "install", HELM, cwd="/", env={**os.environ, "GOFLAGS": "", "GOBIN": str(folder)})
    return folder / "helm"


def grpcurl(address, *arguments):
    """grpcurl, built from its Go module as the tests of other clients build it."""
    program = ROOT / ".runtime" / "grpcurl" / "grpcurl"
    run("go", "build", "-mod=readonly", "-o", program, "github.com/fullstorydev/grpcurl/cmd/grpcurl", cwd=CLIENTS)
    return run(program, "-plaintext", address, *arguments)


def plain(node):
    """A resource without Helm's labels, and without empty fields."""
    if isinstance(node, list):
        return [plain(it) for it in node]
    if isinstance(node, dict):
        kept = {key: plain(value) for key, value in node.items() if key not in OWN_LABELS}
        return {key: value for key, value in kept.items() if value != {}}
    return node


def by_name(text):
    import yaml

    found = (it for it in yaml.safe_load_all(text) if it and it["kind"] != "Namespace")
    resources = {}
    for it in found:
        it["metadata"].pop("namespace", None)
        # A monitor finds services by their labels. Those of other resources are for people.
        if it["kind"] != "Service":
            it["metadata"].pop("labels", None)
        resources[f"{it['kind']}/{it['metadata']['name']}"] = plain(it)
    return resources


def equal_to_base():
    """`helm template` with the base's choices makes the base's resources."""
    run(helm(), "lint", "--strict", CHART)
    settings = ["--set", "autoscaling.enabled=true,monitoring.enabled=true,image.pullPolicy="]
    chart = by_name(run(helm(), "template", "quintet", CHART, "-n", "quintet", "--kube-version", "1.34.0", *settings))
    base = by_name(kubectl("kustomize", BASE))
    assert chart.keys() == base.keys(), chart.keys() ^ base.keys()
    for name, resource in base.items():
        ours = chart[name]
        assert ours == resource, f"{name}:\n{json.dumps(ours, indent=1)}\n{json.dumps(resource, indent=1)}"
    say(f"the chart renders what kustomize does: {len(base)} resources")


def installed():
    """`helm install`, a call through `kubectl port-forward`, and `helm uninstall`."""
    space = "quintet-chart"
    load.namespace(space, **{"pod-security.kubernetes.io/enforce": "restricted"})
    repository, tag = images.SERVER.rsplit(":", 1)
    run(helm(), "install", "quintet", CHART, "-n", space, "--set", f"image.repository={repository},image.tag={tag},replicas=1",
        "--wait", "--timeout", "3m")
    try:
        ready(1, space)
        target = f"dns:///quintet-headless.{space}.svc:50051"
        succeeded, log = load.call("chart", ["go", target, "2"])
        assert succeeded and json.loads(log)["failures"] == {}, log
        with forwarded("service/quintet", 50051, space) as address:
            listed = grpcurl(address, "quintet.v1.InferenceService/ListModels")
        assert '"name": "cnn"' in listed, listed
    finally:
        run(helm(), "uninstall", "quintet", "-n", space, "--wait")
    kubectl("delete", "namespace", space)
    say("helm install serves, grpcurl through a forwarded port too")
