"""Models of one node, and what it takes to lower and run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.portable.result import Lowered
from auditor.rewrite.portable.run import lower
from auditor.sampling.analysis import observe
from auditor.targets.forms import OPERATORS
from auditor.targets.review import faults
from auditor.targets.table import read_targets, target_names

Array = NDArray[Any]
ANY_COST = 1e9


def one_node(
    op: str,
    shape: Sequence[int | str],
    opset: int,
    constants: Mapping[str, Array],
    inputs: Sequence[str] = ("x",),
    kind: int = 1,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model with one node called ``node`` between ``x`` and ``y``."""
    node = helper.make_node(op, list(inputs), ["y"], "node", **attributes)
    weights = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_tensor_value_info("y", kind, [None] * len(shape))],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def lowered(
    model: onnx.ModelProto, folder: Path, targets: Sequence[str] = (), most: float = ANY_COST
) -> tuple[Path, Lowered]:
    """The file of the lowered model, and what was done."""
    source, target = folder / "source.onnx", folder / "portable.onnx"
    target.unlink(missing_ok=True)
    source.write_bytes(model.SerializeToString())
    read = read_model(source)
    analysis, nodes = observe(read, operators=OPERATORS)
    return target, lower(read, analysis, nodes, read_targets(targets or target_names()), target, most=most)


def against(path: Path, targets: Sequence[str] = ()) -> set[tuple[str, str]]:
    """The targets and forms that the tables speak against in a file."""
    nodes = observe(read_model(path), operators=OPERATORS)[1]
    found = [fault for node in nodes for fault in faults(node, read_targets(targets or target_names()))]
    return {(fault.target.name, fault.form.name) for fault in found}


def answer(model: onnx.ModelProto | Path, picture: Array) -> Array | None:
    """What onnxruntime computes, None where it refuses the model."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    try:
        session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {"x": picture})[0])
    except Exception:  # noqa: BLE001 - whatever the reason
        return None


def noise(shape: Sequence[int], seed: int = 0) -> Array:
    """Noise with a mean below zero, so that padding with zeros is seen by a maximum."""
    return (np.random.default_rng(seed).standard_normal(shape) - 0.7).astype(np.float32)


def distance(one: Array, other: Array) -> float:
    """The largest difference as a share of the range."""
    assert one.shape == other.shape
    spread = float(np.ptp(one)) or max(float(np.abs(one).max()), 1.0)
    return float(np.abs(one - other).max()) / spread
