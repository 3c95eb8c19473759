"""What happens to servers in a cluster's life, each time under load."""

import json
import time

import images
from kubectl import apply, fails, get, kubectl, ready, say, until
from load import Load, call

DEPLOYMENT = "deployment/quintet"


def rollout(*command):
    kubectl("-n", "quintet", *command)
    kubectl("-n", "quintet", "rollout", "status", DEPLOYMENT, "--timeout=180s")


def versions(model):
    """The versions of a model that a server has, by the tool in a pod."""
    succeeded, log = call("versions", ["tool", "dns:///quintet-headless.quintet.svc:50051", "models", "--json"])
    assert succeeded, log
    return sorted(it["version"] for it in json.loads(log)["models"] if it["name"] == model)


def under_load(name, seconds, event):
    load = Load(name, seconds)
    # Some seconds of rest before, so that a difference shows.
    until("a moment of rest", lambda: time.monotonic() > load.started + 3)
    started = time.monotonic()
    event()
    return load.results(time.monotonic() - started)


def update():
    rollout("set", "image", DEPLOYMENT, f"server={images.NEXT}")
    assert versions("mlp") == ["1", "2"], versions("mlp")


def undo():
    rollout("rollout", "undo", DEPLOYMENT)
    assert versions("mlp") == ["1"], versions("mlp")


def restart():
    rollout("rollout", "restart", DEPLOYMENT)


def scale():
    for count in (1, 4, 1, 2):
        kubectl("-n", "quintet", "scale", DEPLOYMENT, f"--replicas={count}")
        ready(count)


def delete():
    name = ready(2)[0]["metadata"]["name"]
    kubectl("-n", "quintet", "delete", "pod", name, "--wait=false")
    until("another pod", lambda: name not in [it["metadata"]["name"] for it in ready(2)])


def drain():
    """The budget lets one server go; the other stays until there is a second one elsewhere."""
    node = ready(2)[0]["spec"]["nodeName"]
    try:
        said = fails(
            "kubectl", "drain", node, "--pod-selector=app.kubernetes.io/name=quintet", "--ignore-daemonsets", "--timeout=20s"
        )
        assert "disruption budget" in said, said
    finally:
        kubectl("uncordon", node)
    ready(2)


def broken_model():
    """A pod whose model does not load never becomes ready, and the others stay."""
    before = {it["metadata"]["name"] for it in ready(2)}
    kubectl("-n", "quintet", "set", "env", DEPLOYMENT, "QUINTET_REQUIRED_MODELS=absent")
    status = fails("kubectl", "-n", "quintet", "rollout", "status", DEPLOYMENT, "--timeout=20s")
    assert "timed out" in status, status
    pods = get("pods", "-l", "app.kubernetes.io/name=quintet")["items"]
    fresh = [it for it in pods if it["metadata"]["name"] not in before]
    assert len(fresh) == 1 and len(pods) == 3, [it["metadata"]["name"] for it in pods]
    assert not fresh[0]["status"]["containerStatuses"][0]["ready"]
    assert fresh[0]["status"]["containerStatuses"][0]["restartCount"] == 0, "a restart does not mend a model"
    rollout("rollout", "undo", DEPLOYMENT)
    ready(2)


def stuck(cluster):
    """The kubelet restarts a server that no longer answers /healthz."""
    if not cluster.is_own:
        return say("a stuck server: skipped, because it takes a way to the node's processes")
    status = lambda: {it["metadata"]["name"]: it["status"]["containerStatuses"][0] for it in get("pods", "-l", "app.kubernetes.io/name=quintet")["items"]}
    restarts = lambda: sum(it["restartCount"] for it in status().values())
    was = restarts()
    process = cluster.on_node("pgrep", "-f", "quintet-server").split()[0]
    cluster.on_node("kill", "-STOP", process)
    until("a restart of the stuck server", lambda: restarts() == was + 1, 180)
    ready(2)
    say("a stuck server was restarted")


def under_its_memory_limit():
    """Requests that a server cannot hold are refused: it is never killed."""
    succeeded, log = call("big", ["big", "dns:///quintet-headless.quintet.svc:50051", "10"])
    assert succeeded, log
    result = json.loads(log)
    assert set(result["failures"]) <= {"ResourceExhausted", "DeadlineExceeded"}, result
    assert result["failures"].get("ResourceExhausted") and result["answered"], result
    for it in get("pods", "-l", "app.kubernetes.io/name=quintet")["items"]:
        state = it["status"]["containerStatuses"][0]
        assert "OOMKilled" not in json.dumps(state.get("lastState", {})), state
    ready(2)
    say(f"requests of 4 MB, 64 at a time: {result['answered']} answered, {result['failures']}, no server killed")


def confined():
    """What the kubelet really applies."""
    name = ready(2)[0]["metadata"]["name"]
    inside = ["kubectl", "-n", "quintet", "exec", name, "--", "/quintet/quintet-server"]
    said = fails(*inside, "token", "new", "try", "--scope", "infer", "--out", "/quintet/token")
    assert "Read-only file system" in said, said
    status = get("pod", name)["status"]["containerStatuses"][0]
    user = status.get("user", {}).get("linux", {})
    assert user.get("uid", 10001) == 10001, status
    # PodSecurity's `restricted` refuses a pod that asks for more.
    rooted = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "rooted", "namespace": "quintet"},
        "spec": {"containers": [{"name": "it", "image": images.SERVER}]},
    }
    try:
        apply(rooted)
    except AssertionError as error:
        assert "violates PodSecurity" in str(error), error
    else:
        raise AssertionError("a pod without a security context was taken")
    say("the root file system is read-only, and PodSecurity is enforced")
