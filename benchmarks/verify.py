"""Throughput of a measurement against a bare onnxruntime loop over the same tensors, in one run on one machine.

``python benchmarks/verify.py [--device cuda] [--model FILE --preset NAME --task TASK]`` takes about a minute. Without a
model it measures one built here: a classifier, or with ``--task dense`` one whose output is a grid, as the head of a
detector (``--stride 16``, the default) or a segmentation at full size (``--stride 1``) gives. Both sides use the
same session options, batch and windows; the bare loop has its windows cut and in memory beforehand and looks at no
result. They take turns, and the least time of the rounds counts. A ratio of 1 says that decoding, cutting, transfer
between processes and measuring cost nothing. With ``--pipeline`` pictures are large photographs of a person, so that
the resize counts as it does when deployed, and with ``--model detector.onnx --preset yolox --task detection`` decoding
too; memory and layers are then left out. Else also printed: how many runs the equivariance maps save, and how
much the peak of memory grows with ten times the images.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from auditor.onnxfile import read_model  # noqa: E402 - after the path is set
from auditor.sampling import analyse  # noqa: E402
from auditor.text import ModelText  # noqa: E402
from auditor.verify.images.source import ImageSource, Picture  # noqa: E402
from auditor.verify.images.synthetic import synthetic_image  # noqa: E402
from auditor.verify.options import read_request  # noqa: E402
from auditor.verify.result import DataKind, Rejected, Verification  # noqa: E402
from auditor.verify.runner import verify  # noqa: E402
from auditor.verify.settings import VerifySettings  # noqa: E402
from auditor.verify.setup import plan_protocol, shifts_for  # noqa: E402
from auditor.verify.shifts.feeder import Load, loads  # noqa: E402
from auditor.verify.worker.windows import cut  # noqa: E402

BUDGET = 0.95
ROUNDS = 3
SIZE = 224
PHOTOGRAPH = (1600, 1600)


class Stopwatch:
    """Observes a run: when the first image was begun and the last one done."""

    def __init__(self) -> None:
        self.start = self.end = 0.0

    def begin(self, what: str, total: int | None) -> None:  # noqa: ARG002 - the interface of an observer
        if what == "images":
            self.start = time.perf_counter()

    def advance(self) -> None:
        self.end = time.perf_counter()


def network(path: Path, dense_stride: int | None = None) -> Path:
    """A plain convolutional network of more than 10 ms per image on two cores: a classifier, or 85 maps of a stride."""
    from onnx import TensorProto, helper, numpy_helper, save_model

    rng = np.random.default_rng(0)
    nodes, weights, tensor, channels = [], [], "image", 3
    for index, (width, stride) in enumerate([(64, 2), (96, 1), (192, 2), (256, 2), (384, 2), (512, 1)]):
        kernel = rng.normal(scale=(2 / (9 * channels)) ** 0.5, size=(width, channels, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{index}"))
        nodes.append(
            helper.make_node("Conv", [tensor, f"w{index}"], [f"c{index}"], strides=[stride] * 2, pads=[1, 1, 1, 1])
        )
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"]))
        tensor, channels = f"r{index}", width
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])
    if dense_stride is None:
        weights.append(numpy_helper.from_array(rng.normal(size=(channels, 100)).astype(np.float32), "head"))
        nodes += [
            helper.make_node("GlobalAveragePool", [tensor], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "head"], ["logits"]),
        ]
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 100])
    else:
        maps = 85 if dense_stride > 1 else 21
        head = rng.normal(scale=channels**-0.5, size=(maps, channels, 1, 1)).astype(np.float32)
        scale = np.array([1, 1, 16 / dense_stride, 16 / dense_stride], np.float32)
        weights += [numpy_helper.from_array(head, "head"), numpy_helper.from_array(scale, "scale")]
        nodes += [
            helper.make_node("Conv", [tensor, "head"], ["coarse"]),
            helper.make_node("Resize", ["coarse", "", "scale"], ["map"], mode="linear"),
        ]
        side = SIZE // dense_stride
        output = helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", maps, side, side])
    graph = helper.make_graph(nodes, "network", [image], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save_model(model, path)
    return path


def pictures(count: int) -> ImageSource:
    """Synthetic pictures, made beforehand: decoding files is not what is compared."""
    made: list[Picture | Rejected] = [
        Picture(ModelText(str(index)), synthetic_image(index % 16, size=(SIZE + 32, SIZE + 32)))
        for index in range(count)
    ]
    return ImageSource(DataKind.ARRAYS, count, (), lambda: iter(made))


def photographs(count: int) -> ImageSource:
    """One photograph of a person, enlarged to what a camera gives."""
    from PIL import Image

    with Image.open(HERE.parent / "auditor/verify/images/pictures/astronaut.jpg") as file:
        pixels = np.asarray(file.convert("RGB").resize(PHOTOGRAPH))
    made: list[Picture | Rejected] = [Picture(ModelText(str(index)), pixels) for index in range(count)]
    return ImageSource(DataKind.ARRAYS, count, (), lambda: iter(made))


def lazy(count: int) -> ImageSource:
    """Pictures made when they are asked for, as files are read."""

    def read() -> Iterator[Picture | Rejected]:
        for index in range(count):
            yield Picture(ModelText(str(index)), synthetic_image(index % 4, size=(SIZE + 32, SIZE + 32)))

    return ImageSource(DataKind.ARRAYS, count, (), read)


def tool(path: Path, source: ImageSource, settings: VerifySettings) -> tuple[float, Verification]:
    """Seconds from the first image to the last result, and the result."""
    watch = Stopwatch()
    found = verify(read_model(path), source, settings, observer=watch)
    return watch.end - watch.start, found


def bare(path: Path, source: ImageSource, settings: VerifySettings, found: Verification) -> float:
    """Seconds that onnxruntime alone needs for the same batches, session options as in the worker."""
    import onnxruntime

    from auditor.verify.worker.engines.onnxruntime import OrtEngine

    engine = OrtEngine(settings.device, settings.threads, None, str)
    session: Any = engine.load(str(path), engine.options())
    port = session.get_inputs()[0]
    size, batch = found.shifts.window, found.shared_batch
    protocol, shifts = plan_protocol(size, settings)
    half = port.type == "tensor(float16)"
    ready = replace(settings.preprocessing, dtype="float16") if half else settings.preprocessing
    first = next(load for load in loads(source, protocol, ready, shifts) if isinstance(load, Load))
    answer = session.run([found.outputs[0].output.raw], {port.name: cut(first.canvases, first.places[:1], size, False)})
    shifts = shifts_for(found.outputs[0].task, shifts, answer[0].nbytes)
    batches = []
    for load in loads(source, protocol, ready, shifts):
        if isinstance(load, Load):
            windows = cut(load.canvases, load.places, size, False)
            batches += [windows[start : start + batch] for start in range(0, len(windows), batch)]
    session.run(None, {port.name: batches[0]})
    if engine.gpu:
        # The peer is allowed what the tool does: its inputs wait on the device.
        batches = [onnxruntime.OrtValue.ortvalue_from_numpy(one, "cuda", settings.device.index) for one in batches]
    start = time.perf_counter()
    for one in batches:
        if engine.gpu:
            binding = session.io_binding()
            binding.bind_ortvalue_input(port.name, one)
            binding.bind_output(session.get_outputs()[0].name, "cuda", settings.device.index)
            session.run_with_iobinding(binding)
            binding.get_outputs()[0].numpy()
        else:
            session.run(None, {port.name: one})
    return time.perf_counter() - start


def peak() -> float:
    """The peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--preset", default="imagenet")
    parser.add_argument("--task", default="classification")
    parser.add_argument("--stride", type=int, default=16)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--pipeline", action="store_true")
    given = parser.parse_args()
    settings = read_request({"device": given.device, "preset": given.preset, "task": given.task, "layers": 0}).settings
    with tempfile.TemporaryDirectory() as folder:
        path = given.model or network(Path(folder) / "network.onnx", given.stride if given.task == "dense" else None)
        source = photographs(given.images) if given.pipeline else pictures(given.images)
        if not given.pipeline:
            # First, because a peak never falls: the bare loop keeps all its windows.
            tool(path, lazy(4), settings)
            before = peak()
            tool(path, lazy(40), settings)
            print(f"peak memory of the tool after 4 images {before:.0f} MB, after 40 images {peak():.0f} MB")
        tools, bares = [], []
        for _ in range(ROUNDS):
            seconds, found = tool(path, source, settings)
            tools.append(seconds)
            bares.append(bare(path, source, settings, found))
        runs = found.runs - min(settings.self_test_images, given.images)
        print(f"provider {found.provider.used}, compute nodes {dict(found.provider.placement)}")
        print(f"batch {found.shared_batch}, {runs} windows of {given.images} images, {settings.threads} threads")
        print(f"bare onnxruntime {1000 * min(bares) / runs:8.2f} ms per window  {runs / min(bares):8.0f} per second")
        print(f"aliasaudit       {1000 * min(tools) / runs:8.2f} ms per window  {runs / min(tools):8.0f} per second")
        ratio = min(bares) / min(tools)
        print(f"throughput ratio {ratio:.3f} ({'within' if ratio >= BUDGET else 'below'} the budget of {BUDGET})")
        if given.pipeline:
            return
        model = read_model(path)
        layered = verify(model, pictures(2), replace(settings, layer_images=2), analyse(model))
        plain = verify(model, pictures(2), replace(settings, layer_images=0))
        maps, naive = layered.runs - plain.runs, layered.naive_runs - plain.naive_runs
        print(f"equivariance maps: {maps} runs for all layers, {naive} in a loop over layers and shifts")


if __name__ == "__main__":
    main()
