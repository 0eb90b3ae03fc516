from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.facts.finding import Finding, Severity
from auditor.facts.formats import Format
from auditor.facts.report import Problem, ProblemKind, Report
from auditor.onnxfile.noderef import NodeRef, Origin
from auditor.report import RenderOptions, render
from auditor.report.json.schema import report_schema
from auditor.sampling.result import SiteKind
from auditor.text import ModelText
from tests.report.samples import analysis, clean_network, energy, model_report, node, residual_network, site
from tests.runner_commands import commands, control_bytes

PLAIN = RenderOptions(statistics=True, verbose=True)
# Colour forced in a CI log: laid out for the eye, as wide as it needs.
FORCED_COLOUR = RenderOptions(colour=True, unicode=True)
TERMINALS = [RenderOptions(width=width, colour=True, unicode=True, terminal=True) for width in (40, 80, 100, 140, 200)]

Golden = Callable[[str, str], None]


def text(report: Report, options: RenderOptions = PLAIN) -> str:
    return render(report, Format.TEXT, options)


def without_colour(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


def hostile_report(name: str) -> Report:
    """A report in which everything that a model file or a folder can name is ``name``."""
    word = ModelText(name)
    node = NodeRef(word, word, word, word, 0, Origin(word, word))
    found = analysis(site(node, SiteKind.MAX_POOL, 2, 2, 3, energy(0.75)))
    found = replace(found, heads=(replace(found.heads[0], output=word),))
    finding = Finding("AA101", "strided-max-pool", Severity.ERROR, "A max-pool.", "Blur.", node, (node,))
    model = model_report(found, (finding,), path=name)
    given_input = replace(model.inputs[0], name=word, dims=(word, 3, word, word))
    model = replace(model, producer=word, inputs=(given_input,), opsets={name: 1, "ai.onnx": 17})
    return Report("0.1.0", (model,), (Problem(ProblemKind.UNREADABLE, "is empty", name),))


def test_the_text_report_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    golden("residual.txt", text(residual_network()))


def test_the_json_report_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    golden("residual.json", render(residual_network(), Format.JSON))


def test_the_terminal_report_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    narrow, wide = (RenderOptions(width=width, unicode=True, terminal=True) for width in (80, 170))
    golden("residual-80.txt", text(residual_network(), narrow))
    golden("residual-170.txt", text(residual_network(), wide))


def test_a_clean_network_has_no_findings_and_no_problems() -> None:
    assert text(clean_network()).splitlines()[-1] == (
        "1 model audited; no findings; 0 of 1 site without anti-aliasing; grid 2"
    )
    assert json.loads(render(clean_network(), Format.JSON))["summary"]["findings"] == 0


def test_findings_stand_worst_first_in_every_format() -> None:
    found = json.loads(render(residual_network(), Format.JSON))["models"][0]["findings"]
    assert [finding["severity"] for finding in found] == ["error", "warning", "warning", "note"]
    shown = re.findall(r"^  (error|warning|note) AA", text(residual_network()), re.MULTILINE)
    assert shown == ["error", "warning", "warning", "note"]


def test_advice_shared_by_findings_of_one_rule_stands_once() -> None:
    shown = text(residual_network())
    assert shown.count("advice: Put a low-pass") == 1  # for AA101
    assert shown.count("advice for these 2: Put a low-pass") == 1  # for AA102


@pytest.mark.parametrize("report", [residual_network(), clean_network(), Report("0.1.0", ())])
def test_the_json_report_follows_its_published_schema(report: Report) -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())
    jsonschema.validate(json.loads(render(report, Format.JSON)), report_schema())


