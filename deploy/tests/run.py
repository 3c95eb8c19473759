#!/usr/bin/env python3
"""Tests the deployment: images, compose, Prometheus, a restart under load, three servers.

    make test-deploy

Needs a Docker Engine, compose and grpcurl, and the base images or a registry that has them. Grafana
and Jaeger are omitted if their images cannot be pulled; the dashboard's queries are tested all the
same, and `make test-traces` sends traces to a collector. With QUINTET_DATA_DIR, the folder of MNIST, the trainer's image is built and tested as well. With
QUINTET_TEST_CUDA=1 the image for GPUs is built (gigabytes). Without a GPU it must end with an error.
"""

import datetime
import json
import os
import re
import subprocess
import sys
import time

import calls
import queries
import secure
import training
from engine import ROOT, Compose, Load, build, docker, has_image, inspect, logs, run, say, size, until

GRAFANA = "grafana/grafana:12.2.0"
JAEGER = "jaegertracing/jaeger:2.13.0"
PROMETHEUS = "prom/prometheus:v3.5.0"
# The replacement if the pinned image cannot be pulled.
ANY_PROMETHEUS = "prom/prometheus:latest"
DATA = os.environ.get("QUINTET_DATA_DIR")
CUDA = os.environ.get("QUINTET_TEST_CUDA")
BASE = "debian:bookworm-slim"
MOST_BYTES = 100_000_000
# minilm takes most of it: 5 s on two cores that do nothing else.
MOST_SECONDS = 20.0


def images():
    """Builds the images, and checks the size of the server's."""
    targets = ["server", "client", "balancer"] + ["trainer"] * bool(DATA) + ["server-cuda"] * bool(CUDA)
    names = {target: f"quintet-test-{target}" for target in targets}
    for target, name in names.items():
        build(target, name)
    beyond = size(names["server"]) - size(BASE)
    say(f"the server's image has {beyond / 1e6:.0f} MB beyond its base")
    assert beyond <= MOST_BYTES, f"{beyond} bytes beyond {BASE}; {MOST_BYTES} are allowed"
    config = inspect_image(names["server"])
    assert config["User"] not in ("", "0", "root"), config["User"]
    assert config["Labels"]["org.opencontainers.image.title"] == "Quintet"
    return {f"QUINTET_{target.upper().replace('-', '_')}_IMAGE": name for target, name in names.items()}


def inspect_image(image):
    return json.loads(run(docker(), "image", "inspect", image))[0]["Config"]


def alerts(prometheus):
    """Runs promtool's tests of the alerts with the Prometheus of the compose file."""
    files = ROOT / "deploy" / "prometheus"
    mount = ["-v", f"{files}:/rules:ro", "-w", "/rules", "--entrypoint", "promtool"]
    run(docker(), "run", "--rm", *mount, prometheus, "test", "rules", "tests.yml")
    say("the alerts' tests pass")


