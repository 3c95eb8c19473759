#!/usr/bin/env python3
"""Imports models of other programs, serves them, and compares the answers with the originals'.

    tests/import/run.py [--trainer PROGRAM] [--server PROGRAM] [CHECK ...]

A CHECK is the part of a name check_CHECK.py beside this file; all run by default. `speed` measures
PyTorch beside Quintet; it needs `quintet` beside the server, both built for release. The originals'
programs come from PyPI, pinned and hash-checked, into .runtime/import (about 1.5 GB, PyTorch among
them). A second call finds them there.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from served import fetch  # noqa: E402


def environment():
    """The folder with the packages, in which PyTorch runs on a CPU alone."""
    packages = ROOT / ".runtime" / "import"
    libraries = packages / "torch" / "lib"
    fetch(HERE / "requirements.txt", packages)
    # Written last, so that a run that broke off is done again.
    done = libraries / ".cpu"
    if not done.exists():
        for name in ("libcudart.so.13", "libcupti.so.13"):
            shutil.copy(packages / "nvidia" / "cu13" / "lib" / name, libraries / name)
        subprocess.run([sys.executable, HERE / "torch_cpu.py", libraries], check=True)
        done.touch()
    return packages


def shared():
    """A folder with tests/served.py alone: tests/triton hides a package that PyTorch looks for."""
    folder = ROOT / ".runtime" / "import-shared"
    folder.mkdir(exist_ok=True)
    link = folder / "served.py"
    link.unlink(missing_ok=True)
    link.symlink_to(HERE.parent / "served.py")
    return folder


def built(name):
    """The newer of the release build and the debug build."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    programs = [target / profile / name for profile in ("release", "debug")]
    programs = [program for program in programs if program.exists()]
    if not programs:
        sys.exit(f"there is no {name}; `cargo build -p {name}` makes one")
    return max(programs, key=lambda program: program.stat().st_mtime)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", type=Path, help="quintet-trainer")
    parser.add_argument("--server", type=Path, help="quintet-server")
    parser.add_argument("checks", nargs="*", metavar="CHECK")
    arguments = parser.parse_args()
    packages = environment()
    wanted = arguments.checks or sorted(path.stem[6:] for path in HERE.glob("check_*.py"))
    environ = {
        "ORT_DYLIB_PATH": str(ROOT / ".runtime" / "onnxruntime" / "lib" / "libonnxruntime.so"),
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (packages, HERE, shared()))),
        # Nothing is fetched while the checks run.
        "HF_HUB_OFFLINE": "1",
    }
    for check in wanted:
        command = [sys.executable, HERE / ("speed.py" if check == "speed" else f"check_{check}.py")]
        command += ["--trainer", arguments.trainer or built("quintet-trainer")]
        command += ["--server", arguments.server or built("quintet-server")]
        print(f"import: {check}", flush=True)
        subprocess.run(command, env=environ, check=True)


if __name__ == "__main__":
    main()
