"""What today's exporters write between a map and the scores: the batch axis is free in most of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from auditor.rewrite.result import Lowering, Options, Strategy
from tests.rewrite.networks import Array, Network, fixed, image, run, session

Head = Callable[[Network], None]
CHANNELS = 8
BATCH = Options(lowering=Lowering.BATCH)


def network(head: Head, batch: int = 1, opset: int = 18) -> onnx.ModelProto:
    """A strided convolution called ``site``, an activation, and a head."""
    made = Network(np.random.default_rng(3), 3, (12, 12), opset=opset)
    made.input = (batch, 3, 12, 12)
    made.add("Conv", made.weight(CHANNELS, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    made.nodes[-1].name = "site"
    made.channels = CHANNELS
    made.add("Relu")
    head(made)
    made.nodes[-1].output[0] = "y"
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(made.input))]
    outputs = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    graph = helper.make_graph(made.nodes, "g", inputs, outputs, made.weights)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def pooled(made: Network) -> None:
    made.add("ReduceMean", made.integers(-1, -2), keepdims=1)


def scores(made: Network) -> None:
    made.add("Gemm", made.weight(CHANNELS, 5))


def constant_shape(batch: int, allow: int) -> Head:
    def head(made: Network) -> None:
        pooled(made)
        made.add("Reshape", made.integers(batch, CHANNELS), allowzero=allow)
        scores(made)

    return head


def shape_of_the_picture(made: Network) -> None:
    pooled(made)
    before = made.last
    made.last = "x"
    made.add("Shape")
    made.add("Gather", made.integers(0), axis=0)
    made.add("Concat", made.integers(-1), axis=0)
    sizes, made.last = made.last, before
    made.add("Reshape", sizes)
    scores(made)


def shape_of_the_map(made: Network) -> None:
    pooled(made)
    before = made.last
    made.add("Shape")
    made.add("Slice", made.integers(0), made.integers(1), made.integers(0))
    made.add("Concat", made.integers(CHANNELS), axis=0)
    sizes, made.last = made.last, before
    made.add("Reshape", sizes)
    scores(made)


def class_token(batch: int) -> Head:
    """Tokens with a constant one in front that the exporter expanded to the batch, and their mean."""

    def head(made: Network) -> None:
        made.add("Reshape", made.integers(batch, CHANNELS, 36))
        made.add("Transpose", perm=[0, 2, 1])
        made.add("Concat", made.weight(batch, 1, CHANNELS), axis=1)
        made.add("ReduceMean", made.integers(1), keepdims=0)
        scores(made)

    return head


def expanded(batch: int) -> Head:
    def head(made: Network) -> None:
        pooled(made)
        made.add("Expand", made.integers(batch, CHANNELS, 2, 1))
        made.add("GlobalAveragePool")
        made.add("Flatten")
        scores(made)

    return head


def foreign_activation(op: str) -> Head:
    def head(made: Network) -> None:
        made.add(op)
        made.nodes[-1].domain = "com.microsoft"
        pooled(made)
        made.add("Flatten")
        scores(made)

    return head


def einsum(made: Network) -> None:
    pooled(made)
    made.add("Flatten")
    made.add("Einsum", made.weight(CHANNELS, 5), equation="bc,cd->bd")


HEADS: dict[str, tuple[Head, int]] = {
    "allowzero": (constant_shape(1, 1), 1),
    "allowzero, a batch of two": (constant_shape(2, 1), 2),
    "a batch of two": (constant_shape(2, 0), 2),
    "an open batch and allowzero": (constant_shape(-1, 1), 1),
    "the shape of the picture": (shape_of_the_picture, 1),
    "the shape of the picture, a batch of two": (shape_of_the_picture, 2),
    "the shape of the map": (shape_of_the_map, 1),
    "a class token": (class_token(1), 1),
    "a class token, a batch of two": (class_token(2), 2),
    "expanded, a batch of two": (expanded(2), 2),
    "QuickGelu": (foreign_activation("QuickGelu"), 1),
    "Einsum": (einsum, 1),
}


def moved(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The network with the node ``name`` sampling one sample further down and to the right."""
    shifted = onnx.ModelProto()
    shifted.CopyFrom(model)
    (node,) = (node for node in shifted.graph.node if node.name == name)
    (pads,) = (attribute for attribute in node.attribute if attribute.name == "pads")
    pads.ints[:] = [0, 0, 2, 2]
    return shifted


def mean_of_both(model: onnx.ModelProto, name: str, picture: Array) -> Array:
    return np.asarray((run(model, picture) + run(moved(model, name), picture)) / 2)


