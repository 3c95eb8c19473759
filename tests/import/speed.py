#!/usr/bin/env python3
"""PyTorch on the CPU beside Quintet: MiniLM by `transformers`, and torchvision's ResNet-50 from JPEG.

    run.py speed

PyTorch makes batches by hand, of the size that is fastest, with a thread for every core. Quintet is
asked by `quintet bench`, 64 callers with one text or file a call. Both have the machine for
themselves, in turn. Texts are words of one token each; the weights of ResNet-50 are random.
Nothing is checked: the table is printed for docs/performance.md. run.py calls this.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import check_torchvision
import checkpoints
from served import Server

PASSES = 3
SECONDS = 4
WORDS = [16, 64, 256]
BATCHES = [1, 8, 32]
CALLERS = 64


class Texts:
    """`transformers` from a text to its logits."""

    def __init__(self, folder, words):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
        self.items = checkpoints.texts(4, [words] * 64)

    def run(self, texts):
        self.model(**self.tokenizer(texts, truncation=True, max_length=512, padding=True, return_tensors="pt"))


class Photographs:
    """torchvision from a JPEG file to its logits."""

    def __init__(self, model, prepare):
        self.model, self.prepare = model, prepare
        self.items = check_torchvision.PHOTOS * 32

    def run(self, paths):
        self.model(torch.stack([self.prepare(Image.open(path).convert("RGB")) for path in paths]))


def alone(original, batch):
    """Items a second in batches of this size."""
    items, done = original.items, 0
    start = time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() - start < SECONDS:
            first = done % len(items)
            original.run(items[first : first + batch])
            done += batch
    return done / (time.perf_counter() - start)


def served(client, server, model, options):
    """Answers a second."""
    command = [client, "bench", "--json", "--server", server.grpc, "--model", model]
    command += ["--concurrency", str(CALLERS), "--duration", f"{SECONDS}s", "--warmup", "1s", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"quintet bench failed: {done.stderr}")
    found = json.loads(done.stdout)
    assert not found["errors"], found["errors"]
    return found["requests_per_second"]


def import_all(trainer, folder):
    """Imports both models; gives what runs each without Quintet."""
    models = folder / "models"
    checkpoints.write_minilm(folder / "minilm")
    command = [trainer, "import", "huggingface", folder / "minilm", "--name", "minilm", "--models-dir", models]
    subprocess.run(command, check=True, capture_output=True)
    photographs = folder / "photographs"
    photographs.mkdir()
    for path in check_torchvision.PHOTOS:
        shutil.copy(path, photographs)
    photos = [Image.open(path).convert("RGB") for path in check_torchvision.PHOTOS]
    labels = folder / "labels.txt"
    labels.write_text("".join(f"class {index}\n" for index in range(1000)))
    original = check_torchvision.write(folder, "resnet50", photos)
    file = folder / "resnet50.safetensors"
    options = ["--name", "resnet50", "--preprocessing", "torchvision-v2", "--samples", photographs]
    done = check_torchvision.run(trainer, file, "resnet50", labels, models, *options)
    if done.returncode:
        sys.exit(f"resnet50 cannot be imported: {done.stderr}")
    return models, photographs, original


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainer", required=True, type=Path)
    parser.add_argument("--server", required=True, type=Path)
    arguments = parser.parse_args()
    client = arguments.server.with_name("quintet")
    torch.set_num_threads(os.cpu_count())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        models, photographs, original = import_all(arguments.trainer, folder)
        rows = [
            (f"minilm, {words} words", Texts(folder / "minilm", words), "minilm", ["--mix", str(words)])
            for words in WORDS
        ]
        send = ["--images", photographs]
        rows.append(("resnet50, JPEG of 640x427", Photographs(*original), "resnet50", send))
        server = Server(arguments.server, models)
        try:
            print(f"| | PyTorch/s, batch | Quintet/s, {CALLERS} callers | Quintet / PyTorch |\n|---|---|---|---|")
            for name, original, model, options in rows:
                passes = [
                    ({batch: alone(original, batch) for batch in BATCHES}, served(client, server, model, options))
                    for _ in range(PASSES)
                ]
                speeds = {batch: statistics.median(it[batch] for it, _ in passes) for batch in BATCHES}
                batch = max(speeds, key=speeds.get)
                ours = statistics.median(it for _, it in passes)
                ratio = ours / speeds[batch]
                print(f"| {name} | {speeds[batch]:.1f}, {batch} | {ours:.1f} | {ratio:.2f} |", flush=True)
        finally:
            server.stop()
    print(f"\n{os.cpu_count()} cores. Medians of {PASSES} passes of {SECONDS} s. PyTorch {torch.__version__}.")


if __name__ == "__main__":
    main()
