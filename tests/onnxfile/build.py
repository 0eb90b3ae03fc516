"""Model files for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

SHARED = Path(__file__).parents[2].parent / "shared" / "models"


def graph(
    nodes: Sequence[NodeProto], initializers: Sequence[TensorProto] = (), inputs: Sequence[str] = ("x",)
) -> GraphProto:
    return helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(initializers),
    )


def model(
    nodes: Sequence[NodeProto],
    initializers: Sequence[TensorProto] = (),
    functions: Sequence[FunctionProto] = (),
) -> ModelProto:
    return helper.make_model(
        graph(nodes, initializers),
        functions=list(functions),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("local", 1)],
        ir_version=8,
        producer_name="tests",
    )


def function(
    name: str,
    nodes: Sequence[NodeProto],
    attributes: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> FunctionProto:
    return helper.make_function(
        "local",
        name,
        ["x"],
        ["y"],
        list(nodes),
        [helper.make_opsetid("", 17)],
        attributes=list(attributes),
        attribute_protos=[helper.make_attribute(key, value) for key, value in (defaults or {}).items()],
    )


def referring(op: str, attribute: str, reference: str, kind: int) -> NodeProto:
    """A node of a function body whose ``attribute`` takes its value from the call's attribute ``reference``."""
    node = helper.make_node(op, ["x"], ["y"])
    node.attribute.add(name=attribute, ref_attr_name=reference, type=kind)
    return node


def save(folder: Path, proto: ModelProto | bytes, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    return path


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload
