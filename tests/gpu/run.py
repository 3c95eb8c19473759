#!/usr/bin/env python3
"""What of `make gpu-package` and bench/gpu.sh can be tested without a GPU: tests/gpu/run.py

recorded/ has outputs of real runs on a CPU. ONNX Runtime's messages about CUDA below are written in
the format of its sources, since no run on a GPU has been recorded.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent.parent / "bench"
RECORDED = HERE / "recorded"
sys.path.insert(0, str(BENCH / "gpu"))

import package  # noqa: E402
import readings  # noqa: E402
import steps  # noqa: E402
import tables  # noqa: E402
import unpack  # noqa: E402

PREFERRED = (
    "ORT optimization- Force fallback to CPU execution for node: {} because the CPU execution path is deemed faster "
    "than overhead involved with execution on other EPs  capable of executing this node"
)
ON_CUDA = [
    "CUDA kernel not found in registries for Op type: MatMulInteger node name: product",
    PREFERRED.format("length"),
    "Node placements",
    " Node(s) placed on [CPUExecutionProvider]. Number of nodes: 3",
    "  MatMulInteger (product)",
    "  Gather (length)",
    "  Conv (convolution)",
    " Node(s) placed on [CUDAExecutionProvider]. Number of nodes: 5",
    *[f"  Add (add_{index})" for index in range(5)],
]


def recorded(name):
    return (RECORDED / name).read_text()


def log(*messages, **last):
    """Lines of a server's log: ONNX Runtime's messages, then one of the server's."""
    lines = [{"message": f"onnxruntime: {message}"} for message in messages]
    return "\n".join(json.dumps(line) for line in [*lines, last])


class Scratch(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)


