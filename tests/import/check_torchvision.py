#!/usr/bin/env python3
"""Residual networks of torchvision and timm are imported, served and compared with the originals.

    check_torchvision.py --trainer PROGRAM --server PROGRAM

ResNet-18 and ResNet-50 with random weights, on scikit-learn's photographs: logits within 1e-4 of the
largest for PNG files, and the same top 5 for PNG and JPEG files. run.py calls this.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import v2

from quintet_client import Client
from served import Server

TOLERANCE = 1e-4
# scikit-learn itself would need SciPy.
FOLDER = Path(torch.__file__).parent.parent / "sklearn" / "datasets" / "images"
PHOTOS = [FOLDER / "china.jpg", FOLDER / "flower.jpg"]
# The names of the server's models, what makes the originals, and how these prepare photographs.
MODELS = {
    "resnet18": (lambda: torchvision.models.resnet18(), "resnet18", "torchvision-v1", torch.float32),
    "resnet50": (lambda: torchvision.models.resnet50(), "resnet50", "torchvision-v2", torch.float32),
    "resnet50_timm": (lambda: timm.create_model("resnet50"), "resnet50", "timm", torch.float16),
}


def transform(preprocessing):
    """Photographs to numbers, as the originals document it."""
    size, filter = {
        "torchvision-v1": (256, v2.InterpolationMode.BILINEAR),
        "torchvision-v2": (232, v2.InterpolationMode.BILINEAR),
        "timm": (235, v2.InterpolationMode.BICUBIC),
    }[preprocessing]
    return v2.Compose(
        [
            v2.Resize(size, interpolation=filter, antialias=True),
            v2.CenterCrop(224),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )


def randomise(model, seed, photos):
    """Weights and running statistics as of a trained network: normalised by what it sees."""
    torch.manual_seed(seed)
    with torch.no_grad():
        last = "bn3" if hasattr(model.layer1[0], "bn3") else "bn2"
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                # A trained block adds little to its shortcut. One that adds as much makes of a level's
                # difference, as two JPEG decoders have it, another label.
                most = 0.3 if name.endswith(last) else 1.2
                module.weight.uniform_(most / 3, most)
                module.bias.normal_(0.0, 0.2)
                module.momentum = None
        # Logits of very different sizes: the likeliest labels of a trained network stand apart.
        model.fc.weight.normal_(0.0, 0.1).mul_(torch.randn(1000, 1).exp())
        model.train()(photos)
    return model.eval()


def write(folder, name, photos):
    """The original, whose weights are what its file holds."""
    build, architecture, preprocessing, dtype = MODELS[name]
    prepare = transform(preprocessing)
    model = randomise(build(), len(name), torch.stack([prepare(photo) for photo in photos]))
    state = {key: it.to(dtype) if it.is_floating_point() else it for key, it in model.state_dict().items()}
    save_file(state, folder / f"{name}.safetensors")
    model.load_state_dict(state)
    return model, prepare


def run(trainer, file, architecture, labels, models, *options):
    command = [trainer, "import", "torchvision", file, "--architecture", architecture, "--labels", labels]
    command += ["--models-dir", models, *options]
    return subprocess.run(command, capture_output=True, text=True)


def check_refusals(trainer, folder, labels):
    def refuse(file, words, architecture="resnet18", labels=labels):
        models = folder / "refused"
        done = run(trainer, file, architecture, labels, models, "--name", "bad")
        assert done.returncode != 0 and words in done.stderr, (words, done.stderr)
        assert not models.exists(), "something was left behind"

    weights = folder / "resnet18.safetensors"
    refuse(weights, "has the layers of resnet18; --architecture is resnet34", "resnet34")
    (folder / "cut.safetensors").write_bytes(weights.read_bytes()[:100_000])
    refuse(folder / "cut.safetensors", "not a safetensors file")
    torch.save(torchvision.models.resnet18().state_dict(), folder / "weights.pth")
    refuse(folder / "weights.pth", "is pickled, and reading it would run code")
    million = folder / "million.txt"
    million.write_text("\n".join(map(str, range(1_000_000))))
    refuse(weights, "at most 1048576 are allowed", labels=million)
    few = folder / "few.txt"
    few.write_text("cat\ndog\n")
    refuse(weights, "holds 2 names; fc.weight has 1000 rows", labels=few)


def png(photo):
    file = io.BytesIO()
    photo.save(file, "PNG")
    return file.getvalue()


def classify(client, model, files):
    """The logits of each label but for a constant, the likeliest first."""
    images = [client.message("quintet.v1.Image", encoded=file) for file in files]
    request = client.message("quintet.v1.ClassifyRequest", model=model, images=images, top_k=1000)
    answer = client.call("quintet.v1.InferenceService", "Classify", request)
    return [{label.index: np.log(label.probability) for label in it.labels} for it in answer.classifications]


def infer(client, model, pixels):
    """The logits of levels uint8 `[N, 224, 224, 3]`."""
    prefix = "inference.ModelInferRequest"
    tensor = client.message(
        f"{prefix}.InferInputTensor", name="pixels", datatype="UINT8", shape=pixels.shape
    )
    request = client.message(
        prefix, model_name=model, inputs=[tensor], raw_input_contents=[pixels.tobytes()]
    )
    answer = client.call("inference.GRPCInferenceService", "ModelInfer", request)
    return np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(-1, 1000)


def compare(client, name, model, prepare, photos):
    with torch.no_grad():
        expected = np.concatenate([model(prepare(photo)[None]).numpy() for photo in photos])
    scale = max(1.0, float(np.abs(expected).max()))
    levels = v2.Compose(prepare.transforms[:3])
    pixels = np.stack([levels(photo).permute(1, 2, 0).numpy() for photo in photos])
    mixed = [0, 1, 1, 0, 1]
    difference = np.abs(infer(client, name, pixels[mixed]) - expected[mixed]).max() / scale
    print(f"  {name}, Pillow's pixels: logits {difference:.1e} of the largest, which is {scale:.1f}")
    assert difference <= TOLERANCE, difference
    files = {"PNG": [png(photo) for photo in photos], "JPEG": [path.read_bytes() for path in PHOTOS]}
    for kind, contents in files.items():
        for found, row in zip(classify(client, name, contents), expected):
            # Softmax loses a constant. Of a probability near 0, the logarithm says little.
            logits = row - np.log(np.exp(row.astype(np.float64)).sum())
            likely = [index for index in range(1000) if logits[index] > -12]
            difference = max(abs(found[index] - logits[index]) for index in likely) / scale
            top = list(np.argsort(-row)[:5])
            print(f"  {name}, {kind}: top 5 {[int(it) for it in top]}, logits {difference:.1e} of the largest")
            # Two labels may be as likely, but for what an order of additions changes.
            pairs = zip(list(found)[:5], top)
            same = all(abs(logits[ours] - logits[theirs]) <= TOLERANCE * scale for ours, theirs in pairs)
            assert same, (kind, list(found)[:5], top)
            assert kind == "JPEG" or difference <= TOLERANCE, difference


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
        labels = folder / "labels.txt"
        labels.write_text("".join(f"class {index}\n" for index in range(1000)))
        models, originals = folder / "models", {}
        for name, (_, architecture, preprocessing, _) in MODELS.items():
            originals[name] = write(folder, name, photos)
            options = ["--name", name, "--preprocessing", preprocessing, "--samples", folder / "photos"]
            file = folder / f"{name}.safetensors"
            done = run(arguments.trainer, file, architecture, labels, models, *options)
            if done.returncode != 0:
                sys.exit(f"{name} cannot be imported: {done.stderr}")
            print(f"  {name}: {done.stdout.splitlines()[-1]}")
        check_refusals(arguments.trainer, folder, labels)
        server = Server(arguments.server, models, "--instances", "2", "--max-batch-size", "5")
        try:
            client = Client(server.grpc)
            for name, (model, prepare) in originals.items():
                compare(client, name, model, prepare, photos)
        finally:
            assert server.stop() == 0


if __name__ == "__main__":
    main()
