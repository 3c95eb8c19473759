"""NVIDIA's tritonclient, unmodified, against a server: test_triton_client.py ADDRESS MODELS_DIR

Every test takes a client and one of the served models. The expected answers are the golden samples
in its bundle.
"""

import json
import queue
import struct
import sys
import tomllib
from pathlib import Path

import grpc
import numpy as np
import tritonclient.grpc as triton
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tritonclient.utils import InferenceServerException

DESCRIPTORS = Path(__file__).resolve().parents[2] / "proto" / "src" / "gen" / "descriptor.bin"
NUMPY = {"U8": np.uint8, "I32": np.int32, "I64": np.int64, "F32": np.float32}
TYPES = {"U8": "UINT8", "I32": "INT32", "I64": "INT64", "F32": "FP32"}


class Model:
    """A model and what it should answer to its golden samples."""

    def __init__(self, folder):
        self.name, self.version = folder.parent.name, folder.name
        data = (folder / "golden.safetensors").read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        self.samples, self.types = {"input": {}, "output": {}}, {}
        for key, entry in header.items():
            kind, name = key.split(".", 1)
            start, end = entry["data_offsets"]
            array = np.frombuffer(data[8 + size + start : 8 + size + end], NUMPY[entry["dtype"]])
            self.samples[kind][name] = array.reshape(entry["shape"])
            self.types[name] = TYPES[entry["dtype"]]
        self.rows = len(next(iter(self.samples["input"].values())))
        manifest = tomllib.loads((folder / "manifest.toml").read_text())
        self.max_tokens = manifest.get("preprocessing", {}).get("max_tokens")
        tokenizer = folder / "tokenizer.json"
        self.vocabulary = len(json.loads(tokenizer.read_text())["model"]["vocab"]) if tokenizer.exists() else None
        tensors = [*manifest["inputs"], *manifest["outputs"]]
        # A name stands for a size that varies.
        size = lambda dim: -1 if isinstance(dim, str) else dim
        self.shapes = {t["name"]: [size(dim) for dim in t["shape"]] for t in tensors}

    def shape(self, kind, name):
        """As Triton writes it: an input's row that is one number is a list of one."""
        shape = self.shapes[name]
        return [*shape, 1] if kind == "input" and len(shape) == 1 else shape

    def inputs(self, rows=slice(None), times=1):
        """The samples as a request's inputs, several times over if asked for."""
        inputs = []
        for name, array in self.samples["input"].items():
            array = np.concatenate([array[rows]] * times)
            inputs.append(triton.InferInput(name, list(array.shape), self.types[name]))
            inputs[-1].set_data_from_numpy(array)
        return inputs

    def check(self, result, rows=slice(None), times=1):
        """Whether the result holds what the samples should give."""
        for name, array in self.samples["output"].items():
            expected = np.concatenate([array[rows]] * times)
            given = result.as_numpy(name)
            assert given.dtype == expected.dtype, (given.dtype, expected.dtype)
            assert given.shape == expected.shape, (given.shape, expected.shape)
            np.testing.assert_allclose(given, expected, atol=2e-3)


def refused(code, call, *words):
    try:
        call()
    except InferenceServerException as error:
        assert code in str(error.status()), error
        for word in words:
            assert word in error.message(), error
        return
    raise AssertionError(f"{code} was expected")


def test_readiness(client, model):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(model.name) and client.is_model_ready(model.name, model.version)
    assert not client.is_model_ready(model.name, "99") and not client.is_model_ready("nobody")


def test_metadata(client, model):
    server = client.get_server_metadata(as_json=True)
    assert server["name"] == "quintet" and "statistics" in server["extensions"]
    metadata = client.get_model_metadata(model.name)
    assert metadata.name == model.name and model.version in metadata.versions
    for kind, tensors in (("input", metadata.inputs), ("output", metadata.outputs)):
        given = {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in tensors}
        assert given == {n: (model.types[n], model.shape(kind, n)) for n in model.samples[kind]}
    refused("NOT_FOUND", lambda: client.get_model_metadata("nobody"), "there is no model `nobody`")


