"""A report says which targets were judged, and that there is nothing to find where there is not, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import auditor
from auditor.facts.report import Report
from auditor.facts.targets import TargetOutcome
from auditor.policy.settings import Settings
from auditor.report import RenderOptions
from auditor.report.formats import html as page
from auditor.report.formats import markdown, terminal, text


def report_on(folder: Path, *targets: str) -> auditor.ModelReport:
    """A model with an antialiased Resize, audited for some targets."""
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], "down", mode="linear", antialias=1)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 2, 16, 16])],
        [helper.make_tensor_value_info("y", 1, [None] * 4)],
        [numpy_helper.from_array(np.array([1, 1, 0.5, 0.5], np.float32), "s")],
    )
    path = folder / "model.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return auditor.check(path, settings=Settings(targets=targets))


CLEAN = "target web (1.30.0, run): no silent difference, nothing refused"
FAULTY = "target openvino (2026.4.1, run): 1 node ignored in part"
UNRUN = "target tensorrt>=10 (>=8, sources and threads, not run): 1 node refused"
UNKNOWN = "target openvino<2020: not known, its table is of 2026.4.1"


@pytest.mark.parametrize("renderer", [text, terminal, markdown, page])
def test_each_target_that_was_asked_for_has_its_line(tmp_path: Path, renderer: object) -> None:
    model = report_on(tmp_path, "web", "openvino", "tensorrt>=10", "openvino<2020")
    shown = renderer.render(Report("0.2.0", (model,)), RenderOptions())  # type: ignore[attr-defined]
    plain = shown.replace("&gt;", ">").replace("&lt;", "<").replace("\\", "").replace("`", "")
    for line in (CLEAN, FAULTY, UNRUN, UNKNOWN):
        assert line[1:] in " ".join(plain.split()), line


def test_without_a_target_nothing_is_said(tmp_path: Path) -> None:
    model = report_on(tmp_path)
    assert model.targets == ()
    assert "target " not in text.render(Report("0.2.0", (model,)), RenderOptions())


def test_the_json_report_counts_the_nodes_per_target(tmp_path: Path) -> None:
    model = report_on(tmp_path, "web", "openvino")
    assert model.targets[0] == TargetOutcome("web", "1.30.0", run=True, covered=True)
    document = json.loads(model.to_json())
    (entry,) = document.get("models", [document])
    assert entry["targets"][1] == {
        "asked": "openvino",
        "version": "2026.4.1",
        "run": True,
        "covered": True,
        "ignored": 1,
        "differs": 0,
        "refused": 0,
        "unknown": 0,
    }
