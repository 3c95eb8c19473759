"""h2spec, the conformance tests of HTTP/2, whole, and what deviates from them.

Four runs: in plain text and over TLS, each as h2spec is and once with gRPC's headers. h2spec sends
`GET /`, which the server refuses at once; with gRPC's headers, requests stay open until they end.
"""

import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULE = HERE / "h2spec"
PROGRAM = "github.com/summerwind/h2spec"
COMMAND = f"{PROGRAM}/cmd/h2spec"
AUTHORITY = 'HeaderField(":authority", authority),'
# What becomes of a line to make it gRPC's. Pseudo-headers come first.
GRPC = [
    ('HeaderField(":method", "GET"),', 'HeaderField(":method", "POST"),'),
    (
        AUTHORITY,
        AUTHORITY
        + 'HeaderField("content-type", "application/grpc"), HeaderField("te", "trailers"),',
    ),
]


def go(*arguments, **how):
    try:
        return subprocess.run(["go", *arguments], cwd=MODULE, check=True, text=True, **how)
    except FileNotFoundError:
        sys.exit("hostile: h2spec needs Go (https://go.dev)")


def build(folder):
    """Builds the pinned h2spec, as it is and with gRPC's headers; the two programs."""
    folder.mkdir(parents=True, exist_ok=True)
    plain, grpc = folder / "h2spec", folder / "h2spec-grpc"
    go("build", "-mod=readonly", "-o", plain, COMMAND)
    listed = go("list", "-mod=readonly", "-f", "{{.Dir}}", f"{PROGRAM}/spec", capture_output=True)
    # The second is built of a changed copy.
    copy = folder / "source"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(Path(listed.stdout.strip()).parent, copy, copy_function=shutil.copyfile)
    (copy / "go.mod").write_text(f"module {PROGRAM}\n")
    source = copy / "spec" / "util.go"
    text = source.read_text()
    for old, new in GRPC:
        assert text.count(old) == 1, f"{source} is not the pinned one"
        text = text.replace(old, new)
    source.write_text(text)
    modules = folder / "grpc.mod"
    modules.write_text((MODULE / "go.mod").read_text() + f"\nreplace {PROGRAM} => {copy}\n")
    shutil.copyfile(MODULE / "go.sum", folder / "grpc.sum")
    go("build", "-mod=mod", f"-modfile={modules}", "-o", grpc, COMMAND)
    return plain, grpc


def outcomes(program, address, path, is_tls, report):
    """Runs all cases. Returns for each, by section and title, `None` if it passed, or what came."""
    host, _, port = address.rpartition(":")
    command = [program, "--host", host, "--port", port, "--path", path, "--strict"]
    command += ["--timeout", "2", "--junit-report", report]
    command += ["--tls", "--insecure"] if is_tls else []
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=600)
    found = {}
    for suite in ElementTree.parse(report).getroot():
        for case in suite:
            failed = [child for child in case if child.tag in ("error", "failure", "skipped")]
            # h2spec writes what is expected, then what came.
            came = [(child.text or "skipped").strip().splitlines()[-1] for child in failed]
            found[f"{suite.get('package')}: {case.get('classname')}"] = came[0] if came else None
    # A program that runs nothing proves nothing.
    assert len(found) > 140, f"h2spec ran {len(found)} cases only"
    return found


def judge(run, found, deviations):
    """Offences: failures that are not explained, and explanations that explain nothing."""
    expected = {}
    for deviation in deviations:
        if run in deviation["runs"]:
            for case in deviation["cases"]:
                expected[case] = deviation.get("sometimes", False)
    offences = [f"{run}: {case}: fails and is not explained; came: {came}"
                for case, came in found.items() if came is not None and case not in expected]
    for case, sometimes in expected.items():
        if case not in found:
            offences.append(f"{run}: {case}: is explained, but there is no such case")
        elif found[case] is None and not sometimes:
            offences.append(f"{run}: {case}: is explained, but passes now")
    return offences


def check(plain, tls, folder):
    """All four runs against the two servers. Prints a line each, and returns the offences."""
    deviations = tomllib.loads((HERE / "deviations.toml").read_text())["deviation"]
    bare, grpc = build(folder)
    offences = []
    for run, program, address, path, is_tls in [
        ("plain", bare, plain, "/", False),
        ("tls", bare, tls, "/", True),
        ("grpc", grpc, plain, "/grpc.health.v1.Health/Check", False),
        ("grpc-tls", grpc, tls, "/grpc.health.v1.Health/Check", True),
    ]:
        found = outcomes(program, address, path, is_tls, folder / f"{run}.xml")
        failed = sum(came is not None for came in found.values())
        new = judge(run, found, deviations)
        print(f"h2spec {run:9} {len(found)} cases, {failed} fail, {len(new)} unexplained", flush=True)
        offences += new
    return offences
