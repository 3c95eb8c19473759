"""Who reaches a server, and whom a server asks."""

import load
from kubectl import get, pods, say


def enforced(cluster):
    load.namespace("quintet-strangers")
    load.namespace("monitoring")
    address = pods()[0]["status"]["podIP"]
    service = get("service", "quintet")["spec"]["clusterIP"]
    for where, port, allowed in [
        (load.CALLERS, 50051, True), (load.CALLERS, 9464, False),
        ("monitoring", 50051, False), ("monitoring", 9464, True),
        ("quintet-strangers", 50051, False), ("quintet-strangers", 9464, False),
    ]:
        for host in (address, service):
            reached, said = load.call("reach", ["reach", f"{host}:{port}"], where)
            assert reached == allowed, f"from {where} to {host}:{port}: {said or 'connected'}"
    say("the network policy holds from three namespaces, by cluster IP and pod IP")


def silent(cluster):
    """A server opens no connection and looks up no name, telemetry included."""
    if not cluster.is_own:
        return say("connections of servers: skipped, because it takes a way to the node's network")
    for pod in pods():
        address = pod["status"]["podIP"]
        seen = cluster.on_node("conntrack", "-L", "--orig-src", address)
        assert not seen.strip(), f"{pod['metadata']['name']} asked somebody: {seen}"
    say("no server asked anybody for anything")
