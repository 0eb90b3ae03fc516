"""The pass for Olive: a workflow writes the model that ``fix`` writes. Olive runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from auditor.demo import demo_model
from auditor.onnxfile import read_model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Step, Strategy
from auditor.sampling import analyse
from tests.docs.pages import guide

ROOT = Path(__file__).resolve().parents[2]
# Olive loads PyTorch and half a dozen more before it does anything.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("olive") is None, reason="olive is not installed: pip install olive-ai requests"),
]

PROGRAM = """
import json, sys
from auditor.plugins.olive import package_config
from olive.workflows import run
if __name__ == "__main__":
    run(json.loads(sys.argv[1]), package_config=package_config())
"""


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OLIVE_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def workflow(folder: Path, model: Path, **options: object) -> subprocess.CompletedProcess[str]:
    config = {
        "input_model": {"type": "ONNXModel", "model_path": str(model)},
        "passes": {"anti_aliasing": {"type": "AntiAliasing", **options}},
        "output_dir": "out",
        "cache_dir": "cache",
    }
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    return python(folder, "program.py", json.dumps(config))


def test_the_workflow_writes_the_model_that_fix_writes(tmp_path: Path) -> None:
    done = workflow(tmp_path, demo_model(), strategy="blur")
    assert done.returncode == 0, done.stdout
    source = read_model(demo_model())
    rewrite(source, analyse(source), Step(Strategy.BLUR), tmp_path / "expected.onnx")
    written, expected = onnx.load(tmp_path / "out" / "model.onnx"), onnx.load(tmp_path / "expected.onnx")
    assert written.graph == expected.graph
    assert written.graph != onnx.load(demo_model()).graph


def test_weights_in_another_file_stay_with_the_model(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    onnx.save(onnx.load(demo_model()), model, save_as_external_data=True, location="net.data", size_threshold=0)
    done = workflow(tmp_path, model, strategy="blur")
    assert done.returncode == 0, done.stdout
    (written,) = (tmp_path / "out").rglob("*.onnx")
    onnx.checker.check_model(written, full_check=True)
    assert analyse(read_model(written)).subsampling == analyse(read_model(model)).subsampling


def test_a_model_with_nothing_to_rewrite_is_passed_on(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "still", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "net.onnx")
    done = workflow(tmp_path, tmp_path / "net.onnx", strategy="blur")
    assert done.returncode == 0, done.stdout
    assert onnx.load(tmp_path / "out" / "model.onnx").graph == onnx.load(tmp_path / "net.onnx").graph


def test_a_strategy_that_is_refused_everywhere_gives_no_model_and_the_reason(tmp_path: Path) -> None:
    done = workflow(tmp_path, demo_model(), strategy="phase-select")
    assert not list((tmp_path / "out").rglob("*.onnx"))
    assert "nothing could be rewritten: the network pads with zeros" in done.stdout


def test_a_strategy_has_to_be_chosen_and_has_to_exist(tmp_path: Path) -> None:
    for options in ({}, {"strategy": "sharpen"}):
        done = workflow(tmp_path, demo_model(), **options)
        assert done.returncode != 0
        assert "strategy" in done.stdout


def test_the_example_of_the_documentation_anti_aliases_and_quantises(tmp_path: Path) -> None:
    (script,) = guide("olive", "python")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.onnx").write_bytes(demo_model().read_bytes())
    (tmp_path / "example.py").write_text(script.text, encoding="utf-8")
    done = python(tmp_path, "example.py")
    assert done.returncode == 0, done.stdout
    written = onnx.load(tmp_path / "repaired" / "model.onnx")
    blurred = analyse(read_model(tmp_path / "repaired" / "model.onnx"))
    assert any("Integer" in node.op_type or "Quantize" in node.op_type for node in written.graph.node)
    assert any(site.antialiased for site in blurred.sites)
