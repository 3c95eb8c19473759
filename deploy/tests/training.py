"""The trainer's image: trains a model into the servers' volume, which is served and rolled back."""

import json

from engine import docker, inspect, run, say

VERSION = 2


def versions(compose, model):
    listed = json.loads(compose.client("models", "--json"))["models"]
    return sorted(int(it["version"]) for it in listed if it["name"] == model and it["state"] == "ready")


def restart(compose):
    for container in compose.containers("server"):
        run(docker(), "restart", "-t", "45", container)
    compose.healthy("server", len(compose.containers("server")))


def upgrade_and_rollback(compose, base):
    """Follows deploy/README.md on upgrade and rollback, with one epoch on the real images."""
    before = versions(compose, "mlp")
    compose(
        "run", "--rm", "trainer", "train", "mlp", "--epochs", "1", "--model-version", VERSION,
    )
    restart(compose)
    after = versions(compose, "mlp")
    assert after == [*before, VERSION], f"versions of the mlp: {before}, after training {after}"
    volume = f"{compose.project}_models"
    run(docker(), "run", "--rm", "-v", f"{volume}:/models", base, "mv", f"/models/mlp/{VERSION}", f"/models/mlp/.{VERSION}")
    restart(compose)
    assert versions(compose, "mlp") == before, "the new version is still served after the rollback"
    say("the trainer's image wrote a version into the volume; it was served, and rolled back")
