"""The autoscaler: the queue's metrics reach it, and it adds servers under load and takes them away after it."""

import json
import time

import keda
import prometheus
from kubectl import apply, get, kubectl, ready, say, until
from load import CALLERS, finished, pod

# In earnest six minutes of rest go by before a server is taken away, and a node of eight cores has no room for ten.
FASTER = {
    "maxReplicaCount": 4,
    "advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {
        "stabilizationWindowSeconds": 15, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}],
    }}}},
}
SECONDS_OF_LOAD = 150


def autoscaler():
    """The HorizontalPodAutoscaler that KEDA makes of the ScaledObject, once it has read both metrics."""
    found = get("hpa")["items"]
    assert len(found) <= 1, [it["metadata"]["name"] for it in found]
    for it in found:
        status = it["status"]
        active = [c for c in status.get("conditions", []) if c["type"] == "ScalingActive" and c["status"] == "True"]
        if active and len(status.get("currentMetrics") or []) == 2:
            return it


def by_queue(cluster):
    """Scales by the queue, by the thresholds of the base's ScaledObject."""
    if not cluster.is_own:
        return say("the autoscaler: skipped, because it takes a KEDA and a Prometheus of the test's own")
    prometheus.install(cluster, get("servicemonitor", "quintet"))
    keda.install(cluster)
    kubectl("-n", "quintet", "patch", "scaledobject", "quintet", "--type=merge", "-p", json.dumps({"spec": FASTER}))
    until("an autoscaler that reads both metrics", autoscaler, 180)
    ready(2)
    say("the autoscaler reads the queue's metrics, and leaves two servers at rest")
    started = time.monotonic()
    target = "dns:///quintet-headless.quintet.svc.cluster.local:50051"
    apply(pod("autoscaler", ["long", target, str(SECONDS_OF_LOAD)]))
    ready(4, seconds=SECONDS_OF_LOAD)
    say(f"from 2 servers to 4 within {time.monotonic() - started:.0f} s of load")
    succeeded, log = finished("autoscaler", CALLERS)
    assert succeeded and json.loads(log)["answered"] and not json.loads(log)["failures"], log
    started = time.monotonic()
    ready(2, seconds=300)
    say(f"back to 2 servers {time.monotonic() - started:.0f} s after it")
