"""Calls the server's ClassifyText and SentimentScore from the committed descriptors: no generated code."""

from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parent.parent.parent


class Client:
    """One connection. Messages are made by name: `client.message("ClassifyTextRequest", ...)`."""

    def __init__(self, address):
        files = descriptor_pb2.FileDescriptorSet()
        files.ParseFromString((ROOT / "proto/src/gen/descriptor.bin").read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self.pool.Add(file)
        self.channel = grpc.insecure_channel(address)

    def message(self, name, /, **fields):
        descriptor = self.pool.FindMessageTypeByName(name)
        return message_factory.GetMessageClass(descriptor)(**fields)

    def call(self, service, rpc, request):
        method = self.pool.FindServiceByName(service).FindMethodByName(rpc)
        answer = message_factory.GetMessageClass(method.output_type)
        unary = self.channel.unary_unary(
            f"/{service}/{rpc}",
            request_serializer=lambda it: it.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return unary(request, timeout=300)

    def classify_text(self, model, texts, **fields):
        """`texts` are texts or pairs of them."""
        inputs = []
        for text in texts:
            first, pair = text if isinstance(text, tuple) else (text, None)
            inputs.append(self.message("quintet.v1.TextInput", text=first, text_pair=pair))
        request = self.message("quintet.v1.ClassifyTextRequest", model=model, texts=inputs, **fields)
        return self.call("quintet.v1.InferenceService", "ClassifyText", request)

    def sentiment(self, model, texts):
        request = self.message("quintet.v1.SentimentScoreRequest", model=model, texts=texts)
        return self.call("quintet.v1.InferenceService", "SentimentScore", request)

    def infer(self, model, inputs):
        """`inputs` are NumPy arrays by name; the first output as little-endian bytes."""
        datatypes = {"int64": "INT64", "int32": "INT32"}
        prefix = "inference.ModelInferRequest"
        tensors = [
            self.message(
                f"{prefix}.InferInputTensor",
                name=name,
                datatype=datatypes[str(array.dtype)],
                shape=array.shape,
            )
            for name, array in inputs.items()
        ]
        raw = [array.tobytes() for array in inputs.values()]
        request = self.message(prefix, model_name=model, inputs=tensors, raw_input_contents=raw)
        answer = self.call("inference.GRPCInferenceService", "ModelInfer", request)
        return answer.raw_output_contents[0]
