#!/usr/bin/env python3
"""Runs deploy/kubernetes and deploy/helm on a real cluster, under load.

    make test-kubernetes

Uses the cluster of KUBECONFIG, which must have KEDA's and the Prometheus operator's definitions, or
starts one of one node on this machine. KUBERNETES_KEEP=1 leaves that one running. Ends with 0 and
the reason where the machine cannot run the test.
"""

import sys
from pathlib import Path

import charts
import events
import images
import load
import overlays
import policy
import scaling
from kubectl import ROOT, Cluster, Skip, kubectl, ready, say


def main():
    try:
        cluster = Cluster()
    except Skip as reason:
        return say(f"skipped: {reason}")
    try:
        images.make(cluster)
        check(cluster)
    except Skip as reason:
        say(f"skipped: {reason}")
    finally:
        cluster.stop()


def check(cluster):
    charts.equal_to_base()
    kubectl("apply", "-k", ROOT / "deploy" / "kubernetes" / "base")
    kubectl("-n", "quintet", "set", "image", events.DEPLOYMENT, f"server={images.SERVER}")
    kubectl("-n", "quintet", "scale", events.DEPLOYMENT, "--replicas=2")
    ready(2)
    say("base: two servers are ready")
    load.namespace(load.CALLERS, quintet="caller")
    policy.enforced(cluster)
    events.confined()
    rows = [
        events.under_load("rollout-restart", 110, events.restart),
        events.under_load("image-update", 110, events.update),
        events.under_load("rollout-undo", 110, events.undo),
        events.under_load("scale-1-4-1", 90, events.scale),
        events.under_load("pod-deletion", 30, events.delete),
        events.under_load("node-drain", 50, events.drain),
    ]
    events.broken_model()
    events.stuck(cluster)
    events.under_its_memory_limit()
    policy.silent(cluster)
    charts.installed()
    overlays.tls()
    overlays.traced(cluster)
    overlays.back()
    say("the overlays gpu and kserve are left out: they need a GPU, and KServe's controllers")
    scaling.by_queue(cluster)
    print(load.table(rows))


if __name__ == "__main__":
    sys.exit(main())
