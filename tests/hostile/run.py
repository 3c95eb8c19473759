#!/usr/bin/env python3
"""Hostile peers and h2spec against a real server: tests/hostile/run.py [--server PROGRAM]

Needs Go, which builds h2spec, and python3 with pip. Ends with 1 if anything does not hold.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

import conformance
from served import Server, built_server, client_packages


def certificate(folder):
    """A certificate of localhost that signs itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-keyout", key, "-out", cert, "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return cert, key


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--server", type=Path)
    arguments.add_argument("--models-dir", type=Path, default=ROOT / "models")
    arguments.add_argument("--only", help="h2spec, or the peers whose names hold this")
    arguments = arguments.parse_args()
    program = arguments.server or built_server()
    sys.path.insert(0, str(client_packages()))
    import peers

    offences, servers = [], []
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(Path(folder))

        def start(*options):
            servers.append(Server(program, arguments.models_dir, *options))
            return servers[-1]

        try:
            plain = start("--max-bytes-in-flight", str(peers.MAX_BYTES_IN_FLIGHT))
            tls = start("--tls-cert", cert, "--tls-key", key)
            if arguments.only in (None, "h2spec"):
                offences += conformance.check(plain.grpc, tls.grpc, ROOT / ".runtime" / "h2spec")
            if arguments.only != "h2spec":
                model = arguments.models_dir / "mlp" / "1"
                offences += peers.check(plain, (start(), tls), cert, model, arguments.only)
        finally:
            codes = [server.stop() for server in servers]
    offences += [f"a server ended with {code}" for code in codes if code]
    for offence in offences:
        print(f"hostile: {offence}")
    sys.exit(bool(offences))


if __name__ == "__main__":
    main()
