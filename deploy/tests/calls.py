"""Calls every RPC, with grpcurl by reflection and with the client image."""

import base64
import json
import subprocess

from engine import ROOT, grpcurl, run

SEVEN = ROOT / "client" / "examples" / "seven.png"
QUINTET = "quintet.v1.InferenceService"
OIP = "inference.GRPCInferenceService"
HEALTH = "grpc.health.v1.Health"


def call(address, method, message=None, check=True):
    """Makes one call; returns the messages of the response."""
    command = [grpcurl(), "-plaintext", "-max-time", "60", "-d", "@", address, method]
    if not check:
        return subprocess.run(command, input=json.dumps(message), capture_output=True, text=True)
    printed = run(*command, stdin=json.dumps(message or {}))
    messages, decoder, place = [], json.JSONDecoder(), 0
    while place < len(printed.rstrip()):
        value, place = decoder.raw_decode(printed, place)
        messages.append(value)
        place += len(printed[place:]) - len(printed[place:].lstrip())
    return messages


def all_methods(address):
    """The services that reflection lists, without reflection itself."""
    listed = set()
    for service in run(grpcurl(), "-plaintext", address, "list").split():
        if not service.startswith("grpc.reflection"):
            listed |= set(run(grpcurl(), "-plaintext", address, "list", service).split())
    return listed


def with_grpcurl(address):
    """Calls every method that the server lists; returns their number."""
    called = set()

    def ask(method, message=None):
        called.add(method.replace("/", "."))
        return call(address, method, message)

    image = {"images": [{"encoded": base64.b64encode(SEVEN.read_bytes()).decode()}]}
    models = ask(f"{QUINTET}/ListModels")[0]["models"]
    tasks = {model.get("task") for model in models}
    assert all(model["state"] == "MODEL_STATE_READY" for model in models), models

    [answer] = ask(f"{QUINTET}/Classify", image)
    assert answer["classifications"][0]["labels"][0]["name"] == "7", answer
    [answer] = ask(f"{QUINTET}/ClassifyStream", {"index": 3, "request": image})
    assert answer["response"]["classifications"][0]["labels"][0]["name"] == "7", answer
    [answer] = ask(f"{QUINTET}/SentimentScore", {"texts": ["I love this movie!"]})
    assert answer["sentiments"][0]["label"] == "POSITIVE", answer
    texts = {"texts": [{"text": "I love this movie!"}], "topK": 1}
    [answer] = ask(f"{QUINTET}/ClassifyText", texts)
    assert answer["classifications"][0]["labels"][0]["name"] == "POSITIVE", answer
    generators = any("GENERATION" in (task or "") for task in tasks)
    for method in ("GenerateDigits", "GenerateDigitsStream"):
        if generators:
            answers = ask(f"{QUINTET}/{method}", {"count": 2, "seed": 1})
            assert sum(len(part["digits"]) for part in answers) == 2, answers
        else:
            refused = call(address, f"{QUINTET}/{method}", {"count": 2}, check=False)
            called.add(f"{QUINTET}.{method}")
            assert "NotFound" in refused.stderr, refused.stderr

    for method in ("ServerLive", "ServerReady", "ServerMetadata"):
        ask(f"{OIP}/{method}")
    ask(f"{OIP}/RepositoryIndex")
    name = {"name": "mlp"}
    for method in ("ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"):
        ask(f"{OIP}/{method}", name)
    pixels = {"name": "pixels", "datatype": "UINT8", "shape": [1, 28, 28], "contents": {"uint_contents": [0] * 784}}
    infer = {"model_name": "mlp", "inputs": [pixels]}
    assert ask(f"{OIP}/ModelInfer", infer)[0]["modelName"] == "mlp"
    ask(f"{OIP}/ModelStreamInfer", infer)

    assert ask(f"{HEALTH}/Check")[0]["status"] == "SERVING"
    # A watch does not end by itself: its first message is enough.
    watch = subprocess.run(
        [grpcurl(), "-plaintext", "-max-time", "2", address, f"{HEALTH}/Watch"], capture_output=True, text=True
    )
    called.add(f"{HEALTH}.Watch")
    assert "SERVING" in watch.stdout, watch.stderr

    missing = all_methods(address) - called
    # Health's List belongs to newer versions of the protocol; the server may refuse it.
    missing.discard(f"{HEALTH}.List")
    assert not missing, f"not called: {sorted(missing)}"
    bad = call(address, f"{QUINTET}/Classify", {"images": []}, check=False)
    assert "InvalidArgument" in bad.stderr, bad.stderr
    return len(called), generators


def with_client(compose, generators):
    """Runs each command of the client image that calls a server."""
    assert compose.client("health") == "serving\n"
    assert "cnn" in compose.client("models")
    assert "POSITIVE" in compose.client("sentiment", "I love this movie!")
    image = ["-v", f"{SEVEN}:/seven.png:ro"]
    command = compose.client_command("balancer:50051")
    command[4:4] = image
    assert " 7 " in run(*command, "classify", "/seven.png")
    if generators:
        command = compose.client_command("balancer:50051")
        command[4:4] = ["--tmpfs", "/out:mode=1777"]
        run(*command, "generate", "--count", "2", "--out", "/out/sheet.png")


def load(compose, server="balancer:50051", seconds=5):
    """Runs a short load on each model."""
    for model in [it["name"] for it in json.loads(compose.client("models", "--json"))["models"]]:
        compose.client("bench", "--model", model, "--concurrency", "16", "--duration", f"{seconds}s", server=server)
