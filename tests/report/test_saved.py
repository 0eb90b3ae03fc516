from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.codec import DocumentError
from auditor.demo import demo_model
from auditor.facts.formats import Format
from auditor.facts.report import Report, RuleInfo
from auditor.report import RenderOptions, render
from auditor.report.json.document import read_report
from auditor.report.json.schema import report_schema
from tests.report.evil import NAMES, WORST, evil_report
from tests.report.samples import clean_network, residual_network

# Ways to render everything that a report holds.
OPTIONS = (
    RenderOptions(show_accepted=True, verbose=True, statistics=True),
    RenderOptions(width=100, colour=True, unicode=True, terminal=True),
)


def with_rules(report: Report) -> Report:
    return replace(report, rules=(RuleInfo("AA101", "strided-max-pool", "A max-pool.", (), "# AA101\n"),))


def again(report: Report) -> Report:
    return read_report(render(report, Format.JSON), {rule.code: rule.page for rule in report.rules})


def assert_same(report: Report) -> None:
    saved = again(report)
    for one in Format:
        for options in OPTIONS:
            assert render(saved, one, options) == render(report, one, options), one


@pytest.mark.parametrize(
    "report", [residual_network(), clean_network(), with_rules(residual_network()), Report("1.0", ())]
)
def test_a_saved_report_renders_to_the_same_bytes_in_every_format(report: Report) -> None:
    assert_same(report)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(NAMES)
def test_names_survive_in_a_saved_report_whatever_they_hold(name: str) -> None:
    assume(name)  # the version of the standard operators has the empty name
    # JSON has no way to write a pair of surrogates that is no character; no bytes of a file are read as one either.
    assume(name == name.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))
    report = evil_report(name)
    # How long the measurement took is left out of the JSON, so that two runs compare equal.
    measured = report.models[0].verification
    assert measured is not None
    assert_same(replace(report, models=(replace(report.models[0], verification=replace(measured, seconds=0.0)),)))


def test_the_audit_of_a_real_network_renders_again(run_check: Callable[[Path], Report]) -> None:
    assert_same(run_check(demo_model()))


@pytest.fixture
def run_check() -> Callable[[Path], Report]:
    from auditor.audit.run import ModelFile, audit, load_rules
    from auditor.policy.settings import Settings

    def run(path: Path) -> Report:
        wanted = Settings()
        outcome = audit(ModelFile(path, path.name), load_rules(wanted), wanted)
        assert outcome.report is not None
        return Report("0.1.0", (outcome.report,))

    return run


def document() -> Any:
    return json.loads(render(evil_report("net"), Format.JSON))


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document but its root."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, child in members for place in [(*path, key), *places(child, (*path, key))]]


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    if new is None:
        del value[path[-1]]
    else:
        value[path[-1]] = new


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_report_is_refused_in_one_line_or_rendered_but_never_a_crash(data: st.DataObject) -> None:
    damaged = document()
    place = data.draw(st.sampled_from(places(damaged)))
    new: Any = data.draw(st.sampled_from([None, "x", -1, 1.5, 10**30, 1e300, [], {}, [[]], True]))
    replaced(damaged, place, new)
    report, refusal = None, ""
    try:
        report = read_report(json.dumps(damaged))
    except DocumentError as error:
        refusal = str(error)
    assert "\n" not in refusal
    for one in Format:
        if report is not None:
            render(report, one, OPTIONS[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[]", 'the document has no "schema_version"'),
        ('{"schema_version": "9.1"}', "schema_version is 9.1, and this program reads 2.0"),
        ('{"schema_version": 1}', 'the document has no "schema_version"'),
    ],
)
def test_what_is_no_report_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words.replace("[", r"\[")):
        read_report(text)


@pytest.mark.parametrize("report", [evil_report("net"), evil_report(WORST), with_rules(clean_network())])
def test_measurements_comparisons_and_accepted_findings_follow_the_published_schema(report: Report) -> None:
    jsonschema.validate(json.loads(render(report, Format.JSON)), report_schema())


@pytest.mark.parametrize(("comparison", "command"), [(None, "check MODEL"), ({"base": "old.onnx"}, "compare BASE NEW")])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_report_of_another_version_is_refused_with_the_command_that_makes_a_new_one(
    version: str, comparison: object, command: str
) -> None:
    earlier = document() | {"schema_version": version}
    del earlier["models"][0]["analysis"]["sites"]
    earlier["models"][0]["comparison"] = comparison
    with pytest.raises(DocumentError) as caught:
        read_report(json.dumps(earlier))
    message = str(caught.value)
    assert message.endswith(f"make a new one with `aliasaudit {command} --output-format json -o REPORT`")
    assert ("schema_version is 1.0" in message) == (version == "1.0")
    assert "\n" not in message


def test_a_report_of_a_later_format_is_refused_with_the_command_that_makes_a_new_one() -> None:
    with pytest.raises(DocumentError, match=r"reads 2\.0: make a new one with `aliasaudit check MODEL "):
        read_report(json.dumps({"schema_version": "7.1", "models": []}))


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("findings", 0, "severity"), "grave", "$.models[0].findings[0].severity: invalid enum value 'grave'"),
        (("analysis", "sites", 0, "factor", 1), "two", "$.models[0].analysis.sites[0].factor[1]: expected a number"),
        (("analysis", "sites", 0, "sources", 0), 9, "$.models[0].analysis.sites[0].sources: has an index of no axis"),
        (("analysis", "sites", 0, "offset"), [0], "$.models[0].analysis.sites[0]: has lists of other lengths"),
        (("analysis", "heads", 0, "period"), {"7": 2}, "$.models[0].analysis.heads[0]: has an index of no axis"),
        (("analysis", "spatial"), [5], "$.models[0].analysis.spatial: has an index of no axis"),
        (("inputs", 0, "assumed"), [8], "$.models[0].inputs[0]: has sizes for other axes than dimensions"),
        (("verification", "layers", 0, "site"), 4, "$.models[0].verification.layers[0].site: is the index of no site"),
        (("comparison", "new_sites", 0, "factor"), [], "$.models[0].comparison.new_sites: has a site with lists of"),
    ],
)
def test_an_error_names_the_place_in_the_document(place: tuple[str | int, ...], value: object, words: str) -> None:
    damaged = document()
    assert read_report(json.dumps(damaged)).models
    replaced(damaged["models"][0], place, value)
    with pytest.raises(DocumentError) as caught:
        read_report(json.dumps(damaged))
    assert str(caught.value).startswith(words)


def test_a_saved_report_is_trusted_no_more_than_a_model() -> None:
    hostile = document()
    for place in places(hostile):
        value = hostile
        for key in place[:-1]:
            value = value[key]
        if isinstance(value[place[-1]], str) and place[-1] in (
            "message",
            "advice",
            "rule",
            "reason",
            "summary",
            "owner",
        ):
            value[place[-1]] = WORST
    from tests.report.test_html import structure
    from tests.runner_commands import commands, control_bytes

    report = read_report(json.dumps(hostile))
    assert len(structure(report)) > 100
    for one in (Format.TEXT, Format.JSON, Format.SARIF, Format.MARKDOWN, Format.JUNIT, Format.GITLAB, Format.HTML):
        text = render(report, one, OPTIONS[0])
        assert not commands(text), one
        assert not control_bytes(text), one
