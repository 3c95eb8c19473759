#!/usr/bin/env python3
"""Lets the gRPC libraries that callers use talk to the server over TLS, with tokens and compressed.

    tests/interop/run.py [--server PROGRAM] [--tool PROGRAM] [--models-dir DIR] [--only NAME ...]

The libraries are grpc-go and grpcurl (Go), grpc-js (Node), grpcio and NVIDIA's tritonclient
(Python), and the SDK, by its tool `quintet`. Each makes the same calls in every case below. The
versions are pinned by tests/interop/go/go.sum, tests/interop/node/package-lock.json and
tests/triton/requirements.txt. They are fetched into .runtime/interop, and a second call finds them
there. A library whose toolchain is missing is left out, and the reason is printed.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from security import callers, certificates, run  # noqa: E402
from served import ROOT, Server, built_server, client_packages  # noqa: E402

FOLDER = ROOT / ".runtime" / "interop"
DESCRIPTORS = ROOT / "proto" / "src" / "gen" / "descriptor.bin"
# An image with a stroke.
IMAGE = base64.b64encode(bytes(200) + bytes([200]) * 200 + bytes(384)).decode()
IMAGES = 40


def cases(folder, token, tls, mutual):
    """What each library does at two servers; one asks for certificates. `expected` is the code."""

    def case(name, server, expected="OK", token=None, cert=None, compression=None):
        return {
            "name": name,
            "address": f"localhost:{server.grpc.rpartition(':')[2]}",
            "ca": str(folder / "ca.pem"),
            "cert": cert and str(folder / f"{cert}.pem"),
            "key": cert and str(folder / f"{cert}.key"),
            "token": token,
            "compression": compression,
            "expected": expected,
        }

    return [
        case("TLS and a token", tls, token=token),
        case("TLS, a token and gzip", tls, token=token, compression="gzip"),
        case("TLS without a token", tls, "UNAUTHENTICATED"),
        case("TLS and another token", tls, "UNAUTHENTICATED", token="quintet_another"),
        case("mutual TLS", mutual, cert="alice"),
        case("mutual TLS and gzip", mutual, cert="alice", compression="gzip"),
        case("mutual TLS and a token", mutual, token=token, cert="alice"),
        case("mutual TLS without a certificate", mutual, "UNAVAILABLE", token=token),
        case("mutual TLS and a stranger", mutual, "UNAVAILABLE", token=token, cert="stranger"),
    ]


def programs_in_go():
    """Builds the client by grpc-go, and grpcurl; the folder that holds them."""
    if not shutil.which("go"):
        return None
    out = FOLDER / "go"
    out.mkdir(parents=True, exist_ok=True)
    build = ["go", "build", "-mod=readonly", "-o", f"{out}/"]
    run(*build, ".", "github.com/fullstorydev/grpcurl/cmd/grpcurl", cwd=HERE / "go")
    return out


def packages_of_node():
    """Installs grpc-js; the environment in which Node finds it."""
    if not shutil.which("npm"):
        return None
    out = FOLDER / "node"
    lock = (HERE / "node" / "package-lock.json").read_bytes()
    stamp = out / "installed.json"
    if not stamp.exists() or stamp.read_bytes() != lock:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(HERE / "node", out)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=out)
        stamp.write_bytes(lock)
    return {"NODE_PATH": str(out / "node_modules")}


def by_program(cases, command, environment=None):
    """A client that reads the cases from a file, and ends with 0 if all went as expected."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"image": IMAGE, "images": IMAGES, "cases": cases}, file)
        file.flush()
        return subprocess.run([*command, file.name], env={**os.environ, **(environment or {})}).returncode


def grpcurl(program, cases):
    """grpcurl has no compression, and names a code in its words."""
    failed = 0
    for case in cases:
        if case["compression"]:
            continue
        command = [program, "-cacert", case["ca"], "-connect-timeout", "5"]
        if case["cert"]:
            command += ["-cert", case["cert"], "-key", case["key"]]
        if case["token"]:
            command += ["-H", f"authorization: Bearer {case['token']}"]
        command += [case["address"], "quintet.v1.InferenceService/ListModels"]
        done = subprocess.run(command, text=True, capture_output=True)
        said = done.stdout + done.stderr
        words = {"OK": '"models"', "UNAUTHENTICATED": "Unauthenticated", "UNAVAILABLE": "certificate"}
        is_right = words[case["expected"]] in said and (done.returncode == 0) == (case["expected"] == "OK")
        print(f"{'ok' if is_right else 'FAILED'} grpcurl: {case['name']}", flush=True)
        if not is_right:
            print(said)
            failed = 1
    return failed


