"""A model whose every name is an attack, audited as any other, in every format."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import html5lib  # type: ignore[import-untyped]
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.audit.run import ModelFile, audit, load_rules
from auditor.facts.formats import Format
from auditor.facts.report import Report, RuleInfo
from auditor.policy.settings import Settings
from auditor.report import RenderOptions, render
from tests.report.evil import PIECES, WORST
from tests.runner_commands import commands, control_bytes, obeyed

SHARED = Path(__file__).parents[3] / "shared" / "models" / "hostile" / "synthetic" / "50_names_injection_valid.onnx"
EVERYTHING = RenderOptions(show_accepted=True, verbose=True, statistics=True)

# What a file can hold is UTF-8.
NAMES = {
    "everything": WORST.encode("utf-8", "ignore").decode(),
    "a megabyte": ("\x1b]0;" + "##[add-mask]a\n::set-output name=x::y\n" * 25_000 + "</script>")[: 1 << 20],
    **{repr(piece): piece for piece in PIECES if piece.strip() and piece.isascii()},
}


def evil_model(path: Path, name: str) -> Path:
    """A strided convolution, a strided max-pool and an unknown operator; whatever can have a name has this one."""
    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), f"w{name}")
    origin = {"pkg.torch.onnx.name_scopes": f"['{name}']", "pkg.torch.onnx.stack_trace": f'File "{name}", line 1'}
    nodes = [
        helper.make_node("Conv", [f"i{name}", f"w{name}"], [f"a{name}"], f"c{name}", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("MaxPool", [f"a{name}"], [f"b{name}"], name, kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Relu", [f"b{name}"], [f"d{name}"], name),
        helper.make_node(f"Op{name}", [f"d{name}"], [f"o{name}"], name, domain=f"d.{name}"),
    ]
    for node in nodes:
        for key, value in origin.items():
            node.metadata_props.add(key=key, value=value)
    image = helper.make_tensor_value_info(f"i{name}", TensorProto.FLOAT, [f"N{name}", 3, f"H{name}", f"W{name}"])
    output = helper.make_tensor_value_info(f"o{name}", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, f"g{name}", [image], [output], [weights])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(f"d.{name}", 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name=name, producer_version=name)
    model.ir_version = 10
    onnx.save(model, path)
    return path


def report_on(path: Path) -> Report:
    settings = Settings()
    rules = load_rules(settings)
    outcome = audit(ModelFile(path, path.name), rules, settings)
    assert outcome.report is not None
    running = tuple(RuleInfo(rule.code, rule.name, rule.summary, rule.severities) for rule in rules.running)
    return Report("0.1.0", (outcome.report,), outcome.problems, {}, running)


def assert_inert(report: Report) -> None:
    shown = {one: render(report, one, EVERYTHING) for one in Format}
    shown[Format.TEXT] += render(report, Format.TEXT, RenderOptions(width=80, unicode=True, terminal=True))
    for one, text in shown.items():
        assert not control_bytes(text), one
        if one is Format.GITHUB:
            assert {command.name for command in obeyed(text)} <= {"error", "warning", "notice"}
            assert all(line.startswith("::") for line in commands(text))
        else:
            assert not commands(text), one
        assert one is Format.JSON or len(text) < 500_000, one
    for one in (Format.JSON, Format.SARIF, Format.GITLAB):
        json.loads(shown[one])
    Xml.fromstring(shown[Format.JUNIT])
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(shown[Format.HTML])
    assert len(list(page.iter("script"))) == len(list(page.iter("style"))) == 1
    assert not {one.tag for one in page.iter()} & {"img", "iframe", "object", "embed", "form", "input", "link", "base"}
    assert not [key for one in page.iter() for key in one.attrib if str(key).startswith("on") or key == "style"]


@pytest.mark.parametrize("name", NAMES.values(), ids=map(str, range(len(NAMES))))
def test_a_model_cannot_reach_through_its_report(tmp_path: Path, name: str) -> None:
    report = report_on(evil_model(tmp_path / "evil.onnx", name))
    assert len(report.models[0].analysis.sites) == 2
    assert report.models[0].findings
    assert_inert(report)


def test_the_hostile_model_of_the_collection_cannot_either() -> None:
    if not SHARED.is_file():
        pytest.skip("the models folder beside the checkout is not there")
    assert_inert(report_on(SHARED))
