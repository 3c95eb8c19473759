"""The images that the test runs: made of this checkout's own programs, without a Docker Engine.

On a cluster that this machine did not start, QUINTET_SERVER_IMAGE, QUINTET_NEXT_IMAGE (the same with
another model version) and QUINTET_CALLER_IMAGE name images of a registry instead.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from kubectl import ROOT, Skip, run, say

SERVER = os.environ.get("QUINTET_SERVER_IMAGE", "registry.example/quintet-server:0.1.0")
NEXT = os.environ.get("QUINTET_NEXT_IMAGE", "registry.example/quintet-server:0.1.1")
CALLER = os.environ.get("QUINTET_CALLER_IMAGE", "registry.example/quintet-caller:0.1.0")
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def with_libraries(root, *programs):
    """Copies the shared libraries of programs to where the loader looks for them."""
    for program in programs:
        # A static program has none, and ldd fails.
        for library in re.findall(r"(/\S+)", run("ldd", program, check=False)):
            to = root / library.lstrip("/").rstrip(":")
            if not to.exists() and Path(library).is_file():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, to)


def copy(program, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, to)
    return to


def server(root):
    """The server's image as deploy/Dockerfile describes it."""
    programs = [copy(TARGET / "release" / "quintet-server", root / "quintet" / "quintet-server")]
    for library in (ROOT / ".runtime" / "onnxruntime" / "lib").iterdir():
        programs.append(copy(library, root / "quintet" / "lib" / library.name))
    with_libraries(root, *programs)
    shutil.copytree(ROOT / "models", root / "models", dirs_exist_ok=True)


def make(cluster):
    if not cluster.is_own:
        missing = [it for it in ("SERVER", "NEXT", "CALLER") if f"QUINTET_{it}_IMAGE" not in os.environ]
        if missing:
            raise Skip("with KUBECONFIG, QUINTET_SERVER_IMAGE, _NEXT_IMAGE and _CALLER_IMAGE name the images")
        return
    environment = {
        "QUINTET_LISTEN": "0.0.0.0:50051", "QUINTET_ADMIN_LISTEN": "0.0.0.0:9464", "QUINTET_MODELS_DIR": "/models",
        "QUINTET_ONNXRUNTIME": "/quintet/lib/libonnxruntime.so", "ORT_DISABLE_TELEMETRY": "1",
    }
    config = {
        "Entrypoint": ["/quintet/quintet-server"], "User": "10001:10001",
        "Env": [f"{name}={value}" for name, value in environment.items()],
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        server(root)
        cluster.load(SERVER, root, config)
        # The next release has a second version of a model.
        shutil.copytree(root / "models" / "mlp" / "1", root / "models" / "mlp" / "2")
        manifest = root / "models" / "mlp" / "2" / "manifest.toml"
        manifest.write_text(manifest.read_text().replace("\nversion = 1\n", "\nversion = 2\n", 1))
        cluster.load(NEXT, root, config)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with_libraries(root, copy(TARGET / "release" / "quintet", root / "quintet"))
        run("go", "build", "-trimpath", "-o", root / "caller", ".", cwd=Path(__file__).parent / "caller",
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""})
        cluster.load(CALLER, root, {"Entrypoint": ["/caller"], "User": "10001:10001"})
    say("images made")
