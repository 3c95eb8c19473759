#!/usr/bin/env python3
"""Packs all that a bare machine with an NVIDIA GPU needs to run bench/gpu.sh, in parts.

    bench/gpu/package.py --binaries target/release --data-dir data-sets

Packed are the stripped programs, ONNX Runtime with its CUDA provider (deploy/fetch.py
onnxruntime-gpu-only), the data sets, models/ and the report's own scripts. The parts, manifest.json
and unpack.py go to --out. CUDA, cuDNN and libtorch are not packed: that machine's PyTorch 2.11.0
has them.
"""

import argparse
import hashlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from unpack import FORMAT, MANIFEST, sha256

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = ["quintet-trainer", "quintet-server", "quintet-bench", "quintet"]
SCRIPTS = ["gpu.sh", "gpu/report.py", "gpu/steps.py", "gpu/readings.py", "gpu/tables.py"]
MNIST = [
    f"{half}-{kind}-ubyte.gz"
    for half in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]
DATA = {"mnist": MNIST, "fashion-mnist": MNIST, "imdb": ["aclImdb_v1.tar.gz"]}
# Each block is a whole xz stream, and streams may follow one another: a part is some of them.
BLOCK = 8 << 20


def found(name, folders, remedy):
    """The file in the first folder that has it."""
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    sys.exit(f"package: {name} is not in {' or '.join(map(str, folders))}; {remedy}")


def contents(arguments, scratch):
    """Path in the package and source of every file, in the order of packing."""
    files = {}
    for name in PROGRAMS:
        program = found(name, arguments.binaries, "`make gpu-package` builds it")
        subprocess.run(["strip", "-o", scratch / name, program], check=True)
        files[f"bin/{name}"] = scratch / name
    for library in sorted(arguments.libraries.glob("*.so*")):
        files[f"lib/{library.name}"] = library
    for name in ("libonnxruntime.so", "libonnxruntime_providers_cuda.so"):
        found(name, [arguments.libraries], "`deploy/fetch.py onnxruntime-gpu-only` fetches it")
    for name, members in DATA.items():
        folders = [arguments.data_dir / name]
        # Fashion-MNIST's files are called as MNIST's.
        if name != "fashion-mnist":
            folders.append(arguments.data_dir)
        for member in members:
            remedy = "`quintet-trainer train` downloads it"
            files[f"data/{name}/{member}"] = found(member, folders, remedy)
    models = arguments.models_dir
    for path in sorted(path for path in models.rglob("*") if path.is_file()):
        files[f"models/{path.relative_to(models).as_posix()}"] = path
    for name in SCRIPTS:
        files[f"bench/{name}"] = HERE.parent / name
    return files


def described(files):
    """The manifest's entry of each file."""
    entries = []
    for name, source in files.items():
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        size = source.stat().st_size
        entries.append({"path": name, "mode": mode, "size": size, "sha256": sha256(source)})
    return entries


def blocks(sources):
    """The bytes of all files after one another, in blocks."""
    block = bytearray()
    for source in sources:
        with open(source, "rb") as file:
            while piece := file.read(BLOCK - len(block)):
                block += piece
                if len(block) == BLOCK:
                    yield bytes(block)
                    block.clear()
    if block:
        yield bytes(block)


def compressed(sources):
    """Length and xz stream of each block, in order. A few blocks are in memory at a time."""
    threads = os.cpu_count()
    with ThreadPoolExecutor(threads) as pool:
        under_way = []
        for block in blocks(sources):
            under_way.append((len(block), pool.submit(lzma.compress, block)))
            if len(under_way) > threads:
                length, stream = under_way.pop(0)
                yield length, stream.result()
        for length, stream in under_way:
            yield length, stream.result()


class Parts:
    """Writes streams to parts of at most `limit` bytes."""

    def __init__(self, out, limit):
        self.out, self.limit = out, limit
        self.parts, self.streams, self.start, self.length = [], [], 0, 0

    def add(self, length, stream):
        if len(stream) > self.limit:
            sys.exit(f"package: a block takes {len(stream)} bytes, a part holds {self.limit}")
        if sum(map(len, self.streams)) + len(stream) > self.limit:
            self.write()
        self.streams.append(stream)
        self.length += length

    def write(self):
        if not self.streams:
            return
        content = b"".join(self.streams)
        name = f"part-{len(self.parts) + 1:02}.xz"
        (self.out / name).write_bytes(content)
        print(f"package: {name}, {len(content) / 2**20:.1f} MiB", file=sys.stderr, flush=True)
        self.parts.append(
            {
                "name": name,
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "start": self.start,
                "length": self.length,
            }
        )
        self.start, self.streams, self.length = self.start + self.length, [], 0


def pack(files, out, limit):
    """Writes the parts and the manifest of `files`, {path in the package: source}; the parts."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    parts = Parts(out, limit)
    for length, stream in compressed(files.values()):
        parts.add(length, stream)
    parts.write()
    manifest = {"format": FORMAT, "files": described(files), "parts": parts.parts}
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    shutil.copy(HERE / "unpack.py", out)
    return parts.parts


def mebibytes(text):
    size = int(text)
    # A block that cannot be compressed still fits.
    if size <= BLOCK >> 20:
        raise ValueError
    return size << 20


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = arguments.add_argument
    add("--binaries", type=Path, action="append", required=True, metavar="DIR", help="may repeat")
    add("--data-dir", type=Path, default=ROOT / "data-sets", metavar="DIR")
    add("--models-dir", type=Path, default=ROOT / "models", metavar="DIR")
    libraries = ROOT / ".runtime" / "onnxruntime-gpu-only" / "lib"
    add("--libraries", type=Path, default=libraries, metavar="DIR")
    add("--out", type=Path, default=ROOT / ".runtime" / "gpu-package", metavar="DIR")
    add("--part-mib", type=mebibytes, default=45 << 20, metavar="N", help="MiB a part, 9 or more")
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = contents(arguments, Path(scratch))
        parts = pack(files, arguments.out, arguments.part_mib)
    total = sum(part["size"] for part in parts) / 2**20
    print(f"package: {len(files)} files, {len(parts)} parts, {total:.0f} MiB, {arguments.out}")


if __name__ == "__main__":
    main()
