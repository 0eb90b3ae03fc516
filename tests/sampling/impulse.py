"""The impulse-response oracle: what an operator does to a grid, measured by running it under onnxruntime.

A model is run on an all-zero input and on inputs with one line of ones (every channel, every position of the other
axes); the differences make a matrix ``D[output index, input index]`` per grid axis. Its centre of mass along the input
is ``S * o + O``, the span of its non-zero entries the window. Weights must be uniform, so that the centre of mass is
the centre of the window.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, reject, settings
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.sampling import Analysis, analyse
from auditor.sampling.result import Lattice

Array = np.ndarray[Any, Any]

quick = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
quiet = onnxruntime.SessionOptions()
quiet.log_severity_level = 4
quiet.intra_op_num_threads = 1
quiet.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any) -> NodeProto:
    """``helper.make_node`` without the attributes that are None."""
    given = {name: value for name, value in attributes.items() if value is not None}
    return helper.make_node(op, list(inputs), list(outputs), domain=domain, **given)


def build(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str | None],
    constants: Mapping[str, Array] | None = None,
    opset: int = 19,
    dtype: type = np.float32,
    outputs: Sequence[str] = ("y",),
    **graph: Any,
) -> ModelProto:
    """A model that reads ``x`` and gives ``outputs``; every domain of its nodes is imported."""
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    domains = {proto.domain for proto in nodes if proto.domain}
    functions = graph.pop("functions", [])
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", element, shape), *graph.pop("inputs", [])],
            [ValueInfoProto(name=name) for name in outputs],
            stored,
        ),
        opset_imports=[helper.make_opsetid("", opset), *[helper.make_opsetid(name, 1) for name in sorted(domains)]],
        ir_version=8,
        functions=functions,
    )


def audit(model: ModelProto, shapes: Mapping[str, Sequence[int]] | None = None) -> Analysis:
    """The analysis of a model as the tool makes it: from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return analyse(read_model(path), shapes)


def shape_of(found: Analysis, name: str) -> tuple[int, ...] | None:
    """The sizes of a main-graph tensor as the analysis computed them."""
    return found.shapes.get(name)


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Measured:
    """What the impulses say of one axis. ``span`` is the widest window; None where too few outputs are interior."""

    size: int
    stride: Fraction | None
    offset: Fraction | None
    span: int | None


class Impulses:
    """A model under onnxruntime, asked with impulses. ``shape`` is what ``x`` is given."""

    def __init__(self, model: ModelProto, shape: Sequence[int], dtype: type = np.float32, output: str = "y") -> None:
        self._session = session(model)
        self._shape = tuple(shape)
        self._dtype = dtype
        self._output = output
        self.zero = self.run(np.zeros(self._shape, dtype))
        self.shape = self.zero.shape

    def run(self, x: Array) -> Array:
        return np.asarray(self._session.run([self._output], {"x": x})[0])

    def matrix(self, source: int, target: int) -> Array:
        """``D[output index along target, input index along source]``, summed over all other output axes."""
        columns = []
        for index in range(self._shape[source]):
            x: Array = np.zeros(self._shape, self._dtype)
            x[(slice(None),) * source + (index,)] = 1
            change = np.abs(self.run(x).astype(np.float64) - self.zero)
            columns.append(change.sum(axis=tuple(axis for axis in range(change.ndim) if axis != target)))
        return np.stack(columns, axis=1)


def measure(matrix: Array, period: int = 1, margin: int = 1) -> Measured:
    """Stride, offset and window from the outputs whose windows stay ``margin`` samples away from the borders.

    ``period`` is the number of output phases that may differ: the stride is taken over whole periods, and the offset is
    the mean over one.
    """
    outputs, length = matrix.shape
    threshold = 1e-6 * max(matrix.max(), 1e-9)
    centres: dict[int, float] = {}
    spans = []
    for output in range(outputs):
        taps = np.flatnonzero(matrix[output] > threshold)
        if taps.size == 0 or taps[0] < margin or taps[-1] >= length - margin:
            continue
        weights = matrix[output, taps]
        centres[output] = float((taps * weights).sum() / weights.sum())
        spans.append(int(taps[-1] - taps[0] + 1))
    starts = [first for first in centres if first + period in centres]
    if not starts:
        return Measured(outputs, None, None, max(spans, default=None))
    slopes = [(centres[first + period] - centres[first]) / period for first in starts]
    assert max(slopes) - min(slopes) < 1e-4, f"not a lattice: {slopes}"
    stride = Fraction(float(np.mean(slopes))).limit_denominator(4096)
    whole = next((f for f in starts if all(f + step in centres for step in range(period))), None)
    if whole is None:
        return Measured(outputs, stride, None, max(spans))
    offset = np.mean([centres[whole + step] - float(stride) * (whole + step) for step in range(period)])
    return Measured(outputs, stride, Fraction(float(offset)).limit_denominator(4096), max(spans))


def hold(
    model: ModelProto,
    shape: Sequence[int],
    axes: Mapping[int, int],
    *,
    period: Mapping[int, int] | None = None,
    margin: int = 1,
    dtype: type = np.float32,
    tight: bool | None = True,
    output: str = "y",
    analysis: Analysis | None = None,
) -> Analysis:
    """Asserts that the analysis of ``model`` agrees with its impulses. ``axes`` maps input axes to output axes.

    ``tight``: the receptive field must be exact; False: an upper bound; None: behind an upsampling it is a convention.
    An example that onnxruntime does not accept is rejected.
    """
    try:
        oracle = Impulses(model, shape, dtype, output)
    except Exception:  # noqa: BLE001 - onnxruntime has no common error type; what it refuses is no example
        reject()
    found = audit(model) if analysis is None else analysis
    assert not found.untracked, found.untracked
    assert shape_of(found, output) == oracle.shape
    for source, target in axes.items():
        measured = measure(oracle.matrix(source, target), (period or {}).get(source, 1), margin)
        agree(found.tensors[output][target], measured, tight=tight)
    return found


def agree(lattice: Lattice | None, measured: Measured, *, tight: bool | None = True) -> None:
    """Asserts that a predicted lattice is the measured one, as far as enough interior outputs could be measured."""
    if measured.size == 1:
        return
    assert lattice is not None, measured
    assert lattice.size == measured.size
    if measured.stride is not None:
        assert float(lattice.stride) == close(measured.stride), (lattice, measured)
    if measured.offset is not None:
        assert float(lattice.offset) == close(measured.offset), (lattice, measured)
    if measured.span is not None and tight is not None:
        assert lattice.receptive_field >= measured.span, (lattice, measured)
        if tight and measured.offset is not None:
            assert lattice.receptive_field == measured.span, (lattice, measured)


def spot(lattice: Lattice | None) -> tuple[float, float, int]:
    """Stride, offset and size of an axis that must be a grid axis."""
    assert lattice is not None
    return float(lattice.stride), float(lattice.offset), lattice.size


def close(value: Fraction) -> Any:
    """Equality within float32 rounding of a Resize scale; everything else is exact to 1e-5 anyway."""
    return pytest.approx(float(value), abs=2e-4)


def float_info(name: str, shape: Sequence[int | str | None]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
