#!/usr/bin/env python3
"""Writes a small corpus for each fuzz target into fuzz/corpus/TARGET/, from the repository's own
models and pictures and from messages made here."""

import json
import struct
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
ROOT = FUZZ.parent
sys.path.insert(0, str(ROOT / "tests" / "hostile"))

from frames import *

CLASSIFY = "/quintet.v1.InferenceService/Classify"


def varint(number):
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def entry(number, value):
    """A field of protobuf: a number, bytes, or the fields of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*fields):
    return b"".join(entry(*field) for field in fields)


def safetensors(**tensors):
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        end = len(data) + len(content)
        header[name.replace("__", ".")] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), end]}
        data += content
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def requests():
    """A request of each call, by its place in the lists of `messages` and `calls`."""
    seven = (ROOT / "client" / "examples" / "seven.png").read_bytes()
    raw = message((1, 28), (2, 28), (3, 1), (4, bytes(784)))
    classify = message((1, message((1, seven))), (1, message((2, raw))), (2, "digits"), (3, "1"), (4, 3), (5, 2))
    sentiment = message((1, "A good film."), (1, "é☃"), (2, "reviews"), (3, "1"))
    generate = message((1, 3), (2, 7), (3, 7), (4, 0.5), (5, 2), (6, 2), (7, "gan"), (8, "1"), (9, "judge"))
    parameter = message((1, "binary"), (2, message((1, 1))))
    contents = message((1, b"\1\0"), (5, bytes(8)), (6, struct.pack("<2f", 1, 2)), (8, b"text"))
    tensor = message((1, "pixels"), (2, "UINT8"), (3, varint(1) + varint(28) + varint(28)), (4, parameter), (5, contents))
    output = message((1, "probabilities"), (2, parameter))
    infer = message((1, "digits"), (2, "1"), (3, "id"), (4, parameter), (5, tensor), (6, output), (7, bytes(784)))
    named = message((1, "digits"), (2, "1"))
    reflection = message((1, "host"), (4, "quintet.v1.InferenceService"))
    stream = message((1, 7), (2, classify))
    in_order = [classify, stream, sentiment, generate, generate]
    return {
        "messages": [*in_order, infer, infer, message((1, "digits")), named, message((1, "x"))],
        "calls": [*in_order, b"", infer, infer, message((1, "digits")), named, message((1, "digits")), reflection],
    }


def connections():
    body = frame(DATA, END_STREAM, 1, b"\0\0\0\0\4text")
    call = request(1, CLASSIFY)
    timeout = frame(HEADERS, END_HEADERS, 1, request_block(CLASSIFY) + field("grpc-timeout", "50m"))
    split = request_block(CLASSIFY)
    return {
        "call": settings() + request(1, CLASSIFY, b"text"),
        "stream": settings() + request(1, CLASSIFY + "x") + frame(DATA, 0, 1, b"\0\0\0\0\1a\0\0\0\0\1b") + body,
        "timeout": settings(window=0) + timeout + body,
        "continuation": frame(HEADERS, 0, 1, split[:20]) + frame(CONTINUATION, END_HEADERS, 1, split[20:]) + body,
        "padded": call + frame(DATA, PADDED | END_STREAM, 1, b"\3\0\0\0\0\1a\0\0\0"),
        "reset": call + frame(RST_STREAM, 0, 1, CANCEL) + request(3, CLASSIFY, b""),
        "windows": call + window_update(0, 9) + window_update(1, 9) + window_update(1, 0),
        "others": frame(PING, 0, 0, bytes(8)) + frame(PRIORITY, 0, 3, bytes(5)) + frame(99, 9, 9, b"x"),
        "authority": frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x41\x0b1%3A1,2%3A2" + split[2:]) + body,
        "trailers": call + frame(HEADERS, END_HEADERS | END_STREAM, 1, field("x-end", "1")),
    }


def onnx():
    def initializer(name, kind, dims, raw):
        return message(*((1, dim) for dim in dims), (2, kind), (8, name), (9, raw))

    to_float = message((1, "to"), (3, 1), (20, 2))
    cast = message((1, "half"), (2, "whole"), (4, "Cast"), (5, to_float))
    graph = message(
        (1, cast), (2, "g"), (5, initializer("half", 10, [2, 2], bytes(8))), (5, initializer("w", 1, [2], bytes(8)))
    )
    return message((1, 8), (7, graph), (8, message((2, 17))))


def corpus():
    """The contents of every target's corpus, by target and name."""
    seeds = {target: {str(place): bytes([place]) + it for place, it in enumerate(listed)}
             for target, listed in requests().items()}
    seeds["connection"] = connections()
    pictures = [*(ROOT / "tests" / "data" / "pictures").iterdir(), ROOT / "client" / "examples" / "seven.png"]
    seeds["picture"] = {it.name: it.read_bytes() for it in pictures if it.stat().st_size < 20_000}
    square = bytes(255 * (8 < x < 20 and 8 < y < 20) for y in range(28) for x in range(28))
    seeds["framing"] = {"square": bytes([28, 0]) + square, "rgba": bytes([7, 3]) + bytes(range(196))}
    texts = ["A good film.<br />It's not bad, isn't it?", "é☃ über naïve 1999's $5", "\u202e[CLS] \u0000\uffff"]
    seeds["text"] = {str(place): text.encode() for place, text in enumerate(texts)}
    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "good": 3, "##s": 4}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"},
                 "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
                 "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                           "max_input_chars_per_word": 100, "vocab": words}}
    bpe = {**tokenizer, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}
    unigram = {**tokenizer, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]]}}
    kinds = {"wordpiece": tokenizer, "bpe": bpe, "unigram": unigram}
    seeds["tokenizer"] = {name: json.dumps(kind).encode() for name, kind in kinds.items()}
    manifests = ROOT.glob("models/*/*/manifest.toml")
    seeds["manifest"] = {path.parent.parent.name: path.read_bytes() for path in manifests}
    seeds["options"] = {
        "network": b'listen = "127.0.0.1:1"\nio_threads = 2\nbusy_poll = "1ms"\nmax_message_size = 4096\n',
        "batching": b'[batching]\nmax_batch_size = 8\nmax_queue_delay = "2ms"\n[models.lstm]\ninstances = 1\n',
        "tls": b'tls_cert = "a.pem"\ntls_key = "b.pem"\nreflection = "off"\ndevice = "cuda:1"\nlog_format = "json"\n',
    }
    seeds["tokens"] = {"both": b'[[token]]\nname = "alice"\nsha256 = "' + b"9f" * 32 + b'"\nscopes = ["infer", "metrics"]\n'
                       b'models = ["lstm"]\nrate = 2.5\nmax_in_flight = 3\nexpires = 2027-01-01T00:00:00Z\n'
                       b'[[token]]\nname = "bob"\ncertificate = "spiffe://local/bob"\nscopes = ["control"]\n'}
    seeds["golden"] = {"both": safetensors(input__x=("U8", [2, 2], bytes(4)), output__y=("F32", [2, 1], bytes(8)))}
    seeds["onnx"] = {"two": onnx()}
    return seeds


def write():
    for target, entries in corpus().items():
        folder = FUZZ / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in entries.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    write()