def test_config(client, model):
    config = client.get_model_config(model.name).config
    assert config.platform == "onnxruntime_onnx" and config.backend == "onnxruntime"
    assert config.max_batch_size > 1 and config.instance_group[0].count >= 1
    assert config.HasField("dynamic_batching")
    for tensors, kind in ((config.input, "input"), (config.output, "output")):
        assert {t.name: list(t.dims) for t in tensors} == {
            name: model.shape(kind, name)[1:] for name in model.samples[kind]
        }


def test_repository(client, model):
    index = client.get_model_repository_index().models
    assert (model.name, model.version, "READY") in [(m.name, m.version, m.state) for m in index]


def test_infer(client, model):
    result = client.infer(model.name, model.inputs(), request_id="seven")
    model.check(result)
    response = result.get_response()
    assert response.id == "seven"
    assert (response.model_name, response.model_version) == (model.name, model.version)


def test_each_row_alone(client, model):
    for row in range(model.rows):
        rows = slice(row, row + 1)
        model.check(client.infer(model.name, model.inputs(rows), model.version), rows)


def test_more_rows_than_a_batch(client, model):
    most = client.get_model_config(model.name).config.max_batch_size
    times = 3 * most // model.rows + 1
    model.check(client.infer(model.name, model.inputs(times=times)), times=times)


def test_requested_outputs(client, model):
    name = next(iter(model.samples["output"]))
    wanted = [triton.InferRequestedOutput(name)]
    model.check(client.infer(model.name, model.inputs(), outputs=wanted))
    unknown = [triton.InferRequestedOutput("logits")]
    ask = lambda: client.infer(model.name, model.inputs(), outputs=unknown)
    refused("INVALID_ARGUMENT", ask, "outputs[0].name", "logits", name)
    classes = [triton.InferRequestedOutput(name, class_count=3)]
    ask = lambda: client.infer(model.name, model.inputs(), outputs=classes)
    refused("INVALID_ARGUMENT", ask, "classification")


def test_parameters_and_timeout(client, model):
    model.check(client.infer(model.name, model.inputs(), priority=1, timeout=30_000_000))
    model.check(client.infer(model.name, model.inputs(), parameters={"mine": "ignored"}))
    ask = lambda: client.infer(model.name, model.inputs(), timeout=1)
    refused("DEADLINE_EXCEEDED", ask)


def test_wrong_requests(client, model):
    name, array = next(iter(model.samples["input"].items()))
    kind = model.types[name]

    def ask(shape, data, datatype=kind, tensor=name):
        wrong = triton.InferInput(tensor, shape, datatype)
        wrong.set_data_from_numpy(data)
        others = [other for other in model.inputs(slice(0, 1)) if other.name() != name]
        return lambda: client.infer(model.name, [wrong, *others])

    row = array[:1]
    large = np.zeros([1, *(size + 1 for size in row.shape[1:])], row.dtype)
    refused("INVALID_ARGUMENT", ask(list(large.shape), large), "inputs[0].shape", "allowed")
    refused("INVALID_ARGUMENT", ask(list(row.shape[1:]), row[0]), "inputs[0].shape")
    none = np.zeros([0, *row.shape[1:]], row.dtype)
    refused("INVALID_ARGUMENT", ask(list(none.shape), none), "rows are allowed")
    text = np.full(row.shape, b"7", dtype=np.object_)
    refused("INVALID_ARGUMENT", ask(list(row.shape), text, "BYTES"), "inputs[0].datatype", kind)
    other = row.astype(np.float64)
    refused("INVALID_ARGUMENT", ask(list(row.shape), other, "FP64"), "inputs[0].datatype", kind)
    refused("INVALID_ARGUMENT", ask(list(row.shape), row, tensor="z"), "inputs[0].name", name)
    refused("NOT_FOUND", lambda: client.infer("nobody", model.inputs()), "nobody")
    refused("NOT_FOUND", lambda: client.infer(model.name, model.inputs(), "99"), "99")


def test_async_infer(client, model):
    done = queue.Queue()
    for row in range(model.rows):
        answer = lambda result, error, row=row: done.put((row, result, error))
        rows = slice(row, row + 1)
        client.async_infer(model.name, model.inputs(rows), answer, request_id=str(row))
    for _ in range(model.rows):
        row, result, error = done.get(timeout=60)
        assert error is None, error
        assert result.get_response().id == str(row)
        model.check(result, slice(row, row + 1))


