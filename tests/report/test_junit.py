from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as Xml

from hypothesis import example, given, settings
from msgspec.structs import replace

from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.facts.report import Accepted, AcceptedBy, Report, RuleInfo
from auditor.report import RenderOptions, render
from tests.report.evil import LONG, NAMES, WORST, evil_report
from tests.report.samples import clean_network, residual_network
from tests.runner_commands import commands, control_bytes

Golden = Callable[[str, str], None]


def shown(report: Report, fail_on: Severity | None = Severity.ERROR) -> str:
    return render(report, Format.JUNIT, RenderOptions(fail_on=fail_on))


def parsed(report: Report, fail_on: Severity | None = Severity.ERROR) -> Xml.Element:
    return Xml.fromstring(shown(report, fail_on))


RULES = tuple(
    RuleInfo(code, name, f"A {name}.", (Severity.ERROR, Severity.WARNING))
    for code, name in (("AA101", "strided-max-pool"), ("AA102", "strided-conv"), ("AA103", "strided-average-pool"))
)


def with_rules(report: Report) -> Report:
    return replace(report, rules=RULES)


def outcomes(root: Xml.Element) -> dict[str, list[str]]:
    return {test.get("name", ""): [child.tag for child in test] for test in root.iter("testcase")}


def test_the_junit_report_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    golden("residual.xml", shown(with_rules(residual_network())))


def test_there_is_a_suite_per_model_and_a_test_per_rule_that_ran() -> None:
    root = parsed(with_rules(clean_network()))
    (suite,) = root
    assert suite.get("name") == "models/small.onnx"
    assert [test.get("name") for test in suite] == [f"{one.code} {one.name}" for one in RULES]
    assert {key: suite.get(key) for key in ("failures", "errors", "skipped")} == dict.fromkeys(
        ("failures", "errors", "skipped"), "0"
    )


def test_a_test_fails_where_the_finding_fails_the_run() -> None:
    strict, usual, never = (
        outcomes(parsed(residual_network(), level)) for level in (Severity.NOTE, Severity.ERROR, None)
    )
    assert usual["AA101 strided-max-pool"] == ["failure"]
    assert usual["AA102 strided-conv"] == ["system-out"]
    assert strict["AA102 strided-conv"] == ["failure", "failure"]
    assert not any("failure" in tags for tags in never.values())


def test_what_was_not_audited_is_an_error() -> None:
    root = parsed(residual_network())
    suite = next(suite for suite in root if suite.get("name") == "models/empty.onnx")
    assert suite.get("errors") == root.get("errors") == "1"
    (error,) = suite.iter("error")
    assert error.get("message") == "the file is empty"


def test_an_accepted_finding_skips_the_test_and_says_why() -> None:
    report = residual_network()
    model = report.models[0]
    accepted = Accepted(model.findings[0], AcceptedBy.WAIVER, "the camera does not move")
    root = parsed(replace(report, models=(replace(model, findings=model.findings[1:], accepted=(accepted,)),)))
    assert outcomes(root)["AA101 strided-max-pool"] == ["skipped"]
    (skipped,) = root.iter("skipped")
    assert skipped.get("message") == "1 accepted finding: the camera does not move"


def test_the_counts_are_those_of_the_tests() -> None:
    root = parsed(with_rules(residual_network()), Severity.WARNING)
    for element in (root, *root):
        tests = list(element.iter("testcase"))
        assert element.get("tests") == str(len(tests))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(attribute) == str(sum(test.find(tag) is not None for test in tests))


@settings(max_examples=60, deadline=None)
@given(NAMES)
@example(WORST)
@example(LONG)
def test_names_cannot_change_the_document_nor_command_the_runner(name: str) -> None:
    def structure(root: Xml.Element) -> list[tuple[str, list[str]]]:
        return [(element.tag, sorted(element.attrib)) for element in root.iter()]

    report = evil_report(f"a{name}")
    assert structure(parsed(report)) == structure(parsed(evil_report("harmless")))
    assert not commands(shown(report))
    assert not control_bytes(shown(report))
