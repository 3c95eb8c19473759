#!/usr/bin/env python3
"""Unpacks what package.py wrote: unpack.py PACKAGE INTO

PACKAGE holds manifest.json and the parts, as many of them as have arrived. Each call unpacks the
parts that are new and remembers them, so a part may be deleted once it is unpacked. Needs Python's
standard library alone.

Exit codes: 0 complete, 1 a part or a file is damaged, 2 wrong arguments, 3 parts are missing.
"""

import hashlib
import json
import lzma
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

FORMAT = 1
MANIFEST = "manifest.json"
# In the folder that is unpacked into: the manifest's hash, then those of the parts that are in place.
PROGRESS = ".unpacked"
DAMAGED, MISSING = 1, 3


class Damage(Exception):
    """A file that is not what the manifest says."""


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_manifest(package):
    """The manifest and its hash."""
    path = package / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["format"] != FORMAT:
            raise Damage(f"{path}: format is {manifest['format']}; allowed: {FORMAT}")
        for file in manifest["files"]:
            name = PurePosixPath(file["path"])
            if name.is_absolute() or ".." in name.parts:
                raise Damage(f"{path}: {name} is outside of the package")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damage(f"{path}: {error!r}") from error
    return manifest, sha256(path)


class Progress:
    """Which parts are in place."""

    def __init__(self, into, manifest_hash):
        self.path = into / PROGRESS
        lines = self.path.read_text().split() if self.path.exists() else []
        # Another package was unpacked here before.
        if lines[:1] != [manifest_hash]:
            lines = [manifest_hash]
            self.path.write_text(f"{manifest_hash}\n")
        self.done = set(lines[1:])

    def add(self, part):
        with open(self.path, "a") as file:
            file.write(f"{part['sha256']}\n")

    def forget(self):
        self.path.unlink()


def check(path, part):
    """Refuses a part that is not what was packed."""
    size = path.stat().st_size
    if size != part["size"]:
        raise Damage(f"{part['name']}: {size} bytes; packed were {part['size']}")
    if sha256(path) != part["sha256"]:
        raise Damage(f"{part['name']}: its SHA-256 is not the manifest's")


def unpack(path, part, files, into):
    """Writes a part's piece of all files' bytes, which follow one another, to where it belongs."""
    content = memoryview(lzma.decompress(path.read_bytes()))
    if len(content) != part["length"]:
        raise Damage(f"{part['name']}: unpacks to {len(content)} bytes; packed were {part['length']}")
    first, start = part["start"], 0
    for file in files:
        end = start + file["size"]
        begin, stop = max(first, start), min(first + part["length"], end)
        if begin < stop:
            descriptor = os.open(into / file["path"], os.O_WRONLY)
            try:
                piece, offset = content[begin - first : stop - first], begin - start
                while piece:
                    written = os.pwrite(descriptor, piece, offset)
                    piece, offset = piece[written:], offset + written
            finally:
                os.close(descriptor)
        start = end


def unpack_new(package, into):
    """Unpacks the parts that have arrived. The names of those that have not, and what is damaged."""
    manifest, manifest_hash = read_manifest(package)
    files = manifest["files"]
    into.mkdir(parents=True, exist_ok=True)
    progress = Progress(into, manifest_hash)
    for file in files:
        path = into / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    new = [part for part in manifest["parts"] if part["sha256"] not in progress.done]
    missing = [part["name"] for part in new if not (package / part["name"]).exists()]

    def take(part):
        path = package / part["name"]
        check(path, part)
        unpack(path, part, files, into)

    damaged = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        arrived = [part for part in new if part["name"] not in missing]
        for part, taken in [(part, pool.submit(take, part)) for part in arrived]:
            try:
                taken.result()
                progress.add(part)
            except Damage as damage:
                damaged.append(str(damage))
            except (lzma.LZMAError, OSError) as error:
                damaged.append(f"{part['name']}: {error}")
    if not missing and not damaged:
        damaged = finish(files, into)
        if damaged:
            progress.forget()
    return missing, damaged


def finish(files, into):
    """Sets permissions; the files whose hash is not the manifest's."""
    damaged = []
    for file in files:
        path = into / file["path"]
        path.chmod(file["mode"])
        if sha256(path) != file["sha256"]:
            damaged.append(f"{file['path']}: its SHA-256 is not the manifest's; unpack again")
    return damaged


def main():
    if len(sys.argv) != 3:
        print("usage: unpack.py PACKAGE INTO", file=sys.stderr)
        sys.exit(2)
    package, into = map(Path, sys.argv[1:])
    try:
        missing, damaged = unpack_new(package, into)
    except Damage as damage:
        missing, damaged = [], [str(damage)]
    for name in missing:
        print(f"unpack: missing: {name}", file=sys.stderr)
    for line in damaged:
        print(f"unpack: damaged: {line}", file=sys.stderr)
    if damaged or missing:
        sys.exit(DAMAGED if damaged else MISSING)
    print(f"unpack: complete in {into}")


if __name__ == "__main__":
    main()
