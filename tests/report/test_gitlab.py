from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given, settings
from msgspec.structs import replace

from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.report import render
from tests.report.evil import LONG, NAMES, WORST, evil_report
from tests.report.samples import clean_network, residual_network
from tests.runner_commands import commands, control_bytes

Golden = Callable[[str, str], None]

# What GitLab's page on code quality asks of a report.
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "pattern": "^(?!\\./)"},
                    "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"type": "integer"}}},
                },
            },
        },
    },
}


def issues(report: Report) -> list[dict[str, Any]]:
    found = json.loads(render(report, Format.GITLAB))
    assert isinstance(found, list)
    return found


def test_the_code_quality_report_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    golden("residual.gitlab.json", render(residual_network(), Format.GITLAB))


@pytest.mark.parametrize("report", [residual_network(), clean_network(), Report("0.1.0", ()), evil_report(WORST)])
def test_a_report_has_what_gitlab_asks_for_and_no_byte_order_mark(report: Report) -> None:
    jsonschema.validate(issues(report), SCHEMA)
    assert render(report, Format.GITLAB).startswith("[")


def test_the_description_names_the_rule_and_the_node_as_nothing_else_is_shown() -> None:
    assert issues(residual_network())[1]["description"] == (
        "AA101 strided-max-pool at /stem/pool/MaxPool (MaxPool): "
        "Max-pooling 3x3 with stride 2: 75 % of the power folds."
    )


def test_fingerprints_are_unique_even_where_a_model_is_listed_twice() -> None:
    report = residual_network()
    keys = [issue["fingerprint"] for issue in issues(replace(report, models=report.models * 2))]
    assert len(set(keys)) == len(keys)


@settings(max_examples=60, deadline=None)
@given(NAMES)
@example(WORST)
@example(LONG)
def test_names_stay_text(name: str) -> None:
    text = render(evil_report(name), Format.GITLAB)
    assert text.isascii()
    assert not commands(text)
    assert not control_bytes(text)
    assert len(json.loads(text)) == 2