def no_gpu(image):
    """The image for GPUs on a machine without one: it must fail, not fall back to the CPU."""
    done = subprocess.run([docker(), "run", "--rm", "--read-only", image], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "cuda" in done.stderr + done.stdout, done
    say("the image for GPUs ends where there is none, and says why")


def moment(text):
    """Parses RFC 3339 with any number of digits, as Docker and the server's log write it."""
    text = re.sub(r"\.(\d{1,6})\d*", lambda found: "." + found.group(1).ljust(6, "0"), text)
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def start_time(image):
    """Seconds from the container's start to the log line that the server is ready."""
    container = run(
        docker(), "run", "-d", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--network", "none", "-e", "QUINTET_LOG_FORMAT=json", image,
    ).strip()
    try:
        def ready():
            lines = logs(container).splitlines()
            return [line for line in lines if '"ready"' in line]

        line = json.loads(until("a server that is ready", ready)[0])
        took = (moment(line["timestamp"]) - moment(inspect(container)["State"]["StartedAt"])).total_seconds()
        run(docker(), "exec", container, "/quintet/quintet-server", "healthcheck")
    finally:
        run(docker(), "rm", "-f", container)
    say(f"ready {took:.2f} s after the container's start")
    return took


def targets_are_up(compose, count):
    up = lambda: [value for _, value in compose.query('up{job="quintet"}')] == [1.0] * count
    until(f"{count} targets that Prometheus scrapes", up)


def calls_by_server(compose):
    return {labels["instance"]: value for labels, value in compose.query("sum by (instance) (quintet_requests_total)")}


def restart_under_load(compose):
    """Restarts each server in turn. Callers, balanced or balancing, must see no error."""
    loads = [Load(compose, server) for server in ("balancer:50051", "dns:///server:50051")]
    for container in compose.containers("server"):
        before = [load.answered for load in loads]
        until("load before a restart", lambda: all(load.answered > was for load, was in zip(loads, before)))
        run(docker(), "stop", "-t", "45", container)
        state = inspect(container)["State"]
        assert state["ExitCode"] == 0, f"a server gave up requests: exit code {state['ExitCode']}"
        run(docker(), "start", container)
        until("a server that is back", lambda: inspect(container)["State"]["Health"]["Status"] == "healthy")
    before = [load.answered for load in loads]
    until("load after the restarts", lambda: all(load.answered > was for load, was in zip(loads, before)))
    for load in loads:
        load.stop()


def three_get_calls(compose):
    targets_are_up(compose, 3)
    for server in ("balancer:50051", "dns:///server:50051"):
        before = calls_by_server(compose)
        load = Load(compose, server)

        def all_more():
            now = calls_by_server(compose)
            more = {it: now[it] - before.get(it, 0) for it in now}
            # Prometheus makes no gRPC calls and the health check uses HTTP: only the load counts.
            return more if len(more) == 3 and min(more.values()) > 0 else None

        shares = until(f"calls at all three through {server}", all_more)
        load.stop()
        say(f"{server}: calls by server {sorted(int(it) for it in shares.values())}")


def main():
    found = images()
    services = ["server", "balancer", "prometheus"]
    if has_image(GRAFANA):
        services.append("grafana")
    else:
        say("Grafana's image cannot be had here: its service is left out, its queries are asked")
    has_jaeger = has_image(JAEGER)
    if has_jaeger:
        services.append("jaeger")
        found |= {"QUINTET_OTLP_ENDPOINT": "http://jaeger:4317", "QUINTET_TRACE_RATIO": "1"}
    else:
        say("Jaeger's image cannot be had here: its service is left out")
    if not has_image(PROMETHEUS):
        say(f"{PROMETHEUS} cannot be had here: {ANY_PROMETHEUS} is taken")
        found["QUINTET_PROMETHEUS_IMAGE"] = ANY_PROMETHEUS
    alerts(found.get("QUINTET_PROMETHEUS_IMAGE", PROMETHEUS))
    if CUDA:
        no_gpu(found["QUINTET_SERVER_CUDA_IMAGE"])
    if DATA:
        found["QUINTET_DATA"] = os.path.abspath(DATA)
    else:
        say("QUINTET_DATA_DIR is not set: the trainer is left out")
    took = start_time(found["QUINTET_SERVER_IMAGE"])
    assert took <= MOST_SECONDS, f"ready after {took:.2f} s; {MOST_SECONDS} s are allowed"

    compose = Compose(found)
    try:
        compose("up", "-d", "--no-build", *services)
        compose.healthy("server", 1)
        host = inspect(compose.containers("server")[0])["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["Memory"] > 0, host
        address = f"127.0.0.1:{compose.port}"
        count, generators = calls.with_grpcurl(address)
        say(f"{count} methods called with grpcurl")
        calls.with_client(compose, generators)
        say("the client image's commands work")

        targets_are_up(compose, 1)
        calls.load(compose)
        if has_jaeger:
            until("traces that Jaeger shows", lambda: compose.traces("quintet"))
            say("Jaeger shows the servers' traces")
        until("scraped load", lambda: [value for _, value in compose.query("sum(quintet:requests:rate1m) > 0")])
        time.sleep(6)  # one more scrape and evaluation: rules use the results of others
        answered, excused = queries.check(compose.query)
        say(f"{answered} queries answered; empty: {'; '.join(excused) or 'none'}")

        secure.with_tls(compose)
        if DATA:
            training.upgrade_and_rollback(compose, BASE)
        compose("up", "-d", "--no-build", "--no-recreate", "--scale", "server=3", *services)
        compose.healthy("server", 3)
        three_get_calls(compose)
        restart_under_load(compose)
    except BaseException:
        print(compose("logs", "--tail", "40"), file=sys.stderr)
        raise
    finally:
        compose("down", "-v", "--timeout", "45")
    say("all of it works")


if __name__ == "__main__":
    main()