@pytest.mark.parametrize("head", HEADS)
def test_a_plain_export_is_averaged_over_both_phases_of_its_site(head: str, tmp_path: Path) -> None:
    model = network(*HEADS[head])
    picture = image(model)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert [site.node.name.raw for site in done.sites] == ["site"], done.skipped
    np.testing.assert_allclose(run(target, picture), mean_of_both(model, "site", picture), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", [name for name, (_, batch) in HEADS.items() if batch == 1])
def test_its_output_keeps_name_and_shape(head: str, tmp_path: Path) -> None:
    model = network(*HEADS[head])
    target, _, _ = fixed(model, tmp_path, Strategy.INPUT_AVERAGE)
    before, after = session(model), session(target)
    assert [port.name for port in after.get_outputs()] == [port.name for port in before.get_outputs()]
    assert run(target, image(model)).shape == run(model, image(model)).shape


def test_tokens_in_front_of_the_batch_take_a_branch(tmp_path: Path) -> None:
    """The self-attention of torch.nn.MultiheadAttention without batch_first: (tokens, batch, channels)."""

    def head(made: Network) -> None:
        made.add("Reshape", made.integers(0, CHANNELS, 36))
        made.add("Transpose", perm=[2, 0, 1])
        tokens = made.last
        made.add("Reshape", made.integers(36, -1, CHANNELS))
        made.add("Transpose", perm=[1, 2, 0])
        keys = made.last
        made.last = tokens
        made.add("Transpose", perm=[1, 0, 2])
        queries = made.last
        made.add("MatMul", keys)
        made.add("Softmax", axis=-1)
        made.add("MatMul", queries)
        made.add("Transpose", perm=[1, 0, 2])
        made.add("ReduceMean", made.integers(0), keepdims=0)
        scores(made)

    model = network(head)
    picture = image(model)
    _, refused, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, BATCH)
    assert "across the batch axis" in refused.skipped[0].refusal.reason
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert [site.node.name.raw for site in done.sites] == ["site"], done.skipped
    np.testing.assert_allclose(run(target, picture), mean_of_both(model, "site", picture), rtol=1e-4, atol=1e-5)


def test_a_refusal_names_the_operator_and_the_node(tmp_path: Path) -> None:
    def head(made: Network) -> None:
        made.add("GlobalAveragePool")
        made.add("LSTM", made.weight(1, 4, 1), made.weight(1, 4, 1), hidden_size=1)
        made.nodes[-1].name = "memory \x1b[31m"

    _, done, _ = fixed(network(head), tmp_path, Strategy.PHASE_AVERAGE, BATCH)
    (skip,) = done.skipped
    assert skip.refusal.reason.startswith('the LSTM "memory \\x1b[31m" behind it ')


@pytest.mark.parametrize(
    ("op", "operands", "attributes"),
    [
        ("Concat", [(3, CHANNELS, 6, 6)], {"axis": 1}),
        ("Add", [(3, CHANNELS, 6, 6)], {}),
        ("Add", [(2, 1, CHANNELS, 6, 6)], {}),
    ],
)
def test_a_constant_for_another_batch_is_refused(
    op: str, operands: list[tuple[int, ...]], attributes: dict[str, int], tmp_path: Path
) -> None:
    def head(made: Network) -> None:
        made.add(op, *(made.weight(*shape) for shape in operands), **attributes)
        made.add("GlobalAveragePool")

    _, done, _ = fixed(network(head), tmp_path, Strategy.PHASE_AVERAGE, BATCH)
    assert not done.sites


def test_padding_along_the_batch_is_refused_on_both_of_its_sides(tmp_path: Path) -> None:
    for pads in ([1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0]):

        def head(made: Network, pads: list[int] = pads) -> None:
            made.add("Pad", made.integers(*pads))
            made.add("GlobalAveragePool")

        _, done, _ = fixed(network(head), tmp_path, Strategy.PHASE_AVERAGE, BATCH)
        assert not done.sites
        (skip,) = done.skipped
        assert "across the batch axis" in skip.refusal.reason


def test_a_map_that_is_the_same_for_all_pictures_of_a_batch_is_not_repeated(tmp_path: Path) -> None:
    def head(made: Network) -> None:
        before = made.last
        made.last = "x"
        made.add("ReduceMean", made.integers(0, 2, 3), keepdims=1)
        made.add("Conv", made.weight(CHANNELS, 3, 1, 1))
        gate, made.last = made.last, before
        made.add("Mul", gate)
        made.add("GlobalAveragePool")

    model = network(head, batch=2)
    picture = image(model)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert done.sites
    np.testing.assert_allclose(run(target, picture), mean_of_both(model, "site", picture), rtol=1e-4, atol=1e-5)
    assert not [node for node in onnx.load(target).graph.node if "repeated" in node.name]
