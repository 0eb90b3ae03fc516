"""Measure what the installed runtimes make of small models, and say what differs from the tables of targets.

    python scripts/targets.py MODELS [--target openvino]

MODELS is a folder of ONNX files with one input ``x``. Every runtime that can be imported is run on noise of standard
deviation 1 and compared with onnxruntime: the same (to 1e-4), another value or shape, or refused. Per target the
versions and every model of which the tables say something else are printed, and the exit code is 1 where there are any.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from auditor.onnxfile import read_model
from auditor.sampling.analysis import observe
from auditor.targets.forms import OPERATORS
from auditor.targets.review import TargetReview, review
from auditor.targets.table import Effect, read_targets

Array = np.ndarray[Any, Any]
Runtime = Callable[[Path, Array], Array]

SAME = 1e-4
_OPEN = 3  # the batch where a model leaves it open


def onnxruntime(path: Path, picture: Array) -> Array:
    """The reference."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: picture})[0])


def openvino(path: Path, picture: Array) -> Array:
    """OpenVINO on the CPU in float32."""
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled([picture])[0])


def opencv(path: Path, picture: Array) -> Array:
    """The new engine of OpenCV."""
    import cv2

    net = cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_NEW)
    net.setInput(picture, "x")
    return np.asarray(net.forward())


def tract(path: Path, picture: Array) -> Array:
    """tract, without and with a concrete input."""
    import tract

    model = tract.onnx().load(str(path)).into_model().into_runnable()
    return np.asarray(model.run([picture])[0].to_numpy())


RUNTIMES: dict[str, tuple[str, Runtime]] = {
    "openvino": ("openvino", openvino),
    "opencv": ("opencv-python-headless", opencv),
    "tract": ("tract", tract),
}


def picture_for(path: Path) -> Array:
    """Noise of the shape of the input, the same for a model of the same name."""
    shape = onnx.load_model(path, load_external_data=False).graph.input[0].type.tensor_type.shape
    sizes = [dim.dim_value or _OPEN for dim in shape.dim]
    state = np.random.RandomState(zlib.crc32(path.stem.encode()) % 2**31)
    return (state.randn(*sizes) - 0.7).astype(np.float32)


def reference_for(path: Path, picture: Array) -> Array | None:
    """What onnxruntime computes; None of a model that it refuses, with which nothing can be compared."""
    try:
        return onnxruntime(path, picture)
    except Exception:  # noqa: BLE001 - whatever the reason
        return None


def measured(run: Runtime, path: Path, picture: Array, reference: Array) -> str:
    """What a runtime does: ``same``, ``differs`` with the size, or ``refused`` with the reason."""
    try:
        result = run(path, picture)
    except Exception as error:  # noqa: BLE001 - a runtime may fail in any way
        return f"refused: {' '.join(str(error).split())[:100]}"
    if result.shape != reference.shape:
        return f"differs: shape {result.shape} for {reference.shape}"
    difference = float(np.abs(result - reference).max(initial=0))
    return "same" if difference <= SAME else f"differs: by up to {difference:.2g}"


def told(judged: TargetReview) -> str:
    """What the table of a target says of a model: ``same``, ``differs``, ``refused`` or ``unknown``."""
    effects = {verdict.entry.effect for verdict in judged.verdicts}
    if Effect.REFUSED in effects:
        return "refused"
    if effects:
        return "differs"
    return "unknown" if judged.unknown or judged.uncovered else "same"


def main() -> int:
    """Run what can be imported, and print what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("--target", choices=RUNTIMES, action="append")
    chosen = parser.parse_args()
    changed = 0
    for name in chosen.target or RUNTIMES:
        distribution, run = RUNTIMES[name]
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            print(f"{name}: not installed ({distribution})")
            continue
        (target,) = read_targets([name])
        print(f"{name} {version}, table of {target.table.measured}")
        counts = {"agrees": 0, "new": 0, "changed": 0}
        for path in sorted(chosen.models.rglob("*.onnx")):
            picture = picture_for(path)
            reference = reference_for(path, picture)
            if reference is None:
                continue
            nodes = observe(read_model(path), operators=OPERATORS)[1]
            now, before = measured(run, path, picture, reference), told(review(nodes, [target]))
            kind = "new" if before == "unknown" else "agrees" if now.split(":")[0] == before else "changed"
            counts[kind] += 1
            if kind != "agrees":
                print(f"  {path.stem}: {before} in the table, now {now}")
        changed += counts["changed"]
        print("  " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main())