def test_a_program_gets_exact_numbers_and_null_where_nothing_is_known() -> None:
    model = json.loads(render(residual_network(), Format.JSON))["models"][0]
    found = model["analysis"]
    sites = {item["node"]["name"]: item for item in found["sites"]}
    assert sites["/stem/conv/Conv"]["alias"]["flat"] == 0.2512
    assert sites["/stem/conv/Conv"]["offset"] == [0.5, 0.333333]
    assert sites["/stem/pool/MaxPool"]["cumulative"] == [4, 4]
    assert sites["/stem/pool/MaxPool"]["node"]["origin"]["module"] == "net.stem.pool"
    assert sites["/layer2/downsample/Conv"]["skipped"] == 0.75
    assert sites[""]["alias"] is None
    assert {head["output"]: head["subsampling"] for head in found["heads"]} == {"logits": 32}
    assert found["subsampling"] == 32
    assert found["untracked"][0]["hidden_nodes"] == 4


def test_without_a_terminal_nothing_is_wrapped_or_cut() -> None:
    long = "/".join(f"block{number}" for number in range(90))  # 700 characters
    for options in (PLAIN, FORCED_COLOUR):
        shown = without_colour(text(hostile_report(long), options)).splitlines()
        assert any(line.strip().startswith("1") and long in line for line in shown)
        assert any("AA101" in line and long in line for line in shown)


@pytest.mark.parametrize("options", TERMINALS[1:])
def test_a_terminal_report_fits_the_terminal(options: RenderOptions) -> None:
    assert options.width is not None
    for line in without_colour(text(hostile_report("/model/stage.3/" * 20), options)).splitlines():
        assert len(line.rstrip()) <= options.width


def test_a_terminal_shows_both_ends_of_a_long_name() -> None:
    shown = without_colour(text(hostile_report("/first" + "/middle" * 30 + "/last"), TERMINALS[1]))
    assert re.search(r"/first\S*…\S*/last", shown)


def test_an_ascii_terminal_gets_ascii_words() -> None:
    options = RenderOptions(width=60, colour=True, terminal=True)
    assert text(hostile_report("/middle" * 30), options).isascii()


def test_quiet_shows_findings_and_the_summary_only() -> None:
    shown = text(residual_network(), RenderOptions(quiet=True))
    assert "AA101" in shown
    assert "kernel/stride" not in shown
    assert "opset" not in shown


