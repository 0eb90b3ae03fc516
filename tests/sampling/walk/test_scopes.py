"""What the analysis follows through: sub-graphs, functions, disorder, sizes that are open, shape arithmetic, size."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper

from auditor.sampling import trace
from auditor.sampling.result import HeadKind
from tests.sampling.impulse import Array, audit, build, float_info, hold, node, session, shape_of, spot
from tests.sampling.networks import Net
from tests.work import calls


def body(nodes: list[Any], inputs: list[ValueInfoProto], outputs: list[str]) -> GraphProto:
    return helper.make_graph(nodes, "body", inputs, [ValueInfoProto(name=name) for name in outputs])


def pooling(source: str, target: str, name: str, stride: int = 2) -> Any:
    return node("MaxPool", [source], [target], name=name, kernel_shape=[2, 2], strides=[stride, stride])


def test_sites_in_both_branches_of_an_if_carry_the_path_to_them() -> None:
    branches = {
        "then_branch": body([pooling("x", "a", "shrink")], [], ["a"]),
        "else_branch": body([node("AveragePool", ["x"], ["b"], kernel_shape=[2, 2], strides=[2, 2])], [], ["b"]),
    }
    choice = node("If", ["flag"], ["y"], name="choose", **branches)
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    found = audit(build([choice], [1, 1, 16, 16], inputs=[flag]))
    names = {site.node.name.raw: site.node.scope.raw for site in found.sites}
    assert names == {"choose/then/shrink": "choose/then", "choose/else/AveragePool_0": "choose/else"}
    assert spot(found.tensors["y"][2]) == (2, 0.5, 8)


def test_a_branch_that_shapes_rule_out_decides_nothing_and_loses_nothing() -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["channels"], axis=0),
        node("Equal", ["channels", "one"], ["single"]),
        node(
            "If",
            ["single"],
            ["y"],
            then_branch=body([node("Squeeze", ["x", "ones"], ["a"])], [], ["a"]),
            else_branch=body([pooling("x", "b", "shrink", 4)], [], ["b"]),
        ),
    ]
    constants: dict[str, Array] = {"one": np.array(1), "ones": np.array([1])}
    shape = [1, 3, 24, 24]
    model = build(nodes, [1, "channels", 24, 24], constants)
    found = hold(model, shape, {2: 2, 3: 3}, analysis=audit(model, {"x": shape}))
    assert found.heads[0].subsampling == 4


def test_a_grid_that_a_loop_shrinks_in_every_turn_is_a_matter_of_data_and_one_that_it_keeps_is_not() -> None:
    for shrinks in (False, True):
        inputs = [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            float_info("state", [1, 1, None, None]),
        ]
        step = pooling("state", "next", "shrink") if shrinks else node("Relu", ["state"], ["next"])
        inner = body([node("Identity", ["go"], ["on"]), step], inputs, ["on", "next"])
        loop = node("Loop", ["turns", "", "x"], ["y"], name="repeat", body=inner)
        found = audit(build([loop], [1, 1, 16, 16], {"turns": np.array(2)}))
        assert not found.untracked
        if shrinks:
            assert [head.kind for head in found.heads] == [HeadKind.DATA_DEPENDENT]
            assert [site.node.name.raw for site in found.sites] == ["repeat/body/shrink"]
            assert len(found.data_dependent) == 1
        else:
            assert spot(found.tensors["y"][2]) == (1, 0, 16)


def test_a_scan_over_channels_keeps_height_and_width() -> None:
    inner = body(
        [
            node("Unsqueeze", ["row", "zero"], ["picture"]),
            pooling("picture", "small", "shrink"),
            node("Squeeze", ["small", "zero"], ["out"]),
        ],
        [float_info("row", [1, 16, 16])],
        ["out"],
    )
    scan = node(
        "Scan", ["x"], ["y"], name="each", body=inner, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1]
    )
    model = build([scan], [1, 3, 16, 16], {"zero": np.array([0])})
    found = audit(model)
    assert [site.node.name.raw for site in found.sites] == ["each/body/shrink"]
    assert not found.untracked
    assert shape_of(found, "y") == session(model).run(None, {"x": np.zeros([1, 3, 16, 16], np.float32)})[0].shape


def test_a_function_in_a_function_takes_its_stride_from_the_call() -> None:
    conv = node("Conv", ["a", "w"], ["b"], name="inner")
    conv.attribute.add(name="strides", ref_attr_name="step", type=7)
    opset = [helper.make_opsetid("", 19), helper.make_opsetid("local", 1)]
    small = helper.make_function("local", "Down", ["a", "w"], ["b"], [conv], opset, attributes=["step"])
    calls = [
        node("Down", ["p", "k"], ["q"], "local", name="once", step=[2, 2]),
        node("Down", ["q", "k"], ["r"], "local", name="twice", step=[3, 3]),
    ]
    block = helper.make_function("local", "Block", ["p", "k"], ["r"], calls, opset)
    top = node("Block", ["x", "w"], ["y"], "local", name="stage")
    weights = np.ones([1, 1, 3, 3], np.float32)
    model = build([top], [1, 1, 48, 48], {"w": weights}, functions=[small, block])
    found = hold(model, [1, 1, 48, 48], {2: 2, 3: 3})
    assert [site.node.name.raw for site in found.sites] == ["stage/once/inner", "stage/twice/inner"]
    assert [site.cumulative for site in found.sites] == [(Fraction(2),) * 2, (Fraction(6),) * 2]
    assert all(site.alias is not None for site in found.sites)


def test_nodes_in_any_order_give_the_same_lattices() -> None:
    net = Net(1, 3, 64, 64)
    x = net.conv("x", 3, 4, 3, 2)
    for _ in range(3):
        x = net.op("Add", net.conv(x, 4, 4, 3, 2), net.pool("MaxPool", x, 2, 2))
    straight = audit(net.model(x))
    net.nodes.reverse()
    shuffled = audit(net.model(x))
    assert dict(shuffled.tensors) == dict(straight.tensors)
    assert sorted(site.node.name.raw for site in shuffled.sites) == sorted(
        site.node.name.raw for site in straight.sites
    )


def test_a_chain_of_twenty_thousand_nodes_is_followed_without_recursion() -> None:
    net = Net(1, 1, 64, 64)
    x = net.conv("x", 1, 1, 3, 2)
    for _ in range(20_000):
        x = net.relu(x)
    found = audit(net.model(x))
    assert found.tracked_nodes == found.nodes == 20_001
    assert spot(found.tensors[x][3]) == (2, 0, 32)


def test_diamonds_are_not_walked_path_by_path() -> None:
    def diamonds(count: int) -> tuple[Net, str]:
        net = Net(1, 2, 64, 64)
        x = "x"
        for _ in range(count):
            x = net.op("Add", net.relu(x), net.conv(x, 2, 2, 3))
        return net, x

    net, x = diamonds(40)
    lattice = audit(net.model(x)).tensors[x][2]
    assert lattice is not None
    assert lattice.receptive_field == 81
    few, many = (calls(partial(audit, net.model(x))) for net, x in (diamonds(10), diamonds(20)))
    assert many < 2.5 * few


def test_a_chain_of_twice_the_nodes_is_twice_the_work() -> None:
    def chain(count: int) -> ModelProto:
        net = Net(1, 1, 64, 64)
        x = net.conv("x", 1, 1, 3, 2)
        for _ in range(count):
            x = net.relu(x)
        return net.model(x)

    _, few, many = (calls(partial(audit, chain(count))) for count in (10, 200, 400))
    assert many < 2.2 * few


@pytest.mark.parametrize("behind_each_other", [True, False])
def test_twice_the_sites_are_twice_the_work(behind_each_other: bool) -> None:
    def sites(count: int) -> ModelProto:
        net = Net(1, 3, 64, 64)
        x = net.conv("x", 3, 3, 3)
        for _ in range(count):
            down = net.conv(x if behind_each_other else "x", 3, 3, 3, 2)
            up = net.op("Resize", down, "", np.array([1, 1, 2, 2], np.float32), mode="nearest")
            x = net.op("Add", x, up)
        return net.model(x)

    assert len(audit(sites(4)).sites) == 4
    _, few, many = (calls(partial(audit, sites(count))) for count in (4, 40, 80))
    assert many < 2.2 * few


def test_a_custom_operator_in_the_middle_is_reported_with_what_it_hides() -> None:
    net = Net(1, 3, 64, 64)
    x = net.conv("x", 3, 4, 3, 2)
    lost = net.op("Mystery", x, domain="acme", name="mystery")
    y = net.op("GlobalAveragePool", net.relu(net.conv(lost, 4, 4, 3, 2)))
    other = net.conv(x, 4, 4, 3, 2)
    found = audit(net.model(y, other))
    (region,) = found.untracked
    assert region.node.name.raw == "mystery"
    assert "custom domain" in region.reason
    assert (region.hidden_nodes, region.hidden_strided) == (4, 1)
    assert [head.kind for head in found.heads] == [HeadKind.UNTRACKED, HeadKind.DENSE]
    assert spot(found.tensors[other][2]) == (4, 0, 16)
    assert found.sites[-1].cumulative == (Fraction(4),) * 2
    behind = next(site for site in found.sites if site.cumulative == (None, None))
    assert behind.alias is not None  # the kernel is known though its place is not


def test_a_custom_operator_on_weights_hides_no_grid() -> None:
    net = Net(1, 3, 32, 32)
    scale = net.op("Mystery", net.weights(1, 4, 1, 1), domain="acme")
    found = audit(net.model(net.op("Mul", net.conv("x", 3, 4, 3, 2), scale)))
    assert not found.untracked


@pytest.mark.parametrize("size", [63, 64, 65, 66, 67])
def test_same_padding_puts_each_size_on_the_phase_that_onnxruntime_gives_it(size: int) -> None:
    weights = {"w": np.ones([2, 1, 3, 3], np.float32), "v": np.ones([2, 2, 3, 3], np.float32)}
    nodes = [
        node("Conv", ["x", "w"], ["a"], strides=[2, 2], auto_pad="SAME_UPPER"),
        node("Conv", ["a", "v"], ["y"], strides=[2, 2], auto_pad="SAME_UPPER"),
    ]
    shape = [1, 1, size, size]
    hold(build(nodes, shape, weights), shape, {2: 2, 3: 3}, tight=False)
    found = audit(build(nodes, [1, 1, "height", "width"], weights), {"x": shape})
    fixed = audit(build(nodes, shape, weights))
    lattice = found.tensors["y"][2]
    assert lattice is not None
    assert lattice.size_dependent
    assert spot(lattice) == spot(fixed.tensors["y"][2])
    assert len(found.paddings) == 4  # two nodes, two axes
    assert not fixed.paddings


def shape_chain(net: Net, x: str, channels: int) -> str:
    """``x.view(n, h * w, c)`` of ``(n, c, h, w)`` as TorchScript writes it: sizes gathered, multiplied, joined."""
    shape = net.op("Shape", x)
    sizes = [net.op("Gather", shape, np.array(axis), axis=0) for axis in (0, 2, 3)]
    area = net.op("Mul", sizes[1], sizes[2])
    parts = [net.op("Unsqueeze", value, [0]) for value in (sizes[0], area)]
    target = net.op("Concat", *parts, np.array([channels]), axis=0)
    made: str = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 3, 1]), target)
    return made


def test_the_shape_arithmetic_of_older_exports_is_followed_with_open_sizes() -> None:
    net = Net("batch", 3, "height", "width")
    x = net.conv("x", 3, 8, 4, 4, pad=0)
    tokens = net.linear(shape_chain(net, x, 8), 8, 8)
    shape = net.op("Shape", x)
    half = [
        net.op("Cast", net.op("Floor", net.op("Div", net.op("Cast", size, to=1), np.float32(2))), to=7)
        for size in (net.op("Gather", shape, np.array([axis]), axis=0) for axis in (2, 3))
    ]
    target = net.op("Concat", [1], half[0], [2], half[1], [2, 8], axis=0)
    merged = net.op("Transpose", net.op("Reshape", tokens, target), perm=[0, 1, 3, 4, 2, 5])
    y = net.linear(net.op("Reshape", merged, [1, -1, 32]), 32, 4)
    found = audit(net.model(y))
    assert not found.untracked
    assert found.subsampling == 8
    assert all(source.assumed for source in found.sources if source.axis > 1)


def test_attributes_of_the_first_opset_are_understood() -> None:
    net = Net(1, 3, 32, 32, opset=6)
    x = net.conv("x", 3, 4, 3, 2, kernel_shape=[3, 3])
    x = net.op("Add", x, net.weights(4), axis=1, broadcast=1)
    x = net.op("Pad", x, mode="constant", pads=[0, 0, 1, 1, 0, 0, 1, 1])
    x = net.pool("MaxPool", x, 2, 2)
    x = net.op("Slice", x, axes=[2, 3], starts=[1, 1], ends=[8, 8])
    x = net.op("Unsqueeze", net.op("Squeeze", x, axes=[0]), axes=[0])
    first, _ = net.op("Split", x, outputs=2, axis=1, split=[2, 2])
    y = net.op("ReduceMean", first, axes=[2, 3], keepdims=0)
    found = audit(net.model(first, y))
    assert not found.untracked
    assert spot(found.tensors[first][2]) == (4, 3, 7)
    assert [head.kind for head in found.heads] == [HeadKind.DENSE, HeadKind.POOLED]


@pytest.mark.parametrize(
    "broken",
    [
        node("Conv", ["x", "w"], ["y"], strides=[0, 0]),
        node("Conv", ["x", "w"], ["y"], strides=[1]),
        node("Conv", ["x", "nothing"], ["y"]),
        node("Conv", ["x"], ["y"]),
        node("MaxPool", ["x"], ["y"]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[99, 99]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[-1, 2]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], auto_pad="SIDEWAYS"),
        node("Reshape", ["x", "w"], ["y"]),
        node("Reshape", ["x"], ["y"]),
        node("Transpose", ["x"], ["y"], perm=[0, 0, 1, 2]),
        node("Slice", ["x", "zero", "zero", "zero", "zero"], ["y"]),
        node("Gather", ["x", "far"], ["y"], axis=2),
        node("Gather", ["x", "zero"], ["y"], axis=9),
        node("Resize", ["x", "", "far"], ["y"]),
        node("Concat", ["x", "w"], ["y"], axis=7),
        node("Einsum", ["x"], ["y"], equation="ab->"),
        node("SpaceToDepth", ["x"], ["y"], blocksize=0),
        node("DepthToSpace", ["x"], ["y"], blocksize=5),
        node("Pad", ["x", "far"], ["y"]),
        node("Split", ["x"], ["y", "z"], axis=2, split=[1]),
        node("STFT", ["x", "zero", "", "zero"], ["y"]),
        node("LSTM", ["x", "w", "w"], ["y"]),
    ],
)
def test_a_malformed_node_is_a_reason_and_never_an_exception(broken: Any) -> None:
    constants: dict[str, Array] = {
        "w": np.ones([1, 3, 3, 3], np.float32),
        "zero": np.array([0]),
        "far": np.array([10**9]),
    }
    model: ModelProto = build([broken, node("Relu", ["y"], ["out"])], [1, 3, 16, 16], constants, outputs=["out"])
    (region,) = audit(model).untracked
    assert region.reason
    assert region.hidden_nodes == 2


def test_a_fault_of_the_analysis_is_a_reason_that_does_not_blame_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(call: object) -> None:
        raise TypeError("a fault")

    monkeypatch.setattr(trace, "transfer_of", lambda *_: faulty)
    model = build([node("Relu", ["x"], ["out"])], [1, 3, 16, 16], {}, outputs=["out"])
    with pytest.raises(TypeError, match="a fault"):
        audit(model)
    monkeypatch.setattr(trace, "FAULTS", (TypeError,))
    (region,) = audit(model).untracked
    assert region.reason == "the analysis failed at this node (TypeError): please report it"
