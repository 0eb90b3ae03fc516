"""Time of decoding 8,400 candidates (640 x 640, suppression included) beside that of the network that made them.

``python benchmarks/decode.py [MODEL.onnx]`` runs a convolutional network of about the work of YOLOv8n (8.5 GFLOP) in
onnxruntime on one thread, or the model, and decodes a head of Ultralytics and one of YOLOX with more and more objects.
Each row is the least processor time of several rounds and its share of the network's. Nothing here fails.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from auditor.pipeline import decode
from auditor.pipeline.decoding.grid import points
from benchmarks.models import Builder, Weights

SIZE = (640, 640)
CELLS = 8400
CLASSES = 80
BUDGET = 0.05
# Width and number of 3 x 3 convolutions at strides 4, 8, 16 and 32.
STAGES = ((32, 5), (64, 6), (128, 5), (256, 3))
# Objects a picture, and the candidates about each; the last row is a picture that is objects all over.
SCENES = ((0, 0), (1, 12), (20, 12), (100, 12), (300, 12), (300, 28))


def network() -> onnx.ModelProto:
    """A plain convolutional network, downsampled by strides, on one picture of 640 x 640."""
    builder = Builder(Weights.INLINE)
    x, channels = builder.add("Relu", [builder.conv("image", 3, 16, 3, 2)]), 16
    for width, depth in STAGES:
        for index in range(depth):
            x = builder.add("Relu", [builder.conv(x, channels, width, 3, 2 if index == 0 else 1)])
            channels = width
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *SIZE])
    features = helper.make_tensor_value_info(x, TensorProto.FLOAT, None)
    graph = helper.make_graph(builder.nodes, "detector", [image], [features], builder.initializers)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def head(objects: int, candidates: int) -> dict[str, npt.NDArray[np.float32]]:
    """An output (1, 4 + classes, cells) of that many objects, each seen by neighbouring cells."""
    draw = np.random.default_rng(0)
    rows = np.zeros((4 + CLASSES, CELLS), np.float32)
    rows[:4] = draw.uniform(5, 635, (4, CELLS))
    rows[4:] = draw.uniform(0, 0.05, (CLASSES, CELLS))
    centres, sizes = draw.uniform(40, 600, (2, objects)), draw.uniform(20, 120, (2, objects))
    cells = draw.permutation(CELLS)[: objects * candidates].reshape(objects, candidates)
    for index, places in enumerate(cells):
        rows[:2, places] = centres[:, [index]] + draw.normal(0, 2, (2, candidates))
        rows[2:4, places] = sizes[:, [index]] + draw.normal(0, 2, (2, candidates))
        rows[4 + draw.integers(CLASSES), places] = draw.uniform(0.3, 0.95, candidates)
    return {"output0": rows[None]}


def grid(objects: int, candidates: int) -> dict[str, npt.NDArray[np.float32]]:
    """The same in YOLOX's raw grid (1, cells, 5 + classes)."""
    rows = head(objects, candidates)["output0"][0]
    cells = points(SIZE, offset=0.0).T
    scores = np.concatenate([rows[4:].max(axis=0, keepdims=True), rows[4:] ** 0.5])
    boxes = np.concatenate([(rows[:2] - cells[:2]) / cells[2], np.log(rows[2:4] / cells[2])])
    return {"output": np.ascontiguousarray(np.concatenate([boxes, scores]).T[None], np.float32)}


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """The least processor time of some rounds, behind one that warms up."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) * 1e3


def model_time(model: str | bytes) -> float:
    """Milliseconds of one run of a model with one image input, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in image.shape]
    return milliseconds(partial(session.run, None, {image.name: np.zeros(shape, np.float32)}), 7)


def main() -> None:
    """Measure and print."""
    model = sys.argv[1] if len(sys.argv) > 1 else network().SerializeToString()
    network_time = model_time(model)
    print(f"network: {network_time:.1f} ms on one thread, NumPy {np.__version__}")
    print("objects  candidates   yolov8 ms   share    yolox ms   share")
    held = -1
    for objects, candidates in SCENES:
        rows = [
            milliseconds(partial(decode, outputs, layout, input_size=SIZE), 15)
            for layout, outputs in (("yolov8", head(objects, candidates)), ("yolox", grid(objects, candidates)))
        ]
        held = max(held, objects) if max(rows) <= BUDGET * network_time else held
        shares = [f"{row:9.2f} {row / network_time:7.1%}" for row in rows]
        print(f"{objects:7} {objects * candidates:11}   {'   '.join(shares)}")
    print(f"budget {BUDGET:.0%} of the network: {f'held up to {held} objects' if held >= 0 else 'exceeded'}")


if __name__ == "__main__":
    main()
