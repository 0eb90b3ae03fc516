from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from auditor.audit.packs import load_builtin
from auditor.facts.finding import Finding, Severity
from auditor.facts.formats import Format
from auditor.facts.report import Accepted, AcceptedBy, Report, RuleInfo
from auditor.report import RenderOptions, render
from auditor.report.formats.sarif import MOST_RESULTS
from tests.report.evil import NAMES, WORST, evil_report
from tests.report.samples import clean_network, residual_network

Golden = Callable[[str, str], None]

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
EVERYTHING = RenderOptions(show_accepted=True)


def log(report: Report, options: RenderOptions = EVERYTHING) -> dict[str, Any]:
    document = json.loads(render(report, Format.SARIF, options))
    assert isinstance(document, dict)
    return document


def results(report: Report, options: RenderOptions = EVERYTHING) -> list[dict[str, Any]]:
    found = log(report, options)["runs"][0]["results"]
    assert isinstance(found, list)
    return found


def with_rules(report: Report) -> Report:
    rules = [
        RuleInfo(one.code, one.name, one.summary, one.severities, f"# {one.code}\n") for one in load_builtin().rules
    ]
    return replace(report, rules=tuple(rules))


def waived() -> Report:
    report = residual_network()
    model = report.models[0]
    first, *others = model.findings
    accepted = Accepted(first, AcceptedBy.WAIVER, "the camera does not move", "vision team", "2027-01-01")
    return replace(report, models=(replace(model, findings=tuple(others), accepted=(accepted,)),))


def test_the_sarif_report_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    golden("residual.sarif", render(residual_network(), Format.SARIF))


@pytest.mark.parametrize(
    "report",
    [
        residual_network(),
        with_rules(residual_network()),
        clean_network(),
        waived(),
        Report("0.1.0", ()),
        evil_report(WORST),
    ],
)
def test_a_log_follows_the_schema_of_sarif(report: Report) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(log(report))


@settings(max_examples=40, deadline=None)
@given(NAMES)
def test_every_result_has_a_place_that_github_accepts_whatever_the_names(name: str) -> None:
    for result in results(evil_report(name)):
        (location,) = result["locations"]
        address = location["physicalLocation"]["artifactLocation"]["uri"]
        assert address.isascii()
        assert not set(address) & set(' "<>\\^`{|}')
        assert "region" not in location["physicalLocation"]
        assert result["partialFingerprints"]["primaryLocationLineHash"]


def test_a_finding_is_known_by_its_own_fingerprint() -> None:
    keys = [one["partialFingerprints"]["primaryLocationLineHash"] for one in results(residual_network())]
    assert keys == [finding.fingerprint for finding in residual_network().models[0].findings]
    assert len(set(keys)) == len(keys)


def test_a_finding_about_the_whole_graph_is_placed_at_the_file() -> None:
    report = residual_network()
    finding = Finding("AA201", "cumulative-subsampling", Severity.WARNING, "The factor is 32.", fingerprint="cd:0")
    (result,) = results(replace(report, models=(replace(report.models[0], findings=(finding,)),)))
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "models/small.onnx", "uriBaseId": "%SRCROOT%"}}}
    ]


def test_every_rule_that_ran_is_listed_and_results_point_at_theirs() -> None:
    run = log(with_rules(residual_network()))["runs"][0]
    listed = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert listed == sorted(rule.code for rule in load_builtin().rules)
    assert all(listed[result["ruleIndex"]] == result["ruleId"] for result in run["results"])


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("models/größe 1.onnx", {"uri": "models/gr%C3%B6%C3%9Fe%201.onnx", "uriBaseId": "%SRCROOT%"}),
        ("a:b#c?d%.onnx", {"uri": "a%3Ab%23c%3Fd%25.onnx", "uriBaseId": "%SRCROOT%"}),
        ("latin\udce9.onnx", {"uri": "latin%E9.onnx", "uriBaseId": "%SRCROOT%"}),
        ("/srv/net.onnx", {"uri": "file:///srv/net.onnx"}),
        ("C:/nets/net.onnx", {"uri": "file:///C:/nets/net.onnx"}),
    ],
)
def test_a_path_becomes_a_uri(path: str, address: dict[str, str]) -> None:
    report = residual_network()
    for result in results(replace(report, models=(replace(report.models[0], path=path),))):
        assert result["locations"][0]["physicalLocation"]["artifactLocation"] == address


def test_accepted_findings_are_left_out_of_an_upload_and_suppressed_where_they_are_shown() -> None:
    assert not any("suppressions" in result for result in results(waived(), RenderOptions()))
    (shown,) = [result for result in results(waived()) if "suppressions" in result]
    assert shown["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "the camera does not move; owner: vision team; expires: 2027-01-01",
        }
    ]


def test_an_incomplete_audit_says_so() -> None:
    (invocation,) = log(residual_network())["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "the file is empty"


def test_a_name_cannot_become_a_link_in_the_viewer() -> None:
    (result, *_) = results(evil_report("[click](https://evil.example)"))
    assert "\\[click\\](https" in result["message"]["text"]


def test_more_findings_than_github_takes_lose_the_lightest() -> None:
    report = residual_network()
    note = Finding("AA205", "untracked-region", Severity.NOTE, "Ends here.", fingerprint="ee:0")
    first = replace(report.models[0], findings=(note,) * MOST_RESULTS)
    found = log(replace(report, models=(first, report.models[0])))["runs"][0]
    assert len(found["results"]) == MOST_RESULTS
    assert [result["level"] for result in found["results"][:4]] == ["error", "warning", "warning", "note"]
    assert (
        "4 of 25004 findings are left out"
        in found["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    )


@pytest.mark.slow
def test_the_validator_of_microsoft_finds_no_error(tmp_path: Path) -> None:
    """Needs ``npm install --global @microsoft/sarif-multitool``, or its program named by SARIF_MULTITOOL."""
    program = os.environ.get("SARIF_MULTITOOL") or shutil.which("sarif-multitool")
    if program is None:
        pytest.skip("@microsoft/sarif-multitool is not installed")
    for number, report in enumerate((with_rules(residual_network()), waived(), evil_report(WORST))):
        path, found = tmp_path / f"{number}.sarif", tmp_path / f"{number}-found.sarif"
        path.write_text(render(report, Format.SARIF, EVERYTHING), encoding="utf-8")
        command = [program, "validate", str(path), "--output", str(found), "--log", "ForceOverwrite"]
        subprocess.run(
            [*command, "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning"],
            env=os.environ | {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
            capture_output=True,
            check=False,
        )
        judged = json.loads(found.read_text(encoding="utf-8-sig"))["runs"][0]
        errors = [one for one in judged["results"] if one.get("level", "warning") == "error"]
        assert not errors, errors