def sdk(program, cases, folder):
    """The tool lists models, and scores texts that are long enough to be compressed."""
    failed = 0
    texts = "\n".join(["I love this movie! " * 20] * 30)
    token = folder / "sdk.token"
    for case in cases:
        connection = ["--server", f"https://{case['address']}", "--tls-ca", case["ca"], "--timeout", "20s"]
        if case["cert"]:
            connection += ["--tls-cert", case["cert"], "--tls-key", case["key"]]
        if case["token"]:
            token.write_text(case["token"])
            connection += ["--token-file", token]
        if case["compression"]:
            connection += ["--compression", case["compression"]]
        listed = subprocess.run([program, "models", *connection], text=True, capture_output=True)
        scored = subprocess.run(
            [program, "sentiment", "--model", "lstm", *connection, "-"], text=True, capture_output=True, input=texts
        )
        said = listed.stdout + listed.stderr + scored.stdout + scored.stderr
        words = {"OK": "lstm", "UNAUTHENTICATED": "--token-file", "UNAVAILABLE": "certificate"}
        codes = {"OK": 0, "UNAUTHENTICATED": 3, "UNAVAILABLE": 1}
        given = {listed.returncode, scored.returncode}
        is_right = words[case["expected"]] in said and given == {codes[case["expected"]]}
        print(f"{'ok' if is_right else 'FAILED'} the SDK: {case['name']}", flush=True)
        if not is_right:
            print(given, said)
            failed = 1
    return failed


def clients(tool, folder, only):
    """Every library: its name, and what runs its cases; or why it is left out."""
    python = {"PYTHONPATH": str(client_packages())}
    golden = ROOT / "models" / "mlp" / "1"

    def go(cases):
        return by_program(cases, [FOLDER / "go" / "interop", DESCRIPTORS])

    def node(cases):
        return by_program(cases, ["node", HERE / "node" / "client.js"], packages_of_node())

    def by_python(library):
        command = [sys.executable, "-B", HERE / "client.py", library, golden]
        return lambda cases: by_program(cases, command, python)

    found = {"grpcio": by_python("grpcio"), "tritonclient": by_python("tritonclient")}
    left_out = {}
    if (not only or {"grpc-go", "grpcurl"} & set(only)) and programs_in_go():
        found["grpc-go"] = go
        found["grpcurl"] = lambda cases: grpcurl(FOLDER / "go" / "grpcurl", cases)
    else:
        left_out["grpc-go and grpcurl"] = "there is no go"
    if shutil.which("npm"):
        found["grpc-js"] = node
    else:
        left_out["grpc-js"] = "there is no npm"
    if tool.exists():
        found["the SDK"] = lambda cases: sdk(tool, cases, folder)
    else:
        left_out["the SDK"] = f"there is no {tool}; `cargo build -p quintet-client` makes it"
    if only:
        return {name: client for name, client in found.items() if name in only}, {}
    return found, left_out


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--server", type=Path)
    arguments.add_argument("--tool", type=Path, help="the SDK's tool [default: quintet beside the server]")
    arguments.add_argument("--models-dir", type=Path, default=ROOT / "models")
    arguments.add_argument("--only", nargs="*", help="libraries")
    arguments = arguments.parse_args()
    program = (arguments.server or built_server()).resolve()
    tool = arguments.tool or program.parent / "quintet"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        certificates(folder)
        token = callers(folder, program)
        found, left_out = clients(tool, folder, arguments.only)
        secure = ["--tls-cert", folder / "server.pem", "--tls-key", folder / "server.key"]
        secure += ["--tokens", folder / "tokens.toml"]
        tls = Server(program, arguments.models_dir, *secure)
        mutual = Server(program, arguments.models_dir, *secure, "--tls-client-ca", folder / "ca.pem")
        try:
            asked = cases(folder, token, tls, mutual)
            failed = [name for name, client in found.items() if client(asked)]
        finally:
            stopped = [tls.stop(), mutual.stop()]
    for name, reason in left_out.items():
        print(f"left out {name}: {reason}")
    if failed or any(stopped):
        sys.exit(f"interop: failed: {', '.join(failed)}; the servers ended with {stopped}")
    print(f"interop: {', '.join(found)}: {len(asked)} cases each")


if __name__ == "__main__":
    main()
