#!/usr/bin/env python3
"""ResNet-20 and ResNet-56 for CIFAR-10 of akamaster/pytorch_resnet_cifar10, by way of ONNX.

    check_cifar.py --trainer PROGRAM --server PROGRAM

PyTorch exports them, `import onnx` takes the files, and the served logits of 32×32 pictures are
within 1e-4 of the largest. The weights are random, or the repository's where QUINTET_CIFAR_RESNETS
names its folder pretrained_models. run.py calls this.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from check_onnx import MANIFEST, PHOTOS, Models, classify, close, infer, png
from quintet_client import Client
from served import Server

LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class Block(nn.Module):
    """He et al.'s basic block with the shortcut of option A, named as in the repository."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.grows = inputs != outputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.grows:
            more = y.shape[1] // 4
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, more, more), "constant", 0)
        return F.relu(y + x)


class ResNet(nn.Module):
    """A network of 6n + 2 layers, named as in the repository."""

    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for stage, (inputs, outputs) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
            first = Block(inputs, outputs, 1 if stage == 1 else 2)
            rest = [Block(outputs, outputs, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(first, *rest))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.avg_pool2d(x, x.shape[3]).flatten(1))


def network(layers, pictures):
    model = ResNet((layers - 2) // 6)
    folder = os.environ.get("QUINTET_CIFAR_RESNETS")
    if folder:
        (file,) = Path(folder).glob(f"resnet{layers}-*.th")
        state = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
        model.load_state_dict({name.removeprefix("module."): it for name, it in state.items()})
        return model.eval()
    torch.manual_seed(layers)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1.0)
            nn.init.normal_(module.bias, 0.0, 0.2)
            module.momentum = None
    with torch.no_grad():
        model.train()(pictures)
    return model.eval()


def pictures():
    """Pieces of photographs in CIFAR's size."""
    for path in PHOTOS:
        photo = Image.open(path).convert("RGB").resize((160, 128), Image.Resampling.BILINEAR)
        for left in (0, 32, 96):
            yield photo.crop((left, 64, left + 32, 96))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", required=True, type=Path)
    parser.add_argument("--server", required=True, type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    photos = list(pictures())
    pixels = np.stack([np.asarray(photo) for photo in photos])
    numbers = (torch.from_numpy(pixels) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    numbers = numbers.permute(0, 3, 1, 2).contiguous()
    fields = {"channels": "rgb", "factor": 1 / 255, "mean": MEAN, "std": STD, "filter": "bilinear"}
    fields |= {"input": "input", "shape": '["N", 3, 32, 32]'}
    fields |= {"output": "logits", "role": "logits", "classes": '["N", 10]', "licence": "BSD-2-Clause"}
    manifest = MANIFEST.replace("224", "32").replace("shorter_side = 256", "shorter_side = 32")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "photos").mkdir()
        for index, photo in enumerate(photos):
            photo.save(folder / "photos" / f"{index}.png")
        models = Models(arguments.trainer, folder)
        originals = {}
        for layers in (20, 56):
            name, file = f"cifar_resnet{layers}", folder / f"{layers}.onnx"
            originals[name] = model = network(layers, numbers)
            axes = {"input": {0: "batch"}, "logits": {0: "batch"}}
            names = {"input_names": ["input"], "output_names": ["logits"], "dynamic_axes": axes}
            torch.onnx.export(model, numbers[:2], file, dynamo=False, opset_version=17, **names)
            source = "github.com/akamaster/pytorch_resnet_cifar10"
            models.write(file, name, LABELS, template=manifest, source=source, **fields)
        server = Server(arguments.server, models.models, "--instances", "2", "--max-batch-size", "8")
        try:
            client = Client(server.grpc)
            for name, model in originals.items():
                with torch.no_grad():
                    expected = model(numbers).numpy()
                close(infer(client, name, pixels, 10), expected, f"{name}, {len(pixels)} rows")
                likeliest = [LABELS[index] for index in expected.argmax(1)]
                found = classify(client, name, [png(photo) for photo in photos], 1)
                assert [LABELS[next(iter(row))] for row in found] == likeliest
                print(f"  {name}: {', '.join(likeliest)}")
        finally:
            assert server.stop() == 0


if __name__ == "__main__":
    main()