def test_stream_infer(client, model):
    """Answers come in order, and a request that fails does not end the stream."""
    done = queue.Queue()
    client.start_stream(lambda result, error: done.put((result, error)))
    count = 600
    for request in range(count):
        row = request % model.rows
        name = "nobody" if request == 300 else model.name
        inputs = model.inputs(slice(row, row + 1))
        client.async_stream_infer(name, inputs, request_id=str(request))
    for request in range(count):
        result, error = done.get(timeout=60)
        if request == 300:
            assert "nobody" in str(error), error
            continue
        assert error is None, error
        assert result.get_response().id == str(request)
        row = request % model.rows
        model.check(result, slice(row, row + 1))
    client.stop_stream()


def test_compression(client, model):
    for algorithm in ("gzip", "deflate"):
        model.check(client.infer(model.name, model.inputs(), compression_algorithm=algorithm))


def test_statistics(client, model):
    def now():
        (one,) = client.get_inference_statistics(model.name).model_stats
        return one

    before = now()
    for _ in range(3):
        client.infer(model.name, model.inputs())
    refused("DEADLINE_EXCEEDED", lambda: client.infer(model.name, model.inputs(), timeout=1))
    after = now()
    assert after.inference_count == before.inference_count + 3 * model.rows
    assert after.execution_count > before.execution_count
    assert after.last_inference >= before.last_inference > 0
    stats, old = after.inference_stats, before.inference_stats
    assert stats.success.count == old.success.count + 3
    assert stats.fail.count == old.fail.count + 1
    assert stats.compute_infer.ns > old.compute_infer.ns
    assert stats.success.ns > stats.queue.ns + stats.compute_infer.ns // 2
    runs = sum(batch.compute_infer.count for batch in after.batch_stats)
    rows = sum(batch.compute_infer.count * batch.batch_size for batch in after.batch_stats)
    assert (runs, rows) == (after.execution_count, after.inference_count)
    every = client.get_inference_statistics().model_stats
    assert model.name in [one.name for one in every]


def test_what_could_fail_inside_a_batch(client, model):
    """Tokens and lengths that the network could not read are refused before they join a batch."""
    if "tokens" not in model.samples["input"]:
        return
    size, longest = model.vocabulary, model.max_tokens
    for name, place, value, words in (
        ("tokens", [0, 1], size, [f"{size}", f"0 to {size - 1}"]),
        ("tokens", [0, 1], -1, ["-1", f"0 to {size - 1}"]),
        ("lengths", [0], 0, ["is 0"]),
        ("lengths", [0], longest + 1, [f"is {longest + 1}"]),
    ):
        inputs = []
        for given, array in model.samples["input"].items():
            array = array.copy()
            if given == name:
                array[tuple(place)] = value
            inputs.append(triton.InferInput(given, list(array.shape), model.types[given]))
            inputs[-1].set_data_from_numpy(array)
        refused("INVALID_ARGUMENT", lambda: client.infer(model.name, inputs), *words)


def test_same_as_classify(client, model):
    """The domain RPC gives the same probabilities for the same pixels."""
    if list(model.samples["input"]) != ["pixels"] or "probabilities" not in model.samples["output"]:
        return
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
        pool.Add(file)

    def message(name):
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"quintet.v1.{name}"))

    request = message("ClassifyRequest")(model=model.name, top_k=10, framing=2)
    for frame in model.samples["input"]["pixels"]:
        image = dict(width=28, height=28, channels=1, data=frame.tobytes())
        request.images.add(raw=image)
    with grpc.insecure_channel(client.address) as channel:
        classify = channel.unary_unary(
            "/quintet.v1.InferenceService/Classify",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message("ClassifyResponse").FromString,
        )
        answer = classify(request, timeout=60)
    tensors = client.infer(model.name, model.inputs()).as_numpy("probabilities")
    for row, classification in zip(tensors, answer.classifications, strict=True):
        for label in classification.labels:
            assert np.float32(label.probability) == row[label.index], (label, row)


def main(address, models_dir):
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    bundles = sorted(path.parent for path in Path(models_dir).glob("*/*/manifest.toml"))
    models = [Model(folder) for folder in bundles]
    assert models, f"{models_dir} holds no model"
    for model in models:
        for test in tests:
            with triton.InferenceServerClient(address) as client:
                client.address = address
                test(client, model)
            print(f"ok {test.__name__} {model.name}/{model.version}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