HOSTILE_NAMES = st.lists(
    st.sampled_from(
        ["::", "set-output", "##", "[", "]", "#", " ", "\n", "\r", "\x1b[2J", "\u202e", "\ud800", "[/]", "x"]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=60, deadline=None)
@given(HOSTILE_NAMES)
def test_no_name_in_a_model_can_command_the_terminal_or_the_ci_runner(name: str) -> None:
    report = hostile_report(name)
    for options in (PLAIN, FORCED_COLOUR, *TERMINALS):
        shown = text(report, options)
        assert not commands(shown)
        assert not control_bytes(without_colour(shown))
    document = render(report, Format.JSON)
    assert not commands(document)
    assert not control_bytes(document)
    assert json.loads(document)["models"][0]["analysis"]["sites"][0]["node"]["name"] == name


def test_two_runs_give_the_same_bytes_whatever_the_hash_seed() -> None:
    program = (
        "from tests.report.samples import residual_network; from tests.report.evil import evil_report;"
        "from auditor.report import *; import sys; sys.stdout.reconfigure(encoding='utf-8');"
        "[print(render(one, format)) for one in (residual_network(), evil_report('net')) for format in Format]"
    )
    root = Path(__file__).parents[2]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_numbers_beyond_every_integer_type_are_still_reported() -> None:
    found = residual_network().models[0].analysis
    huge = replace(found.sites[0], cumulative=((2**63 - 1) ** 400 * found.sites[0].factor[0], None))
    report = Report("0.1.0", (model_report(replace(found, sites=(huge,))),))
    assert json.loads(render(report, Format.JSON))["models"][0]["analysis"]["sites"][0]["cumulative"] == [None, None]
    assert "2^2.52e+04" in text(report)


def many_sites(count: int) -> Report:
    """A report with an error at its last site and notes at all others."""
    places = [node(f"pool{number}", "MaxPool", number) for number in range(count)]
    sites = [
        site(place, SiteKind.MAX_POOL, 2, 2, 3, energy(0.75, 0.3 if place is places[-1] else 0.1)) for place in places
    ]
    findings = [
        Finding(
            "AA101",
            "strided-max-pool",
            Severity.ERROR if place is places[-1] else Severity.NOTE,
            f"Message {number}.",
            "Blur.",
            place,
        )
        for number, place in enumerate(places)
    ]
    return Report("0.1.0", (model_report(analysis(*sites), tuple(findings), path="net.onnx"),))


def test_a_long_list_is_folded_on_a_terminal_with_a_count_and_whole_everywhere_else() -> None:
    folded = text(many_sites(40), RenderOptions(width=100, terminal=True, fold=True))
    rows = re.findall(r"^  +(\d+) +pool", folded, re.MULTILINE)
    assert len(rows) == 10
    assert rows[-1] == "40"  # the worst one is shown wherever it stands
    assert rows == sorted(rows, key=int)
    assert "  30 more sites: 30 aliased (--all shows all)" in folded
    assert "  30 more notes (--all shows all)" in folded
    assert folded.count("advice for these 10: Blur.") + folded.count("advice for these 9: Blur.") == 1
    for whole in (text(many_sites(40), RenderOptions(width=100, terminal=True)), text(many_sites(40))):
        assert len(re.findall(r"^  +(\d+) +pool", whole, re.MULTILINE)) == 40
        assert "more" not in whole


def test_a_list_that_is_hardly_longer_than_the_fold_is_not_folded() -> None:
    for count, folded in ((12, False), (13, True)):
        assert ("--all" in text(many_sites(count), RenderOptions(width=100, terminal=True, fold=True))) is folded


def test_each_site_has_the_severity_of_its_worst_finding() -> None:
    shown = text(many_sites(3)).splitlines()
    assert [line.split()[-2] for line in shown if re.match(r"  \d+ +pool", line)] == ["note", "note", "error"]
    assert not any("severity" in line for line in text(clean_network()).splitlines())


def test_an_audit_ends_with_what_to_type_next_and_with_nothing_where_no_site_is_open() -> None:
    assert text(many_sites(2)).splitlines()[-4:] == [
        "next: does it matter on your pictures?",
        "        aliasaudit verify --images DIR net.onnx",
        "      up to 2 of 2 sites can be repaired without retraining:",
        "        aliasaudit fix --plan net.onnx",
    ]
    kept = site(node("patch", "SpaceToDepth", 0), SiteKind.PHASE_TO_CHANNEL, 2, 2, 2, None)
    shown = text(Report("0.1.0", (model_report(analysis(kept), (), path="net.onnx"),)))
    assert "      none of 1 site can be repaired in the file as it is; why:\n" in shown
    assert "next:" not in text(clean_network())
    assert "next:" not in text(many_sites(2), RenderOptions(quiet=True))
    report = many_sites(2)
    awkward = replace(report, models=(replace(report.models[0], path="my model's.onnx"),))
    assert """aliasaudit fix --plan 'my model'"'"'s.onnx'""" in text(awkward)
    piped = replace(report, models=(replace(report.models[0], path="-"),))
    assert "next:" not in text(piped)
    failed = Problem(ProblemKind.NOT_MEASURED, "onnxruntime is not installed", "net.onnx")
    assert "next:" not in text(replace(report, problems=(failed,)))


def test_the_plain_summary_fits_eighty_columns() -> None:
    shown = text(residual_network(), RenderOptions())
    end = shown[shown.index("1 model audited") :].splitlines()
    assert len(end) > 2
    assert all(len(line) <= 80 for line in end)


def test_codes_of_rules_lead_to_their_pages_on_a_terminal_that_can_show_links() -> None:
    linked = RenderOptions(width=100, colour=True, terminal=True, links=True)
    address = "https://github.com/aliasaudit/aliasaudit/blob/main/rules/aa101_strided_max_pool.md"
    assert f";{address}\x1b\\" in text(residual_network(), linked)
    assert "https://" not in text(residual_network(), RenderOptions(width=100, colour=True, terminal=True))
    assert "https://" not in text(hostile_report("x"), RenderOptions(width=100, terminal=True, links=True))
