"""Local functions in the place of their calls: the same network, whose strided nodes can be rewritten."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from auditor.onnxfile import ModelFileError, read_model
from auditor.policy.settings import Settings
from auditor.repair.job import RepairJob
from auditor.repair.original import opened
from auditor.repair.run import run
from auditor.rewrite.graph.inline import METADATA, inlined
from auditor.rewrite.planning import plan
from auditor.rewrite.result import Kernel, Options, RewriteError, Rewritten, Step, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, session

IDENTITY = Options(kernel=Kernel.IDENTITY)
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("blocks", 1)]
MODELS = Path(__file__).resolve().parents[2].parent / "shared" / "models" / "subgraph_function"


def down(opset: int = 17) -> FunctionProto:
    """A function: a convolution whose strides are given by the call, and a rectifier."""
    conv = helper.make_node("Conv", ["x", "w"], ["c"], "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    conv.attribute.append(AttributeProto(name="strides", ref_attr_name="step", type=AttributeProto.INTS))
    relu = helper.make_node("Relu", ["c"], ["y"])
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_function("blocks", "Down", ["x", "w"], ["y"], [conv, relu], opsets, ["step"])


def network(
    nodes: Sequence[NodeProto] | None = None,
    functions: Sequence[FunctionProto] | None = None,
    size: int | str = 16,
    weights: Sequence[str] = ("w0", "w1"),
) -> ModelProto:
    """Two calls of :func:`down`, or what is given, from ``x`` to ``y``."""
    calls = [
        helper.make_node("Down", ["x", "w0"], ["a"], "first", domain="blocks", step=[2, 2]),
        helper.make_node("Down", ["a", "w1"], ["b"], "second", domain="blocks", step=[1, 1]),
        helper.make_node("GlobalAveragePool", ["b"], ["y"], "pool"),
    ]
    random = np.random.default_rng(0)
    stored = [
        numpy_helper.from_array(random.standard_normal((3, 3, 3, 3)).astype(np.float32), name) for name in weights
    ]
    graph = helper.make_graph(
        list(nodes or calls),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, None, None])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=8, functions=list(functions or [down()]))
    model.metadata_props.add(key="author", value="somebody")
    return model


def fixed(source: Path, target: Path, options: Options = IDENTITY, *, in_place: bool = False) -> Rewritten:
    job = RepairJob(Step(Strategy.BLUR, options))
    with opened(source, Settings(), target, in_place=in_place, inline=True) as original:
        (done,) = run(original, job).rewrites
        return done


def outputs(model: Path) -> list[Array]:
    opened = session(model)
    random = np.random.default_rng(1)
    given = {
        port.name: random.standard_normal([size if isinstance(size, int) else 16 for size in port.shape]).astype(
            np.float32
        )
        for port in opened.get_inputs()
    }
    return [np.asarray(value) for value in opened.run(None, given)]


def hold(source: Path, target: Path) -> None:
    """The two models have the same interface and compute the same."""
    first, second = (onnx.load(path, load_external_data=False).graph for path in (source, target))
    assert [*first.input, *first.output] == [*second.input, *second.output]
    for before, after in zip(outputs(source), outputs(target), strict=True):
        assert np.allclose(before, after, atol=1e-4)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(network(), path)
    return path


def test_a_refusal_inside_of_a_function_names_the_flag(source: Path) -> None:
    model = read_model(source)
    (site,) = plan(model, analyse(model)).sites
    assert {refusal.reason for refusal in site.refusals} == {
        "it stands in a local function, whose nodes are not edited: give --inline"
    }


def test_an_inlined_network_is_rewritten_with_the_attributes_of_the_call(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "fixed.onnx"
    done = fixed(source, target)
    assert [site.cumulative for site in done.sites] == [(Fraction(2), Fraction(2))]
    assert done.path == target
    hold(source, target)
    written = onnx.load(target)
    assert not written.functions
    assert {entry.key for entry in written.metadata_props} >= {"author", METADATA}
    assert json.loads(next(e.value for e in written.metadata_props if e.key == METADATA))["functions"] == 1
    before, after = analyse(read_model(source)), analyse(read_model(target))
    assert [site.cumulative for site in before.sites] == [site.cumulative for site in after.sites]
    assert [site.offset for site in before.sites] == [site.offset for site in after.sites]


def test_a_model_without_functions_is_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(network([helper.make_node("MaxPool", ["x"], ["y"], "p", kernel_shape=[2, 2], strides=[2, 2])]), path)
    plain = onnx.load(path)
    del plain.functions[:]
    onnx.save(plain, path)
    model = read_model(path)
    with inlined(model) as copy:
        assert copy is model


def test_nothing_is_left_behind_and_the_model_itself_stays_unless_asked(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    with pytest.raises(RewriteError, match="the output is the model itself"):
        fixed(source, source)
    assert source.read_bytes() == before
    done = fixed(source, source, in_place=True)
    assert done.backup is not None
    assert done.backup.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx", "net.onnx.bak"]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_external_data_is_found_and_goes_along(tmp_path: Path, elsewhere: bool) -> None:
    source = tmp_path / "net.onnx"
    onnx.save(network(), source, save_as_external_data=True, location="w.bin", size_threshold=0)
    folder = tmp_path / "other" if elsewhere else tmp_path
    folder.mkdir(exist_ok=True)
    fixed(source, folder / "fixed.onnx")
    hold(source, folder / "fixed.onnx")
    here = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert here == {"net.onnx", "w.bin"} | (set() if elsewhere else {"fixed.onnx"})


def choice(condition: str, name: str, then: Sequence[NodeProto], other: Sequence[NodeProto], end: str) -> NodeProto:
    branches = [
        helper.make_graph(list(nodes), f"{name}_{label}", [], [onnx.ValueInfoProto(name=nodes[-1].output[0])])
        for label, nodes in (("then", then), ("else", other))
    ]
    return helper.make_node("If", [condition], [end], name, then_branch=branches[0], else_branch=branches[1])


def branching() -> FunctionProto:
    """Choices that sizes decide, one in the other, with the same names in every branch and in every call."""
    batched = [
        helper.make_node("Size", ["shape"], ["rank"]),
        helper.make_node("Constant", [], ["four"], value=numpy_helper.from_array(np.array(4, np.int64))),
        helper.make_node("Equal", ["rank", "four"], ["is_four"]),
        choice(
            "is_four",
            "inner",
            [
                helper.make_node("MaxPool", ["x"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
                helper.make_node("Add", ["p", "bias"], ["out"]),
            ],
            [helper.make_node("Identity", ["x"], ["out"])],
            "chosen",
        ),
    ]
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Constant", [], ["bias"], value=numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32))),
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        choice("yes", "outer", batched, [helper.make_node("Identity", ["x"], ["chosen"])], "y"),
    ]
    return helper.make_function("blocks", "Choose", ["x"], ["y"], nodes, [helper.make_opsetid("", 17)])


@pytest.mark.parametrize("size", [16, "size"])
def test_choices_that_fixed_sizes_decide_are_put_in_place_too(tmp_path: Path, size: int | str) -> None:
    source, target = tmp_path / "net.onnx", tmp_path / "fixed.onnx"
    calls = [
        helper.make_node("Choose", ["x"], ["a"], "first", domain="blocks"),
        helper.make_node("Choose", ["a"], ["b"], "second", domain="blocks"),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    onnx.save(network(calls, [branching()], size, weights=()), source)
    with inlined(read_model(source)) as copy:
        assert bool([node for node in copy.graph.nodes if node.op == "If"]) == (size == "size")
        reasons = {refusal.reason for site in plan(copy, analyse(copy)).sites for refusal in site.refusals}
    done = fixed(source, target)
    if size == "size":  # which branch runs could depend on it
        assert "it stands in a sub-graph, whose nodes are not edited" in reasons
        assert done.path is None
        return
    assert len(done.sites) == 2
    hold(source, target)


def test_a_branch_that_is_nothing_but_a_constant_keeps_the_name_of_the_output(tmp_path: Path) -> None:
    source, target = tmp_path / "net.onnx", tmp_path / "fixed.onnx"
    yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
    scale = numpy_helper.from_array(np.full((1, 3, 1, 1), 2, np.float32), "k")
    then = helper.make_graph([], "then", [], [onnx.ValueInfoProto(name="k")], [scale])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["c"])], "else", [], [onnx.ValueInfoProto(name="c")])
    calls = [
        helper.make_node("Down", ["x", "w0"], ["b"], "first", domain="blocks", step=[2, 2]),
        yes,
        helper.make_node("If", ["yes"], ["factor"], "choice", then_branch=then, else_branch=other),
        helper.make_node("Mul", ["b", "factor"], ["y"]),
    ]
    onnx.save(network(calls, weights=("w0",)), source)
    fixed(source, target)
    assert not [node for node in onnx.load(target).graph.node if node.op_type == "If"]
    hold(source, target)


def test_functions_that_would_expand_beyond_all_limits_are_refused_first(tmp_path: Path) -> None:
    functions = []
    for level in range(40):
        inner = f"F{level - 1}"
        body = [
            helper.make_node(inner if level else "Relu", ["x"], ["m"], domain="blocks" if level else ""),
            helper.make_node(inner if level else "Relu", ["m"], ["y"], domain="blocks" if level else ""),
        ]
        functions.append(helper.make_function("blocks", f"F{level}", ["x"], ["y"], body, OPSETS))
    path = tmp_path / "net.onnx"
    onnx.save(network([helper.make_node("F39", ["x"], ["y"], domain="blocks")], functions), path)
    with pytest.raises(ModelFileError), inlined(read_model(path)):
        pass


@pytest.mark.parametrize(
    ("name", "rewritten"),
    [("mobilenetv2_torch22_dynamo_functions_randw.onnx", 5), ("torchlib_func_maxpool_refattr.onnx", 0)],
)
def test_exports_with_functions_become_plain_graphs(name: str, rewritten: int, tmp_path: Path) -> None:
    source, target = MODELS / name, tmp_path / "fixed.onnx"
    if not source.exists():
        pytest.skip("no models folder beside the checkout")
    model = read_model(source)
    with inlined(model) as copy:
        assert not copy.functions
        hold(source, copy.source)
        assert len(analyse(copy).sites) == len(analyse(model).sites)
        for entry in plan(copy, analyse(copy)).sites:
            assert not any("function" in refusal.reason for refusal in entry.refusals)
    done = fixed(source, target)
    assert len(done.sites) == rewritten
    if rewritten:
        hold(source, target)
