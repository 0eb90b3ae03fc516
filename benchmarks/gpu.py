"""What the program does on a GPU, in one command of a few minutes on a machine that has one.

    pip install -e '.[gpu,images]' && python benchmarks/gpu.py --output gpu.json

For CUDA and, where this onnxruntime has it and it starts, TensorRT, in single and in half precision: which provider
every compute node is on, how far the answers are from the CPU's, throughput of a measurement against a bare loop whose
inputs wait on the device and are bound to it, the host's share of the time, how throughput grows with the batch, and
what a second stream adds. It writes one JSON file and prints one table. ``--device cpu`` runs the same on a CPU, to try
the script; ``--quick`` takes few pictures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from auditor.verify.errors import VerifyError  # noqa: E402 - after the path is set
from auditor.verify.options import read_request  # noqa: E402
from auditor.verify.worker.device import Device, parse_device  # noqa: E402
from auditor.verify.worker.engines.onnxruntime import OrtEngine  # noqa: E402
from benchmarks.verify import SIZE, bare, network, pictures, tool  # noqa: E402

BATCHES = (1, 2, 4, 8, 16, 32, 64)
SECONDS = 2.0  # of every bare loop
# Answers of a classifier with logits of about 1; half precision has 11 bits.
TOLERANCE = {"float32": 1e-3, "float16": 3e-2}


def halved(path: Path) -> Path:
    """The model with weights, inputs and outputs in half precision, beside it."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = np.frombuffer(tensor.raw_data, "<f4").reshape(tensor.dims).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    target = path.with_name(f"{path.stem}-half.onnx")
    onnx.save_model(model, target)
    return target


def answers(path: Path, device: Device, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The outputs (N, C) for images (N, 3, H, W), as single precision."""
    engine = OrtEngine(device, 1, None, str)
    session: Any = engine.load(str(path), engine.options())
    port = session.get_inputs()[0]
    kind = np.float16 if "16" in port.type else np.float32
    return np.asarray(session.run(None, {port.name: images.astype(kind)})[0], np.float32)


def looped(session: Any, device: Device, batch: int, kind: type, seconds: float) -> float:
    """Inputs per second of a bare loop whose input and output stay where the model runs."""
    import onnxruntime

    place = "cpu" if device.kind.value == "cpu" else "cuda"
    images: NDArray[Any] = np.random.default_rng(0).normal(size=(batch, 3, SIZE, SIZE)).astype(kind)
    value = onnxruntime.OrtValue.ortvalue_from_numpy(images, place, device.index)
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.get_inputs()[0].name, value)
    binding.bind_output(session.get_outputs()[0].name, place, device.index)
    for _ in range(3):
        session.run_with_iobinding(binding)
    start, runs = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        session.run_with_iobinding(binding)
        runs += 1
    return runs * batch / (time.perf_counter() - start)


def streams(path: Path, device: Device, batch: int, kind: type, seconds: float) -> float:
    """What two sessions in two threads do together, against one alone."""
    engine = OrtEngine(device, 1, None, str)
    sessions = [engine.load(str(path), engine.options()) for _ in range(2)]
    alone = looped(sessions[0], device, batch, kind, seconds)
    rates: list[float] = []
    threads = [
        threading.Thread(target=lambda one=one: rates.append(looped(one, device, batch, kind, seconds)))
        for one in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates) / alone


def measured(path: Path, device: Device, kind: type, images: int, seconds: float) -> dict[str, Any]:
    """Everything about one model on one device."""
    settings = read_request({"device": device.asked, "task": "classification", "layers": 0}).settings
    source = pictures(images)
    windows = np.random.default_rng(1).normal(size=(4, 3, SIZE, SIZE)).astype(np.float32)
    single = answers(path, parse_device("cpu"), windows)
    difference = float(np.abs(answers(path, device, windows) - single).max() / max(np.abs(single).max(), 1e-9))
    precision = np.dtype(kind).name
    tools, bares = [], []
    for _ in range(2):
        took, found = tool(path, source, settings)
        tools.append(took)
        bares.append(bare(path, source, settings, found))
    runs = found.runs - min(settings.self_test_images, images)
    engine = OrtEngine(device, 1, None, str)
    session = engine.load(str(path), engine.options())
    growth = {batch: looped(session, device, batch, kind, seconds) for batch in BATCHES}
    return {
        "provider": found.provider.used,
        "onnxruntime": found.provider.onnxruntime,
        "placement": dict(found.provider.placement),
        "others": dict(found.provider.others),
        "difference": difference,
        "equal": difference <= TOLERANCE[precision],
        "per_second": runs / min(tools),
        "bare_per_second": runs / min(bares),
        "ratio": min(bares) / min(tools),
        "host_share": max(0.0, 1 - min(bares) / min(tools)),
        "batch": found.shared_batch,
        "by_batch": growth,
        "two_streams": streams(path, device, 8, kind, seconds),
    }


def card() -> str:
    """The name of the device and its driver, as the system says; empty without one."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""


def table(results: Sequence[tuple[str, str, dict[str, Any]]]) -> str:
    """The results as Markdown."""
    head = ("device", "precision", "provider", "nodes there", "difference", "windows/s", "of a bare loop",
            "64 against 1", "two streams")  # fmt: skip
    rows = [head, tuple("---" for _ in head)]
    for device, precision, one in results:
        if "reason" in one:
            rows.append((device, precision, one["reason"], *["-"] * (len(head) - 3)))
            continue
        placement = one["placement"]
        there = f"{placement.get(one['provider'], 0)} of {sum(placement.values())}"
        growth = one["by_batch"][64] / one["by_batch"][1]
        cells = (f"{one['difference']:.1e}", f"{one['per_second']:.0f}", f"{one['ratio']:.2f}", f"x{growth:.1f}",
                 f"x{one['two_streams']:.2f}")  # fmt: skip
        rows.append((device, precision, one["provider"], there, *cells))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    """Measure, write the file and print the table; 1 where answers differ by more than the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", action="append", help="cuda, tensorrt or cpu; without it cuda and tensorrt")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    images, seconds = (2, 0.05) if given.quick else (48, SECONDS)
    results: list[tuple[str, str, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as folder:
        single = network(Path(folder) / "network.onnx")
        half = halved(single)
        for name in given.device or ["cuda", "tensorrt"]:
            for path, kind in ((single, np.float32), (half, np.float16)):
                precision = np.dtype(kind).name
                try:
                    found = measured(path, parse_device(name), kind, images, seconds)
                except VerifyError as error:
                    found = {"reason": str(error)}
                results.append((name, precision, found))
                print(f"{name} {precision}: {found.get('reason') or 'measured'}", file=sys.stderr)
    named = card()
    document = {"card": named, "results": [{"device": d, "precision": p, **one} for d, p, one in results]}
    given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(named or "no NVIDIA card was found")
    print(table(results))
    return 0 if all(one.get("equal", True) for _, _, one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
