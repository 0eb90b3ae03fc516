"""What a model file says arrives unchanged."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from onnx import AttributeProto, TensorProto, helper

from auditor.onnxfile import read_model
from auditor.onnxfile.graph import PayloadKind, Reference, Unsupported
from tests.onnxfile.build import function, message, model, referring, save, varint


def attribute(raw: bytes, tmp_path: Path) -> object:
    """The value of the one attribute ``a`` with the encoded fields ``raw``."""
    node = message(4, b"Op") + message(5, message(1, b"a") + raw)
    read = read_model(save(tmp_path, b"\x08\x03" + message(7, message(1, node))))
    return read.graph.nodes[0].attributes["a"]


def test_a_file_without_ir_version_and_opset_is_read(tmp_path: Path) -> None:
    read = read_model(save(tmp_path, message(7, message(1, message(4, b"Identity")))))
    assert (read.ir_version, read.opsets, read.graph.nodes[0].op) == (0, {}, "Identity")


def test_a_graph_without_nodes_is_read(tmp_path: Path) -> None:
    assert read_model(save(tmp_path, b"\x08\x08" + message(7, b""))).graph.nodes == ()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"\x40\x02\x40\x03", (2, 3)),
        (b"\x42\x02\x02\x03", (2, 3)),
        (b"\x18" + varint(-1), -1),
        (b"\x15" + struct.pack("<f", 0.5), 0.5),
        (b"\x3d" + struct.pack("<f", 0.5), (0.5,)),
        (b"\x3a\x08" + struct.pack("<2f", 0.5, 2.0), (0.5, 2.0)),
        (message(4, b"SAME_UPPER"), "SAME_UPPER"),
        (message(9, b"a") + message(9, b"b"), ("a", "b")),
    ],
)
def test_an_attribute_of_an_old_file_without_a_type_takes_the_type_of_its_field(
    raw: bytes, value: object, tmp_path: Path
) -> None:
    assert attribute(raw, tmp_path) == value


def test_an_attribute_that_contradicts_its_type_has_no_value(tmp_path: Path) -> None:
    declared_ints = b"\xa0\x01\x07"
    assert isinstance(attribute(b"\x3d" + struct.pack("<f", 2.0) + declared_ints, tmp_path), Unsupported)
    assert isinstance(attribute(b"\xa0\x01\x04", tmp_path), Unsupported)
    assert isinstance(attribute(b"\x18\x01\x40\x02", tmp_path), Unsupported)
    assert isinstance(attribute(b"", tmp_path), Unsupported)


def test_a_declared_attribute_without_a_field_is_its_default(tmp_path: Path) -> None:
    assert attribute(b"\xa0\x01\x07", tmp_path) == ()
    assert attribute(b"\xa0\x01\x02", tmp_path) == 0


def test_kinds_of_attribute_without_use_are_marked(tmp_path: Path) -> None:
    node = helper.make_node("Op", ["x"], ["y"])
    node.attribute.add(name="s", type=AttributeProto.SPARSE_TENSOR).sparse_tensor.dims.extend([3])
    node.attribute.add(name="t", type=AttributeProto.TYPE_PROTO).tp.tensor_type.elem_type = 1
    values = read_model(save(tmp_path, model([node]))).graph.nodes[0].attributes
    assert values == {"s": Unsupported("sparse tensor"), "t": Unsupported("type")}


def test_names_that_are_not_utf8_are_kept_as_escapes(tmp_path: Path) -> None:
    node = message(1, b"\xff\xfe") + message(3, b"a\x80b") + message(4, b"Relu")
    read = read_model(save(tmp_path, b"\x08\x08" + message(7, message(1, node))))
    assert read.graph.nodes[0].name == "a\\x80b"
    assert read.graph.nodes[0].inputs == ("\\xff\\xfe",)


def test_the_default_domain_has_one_name(tmp_path: Path) -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")])
    proto.opset_import[0].domain = "ai.onnx"
    read = read_model(save(tmp_path, proto))
    assert read.graph.nodes[0].domain == ""
    assert read.opsets == {"": 17, "local": 1}


def test_dimensions_are_sizes_symbols_or_unknown(tmp_path: Path) -> None:
    proto = model([])
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", None, -1, 0]))
    read = read_model(save(tmp_path, proto))
    assert read.graph.inputs[0].dims == ("N", None, -1, 0)
    assert read.graph.outputs[0].dims is None


def test_two_files_in_one_are_merged_as_protobuf_says(tmp_path: Path) -> None:
    first = model([helper.make_node("Relu", ["x"], ["h"], name="first")])
    second = model([helper.make_node("Relu", ["h"], ["y"], name="second")])
    second.graph.name = "other"
    second.ir_version = 9
    joined = first.SerializeToString() + second.SerializeToString()
    read = read_model(save(tmp_path, joined))
    assert [(node.name, node.index) for node in read.graph.nodes] == [("first", 0), ("second", 1)]
    assert (read.graph.name, read.ir_version) == ("other", 9)
    assert [value.name for value in read.graph.inputs] == ["x", "x"]


def test_a_sub_graph_written_in_two_parts_is_merged(tmp_path: Path) -> None:
    parts = message(6, message(1, message(4, b"A"))) + message(6, message(1, message(4, b"B")))
    value = attribute(parts, tmp_path)
    assert [node.op for node in value.nodes] == ["A", "B"]  # type: ignore[attr-defined]


def test_functions_keep_their_opsets_defaults_and_references(tmp_path: Path) -> None:
    body = [referring("MaxPool", "strides", "s", AttributeProto.INTS)]
    read = read_model(save(tmp_path, model([], functions=[function("Block", body, ["t"], {"s": [2, 2]})])))
    block = read.functions["local", "Block", ""]
    assert (block.opsets, block.inputs, block.outputs) == ({"": 17}, ("x",), ("y",))
    assert block.defaults == {"s": (2, 2)}
    assert block.nodes[0].attributes == {"strides": Reference("s")}


def test_sparse_initializers_are_named_and_have_no_values(tmp_path: Path) -> None:
    proto = model([])
    sparse = proto.graph.sparse_initializer.add(dims=[3, 4])
    sparse.values.CopyFrom(helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [2]))
    tensor = read_model(save(tmp_path, proto)).graph.initializers["w"]
    assert (tensor.dims, tensor.dtype, tensor.payload.kind) == ((3, 4), 1, PayloadKind.MISSING)


def test_metadata_of_model_and_nodes_is_kept(tmp_path: Path) -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])])
    helper.set_model_props(proto, {"license": "none"})
    proto.graph.node[0].metadata_props.add(key="namespace", value="a/b")
    read = read_model(save(tmp_path, proto))
    assert read.metadata == {"license": "none"}
    assert read.graph.nodes[0].metadata == {"namespace": "a/b"}


def test_a_node_longer_than_the_read_window_is_read(tmp_path: Path) -> None:
    inputs = [f"input_{i}" for i in range(20_000)]
    proto = model([helper.make_node("Concat", inputs, ["y"], name="join", axis=1), helper.make_node("Relu", ["y"], [])])
    nodes = read_model(save(tmp_path, proto)).graph.nodes
    assert nodes[0].inputs == tuple(inputs)
    assert nodes[0].attributes == {"axis": 1}
    assert nodes[1].op == "Relu"
