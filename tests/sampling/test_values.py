"""The shape interpreter against onnxruntime: the same one-node model, the same inputs, the same answer."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, ValueInfoProto, helper, numpy_helper
from onnx.onnx_pb import NodeProto

from auditor.onnxfile.graph import Attribute, Node, Payload, PayloadKind, Reference, Tensor
from auditor.sampling.values import MAX_ELEMENTS, OPERATORS, evaluate, shape_of, size_of

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


def node(op: str, inputs: int = 0, outputs: int = 1, **attributes: Attribute) -> Node:
    names = tuple(f"i{n}" for n in range(inputs))
    return Node("", op, "", names, tuple(f"o{n}" for n in range(outputs)), attributes, 0)


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


@pytest.mark.parametrize(
    "op", ["Add", "Sub", "Mul", "Div", "Mod", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"]
)
@quick
@given(data=st.data())
def test_arithmetic_and_comparison_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    draw = data.draw
    left, right = pair(draw)
    dtype = draw(numeric)
    fmod = {"fmod": 1} if op == "Mod" and (dtype.startswith("f") or draw(st.booleans())) else {}
    divisor = arrays(draw, right, dtype)
    if op in ("Div", "Mod"):
        divisor[divisor == 0] = 3
    agree((op, [arrays(draw, left, dtype), divisor], fmod, draw(st.sampled_from([13, 17, 21])), 1))


@quick
@given(data=st.data())
def test_powers_are_those_of_the_runtime(data: st.DataObject) -> None:
    left, right = pair(data.draw)
    base = np.asarray(np.abs(arrays(data.draw, left, data.draw(numeric))))
    exponent = arrays(data.draw, right, data.draw(st.sampled_from(["int64", base.dtype.name])), 0, 4)
    agree(("Pow", [base, exponent], {}, 15, 1), 1e-6)


@pytest.mark.parametrize(
    "op", ["Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Sqrt", "Exp", "Log", "Reciprocal", "IsNaN", "IsInf"]
)
@quick
@given(data=st.data())
def test_unary_functions_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    dtype = data.draw(numeric if op in ("Neg", "Abs", "Sign") else st.sampled_from(["float32", "float64"]))
    value = arrays(data.draw, data.draw(shapes), "float32" if op == "Reciprocal" else dtype)
    if op in ("IsNaN", "IsInf"):
        value[value > 5], value[value < -5], value[value == 0] = np.inf, -np.inf, np.nan
    agree((op, [value], {}, 13, 1), 1e-6 if op in ("Exp", "Log") else 0)


@pytest.mark.parametrize("op", ["Min", "Max", "Sum", "Mean"])
@quick
@given(data=st.data())
def test_variadic_functions_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    dtype = data.draw(numeric) if op in ("Min", "Max") else "float32"
    left, right = pair(data.draw)
    values = [arrays(data.draw, shape, dtype) for shape in (left, right, left)]
    agree((op, values[: data.draw(st.integers(1, 3))], {}, 13, 1), 1e-6 if op == "Mean" else 0)


@quick
@given(data=st.data())
def test_clip_takes_its_bounds_from_attributes_or_inputs(data: st.DataObject) -> None:
    draw = data.draw
    if draw(st.booleans()):
        agree(
            (
                "Clip",
                [arrays(draw, draw(shapes), "float32")],
                draw(st.sampled_from([{"min": -2.0}, {"min": 0.0, "max": 3.5}, {}])),
                9,
                1,
            )
        )
        return
    dtype = draw(numeric)
    low = draw(st.sampled_from([None, np.array(-2, dtype)]))
    agree(("Clip", [arrays(draw, draw(shapes), dtype), low, np.array(5, dtype)], {}, 13, 1))


@pytest.mark.parametrize("op", ["And", "Or", "Xor", "Not"])
@quick
@given(data=st.data())
def test_logic_is_that_of_the_runtime(op: str, data: st.DataObject) -> None:
    values = [arrays(data.draw, shape, "bool") for shape in pair(data.draw)]
    agree((op, values[: 1 if op == "Not" else 2], {}, 13, 1))


@quick
@given(data=st.data())
def test_where_broadcasts_all_three_inputs(data: st.DataObject) -> None:
    left, right = pair(data.draw)
    dtype = data.draw(numeric.filter(lambda name: name != "float64"))
    agree(
        (
            "Where",
            [arrays(data.draw, left, "bool"), arrays(data.draw, right, dtype), arrays(data.draw, left, dtype)],
            {},
            16,
            1,
        )
    )


@quick
@given(data=st.data())
def test_bit_shifts_are_those_of_the_runtime(data: st.DataObject) -> None:
    left, right = pair(data.draw)
    values = [arrays(data.draw, left, "uint32"), arrays(data.draw, right, "uint32")]
    agree(("BitShift", values, {"direction": data.draw(st.sampled_from(["LEFT", "RIGHT"]))}, 13, 1))


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean"])
@quick
@given(data=st.data())
def test_reductions_take_axes_as_attribute_or_input(op: str, data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(
        draw,
        draw(solid),
        draw(
            st.sampled_from(
                ["int32", "float32"] if op in ("ReduceProd", "ReduceMean") else ["int64", "int32", "float32"]
            )
        ),
    )
    opset = draw(st.sampled_from([11, 13, 18, 21]))
    attributes: dict[str, Any] = {"keepdims": draw(st.integers(0, 1))}
    inputs = [value]
    since = 13 if op == "ReduceSum" else 18
    if draw(st.booleans()):
        inputs += moved(attributes, "axes", some_axes(draw, value.ndim), opset, since)
    elif opset >= since:
        attributes["noop_with_empty_axes"] = draw(st.integers(0, 1))
    agree((op, inputs, attributes, opset, 1), 1e-5 if value.dtype.kind == "f" else 0)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@quick
@given(data=st.data())
def test_places_of_extrema_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), data.draw(st.sampled_from(["int32", "float32"])), -2, 2)
    keep, last = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))
    agree((op, [value], {"axis": axis(data.draw, value.ndim), "keepdims": keep, "select_last_index": last}, 13, 1))


@quick
@given(data=st.data())
def test_running_sums_go_both_ways_and_may_leave_out_their_element(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), data.draw(numeric))
    attributes = {"exclusive": data.draw(st.integers(0, 1)), "reverse": data.draw(st.integers(0, 1))}
    agree(("CumSum", [value, np.array(axis(data.draw, value.ndim), np.int64)], attributes, 14, 1))


@quick
@given(data=st.data())
def test_top_k_puts_the_first_of_equals_first(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), data.draw(st.sampled_from(["int64", "float32"])), -2, 2)
    along = axis(data.draw, value.ndim)
    count = data.draw(st.integers(1, value.shape[along]))
    agree(("TopK", [value, longs([count])], {"axis": along, "largest": data.draw(st.integers(0, 1))}, 13, 2))


@quick
@given(data=st.data())
def test_compress_keeps_the_marked_slices(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid))
    along = axis(data.draw, value.ndim)
    flat = data.draw(st.booleans())
    length = value.size if flat else value.shape[along]
    marks = arrays(data.draw, (data.draw(st.integers(0, length)),), "bool")
    agree(("Compress", [value, marks], {} if flat else {"axis": along}, 11, 1))


@quick
@given(data=st.data())
def test_slices_clamp_their_bounds_in_both_directions(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid))
    opset = draw(st.sampled_from([9, 11, 13]))
    axes = some_axes(draw, value.ndim)
    count = len(axes)
    bound = st.one_of(st.integers(-6, 6), st.sampled_from([2**62, -(2**62), 2**63 - 1, 2**31 - 1, -(2**31)]))
    starts, ends = (draw(st.lists(bound, min_size=count, max_size=count)) for _ in range(2))
    attributes: dict[str, Any] = {}
    inputs = [value, *moved(attributes, "starts", starts, opset, 10), *moved(attributes, "ends", ends, opset, 10)]
    inputs += moved(attributes, "axes", axes, opset, 10)
    if opset >= 10 and draw(st.booleans()):
        inputs.append(longs(draw(st.lists(st.sampled_from([1, 2, -1, -2, 7]), min_size=count, max_size=count))))
    agree(("Slice", inputs, attributes, opset, 1))


@quick
@given(data=st.data())
def test_gather_picks_with_indices_from_either_end(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid), draw(numeric))
    along = axis(draw, value.ndim)
    size = value.shape[along]
    indices = np.asarray(arrays(draw, draw(shapes), "int64") % (2 * size) - size, np.int64)
    agree(("Gather", [value, indices], {"axis": along}, 13, 1))


@quick
@given(data=st.data())
def test_gather_and_scatter_elements_are_those_of_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid), "float32")
    along = axis(draw, value.ndim)
    shape = [size if a == along % value.ndim else draw(st.integers(1, size)) for a, size in enumerate(value.shape)]
    size = value.shape[along]
    indices = np.asarray(arrays(draw, shape, "int64") % (2 * size) - size, np.int64)
    agree(("GatherElements", [value, indices], {"axis": along}, 13, 1))
    reduction = draw(st.sampled_from(["none", "add", "mul", "max", "min"]))
    updates = arrays(draw, shape, "float32")
    if reduction == "none":
        updates[...] = 7  # which of two updates of one place wins is not defined
    agree(("ScatterElements", [value, indices, updates], {"axis": along, "reduction": reduction}, 18, 1), 1e-6)
    updates[...] = 7
    agree(("Scatter", [value, indices, updates], {"axis": along}, 10, 1))


@quick
@given(data=st.data())
def test_gather_and_scatter_nd_are_those_of_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(st.lists(st.integers(1, 3), min_size=2, max_size=4).map(tuple)), "float32")
    batch = draw(st.integers(0, 1))
    depth = draw(st.integers(1, value.ndim - batch))
    outer = (*value.shape[:batch], *draw(st.lists(st.integers(1, 3), max_size=2)))
    if batch == 1 and len(outer) == 0:
        return
    indices = np.stack([arrays(draw, outer, "int64") % (2 * n) - n for n in value.shape[batch : batch + depth]], -1)
    agree(("GatherND", [value, indices], {"batch_dims": batch}, 13, 1))
    if batch == 0:
        reduction = draw(st.sampled_from(["none", "add", "mul", "max", "min"]))
        updates = arrays(draw, indices.shape[:-1] + value.shape[depth:], "float32")
        if reduction == "none":
            updates[...] = 7
        agree(("ScatterND", [value, indices, updates], {"reduction": reduction}, 18, 1), 1e-6)


@quick
@given(data=st.data())
def test_concat_and_split_are_each_others_inverse_as_in_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid))
    along = axis(draw, value.ndim)
    agree(("Concat", [value, value, value], {"axis": along}, 13, 1))
    length = value.shape[along]
    first = draw(st.integers(0, length))
    opset = draw(st.sampled_from([11, 13, 18]))
    attributes: dict[str, Any] = {"axis": along}
    agree(("Split", [value, *moved(attributes, "split", [first, length - first], opset, 13)], attributes, opset, 2))
    if length > 2:
        agree(("Split", [value], {"axis": along, "num_outputs": 2}, 18, 2))


@quick
@given(data=st.data())
def test_squeeze_and_unsqueeze_take_axes_as_attribute_or_input(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(shapes))
    opset = draw(st.sampled_from([11, 13, 21]))
    attributes: dict[str, Any] = {}
    added = some_axes(draw, value.ndim + 1)
    rank = value.ndim + len(added)
    added = sorted({a % rank for a in added})
    if len(added) + value.ndim != rank:
        return
    signed = [a - rank if draw(st.booleans()) else a for a in added]
    agree(("Unsqueeze", [value, *moved(attributes, "axes", signed, opset, 13)], attributes, opset, 1))
    wide = np.expand_dims(value, added)
    agree(("Squeeze", [wide, *moved(attributes, "axes", signed, opset, 13)], attributes, opset, 1))
    agree(("Squeeze", [wide], {}, opset, 1))


@quick
@given(data=st.data())
def test_reshape_copies_zeros_and_infers_minus_one(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid))
    agree(("Reshape", [value, longs([0, -1][: value.ndim])], {}, 13, 1))
    agree(("Reshape", [value, longs([-1, 1, value.shape[-1]])], {"allowzero": draw(st.integers(0, 1))}, 14, 1))
    agree(("Flatten", [value], {"axis": axis(draw, value.ndim)}, 13, 1))
    agree(("Transpose", [value], {"perm": draw(st.permutations(range(value.ndim)))}, 13, 1))
    agree(("Transpose", [value], {}, 13, 1))


@quick
@given(data=st.data())
def test_expand_and_tile_repeat(data: st.DataObject) -> None:
    draw = data.draw
    shape, other = pair(draw)
    value = arrays(draw, shape, draw(numeric))
    agree(("Expand", [value, longs(other)], {}, 13, 1))
    agree(("Tile", [value, longs([draw(st.integers(0, 3)) for _ in shape])], {}, 13, 1))


@quick
@given(data=st.data())
def test_pad_adds_and_crops(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(st.lists(st.integers(3, 5), min_size=1, max_size=3).map(tuple)), "float32")
    opset = draw(st.sampled_from([9, 11, 18]))
    axes = some_axes(draw, value.ndim) if opset >= 18 else list(range(value.ndim))
    pads = [draw(st.integers(-1, 3)) for _ in range(2 * len(axes))]
    attributes: dict[str, Any] = {} if opset >= 11 else {"value": 2.0}
    inputs = [value, *moved(attributes, "pads", pads, opset, 11)]
    if opset >= 11:
        inputs.append(np.array(2, np.float32))
    agree(("Pad", [*inputs, longs(axes)] if opset >= 18 else inputs, attributes, opset, 1))


@quick
@given(data=st.data())
def test_triangles_and_unit_matrices_are_those_of_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(
        draw, (draw(st.integers(1, 4)), draw(st.integers(1, 4))), draw(st.sampled_from(["int64", "float32"]))
    )
    offset = draw(st.integers(-5, 5))
    agree(("Trilu", [value, np.array(offset, np.int64)], {"upper": draw(st.integers(0, 1))}, 14, 1))
    agree(("EyeLike", [value], {"k": draw(st.integers(-1, 1))}, 9, 1))


@quick
@given(data=st.data())
def test_one_hot_counts_indices_from_either_end(data: st.DataObject) -> None:
    draw = data.draw
    indices = arrays(draw, draw(solid), "int64", -4, 4)
    along = axis(draw, indices.ndim + 1)
    agree(("OneHot", [indices, longs([3]), np.array([5, 7], np.int64)], {"axis": along}, 11, 1))


@quick
@given(data=st.data())
def test_ranges_count_as_the_runtime_does(data: st.DataObject) -> None:
    draw = data.draw
    dtype = draw(numeric)
    start, limit = (np.array(draw(st.integers(-20, 20)), dtype) for _ in range(2))
    step = np.array(draw(st.integers(-4, 4).filter(bool)), dtype)
    if dtype.startswith("f"):
        step = step / step.dtype.type(2)
    agree(("Range", [start, limit, np.asarray(step)], {}, 11, 1))


@pytest.mark.parametrize(
    "target",
    ["bool", "uint8", "int8", "uint16", "int16", "int32", "int64", "uint32", "uint64", "float16", "float32", "float64"],
)
@quick
@given(data=st.data())
def test_casts_truncate_and_wrap_as_the_runtime_does(target: str, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(["int64", "int32", "float32", "float64", "bool", "uint8"]))
    low = 0 if source.startswith("f") and target.startswith("u") else -300
    high = 30 if target == "int8" else 60
    value = arrays(data.draw, data.draw(shapes), source, max(low, -30 if source.startswith("f") else low), high)
    agree(("Cast", [value], {"to": helper.np_dtype_to_tensor_dtype(np.dtype(target))}, 13, 1))
    agree(("CastLike", [value, np.zeros(1, target)], {}, 15, 1))


@quick
@given(data=st.data())
def test_constants_come_in_every_spelling(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(
        draw, draw(shapes), draw(st.sampled_from(["int64", "int32", "float32", "float64", "bool", "float16"]))
    )
    agree(("Constant", [], {"value": numpy_helper.from_array(value)}, 13, 1))
    agree(
        (
            "Constant",
            [],
            draw(
                st.sampled_from(
                    [{"value_int": -3}, {"value_ints": [1, 2]}, {"value_float": 0.1}, {"value_floats": [0.1, 2.0]}]
                )
            ),
            13,
            1,
        )
    )
    fill = (
        {"value": numpy_helper.from_array(value.reshape(-1)[:1])}
        if draw(st.booleans()) and value.dtype != np.float16
        else {}
    )
    agree(("ConstantOfShape", [longs(value.shape)], fill, 9, 1))


@quick
@given(data=st.data())
def test_shape_size_nonzero_and_pass_through_are_those_of_the_runtime(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), "float32", -1, 1)
    ends = {"start": data.draw(st.integers(-5, 5)), "end": data.draw(st.integers(-5, 5))}
    agree(("Shape", [value], ends, 15, 1))
    agree(("Shape", [value], {}, 13, 1))
    for op in ("Size", "NonZero", "Identity", "Dropout"):
        agree((op, [value], {}, 13, 1))


def test_every_operator_is_held_against_the_runtime() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert {op for op in OPERATORS if f'"{op}"' not in text} == set()


def test_the_shape_of_a_partly_known_tensor_is_known_where_its_sizes_are() -> None:
    assert shape_of((None, 3, 8)) is None
    known = shape_of((None, 3, 8), -2)
    assert known is not None
    assert known.tolist() == [3, 8]
    assert size_of((None, 3)) is None
    assert size_of((2**40, 2**40)) is None
    size = size_of((2, 3))
    assert size is not None
    assert (size.dtype.name, size.shape, int(size)) == ("int64", (), 6)


HUGE = 2**40
REQUESTS: Mapping[str, tuple[Node, list[Any], int]] = {
    "a huge constant": (node("ConstantOfShape", 1), [longs([HUGE])], 9),
    "a negative shape": (node("ConstantOfShape", 1), [longs([-1, 4])], 9),
    "a constant with a false size": (
        node("Constant", value=Tensor("", (HUGE,), 7, Payload(PayloadKind.INLINE, b"12345678"))),
        [],
        13,
    ),
    "a constant of a million axes": (node("ConstantOfShape", 1), [np.ones(60000, np.int64)], 9),
    "a long range": (node("Range", 3), [np.array(v, np.int64) for v in (0, HUGE, 1)], 11),
    "an endless range": (node("Range", 3), [np.array(v, np.float32) for v in (0, np.inf, 1)], 11),
    "a range without a step": (node("Range", 3), [np.array(v, np.int64) for v in (0, 5, 0)], 11),
    "a huge expansion": (node("Expand", 2), [longs([1]), longs([HUGE, 1])], 13),
    "a huge tiling": (node("Tile", 2), [longs([1]), longs([HUGE])], 13),
    "an outer sum": (node("Add", 2), [np.ones((60000, 1)), np.ones((1, 60000))], 13),
    "an outer choice": (node("Where", 3), [np.ones((60000, 1), bool), np.ones((1, 60000)), np.ones(())], 13),
    "a gather of many rows": (node("Gather", 2, axis=1), [np.ones((300, 2)), np.zeros(60000, np.int64)], 13),
    "a deep one-hot": (node("OneHot", 3), [longs([1]), longs([HUGE]), longs([0, 1])], 11),
    "a wide pad": (node("Pad", 2), [np.ones(3, np.float32), longs([HUGE, 0])], 13),
    "a hidden triangle": (node("Trilu", 1), [np.ones((0, 60000, 60000))], 14),
    "a sum that uncovers a huge axis": (node("ReduceSum", 2), [np.ones((HUGE, 0)), longs([1])], 13),
    "a value that is too large": (node("Identity", 1), [np.ones(MAX_ELEMENTS + 1)], 13),
    "an integer division by zero": (node("Div", 2), [longs([1]), longs([0])], 13),
    "an integer modulus of zero": (node("Mod", 2), [longs([1]), longs([0])], 13),
    "mixed element types": (node("Add", 2), [longs([1]), np.ones(1, np.float32)], 13),
    "a cast of nan": (node("Cast", 1, to=7), [np.array([np.nan])], 13),
    "a cast out of range": (node("Cast", 1, to=6), [np.array([3e9])], 13),
    "a cast to strings": (node("Cast", 1, to=8), [longs([1])], 13),
    "an index out of range": (node("Gather", 2), [longs([1]), longs([5])], 13),
    "a slice that goes nowhere": (node("Slice", 5), [longs([1]), longs([0]), longs([1]), longs([0]), longs([0])], 13),
    "a reshape that does not fit": (node("Reshape", 2), [longs([1, 2]), longs([3])], 13),
    "a reference that nobody resolved": (node("Gather", 2, axis=Reference("axis")), [longs([1]), longs([0])], 13),
    "an attribute of another kind": (node("Concat", 1, axis="no"), [longs([1])], 13),
    "an axis past every integer": (node("Concat", 1, axis=10**30), [longs([1])], 13),
    "an unknown operator": (node("Mystery", 1), [longs([1])], 13),
    "strings": (node("Identity", 1), [np.array(["a"])], 13),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_what_cannot_be_computed_is_unknown_at_once(request_: tuple[Node, list[Any], int]) -> None:
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate(*request_) == (None,)
    assert time.perf_counter() - started < 1


def test_an_unknown_input_makes_every_output_unknown() -> None:
    assert evaluate(node("Split", 2, 3), [None, longs([1, 2, 3])], 13) == (None, None, None)


hostile_values = st.one_of(
    st.none(),
    st.builds(np.array, st.integers(-(2**63), 2**63 - 1), st.just(np.int64)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(longs),
    st.lists(st.floats(width=32), max_size=4).map(lambda v: np.array(v, np.float32)),
    st.lists(st.booleans(), max_size=4).map(lambda v: np.array(v, bool)),
    st.sampled_from([np.zeros((0, 3)), np.ones((2, 3, 4)), np.ones((256, 256), np.int32), np.array(2**62)]),
)
hostile_attributes = st.dictionaries(
    st.sampled_from(
        [
            "axis",
            "axes",
            "k",
            "to",
            "value",
            "perm",
            "mode",
            "pads",
            "split",
            "batch_dims",
            "keepdims",
            "reduction",
            "start",
        ]
    ),
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.text(max_size=3),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(tuple),
        st.builds(
            Tensor,
            st.just(""),
            st.lists(st.integers(-3, HUGE), max_size=3).map(tuple),
            st.integers(0, 30),
            st.just(Payload(PayloadKind.INLINE, b"abcdefgh")),
        ),
    ),
    max_size=3,
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    op=st.sampled_from(sorted(OPERATORS)),
    inputs=st.lists(hostile_values, max_size=5),
    attributes=hostile_attributes,
    opset=st.integers(-1, 30),
    outputs=st.integers(0, 3),
)
def test_no_model_makes_the_interpreter_raise_or_grow(
    op: str, inputs: list[Any], attributes: dict[str, Any], opset: int, outputs: int
) -> None:
    names = tuple("" if value is None else "x" for value in inputs)
    hostile = Node("", op, "", names, ("y",) * outputs, attributes, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = evaluate(hostile, inputs, opset)
    assert len(results) == outputs
    assert all(value is None or value.size <= MAX_ELEMENTS for value in results)
