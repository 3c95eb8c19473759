"""Lets PyPI's PyTorch, which is built for CUDA, run on a CPU without gigabytes of CUDA's libraries.

    torch_cpu.py TORCH_LIB_FOLDER

The wheel's libraries name CUDA's, and the dynamic linker looks for them before a line of Python
runs. This writes stubs of those that a CPU never calls, with the names and versions that the linker
asks for; the C compiler makes them. Two small ones are called and must lie there already, from the
wheels that deploy/fetch.py names: libcudart.so.13 and libcupti.so.13.
"""

import collections
import re
import subprocess
import sys
from pathlib import Path

# Of the system or already there.
REAL = re.compile(r"ld-linux|lib(c|m|dl|rt|util|pthread|gcc_s|gomp|stdc\+\+)\.so|libcudart|libcupti")
OURS = ("libtorch", "libc10", "libcaffe2", "libshm")
CUDA = re.compile(r"cu|nccl|nvsh|nvrtc")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(library, which):
    return [line.split()[-1] for line in output("nm", "-D", which, library).splitlines()]


def needed(libraries):
    """The libraries that are named and missing, and for each version tag the one that defines it."""
    names, owners = set(), {}
    for library in libraries:
        names.update(re.findall(r"\(NEEDED\).*\[(.*?)\]", output("readelf", "-d", library)))
        owner = None
        for line in output("readelf", "-VW", library).splitlines():
            file = re.search(r"File: (\S+)", line)
            owner = file[1] if file else owner
            version = re.search(r"Name: (\S+)\s+Flags", line)
            if version:
                owners[version[1]] = owner
    own = {library.name for library in libraries}
    missing = sorted(name for name in names - own if not REAL.match(name))
    return missing, {tag: owner for tag, owner in owners.items() if owner in missing}


def write_stubs(folder):
    libraries = [path for path in folder.glob("*.so*") if path.name.startswith(OURS)]
    missing, owners = needed(libraries)
    defined = {symbol.split("@")[0] for it in libraries for symbol in symbols(it, "--defined-only")}
    stubs = collections.defaultdict(set)
    for library in libraries:
        for symbol in symbols(library, "--undefined-only"):
            name, _, tag = symbol.partition("@")
            tag = tag.lstrip("@")
            if tag in owners:
                stubs[owners[tag], tag].add(name)
            elif not tag and name not in defined and CUDA.match(name):
                stubs[missing[0], ""].add(name)
    for library in missing:
        own = {tag: names for (owner, tag), names in stubs.items() if owner == library}
        source = "".join(
            f"void {name}(void) {{ __builtin_trap(); }}\n" for it in own.values() for name in sorted(it)
        )
        versions = "".join(
            f"{tag} {{ global: {' '.join(name + ';' for name in sorted(names))} }};\n"
            for tag, names in own.items()
            if tag
        )
        script = folder / f"{library}.map"
        script.write_text(versions)
        command = ["cc", "-shared", "-nostdlib", "-w", f"-Wl,-soname,{library}", "-o", folder / library]
        if versions:
            command.append(f"-Wl,--version-script,{script}")
        subprocess.run([*command, "-x", "c", "-"], input=source, text=True, check=True)
        script.unlink()


if __name__ == "__main__":
    write_stubs(Path(sys.argv[1]))
