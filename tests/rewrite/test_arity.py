"""Nodes with too few or too many inputs or outputs: the audit goes on, a rewrite says which node it is."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import NodeProto, TensorProto, helper

from auditor.cli import main
from auditor.onnxfile import read_model
from auditor.rewrite.graph.arity import check_arity
from auditor.rewrite.result import RewriteError

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def write(folder: Path, *nodes: NodeProto) -> Path:
    graph = helper.make_graph(
        [*nodes, helper.make_node("GlobalAveragePool", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 1, 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (helper.make_node("Conv", ["x"], [], "conv"), 'the Conv "conv" has no output'),
        (helper.make_node("Conv", ["x", "x"], [""]), "the Conv at position 0 has no output"),
        (helper.make_node("Gemm", ["x"], ["q"], "fc"), 'the Gemm "fc" has 1 input, and needs at least 2'),
        (helper.make_node("Relu", [], ["q"], "r"), 'the Relu "r" has no inputs, and needs at least 1'),
        (helper.make_node("Relu", ["x", "x"], ["q"], "r"), 'the Relu "r" has 2 inputs, and takes at most 1'),
        (helper.make_node("Relu", ["x"], ["q", "p"], "r"), 'the Relu "r" has 2 outputs'),
        (helper.make_node("FusedConv", ["x"], ["q"], "f", domain="com.microsoft"), 'the FusedConv "f" has 1 input'),
    ],
)
def test_the_node_is_named(node: NodeProto, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, node)
    with pytest.raises(RewriteError) as refused:
        check_arity(read_model(path))
    assert str(refused.value).startswith(said)
    assert main(["fix", str(path), "-o", str(tmp_path / "fixed.onnx"), "--strategy", "blur"]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert said in shown.err
    assert not (tmp_path / "fixed.onnx").exists()


def test_optional_operands_may_be_left_out(tmp_path: Path) -> None:
    check_arity(
        read_model(
            write(
                tmp_path,
                helper.make_node("Clip", ["x", "", ""], ["q"]),
                helper.make_node("Resize", ["x", "", "x"], ["r"]),
                helper.make_node("Dropout", ["x"], ["s"]),
                helper.make_node("QuickGelu", ["x"], ["t"], domain="com.microsoft"),
                helper.make_node("Unheard", [], ["u"], domain="of"),
            )
        )
    )


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not beside the checkout")
@pytest.mark.parametrize("case", ["conv_without_outputs", "gemm_one_input"])
@pytest.mark.parametrize(
    "strategy", ["blur", "phase-average", "input-average", "phase-select", "grid-lock", "crop-select"]
)
def test_the_cases_end_in_one_line(
    case: str, strategy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "fixed.onnx"
    assert main(["fix", str(CASES / f"{case}.onnx"), "-o", str(target), "--strategy", strategy]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not target.exists()
