#!/usr/bin/env python3
"""Text classifiers of `transformers` are imported, served and compared with the originals.

    check_huggingface.py --trainer PROGRAM --server PROGRAM

Logits over the wire are within 1e-4 of the largest, for texts of 1 to 512 tokens in mixed batches.
Most networks are small and random; the real MiniLM has a random head. run.py calls this.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from served import Server  # noqa: E402

# PyTorch would take the folder tests/triton beside it for the package of that name.
sys.path = [path for path in sys.path if Path(path).resolve() != HERE.parent]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: E402

import checkpoints  # noqa: E402
from quintet_client import Client  # noqa: E402

TOLERANCE = 1e-4
LENGTHS = [1, 2, 3, 7, 8, 15, 31, 60, 100, 200, 255, 300, 490, 510, 511, 600, 2000]


class Original:
    """A checkpoint as `transformers` runs it."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
        self.model.eval()
        self.longest = min(512, self.tokenizer.model_max_length)

    def encode(self, text):
        first, pair = text if isinstance(text, tuple) else (text, None)
        return self.tokenizer(
            first, pair, truncation=True, max_length=self.longest, return_tensors="pt", padding=False
        )

    def logits(self, text):
        encoded = self.encode(text)
        if self.model.config.model_type != "bert":
            encoded.pop("token_type_ids", None)
        with torch.no_grad():
            return self.model(**encoded).logits[0].numpy(), encoded["input_ids"][0].tolist()


def import_(trainer, folder, models, name, *more):
    command = [trainer, "import", "huggingface", folder, "--name", name, "--models-dir", models]
    return subprocess.run([*command, *more], capture_output=True, text=True)


def compare(client, name, original, texts):
    """Sends the texts in requests of different sizes at once; the largest relative difference."""
    requests, start = [], 0
    for size in [1, 5, 2, 16, 1, 9] * len(texts):
        if start >= len(texts):
            break
        requests.append(texts[start : start + size])
        start += size
    ask = lambda it: client.classify_text(name, it, top_k=1000, return_logits=True)
    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(ask, requests))
    found = [it for answer in answers for it in answer.classifications]
    assert len(found) == len(texts)
    worst = 0.0
    for text, answer in zip(texts, found):
        expected, tokens = original.logits(text)
        assert answer.tokens == len(tokens), (name, text, answer.tokens, len(tokens))
        scale = max(1.0, float(np.abs(expected).max()))
        difference = float(np.abs(np.array(answer.logits) - expected).max()) / scale
        assert difference <= TOLERANCE, (name, text, difference)
        worst = max(worst, difference)
        check_labels(original.model.config, answer, expected)
    return worst


def check_labels(config, answer, logits):
    """Labels are ranked, with the probabilities of the problem type."""
    problem = config.problem_type or "single_label_classification"
    if problem == "regression":
        assert not answer.labels
        return
    logits = torch.tensor(logits)
    multi = problem == "multi_label_classification"
    probabilities = logits.sigmoid() if multi else logits.softmax(-1)
    assert len(answer.labels) == len(probabilities)
    for label in answer.labels:
        assert label.name == config.id2label[label.index]
        assert abs(label.probability - float(probabilities[label.index])) <= TOLERANCE
    ranked = [label.probability for label in answer.labels]
    assert ranked == sorted(ranked, reverse=True)


def check_tokens(client, name, original):
    """The ids that `transformers` makes of odd texts give the logits that the texts give."""
    for text in checkpoints.ODD:
        encoded = original.encode(text)
        ids = encoded["input_ids"].numpy().astype(np.int64)
        inputs = {"tokens": ids, "lengths": np.array([ids.shape[1]], dtype=np.int32)}
        if name.startswith(("bert", "minilm")):
            inputs["token_type_ids"] = np.zeros_like(ids)
        by_ids = np.frombuffer(client.infer(name, inputs), dtype=np.float32)
        by_text = client.classify_text(name, [text], return_logits=True).classifications[0]
        assert by_text.tokens == ids.shape[1], (name, text)
        assert np.array_equal(by_ids, np.array(by_text.logits, dtype=np.float32)), (name, text)


