"""The compose profile `tls`: a server with TLS, client certificates and tokens."""

import subprocess
import sys
import tempfile
from pathlib import Path

from engine import ROOT, docker, grpcurl, say

sys.path.insert(0, str(ROOT / "tests"))

from security import callers, certificates  # noqa: E402


def with_tls(compose):
    """Starts the profile's server, and calls it with a token, with a certificate and with neither."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        certificates(folder)
        image = compose.env["QUINTET_SERVER_IMAGE"]
        token = callers(folder, docker(), "run", "--rm", "--network", "none", image)
        # The server runs as another user.
        folder.chmod(0o755)
        (folder / "server.key").chmod(0o644)
        compose.env["QUINTET_SECURITY"] = str(folder)
        compose("up", "-d", "--no-build", "server-tls")
        compose.healthy("server-tls", 1)

        def call(*options):
            command = [grpcurl(), "-cacert", folder / "ca.pem", *options]
            command += [f"localhost:{compose.tls_port}", "quintet.v1.InferenceService/ListModels"]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
            return done.stdout + done.stderr

        assert '"cnn"' in call("-H", f"authorization: Bearer {token}")
        assert '"cnn"' in call("-cert", folder / "alice.pem", "-key", folder / "alice.key")
        assert "Unauthenticated" in call()
        compose("rm", "-s", "-f", "server-tls")
    say("the profile tls serves a token and a certificate, and nobody else")
