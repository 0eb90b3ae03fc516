"""Mutants of a model file: faults of its bytes, of its messages, and of its graph."""

from __future__ import annotations

from random import Random

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto

from tests.fuzz.messages import faulty_bytes, spliced
from tests.rewrite.mutants import mutants

_NAMES = ("", "x" * 5000, "\x1b[31m", "::error::x", "a\nb", "\u202e", "../../x", "/etc/passwd", "名" * 40)
_SIZES = (-1, 0, 1, 2, 7, 1 << 20, 1 << 31, (1 << 63) - 1, -(1 << 63))


def mutated_model(data: bytes, chance: Random) -> bytes:
    """A mutant of a model. Half of them are valid messages, so that the faults reach what is behind the reader."""
    kind = chance.randrange(8)
    if kind == 0:
        return faulty_bytes(data, chance)
    if kind == 1:
        return spliced(data, chance)
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        return faulty_bytes(data, chance)
    if kind <= 4:
        model = next(mutants(model, chance.randrange(1 << 30), 1))
    for _ in range(chance.randint(0 if kind <= 4 else 1, 3)):
        _graph_fault(model, chance)
    whole = model.SerializeToString()
    return spliced(whole, chance) if chance.random() < 0.1 else whole


def _graph_fault(model: ModelProto, chance: Random) -> None:
    graph = model.graph
    nodes = list(graph.node)
    if not nodes:
        return
    node, other = chance.choice(nodes), chance.choice(nodes)
    kind = chance.randrange(14)
    if kind == 0:
        node.op_type, other.op_type = other.op_type, node.op_type
    elif kind == 1:
        mine, theirs = list(node.attribute), list(other.attribute)
        del node.attribute[:], other.attribute[:]
        node.attribute.extend(theirs)
        other.attribute.extend(mine)
    elif kind == 2:
        graph.node.add().CopyFrom(node)
    elif kind == 3:
        graph.node.remove(node)
    elif kind == 4:
        chance.shuffle(nodes)
        copies = [NodeProto.FromString(item.SerializeToString()) for item in nodes]
        del graph.node[:]
        graph.node.extend(copies)
    elif kind == 5:
        _rename(model, chance)
    elif kind == 6 and node.input:
        node.input[0] = chance.choice([*node.output, *other.output, ""])
    elif kind == 7:
        _resize(graph, chance)
    elif kind == 8 and node.attribute:
        _odd_attribute(chance.choice(list(node.attribute)), chance)
    elif kind == 9 and graph.initializer:
        _odd_tensor(chance.choice(list(graph.initializer)), chance)
    elif kind == 10:
        inner = node.attribute.add(name=chance.choice(("body", "then_branch", "value")), type=AttributeProto.GRAPH)
        inner.g.CopyFrom(onnx.helper.make_graph([other], "inner", [], []))
    elif kind == 11 and graph.output:
        graph.output.add().CopyFrom(chance.choice([*graph.output, *graph.input]))
    elif kind == 12:
        model.ir_version = chance.choice((0, 3, 8, 99, (1 << 63) - 1))
    else:
        model.functions.add(name=node.op_type, domain=node.domain, input=["a"], output=["b"]).node.add().CopyFrom(node)


def _rename(model: ModelProto, chance: Random) -> None:
    """A hostile name for a node, or for a tensor wherever it is used."""
    node = chance.choice(list(model.graph.node))
    name = chance.choice(_NAMES)
    if chance.random() < 0.3 or not node.output:
        node.name = name
        return
    old = node.output[0]
    for part in model.graph.node:
        part.input[:] = [name if tensor == old else tensor for tensor in part.input]
        part.output[:] = [name if tensor == old else tensor for tensor in part.output]
    for value in model.graph.output:
        value.name = name if value.name == old else value.name


def _resize(graph: onnx.GraphProto, chance: Random) -> None:
    values = [*graph.input, *graph.output, *graph.value_info]
    if values and (shape := chance.choice(values).type.tensor_type.shape).dim:
        dimension = chance.choice(list(shape.dim))
        if chance.random() < 0.2:
            dimension.dim_param = chance.choice(("N", "", "a+b", *_NAMES))
        else:
            dimension.dim_value = chance.choice(_SIZES)


def _odd_attribute(attribute: AttributeProto, chance: Random) -> None:
    kind = chance.randrange(4)
    if kind == 0:
        attribute.type = chance.choice(AttributeProto.AttributeType.values())
    elif kind == 1 and attribute.ints:
        attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(_SIZES)
    elif kind == 2:
        attribute.i = chance.choice(_SIZES)
        attribute.f = chance.choice((float("nan"), float("inf"), -0.0, 1e-45))
    else:
        attribute.s = chance.choice((b"\xff\xfe", b"", b"SAME_UPPER", b"linear\0"))


def _odd_tensor(tensor: TensorProto, chance: Random) -> None:
    kind = chance.randrange(5)
    if kind == 0:
        tensor.data_type = chance.choice([*TensorProto.DataType.values(), 77])
    elif kind == 1:
        tensor.raw_data = tensor.raw_data[: chance.randrange(len(tensor.raw_data) + 1)]
    elif kind == 2 and tensor.dims:
        tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(_SIZES)
    elif kind == 3:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=chance.choice(("weights.bin", "/etc/passwd", "../x", "")))
        tensor.external_data.add(key="offset", value=chance.choice(("0", "-1", "x", str(1 << 63))))
    elif len(tensor.raw_data) >= 4:
        odd = chance.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f"))
        tensor.raw_data = odd * (len(tensor.raw_data) // 4)
