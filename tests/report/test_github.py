from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import example, given, settings
from msgspec.structs import replace

from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.report import render
from tests.report.evil import LONG, NAMES, WORST, evil_report
from tests.report.samples import clean_network, residual_network
from tests.runner_commands import Command, commands, control_bytes, obeyed

Golden = Callable[[str, str], None]


def shown(report: Report) -> str:
    return render(report, Format.GITHUB)


def annotated(report: Report) -> list[Command]:
    return obeyed(shown(report))


def test_the_annotations_of_a_residual_network_are_as_agreed(golden: Golden) -> None:
    golden("residual.github", shown(residual_network()))


def test_a_finding_names_its_file_its_rule_its_node_and_what_to_do_and_has_no_line() -> None:
    error = next(one for one in annotated(residual_network()) if "AA101" in one.properties["title"])
    assert error.name == "error"
    assert error.properties == {"file": "models/small.onnx", "title": "AA101 strided-max-pool"}
    assert error.data == (
        "/stem/pool/MaxPool (MaxPool): Max-pooling 3x3 with stride 2: 75 % of the power folds. "
        "(module net.stem.pool, net.py:42) Put a low-pass in front of the subsampling, and retrain."
    )


def test_a_model_that_could_not_be_read_is_an_error() -> None:
    first = annotated(residual_network())[0]
    assert (first.name, first.properties["file"]) == ("error", "models/empty.onnx")


def test_the_worst_ten_of_each_kind_are_named_and_the_rest_is_counted() -> None:
    report = residual_network()
    model = report.models[0]
    error, warning, _, note = model.findings
    assert (error.severity, warning.severity, note.severity) == (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    many = replace(model, findings=(*[error] * 12, *[warning] * 11, note))
    found = annotated(replace(report, models=(many,), problems=()))
    assert [one.name for one in found] == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert found[-1].data == "... and 4 more findings, see the summary"


def test_a_clean_run_annotates_nothing_and_says_so_in_the_log() -> None:
    assert annotated(clean_network()) == []
    assert shown(clean_network()).startswith("aliasaudit: 1 model audited; no findings")


@settings(max_examples=60, deadline=None)
@given(NAMES)
@example(WORST)
@example(LONG)
def test_whatever_the_names_the_runner_sees_our_commands_only(name: str) -> None:
    log = shown(evil_report(name))
    for command in obeyed(log):
        assert command.name == "error"
        assert set(command.properties) <= {"file", "title"}
        assert len(command.data) <= 4096
    # The commands that we give are the only lines that look like any.
    assert all(re.match(r"::error (file=[^,]*,)?title=", line) for line in commands(log))
    assert len(commands(log)) == 2
    assert not control_bytes(log)
