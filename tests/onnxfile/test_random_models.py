"""Random models arrive as onnx itself reads them, and random damage never does more than ModelFileError."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from auditor.onnxfile import ModelFileError, read_model, read_tensor, walk
from auditor.onnxfile.graph import Attribute, Graph, Model, Node, Reference, Tensor, Unsupported
from tests.onnxfile.build import function, graph, model, save
from tests.work import calls

NAMES = st.text(max_size=6)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32, allow_nan=False)
DTYPES = [
    "float32",
    "float64",
    "float16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
]
SHAPES = st.lists(st.integers(0, 4), max_size=3)


@st.composite
def tensors(draw: st.DrawFn, name: str = "") -> TensorProto:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(SHAPES)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    noise = generator.integers(0, 256, int(np.prod(shape)) * dtype.itemsize, np.uint8)
    values: NDArray[Any] = noise % 2 != 0 if dtype.kind == "b" else np.nan_to_num(noise.view(dtype))
    raw = draw(st.booleans())
    number = helper.np_dtype_to_tensor_dtype(dtype)
    return helper.make_tensor(name, number, shape, values.tobytes() if raw else values.reshape(shape), raw)


@st.composite
def attributes(draw: st.DrawFn, name: str, depth: int) -> AttributeProto:
    values = [
        (AttributeProto.INT, INT64),
        (AttributeProto.FLOAT, FLOATS),
        (AttributeProto.STRING, NAMES),
        (AttributeProto.INTS, st.lists(INT64, max_size=4)),
        (AttributeProto.FLOATS, st.lists(FLOATS, max_size=4)),
        (AttributeProto.STRINGS, st.lists(NAMES, max_size=3)),
        (AttributeProto.TENSOR, tensors()),
    ]
    if depth:
        values.append((AttributeProto.GRAPH, graphs(depth - 1)))
        values.append((AttributeProto.GRAPHS, st.lists(graphs(depth - 1), max_size=2)))
    kind, strategy = draw(st.sampled_from(values))
    return helper.make_attribute(name, draw(strategy), attr_type=kind)


@st.composite
def nodes(draw: st.DrawFn, depth: int) -> NodeProto:
    node = helper.make_node(
        draw(st.sampled_from(["Conv", "If", "Block", "Constant"])),
        draw(st.lists(NAMES, max_size=3)),
        draw(st.lists(NAMES, max_size=2)),
        name=draw(NAMES),
        domain=draw(st.sampled_from(["", "ai.onnx", "local", "com.microsoft"])),
    )
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    node.attribute.extend(draw(attributes(name, depth)) for name in names)
    return node


def graphs(depth: int) -> st.SearchStrategy[GraphProto]:
    names = st.lists(NAMES, max_size=2, unique=True)
    initializers = names.flatmap(lambda found: st.tuples(*(tensors(name) for name in found)))
    return st.builds(graph, st.lists(nodes(depth), max_size=3), initializers)


@st.composite
def models(draw: st.DrawFn) -> ModelProto:
    block = function("Block", draw(st.lists(nodes(1), max_size=2)), ["a"], {"b": draw(st.integers(0, 9))})
    block.node.add(op_type="MaxPool").attribute.add(name="strides", ref_attr_name="a", type=AttributeProto.INTS)
    proto = model([], functions=[block])
    proto.graph.CopyFrom(draw(graphs(2)))
    return proto


def domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def check_tensor(read: Model, tensor: Tensor, proto: TensorProto) -> None:
    assert (tensor.name, tensor.dims, tensor.dtype) == (proto.name, tuple(proto.dims), proto.data_type)
    values = read_tensor(read, tensor, 1 << 20)
    expected = onnx.numpy_helper.to_array(proto)  # noqa: TID251 - the oracle, on a model of our own
    assert values is not None
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)


def check_attribute(read: Model, value: Attribute, proto: AttributeProto) -> None:
    if proto.ref_attr_name:
        assert value == Reference(proto.ref_attr_name)
    elif proto.type == AttributeProto.TENSOR:
        assert isinstance(value, Tensor)
        check_tensor(read, value, proto.t)
    elif proto.type == AttributeProto.GRAPH:
        assert isinstance(value, Graph)
        check_graph(read, value, proto.g)
    elif proto.type == AttributeProto.GRAPHS:
        assert isinstance(value, tuple)
        assert len(value) == len(proto.graphs)
        for part, written in zip(value, proto.graphs, strict=True):
            assert isinstance(part, Graph)
            check_graph(read, part, written)
    else:
        assert not isinstance(value, Unsupported)
        assert value == plain(helper.get_attribute_value(proto))


def plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, (bytes, str)):
        return tuple(plain(item) for item in value)
    return value.decode() if isinstance(value, bytes) else value


def check_nodes(read: Model, found: Sequence[Node], written: Sequence[NodeProto]) -> None:
    assert len(found) == len(written)
    for index, (node, proto) in enumerate(zip(found, written, strict=True)):
        assert (node.name, node.op, node.domain) == (proto.name, proto.op_type, domain(proto.domain))
        assert (node.inputs, node.outputs) == (tuple(proto.input), tuple(proto.output))
        assert (node.index, list(node.attributes)) == (index, [attribute.name for attribute in proto.attribute])
        for attribute in proto.attribute:
            check_attribute(read, node.attributes[attribute.name], attribute)


def check_graph(read: Model, found: Graph, proto: GraphProto) -> None:
    assert found.name == proto.name
    assert [value.name for value in found.inputs] == [value.name for value in proto.input]
    assert [value.name for value in found.outputs] == [value.name for value in proto.output]
    assert list(found.initializers) == [tensor.name for tensor in proto.initializer]
    for tensor in proto.initializer:
        check_tensor(read, found.initializers[tensor.name], tensor)
    check_nodes(read, found.nodes, proto.node)


@settings(max_examples=60, deadline=None)
@given(models())
def test_a_model_is_read_as_onnx_reads_it(proto: ModelProto) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = save(Path(folder), proto)
        written = onnx.load(path)
        read = read_model(path)
        check_graph(read, read.graph, written.graph)
        (block,) = written.functions
        check_nodes(read, read.functions["local", "Block", ""].nodes, block.node)


def sample() -> bytes:
    """A small model that uses every kind of message the reader knows."""
    inner = graph([helper.make_node("MaxPool", ["x"], ["y"], strides=[2, 2])])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0])
    sizes = helper.make_tensor("s", TensorProto.INT64, [3], [1, 300, -1])
    proto = model(
        [
            helper.make_node("If", ["c"], ["y"], name="branch", then_branch=inner, else_branch=inner),
            helper.make_node("Constant", [], ["k"], value=weights),
            helper.make_node("Block", ["x"], ["z"], domain="local", s=[2, 2], scale=0.5, mode="same"),
        ],
        [weights, sizes],
        [function("Block", [helper.make_node("Relu", ["x"], ["y"])], ["s"], {"t": 1})],
    )
    proto.graph.sparse_initializer.add(dims=[4]).values.CopyFrom(weights)
    outside = proto.graph.initializer.add(name="e", dims=[4], data_type=1, data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="weights.bin")
    proto.metadata_props.add(key="k", value="v")
    return bytes(proto.SerializeToString())


def test_damaged_files_are_read_or_refused_and_never_crash(tmp_path: Path) -> None:
    intact = sample()
    chance = random.Random(1)
    damaged = [intact[:length] for length in range(len(intact))]
    for _ in range(1500):
        flipped = bytearray(intact)
        for _ in range(chance.choice((1, 1, 2, 8))):
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        damaged.append(bytes(flipped))
    refused = 0

    def look(path: Path) -> None:
        nonlocal refused
        try:
            read = read_model(path)
            for tensor in read.graph.initializers.values():
                read_tensor(read, tensor, 1 << 16)
            for _ in walk(read):
                pass
        except ModelFileError:
            refused += 1

    for data in damaged:
        path = save(tmp_path, data)
        assert calls(partial(look, path)) < 10_000
    assert len(intact) // 2 < refused < len(damaged)
