#!/usr/bin/env python3
"""Validates the output of kustomize for deploy/kubernetes against the published schemas.

    make check-kubernetes

kubernetes-validate checks Kubernetes' own resources. The schemas in the projects' own
CustomResourceDefinitions check those of KEDA, the Prometheus operator and KServe. kustomize and the
definitions are Go modules, fetched by version and verified by Go's checksum database. An unknown
field is an error.
"""

import functools
import json
import os
import pathlib
import subprocess

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.37"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.6.0"
DEFINITIONS = {
    "keda.sh": ("github.com/kedacore/keda/v2@v2.17.2", "config/crd/bases"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.84.0",
        "example/prometheus-operator-crd",
    ),
    "serving.kserve.io": ("github.com/kserve/kserve@v0.15.2", "config/crd/full"),
}
# The kinds that each folder must render, so that a missing resource is an error.
SERVERS = {"Namespace", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "ScaledObject"}
FOLDERS = {"base": SERVERS, "gpu": SERVERS, "tls": SERVERS, "traces": SERVERS, "kserve": {"Namespace", "ServingRuntime", "InferenceService"}}


def go(*arguments):
    # Outside of any module, so that a module may choose a newer toolchain.
    return subprocess.run(["go", *arguments], check=True, stdout=subprocess.PIPE, cwd="/", env={**os.environ, "GOFLAGS": ""}).stdout


@functools.cache
def checked_out(group):
    """The folder with a group's CustomResourceDefinitions."""
    module, folder = DEFINITIONS[group]
    return pathlib.Path(json.loads(go("mod", "download", "-json", module))["Dir"], folder)


def schema(group, version, kind):
    # controller-gen's file names.
    file = checked_out(group) / f"{group}_{kind.lower()}s.yaml"
    definition = yaml.safe_load(file.read_text())
    found = [it for it in definition["spec"]["versions"] if it["name"] == version]
    assert found, f"{file} has no version {version}"
    return strict(found[0]["schema"]["openAPIV3Schema"])


def strict(node):
    """The schema with unknown fields forbidden, as `kubectl apply --validate=strict` has it."""
    if isinstance(node, list):
        return [strict(it) for it in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items()}
    open_ended = node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in node
    if isinstance(node.get("properties"), dict) and node.get("type") == "object" and not open_ended:
        node["additionalProperties"] = False
    return node


def check(resource):
    group, _, version = resource["apiVersion"].rpartition("/")
    kind = resource["kind"]
    if group in DEFINITIONS:
        found = schema(group, version, kind)
        # Every resource has these fields; definitions do not describe them.
        found["properties"]["metadata"] = {"type": "object"}
        jsonschema.validate(resource, found)
    else:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    print(f"  {group or 'core'}/{version} {kind} {resource['metadata']['name']}")


def main():
    root = pathlib.Path(__file__).resolve().parents[1] / "kubernetes"
    for folder, kinds in FOLDERS.items():
        print(f"{folder}:")
        resources = [it for it in yaml.safe_load_all(go("run", KUSTOMIZE, "build", str(root / folder))) if it]
        for resource in resources:
            check(resource)
        missing = kinds - {it["kind"] for it in resources}
        assert not missing, f"{folder} has no {', '.join(sorted(missing))}"


if __name__ == "__main__":
    main()