class Packing(Scratch):
    def setUp(self):
        super().setUp()
        block = package.BLOCK
        self.addCleanup(setattr, package, "BLOCK", block)
        package.BLOCK = 4096
        self.package, self.into = self.folder / "package", self.folder / "into"
        contents = {"bin/a": os.urandom(9000), "empty": b"", "data/b": b"text " * 5000, "c": os.urandom(3)}
        self.files = {}
        for index, (name, content) in enumerate(contents.items()):
            source = self.folder / str(index)
            source.write_bytes(content)
            self.files[name] = source
        self.files["bin/a"].chmod(0o755)
        self.parts = package.pack(self.files, self.package, 5000)

    def unpack(self):
        command = [sys.executable, "-B", self.package / "unpack.py", self.package, self.into]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def assert_complete(self):
        code, said = self.unpack()
        self.assertEqual((code, said), (0, f"unpack: complete in {self.into}\n"))
        for name, source in self.files.items():
            self.assertEqual((self.into / name).read_bytes(), source.read_bytes(), name)
        self.assertTrue(os.access(self.into / "bin/a", os.X_OK))
        self.assertFalse(os.access(self.into / "data/b", os.X_OK))

    def test_parts_keep_their_limit(self):
        sizes = [(self.package / part["name"]).stat().st_size for part in self.parts]
        self.assertGreater(len(sizes), 1)
        self.assertLessEqual(max(sizes), 5000)
        self.assert_complete()

    def test_parts_may_come_one_by_one(self):
        arriving = self.folder / "arriving"
        self.package.rename(arriving)
        self.package.mkdir()
        for name in (unpack.MANIFEST, "unpack.py"):
            shutil.copy(arriving / name, self.package)
        names = [part["name"] for part in self.parts]
        for index, name in enumerate(names[:-1]):
            shutil.move(arriving / name, self.package)
            code, said = self.unpack()
            missing = [f"unpack: missing: {name}" for name in names[index + 1 :]]
            self.assertEqual((code, said.splitlines()), (unpack.MISSING, missing))
            # What is unpacked is not needed again.
            (self.package / name).unlink()
        shutil.move(arriving / names[-1], self.package)
        self.assert_complete()

    def test_a_damaged_part_is_named_and_can_be_replaced(self):
        path = self.package / self.parts[1]["name"]
        content = path.read_bytes()
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1])):
            path.write_bytes(damaged)
            code, said = self.unpack()
            self.assertEqual(code, unpack.DAMAGED, said)
            self.assertEqual(len(said.splitlines()), 1, said)
            self.assertIn(f"damaged: {path.name}: ", said)
        path.write_bytes(content)
        self.assert_complete()

    def test_a_file_that_changed_afterwards_is_named(self):
        self.assert_complete()
        (self.into / "c").write_bytes(b"xyz!")
        code, said = self.unpack()
        self.assertEqual(code, unpack.DAMAGED)
        self.assertIn("damaged: c: ", said)

    def test_a_manifest_names_no_file_outside(self):
        path = self.package / unpack.MANIFEST
        manifest = json.loads(path.read_text())
        manifest["files"][0]["path"] = "../a"
        path.write_text(json.dumps(manifest))
        code, said = self.unpack()
        self.assertEqual(code, unpack.DAMAGED)
        self.assertIn("../a is outside of the package", said)

    def test_what_is_missing_is_said_with_its_remedy(self):
        command = [sys.executable, "-B", BENCH / "gpu" / "package.py", "--binaries", self.folder]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("quintet-trainer is not in", done.stderr)
        done = subprocess.run([*command, "--part-mib", "8"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--part-mib", done.stderr)


class Refusal(Scratch):
    """bench/gpu.sh where the PATH has only what is linked here."""

    def report(self, *arguments):
        for name in ("bash", "dirname", "python3"):
            link = self.folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(sys.executable if name == "python3" else shutil.which(name))
        command = ["bash", BENCH / "gpu.sh", *arguments]
        environment = {**os.environ, "PATH": str(self.folder)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        self.assertEqual(done.stdout, "")
        return done.returncode, done.stderr

    def nvidia_smi(self, text, code):
        path = self.folder / "nvidia-smi"
        path.write_text(f"#!{shutil.which('bash')}\nprintf '%s\\n' '{text}'\nexit {code}\n")
        path.chmod(0o755)

    def test_without_nvidia_smi(self):
        code, said = self.report()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"^gpu: no NVIDIA GPU: .*nvidia-smi")

    def test_without_a_driver(self):
        message = "NVIDIA-SMI has failed because it couldn t communicate with the NVIDIA driver."
        self.nvidia_smi(message, 9)
        code, said = self.report()
        self.assertEqual((code, said), (1, f"gpu: no NVIDIA GPU: nvidia-smi: {message}\n"))

    def test_without_a_package(self):
        self.nvidia_smi("NVIDIA H200, 580.95.05, 143771 MiB, 4 MiB", 0)
        code, said = self.report("--package", self.folder)
        self.assertEqual(code, 1)
        self.assertIn("no package; `make gpu-package` makes one", said)


class Running(Scratch):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, steps, "LEAST", steps.LEAST)
        steps.LEAST = 0
        self.steps = steps.Steps(self.folder, 60, dict(os.environ))

    def test_a_step_that_fails_leaves_a_line(self):
        fail = ["bash", "-c", "echo why >&2; exit 3"]
        self.steps.attempt("one", lambda it: it.run("p", fail, 50).check())
        self.steps.attempt("two", lambda it: it.run("q", [self.folder / "absent"], 50).check())
        self.steps.attempt("three", lambda it: {}["epoch"])
        lines = tables.failures(self.steps.failures).splitlines()
        self.assertEqual(lines[0], "- one: ended with 3: why")
        self.assertRegex(lines[1], "^- two: .*No such file")
        self.assertEqual(lines[2], "- three: KeyError('epoch')")

    def test_a_program_that_takes_too_long_is_stopped(self):
        ended = self.steps.run("sleep", ["sleep", "600"], 0.1)
        self.assertTrue(ended.timed_out)
        self.assertRaisesRegex(steps.Failure, "stopped after", ended.check)

    def test_a_server_is_asked_to_end_once_it_is_ready(self):
        server = "trap 'exit 0' TERM; echo ready >&2; while true; do sleep 0.05; done"
        ended = self.steps.run("server", ["bash", "-c", server], 50, until=["ready"])
        self.assertEqual((ended.code, ended.timed_out), (0, False))

    def test_nothing_starts_after_the_deadline(self):
        self.steps.seconds = -1
        self.steps.attempt("late", lambda it: it.run("p", ["true"], 50))
        self.assertEqual(self.steps.failures, [("late", "not run: no time was left")])
        self.assertEqual(self.steps.ended, [])


class Reading(unittest.TestCase):
    def test_devices(self):
        text = "NVIDIA H200, 580.95.05, 143771 MiB, 4 MiB\n"
        self.assertEqual(readings.devices(text), [["NVIDIA H200", "580.95.05", "143771 MiB", "4 MiB"]])
        self.assertEqual(readings.devices("No devices were found\n"), [])

    def test_a_training(self):
        self.assertEqual(readings.training_samples(recorded("trainer.err")), 55200)
        seconds = readings.epoch_seconds(recorded("metrics.jsonl"))
        self.assertEqual([round(it, 1) for it in seconds], [47.1])
        expected = ["accuracy  95.44 %  (9544 of 10000)", "loss      0.1542"]
        expected += ["expected calibration error  0.0255"]
        expected += ["float32 weights 95.44 %, float16 as stored 95.44 %, difference +0.00 points"]
        expected += ["onnxruntime and libtorch differ by at most 8.0e-7"]
        self.assertEqual(readings.verdict(recorded("trainer.out")), expected)

    def test_models_on_the_cpu(self):
        found = readings.placements(recorded("server-cpu.log"))
        self.assertEqual([(it.model, it.device, it.refused) for it in found], [("cnn", "cpu", None), ("gan", "cpu", None)])
        self.assertEqual([it.counts for it in found], [{readings.CPU: 12}, {readings.CPU: 15}])
        self.assertIn("- cnn: **the whole graph is on the CPU**", tables.placement(found))

    def test_nodes_on_the_cpu_have_onnxruntimes_reasons(self):
        text = log(*ON_CUDA, *ON_CUDA, message="model ready: its golden samples agree", model="m", device="cuda:0")
        text += "\n" + log(message="model not served", model="n", reason="golden samples differ")
        text += "\nno JSON"
        first, second = readings.placements(text)
        self.assertEqual(first.counts, {readings.CPU: 3, readings.CUDA: 5})
        self.assertEqual([reason is not None for _, reason in first.on_cpu], [True, True, False])
        self.assertEqual((second.refused, second.counts), ("golden samples differ", {}))
        shown = tables.placement([first, second])
        self.assertIn("| m | cuda:0 | agree | 5 | 3 | 1 |", shown)
        self.assertIn("- m: `MatMulInteger (product)`: no CUDA kernel", shown)
        self.assertIn("- m: `Gather (length)`: cheaper there", shown)
        self.assertIn("- m: `Conv (convolution)`: **no reason recorded**", shown)
        self.assertIn("| n |  | golden samples differ |", shown)

    def test_speeds(self):
        cuda = tables.Speed(1000, [4.0, 1.0, 2.0], 9)
        speeds = {"a": {"cuda": cuda, "cpu": tables.Speed(1000, [10.0], 12)}}
        speeds["b"] = {"cuda": cuda, "cpu": tables.Speed(1000, [], 40)}
        speeds["c"] = {"cuda": tables.Speed(None, [], 3)}
        rows = tables.training(speeds, 16).splitlines()[2:5]
        self.assertEqual(rows[0], "| a | 1000 | 500 (3 epochs) | 100 (1 epoch) | 5.0 |")
        self.assertEqual(rows[1], "| b | 1000 | 500 (3 epochs) | no epoch in 40 s |  |")
        self.assertEqual(rows[2], "| c |  | no epoch in 3 s | not run |  |")

    def test_exits(self):
        ended = [steps.Ended("a", 0, seconds=1), steps.Ended("b", -11, seconds=2)]
        ended += [steps.Ended("c", 130, seconds=30, timed_out=True)]
        rows = tables.exits(ended).splitlines()[2:]
        self.assertEqual(rows[0], "| `a` | 0 | 1.0 |")
        self.assertEqual(rows[1], "| `b` | **signal 11** | 2.0 |")
        self.assertEqual(rows[2], "| `c` | stopped after 30 s, then 130 | 30.0 |")


if __name__ == "__main__":
    # What a test prints is shown if it fails.
    unittest.main(buffer=True)
