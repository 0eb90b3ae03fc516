"""What every result of the Python interface offers: one line, a JSON document, and a page in a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import auditor
from auditor.cli import main
from auditor.demo import demo_model
from auditor.document import Documented, Shown
from auditor.facts.report import Report
from auditor.repair.result import Repaired
from auditor.report import render
from auditor.report.json.document import read_report
from auditor.text import ModelText
from tests.report.evil import LONG, WORST, evil_report, verification
from tests.runner_commands import commands, control_bytes
from tests.verify.models import classifier, saved

Run = Callable[..., str]


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The built-in example in an empty working directory, without a settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALIASAUDIT_OUTPUT_FORMAT", raising=False)
    Path("digits.onnx").write_bytes(demo_model().read_bytes())
    return Path("digits.onnx")


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Run:
    """What the program prints on a command line."""

    def run(*arguments: str) -> str:
        main(arguments)
        return capsys.readouterr().out

    return run


def results(network: Path) -> list[Documented]:
    report = auditor.compare(network, network)
    assert report.comparison is not None
    repaired = auditor.fix(network, None, strategy="blur")
    run = Report(version="0", models=(report,))
    return [report, report.comparison, report.analysis, repaired, run, auditor.Settings(strict=True), verification("x")]


def test_a_result_prints_as_one_short_line_that_names_what_matters(network: Path) -> None:
    report = auditor.check(network)
    assert repr(report) == (
        "<ModelReport digits.onnx: 7 findings (2 errors, 5 warnings), 5 sites, cumulative factor 8>"
    )
    assert repr(report.analysis) == "<Analysis of 18 nodes: 5 sites, 1 output, cumulative factor 8>"
    assert repr(auditor.Settings()) == "<Settings: defaults>"
    assert repr(auditor.Settings(strict=True)) == "<Settings: sets strict>"
    for result in results(network):
        assert len(repr(result)) < 200
        assert len(repr(result).splitlines()) == 1


def test_a_fix_says_what_was_written_or_that_nothing_was(network: Path, tmp_path: Path) -> None:
    assert repr(auditor.fix(network, None, strategy="blur")) == "<Repaired: nothing written; blur, 5 sites rewritten>"
    assert repr(auditor.fix(network, "blurred.onnx", strategy="blur")).startswith("<Repaired: wrote blurred.onnx; blur")


@pytest.mark.parametrize("name", [WORST, LONG], ids=["worst", "long"])
def test_names_of_a_model_do_no_harm_in_the_line_of_a_result(name: str) -> None:
    report = evil_report(name)
    (model,) = report.models[:1]
    assert model.comparison is not None
    assert model.verification is not None
    shown = [repr(one) for one in (report, model, model.analysis, model.comparison, model.verification)]
    shown.append(repr(Repaired(Path(WORST.replace("\0", "")), ())))
    for line in shown:
        assert len(line) < 600
        assert not control_bytes(line)
        assert not commands(line)


def test_a_report_writes_the_document_of_the_command_line(network: Path, printed: Run) -> None:
    assert auditor.check(network).to_json() == printed("check", "digits.onnx", "--output-format", "json")
    compared = printed("compare", "digits.onnx", "digits.onnx", "--output-format", "json")
    assert auditor.compare(network, network).to_json() == compared


def test_settings_write_the_document_of_the_command_line(network: Path, printed: Run) -> None:
    assert auditor.Settings().to_json() == printed("config", "--isolated", "--output-format", "json")


def test_a_report_can_be_saved_and_read_again(network: Path) -> None:
    document = auditor.check(network).to_json()
    again = read_report(document)
    assert again.to_json() == document
    assert auditor.check(network).to_dict() == json.loads(document)


def test_a_part_of_a_report_writes_that_part_of_its_document(tmp_path: Path) -> None:
    model = saved(tmp_path / "m.onnx", classifier())
    options = {"images_limit": 8, "layers": 0, "shifts": 2, "device": "cpu"}
    report = auditor.compare(model, model, verify=options)
    (whole,) = report.to_dict()["models"]
    assert report.comparison is not None
    assert report.verification is not None
    assert report.verification.to_dict() == whole["verification"]
    assert report.comparison.to_dict() == whole["comparison"]
    assert report.analysis.to_dict() == whole["analysis"]


def test_a_fix_writes_the_members_of_the_command_line(network: Path, printed: Run) -> None:
    command = json.loads(printed("fix", "digits.onnx", "--strategy", "blur", "--dry-run", "--output-format", "json"))
    document = auditor.fix(network, None, strategy="blur").to_dict()
    (rewrite,) = document["rewrites"]
    assert rewrite.items() <= command.items()
    shared = {"schema", "version", "written", "backup", "gain", "refused"}
    assert {key: document[key] for key in shared} == {key: command[key] for key in shared}


class _Frame(HTMLParser):
    """The attributes of the elements of a fragment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))


def test_a_notebook_shows_the_html_report_in_a_frame_of_its_own(network: Path) -> None:
    report = auditor.check(network)
    ((tag, attributes),) = _Frame(report._repr_html_()).elements
    assert (tag, attributes["sandbox"]) == ("iframe", "allow-scripts")
    whole = read_report(report.to_json())
    page = attributes["srcdoc"] or ""
    assert page.startswith("<!DOCTYPE html>")
    assert "digits.onnx" in page
    assert page.count("<section") == render(whole, auditor.facts.formats.Format.HTML).count("<section")


def test_every_result_that_is_shown_is_one_element_whatever_the_model_is_called(network: Path) -> None:
    shown: list[Any] = [result for result in results(network) if isinstance(result, Shown)]
    report = evil_report(WORST)
    shown += [report, *report.models, *(model.comparison for model in report.models if model.comparison)]
    assert len(shown) > 5
    for result in shown:
        assert [tag for tag, _ in _Frame(result._repr_html_()).elements] == ["iframe"]


def test_results_that_a_notebook_cannot_show_as_a_page_are_lines(network: Path) -> None:
    lines = [result for result in results(network) if not isinstance(result, Shown)]
    assert {type(result).__name__ for result in lines} == {"Analysis", "Repaired", "Settings"}
    assert not any(hasattr(result, "_repr_html_") for result in lines)


def test_a_check_imports_no_renderer_before_it_is_asked_for() -> None:
    code = (
        "import sys, auditor; from auditor.demo import demo_model; report = auditor.check(demo_model()); repr(report);"
        "before = 'auditor.report' in sys.modules; report._repr_html_(); print(before, 'auditor.report' in sys.modules)"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_reports_that_differ_in_the_run_alone_are_equal(network: Path) -> None:
    report = auditor.check(network)
    assert report.run is not None
    assert replace(report, run=None) == report
    assert replace(report, producer=ModelText("other")) != report
