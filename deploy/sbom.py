#!/usr/bin/env python3
"""Writes the bill of materials of an image or a program, as CycloneDX 1.6 in JSON.

    deploy/sbom.py server > server.cdx.json      also: server-cuda, trainer, client

It names every crate that is compiled in, with its licence and its hash in Cargo.lock, and every
wheel of which native libraries are taken. The same sources give the same bytes.
"""

import json
import subprocess
import sys
import tomllib
import uuid

from fetch import LIBRARIES, ROOT, WHEELS

# Of each image: its package, and the native libraries beside the program.
IMAGES = {
    "server": ("quintet-server", ["onnxruntime"]),
    "server-cuda": ("quintet-server", ["onnxruntime-gpu"]),
    "trainer": ("quintet-trainer", ["libtorch", "onnxruntime"]),
    "client": ("quintet-client", []),
}
TARGET = "x86_64-unknown-linux-gnu"


def cargo(*arguments):
    command = ["cargo", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def compiled(package):
    """Names and versions of the crates that become part of the package's programs."""
    listed = cargo("tree", "--locked", "-p", package, "-e", "normal", "--target", TARGET,
                   "--prefix", "none", "--no-dedupe", "-f", "{p}")
    pairs = (line.split()[:2] for line in listed.splitlines() if line)
    return {(name, version.removeprefix("v")) for name, version in pairs}


def crates(package):
    """The components of a package, its own one first, and what each depends on."""
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET))
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    hashes = {(it["name"], it["version"]): it.get("checksum") for it in locked}
    wanted = compiled(package)
    references, components = {}, []
    for crate in metadata["packages"]:
        key = crate["name"], crate["version"]
        if key not in wanted:
            continue
        reference = f"pkg:cargo/{key[0]}@{key[1]}"
        references[crate["id"]] = reference
        component = {"type": "library", "bom-ref": reference, "name": key[0], "version": key[1], "purl": reference}
        if crate["license"]:
            # The old way to write OR.
            component["licenses"] = [{"expression": crate["license"].replace("/", " OR ")}]
        if hashes[key]:
            component["hashes"] = [{"alg": "SHA-256", "content": hashes[key]}]
        if key[0] == package:
            component["type"] = "application"
            components.insert(0, component)
        else:
            components.append(component)
    assert len(components) == len(wanted), "cargo's two lists of packages differ"
    edges = [
        {
            "ref": references[node["id"]],
            "dependsOn": sorted({references[dep["pkg"]] for dep in node["deps"] if dep["pkg"] in references}),
        }
        for node in metadata["resolve"]["nodes"]
        if node["id"] in references
    ]
    return components, edges


def wheels(library):
    """The wheels that a native library is taken from."""
    for wheel in LIBRARIES[library]["wheels"]:
        name, _, version = wheel.partition("==")
        reference = f"pkg:pypi/{name}@{version}"
        content = WHEELS[wheel]["x86_64"]
        yield {"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
               "hashes": [{"alg": "SHA-256", "content": content}]}


def bill(image):
    package, libraries = IMAGES[image]
    (program, *components), edges = crates(package)
    native = [wheel for library in libraries for wheel in wheels(library)]
    own = next(edge for edge in edges if edge["ref"] == program["bom-ref"])
    own["dependsOn"] += [wheel["bom-ref"] for wheel in native]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": program},
        "components": sorted(components + native, key=lambda it: it["bom-ref"]),
        "dependencies": sorted(edges, key=lambda it: it["ref"]),
    }
    text = json.dumps(bom, sort_keys=True)
    return {**bom, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}"}


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in IMAGES:
        sys.exit(__doc__)
    json.dump(bill(sys.argv[1]), sys.stdout, indent=1)
    print()
