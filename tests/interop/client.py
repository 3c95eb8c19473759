"""gRPC for Python and NVIDIA's client: client.py grpcio|tritonclient BUNDLE CASES.json"""

import base64
import json
import sys
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTORS = ROOT / "proto" / "src" / "gen" / "descriptor.bin"


def read(path):
    return path and Path(path).read_bytes()


class Grpcio:
    """Classify and ClassifyStream."""

    def __init__(self, images, image):
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
            pool.Add(file)
        find = pool.FindMessageTypeByName
        self.classes = {
            name: message_factory.GetMessageClass(find(f"quintet.v1.{name}"))
            for name in ["ClassifyRequest", "ClassifyResponse", "ClassifyStreamRequest", "ClassifyStreamResponse"]
        }
        self.request = self.classes["ClassifyRequest"](model="mlp", top_k=3)
        for _ in range(images):
            self.request.images.add(raw=dict(width=28, height=28, channels=1, data=image))

    def call(self, case):
        credentials = grpc.ssl_channel_credentials(read(case["ca"]), read(case["key"]), read(case["cert"]))
        metadata = [("authorization", f"Bearer {case['token']}")] if case["token"] else []
        compression = {None: grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}[case["compression"]]
        how = dict(metadata=metadata, compression=compression, timeout=60)
        with grpc.secure_channel(case["address"], credentials) as channel:

            def method(name, kind):
                return kind(
                    f"/quintet.v1.InferenceService/{name}",
                    request_serializer=lambda request: request.SerializeToString(),
                    response_deserializer=self.classes[f"{name}Response"].FromString,
                )

            answer = method("Classify", channel.unary_unary)(self.request, **how)
            self.check(answer)
            item = self.classes["ClassifyStreamRequest"]
            requests = (item(index=index, request=self.request) for index in range(3))
            answers = list(method("ClassifyStream", channel.stream_stream)(requests, **how))
            assert sorted(it.index for it in answers) == [0, 1, 2], answers
            for answer in answers:
                self.check(answer.response)

    def check(self, answer):
        assert len(answer.classifications) == len(self.request.images), answer
        assert all(len(it.labels) == 3 for it in answer.classifications), answer


class Triton:
    """ModelInfer and ModelStreamInfer of the golden samples."""

    def __init__(self, bundle):
        sys.path.insert(0, str(ROOT / "tests" / "triton"))
        import test_triton_client as samples

        self.triton, self.model = samples.triton, samples.Model(bundle)

    def call(self, case):
        headers = {"authorization": f"Bearer {case['token']}"} if case["token"] else None
        client = self.triton.InferenceServerClient(
            case["address"],
            ssl=True,
            root_certificates=case["ca"],
            private_key=case["key"],
            certificate_chain=case["cert"],
        )
        with client:
            how = dict(headers=headers, compression_algorithm=case["compression"])
            self.model.check(client.infer(self.model.name, self.model.inputs(), client_timeout=60, **how))
            answers = []
            client.start_stream(lambda result, error: answers.append((result, error)), **how)
            for _ in range(3):
                client.async_stream_infer(self.model.name, self.model.inputs())
            # Waits for the answers.
            client.stop_stream()
            assert len(answers) == 3, answers
            for result, error in answers:
                assert error is None, error
                self.model.check(result)


def code(error):
    """The name of a failure's code."""
    return error.code().name if isinstance(error, grpc.RpcError) else error.status().removeprefix("StatusCode.")


def main(library, bundle, cases):
    asked = json.loads(Path(cases).read_text())
    if library == "grpcio":
        client, failure = Grpcio(asked["images"], base64.b64decode(asked["image"])), grpc.RpcError
    else:
        from tritonclient.utils import InferenceServerException as failure

        client = Triton(Path(bundle))
    failed = 0
    for case in asked["cases"]:
        try:
            client.call(case)
            given = "OK"
        except failure as error:
            given = code(error)
        is_right = given == case["expected"]
        print(f"{'ok' if is_right else 'FAILED'} {library}: {case['name']}: {given}", flush=True)
        failed |= not is_right
    sys.exit(int(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
