"""One-node models under onnxruntime, the oracle of the shape interpreter, and strategies for their inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from onnx import AttributeProto, NodeProto, ValueInfoProto, helper, numpy_helper

from auditor.onnxfile.graph import Attribute, Node, Payload, PayloadKind, Tensor
from auditor.sampling.values import evaluate

Draw = Callable[..., Any]
Case = tuple[str, list[Any], dict[str, Any], int, int]

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


def tensor_of(value: np.ndarray[Any, Any]) -> Tensor:
    payload = Payload(PayloadKind.INLINE, value.astype(value.dtype.newbyteorder("<")).tobytes())
    return Tensor("", value.shape, helper.np_dtype_to_tensor_dtype(value.dtype), payload)


def attribute_of(proto: AttributeProto) -> Attribute:
    value = helper.get_attribute_value(proto)
    if proto.type == AttributeProto.TENSOR:
        return tensor_of(numpy_helper.to_array(value))  # noqa: TID251 - made here, no external data
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, (int, float)) else tuple(value)


def node_of(proto: NodeProto) -> Node:
    attributes = {attribute.name: attribute_of(attribute) for attribute in proto.attribute}
    return Node("", proto.op_type, proto.domain, tuple(proto.input), tuple(proto.output), attributes, 0)


def proto_of(case: Case) -> NodeProto:
    op, inputs, attributes, _, outputs = case
    names = ["" if value is None else f"i{n}" for n, value in enumerate(inputs)]
    return helper.make_node(op, names, [f"o{n}" for n in range(outputs)], **attributes)


def run(case: Case) -> list[np.ndarray[Any, Any]]:
    proto = proto_of(case)
    feeds = {f"i{n}": value for n, value in enumerate(case[1]) if value is not None}
    typed = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    graph = helper.make_graph([proto], "g", typed, [ValueInfoProto(name=name) for name in proto.output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case[3])], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, feeds)]


def agree(case: Case, tolerance: float = 0.0) -> None:
    expected = run(case)
    found = evaluate(node_of(proto_of(case)), case[1], case[3])
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours is not None, case
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), case
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=str(case))


def arrays(
    draw: Draw, shape: Sequence[int], dtype: str = "int64", low: int = -9, high: int = 9
) -> np.ndarray[Any, Any]:
    count = int(np.prod(shape))
    if dtype == "bool":
        return np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool).reshape(shape)
    low = 0 if dtype.startswith("u") else low
    values = np.array(draw(st.lists(st.integers(low * 4, high * 4), min_size=count, max_size=count)), np.float64)
    return (values / 4).astype(dtype).reshape(shape)


shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)
solid = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
numeric = st.sampled_from(["int64", "int32", "float32", "float64"])


def pair(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = draw(shapes)
    other = tuple(draw(st.sampled_from([size, 1])) for size in shape)[draw(st.integers(0, len(shape))) :]
    return (shape, other) if draw(st.booleans()) else (other, shape)


def axis(draw: Draw, rank: int) -> int:
    return int(draw(st.integers(-rank, rank - 1)))


def some_axes(draw: Draw, rank: int) -> list[int]:
    chosen = draw(st.lists(st.integers(0, rank - 1), unique=True, min_size=1))
    return [a - rank if draw(st.booleans()) else a for a in chosen]


def longs(values: Sequence[int]) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def moved(attributes: dict[str, Any], name: str, value: Sequence[int], opset: int, since: int) -> list[Any]:
    """``value`` as an input from opset ``since`` on, as an attribute before."""
    if opset >= since:
        return [longs(value)]
    attributes[name] = list(value)
    return []