def check_sentiment(client, name, original):
    texts = checkpoints.texts(3, [5, 20])
    for text, answer in zip(texts, client.sentiment(name, texts).sentiments):
        expected = torch.tensor(original.logits(text)[0]).softmax(-1)
        assert abs(answer.score - float(expected[1])) <= TOLERANCE
        assert answer.label == ["NEGATIVE", "POSITIVE"][int(expected.argmax())]


def check_refusals(trainer, good, models, scratch):
    """What cannot be imported is refused in words, and leaves nothing behind."""

    def edit_config(**changes):
        def edit(folder):
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, **changes}))

        return edit

    def settings(**changes):
        return lambda folder: (folder / "tokenizer_config.json").write_text(json.dumps(changes))

    def corrupt(folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1000])

    def pickle(folder):
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    def shrink_vocabulary(folder):
        edit_config(vocab_size=50)(folder)

    def empty_tokenizer(folder):
        (folder / "tokenizer.json").write_text("{}")

    labels = {str(number): f"label {number}" for number in range(1_000_000)}
    for edit, words in [
        (corrupt, "not a safetensors file"),
        (pickle, "pytorch_model.bin is not read: it is pickled"),
        (edit_config(num_hidden_layers=4), "lacks tensor bert.encoder.layer.3."),
        (edit_config(vocab_size=100_000), "describes a network of"),
        (edit_config(num_hidden_layers=2), "has what bert has not: tensor bert.encoder.layer.2."),
        (edit_config(intermediate_size=95), "[95] is needed"),
        (edit_config(id2label=labels), "id2label has 1000000 labels; 1 to 10000 are allowed"),
        (edit_config(hidden_act="mish"), "hidden_act is mish; gelu"),
        (edit_config(is_decoder=True), "is_decoder is set"),
        (edit_config(architectures=["BertForMaskedLM"]), "architectures is"),
        (edit_config(model_type="roberta"), 'model_type is "roberta"; "bert" is allowed'),
        (settings(do_lower_case=False), "normalizer.lowercase is true; tokenizer_class BertTokenizer"),
        (settings(cls_token="[MASK]"), "post_processor is [CLS]:0"),
        (settings(tokenizer_class="FunnelTokenizer"), "tokenizer_class is FunnelTokenizer"),
        (shrink_vocabulary, "the network has an embedding of 50"),
        (empty_tokenizer, "tokenizer.json"),
    ]:
        folder = scratch / "bad"
        shutil.copytree(good, folder)
        edit(folder)
        result = import_(trainer, folder, models, "bad")
        assert result.returncode == 1, (words, result)
        assert words in result.stderr, (words, result.stderr)
        assert not (models / "bad").exists(), words
        shutil.rmtree(folder)
    print("huggingface: bad checkpoints are refused")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--trainer", type=Path, required=True)
    arguments.add_argument("--server", type=Path, required=True)
    arguments = arguments.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        sources, models = scratch / "checkpoints", scratch / "models"
        sources.mkdir()
        names = checkpoints.write_all(sources)
        checkpoints.write_minilm(sources / "minilm")
        names.append("minilm")
        for name in names:
            result = import_(arguments.trainer, sources / name, models, name, "--licence", "Apache-2.0")
            if result.returncode:
                sys.exit(f"huggingface: {name} was not imported:\n{result.stderr}")
        check_refusals(arguments.trainer, sources / "bert", models, scratch)
        server = Server(arguments.server, models, "--instances", "2")
        try:
            client = Client(server.grpc)
            for name in names:
                check(client, name, Original(sources / name))
        finally:
            stopped = server.stop()
    if stopped:
        sys.exit(f"huggingface: the server ended with {stopped}")


def check(client, name, original):
    texts = checkpoints.ODD + checkpoints.texts(1, LENGTHS)
    if name != "bert-left":
        pairs = checkpoints.texts(2, [3, 300, 40])
        texts += [(pairs[0], pairs[1]), (pairs[1], pairs[2]), (pairs[1], pairs[1])]
    worst = compare(client, name, original, texts)
    check_tokens(client, name, original)
    if original.model.config.id2label == {0: "NEGATIVE", 1: "POSITIVE"}:
        check_sentiment(client, name, original)
    print(f"huggingface: {name}: {len(texts)} texts, {worst:.1e} of the largest logit", flush=True)


if __name__ == "__main__":
    main()
