from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given, settings
from msgspec.structs import replace

from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.report import render
from auditor.report.formats.html.axes import round_above
from auditor.report.formats.html.maps import SHADES, shade
from auditor.report.formats.html.staircase import MOST_STEPS, steps
from auditor.report.formats.html.tree import element, prose, serialised
from auditor.sampling.result import SiteVerdict
from auditor.text import ModelText
from tests.report.evil import LONG, NAMES, WORST, evil_report
from tests.report.samples import clean_network, residual_network
from tests.runner_commands import commands, control_bytes

Golden = Callable[[str, str], None]

# Payloads that leave a mark on the document if any of them runs.
MARK = "document.documentElement.dataset.pwned=1"
PAYLOADS = (
    f"</script><script>{MARK}</script>",
    f"</style><script>{MARK}</script>",
    f'"><img src=x onerror="{MARK}">',
    f"'><svg onload={MARK}>",
    f"</title></svg></details><iframe srcdoc='<script>parent.{MARK}</script>'></iframe>",
    f"javascript:{MARK}",
    f"--><script>{MARK}</script><!--",
)


def page(report: Report) -> str:
    return render(report, Format.HTML)


def parsed(text: str) -> Any:
    """The document as a browser reads it; what only a repair of the parser would make legal is an error."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(text)


def texts(root: Any, tag: str) -> list[str]:
    return ["".join(one.itertext()) for one in root.iter(tag)]


def structure(report: Report) -> list[tuple[str, tuple[str, ...]]]:
    return [(str(one.tag), tuple(sorted(map(str, one.attrib)))) for one in parsed(page(report)).iter()]


def test_the_page_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    golden("residual.html", page(residual_network()))


@pytest.mark.parametrize("report", [residual_network(), clean_network(), Report("0.1.0", ()), evil_report("net")])
def test_a_page_is_correct_html_and_asks_for_nothing_from_elsewhere(report: Report) -> None:
    root = parsed(page(report))
    links = [
        value for one in root.iter() for key, value in one.attrib.items() if key in ("href", "src", "srcset", "data")
    ]
    assert all(link.startswith("#") for link in links)
    assert not re.findall(r"url\(|@import|https?://", page(report))


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else() -> None:
    root = parsed(page(residual_network()))
    (policy,) = [one.get("content") for one in root.iter("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    def hashed(tag: str) -> str:
        (text,) = texts(root, tag)
        return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "style-src": hashed("style"),
        "script-src": hashed("script"),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not [key for one in root.iter() for key in one.attrib if key == "style" or str(key).startswith("on")]


def test_what_matters_can_be_read_from_the_top() -> None:
    root = parsed(page(residual_network()))
    assert texts(root, "title") == ["small.onnx - aliasaudit"]
    assert texts(root, "h1") == ["4 of 5 sampling sites have no low-pass."]
    assert "■ 1 error" in texts(root, "span")
    (cards,) = (one for one in root.iter("dl") if one.get("class") == "tiles")
    tiles = dict(zip(texts(cards, "dt"), texts(cards, "dd"), strict=True))
    assert tiles == {
        "findings": "41 error · 2 warnings · 1 note",
        "cumulative factor": "32of the input grid",
        "sites without anti-aliasing": "4of 5",
        "worst expected alias": "32 %#3 /layer2/downsample/Conv",
    }
    assert texts(root, "h2") == ["The audit is incomplete"]


def test_findings_stand_by_rule_with_their_place_module_and_advice() -> None:
    root = parsed(page(residual_network()))
    cards = [one for one in root.iter("div") if (one.get("class") or "").startswith("finding")]
    assert [" ".join("".join(card.find("h4").itertext()).split()) for card in cards] == [
        "error AA101 strided-max-pool",
        "warning AA102 strided-conv2 places",
        "note AA205 untracked-region",
    ]
    first = "".join(cards[0].itertext())
    for words in ("/stem/pool/MaxPool", "from net.stem.pool, net.py:42", "site #2", "What to do: Put a low-pass"):
        assert words in first


def test_every_ring_and_finding_leads_to_the_row_of_its_site() -> None:
    root = parsed(page(residual_network()))
    identifiers = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(set(identifiers)) == len(identifiers)
    targets = {one.get("href")[1:] for one in root.iter() if one.get("href")}
    assert targets <= set(identifiers)
    rings = [one for one in root.iter() if (one.get("class") or "").startswith("site v-")]
    assert len(rings) == 5


def test_sites_with_the_same_step_are_branches_of_one() -> None:
    sites = residual_network().models[0].analysis.sites
    down = replace(sites[2], cumulative=(Fraction(8), Fraction(8)))
    found = steps((sites[0], sites[1], down, down, replace(down, cumulative=(None, None))))
    assert [(int(step.start), int(step.end), [number for number, _ in step.sites]) for step in found] == [
        (1, 2, [1]), (2, 4, [2]), (4, 8, [3, 4]), (8, 16, [5]),
    ]  # fmt: skip


def test_a_network_of_very_many_steps_is_drawn_in_part_and_says_so() -> None:
    report = residual_network()
    model = report.models[0]
    stem = model.analysis.sites[0]
    many = [replace(stem, cumulative=(Fraction(2) ** n,) * 2) for n in range(1, 400)]
    text = page(replace(report, models=(replace(model, analysis=replace(model.analysis, sites=tuple(many))),)))
    assert f"The first {MOST_STEPS} of 399 steps are shown" in text
    assert len([one for one in parsed(text).iter() if (one.get("class") or "").startswith("site v-")]) == MOST_STEPS


@settings(max_examples=40, deadline=None)
@given(NAMES)
@example(WORST)
@example(LONG)
@example("".join(PAYLOADS))
def test_names_add_no_element_and_no_attribute(name: str) -> None:
    assert structure(evil_report(f"a{name}".replace("/", "_"))) == structure(evil_report("harmless"))


@settings(max_examples=40, deadline=None)
@given(NAMES)
@example(WORST)
def test_a_page_in_a_log_commands_nobody(name: str) -> None:
    text = page(evil_report(name))
    assert not commands(text)
    assert not control_bytes(text)


def test_a_report_of_several_models_begins_with_a_table_that_leads_to_each() -> None:
    report = residual_network()
    root = parsed(page(replace(report, models=report.models * 2)))
    assert texts(root, "h1") == ["2 models audited: 2 with errors"]
    assert Counter(one.get("href") for one in root.iter("a"))["#m2"] == 1


def test_the_overview_has_the_worst_model_first_and_each_row_leads_to_its_section() -> None:
    report = residual_network()
    worse, (clean,) = report.models[0], clean_network().models
    root = parsed(page(replace(report, models=(clean, worse))))
    (table,) = [one for one in root.iter("table") if "overview" in (one.get("class") or "")]
    rows = [[" ".join("".join(cell.itertext()).split()) for cell in row.iter("td")] for row in table.iter("tr")][1:]
    links = [one.get("href") for one in table.iter("a")]
    assert links == ["#m2", "#m1"]
    assert {one.get("id") for one in root.iter("section")} >= {"m1", "m2"}
    errors = sum(finding.severity is Severity.ERROR for finding in worse.findings)
    assert rows[0][4] == str(errors)
    assert worse.findings[0].rule in rows[0][6]
    assert rows[1][6] == "no finding"
    assert [row[7] for row in rows] == ["not measured", "not measured"]


def test_the_overview_sorts_by_numbers_and_not_by_their_words() -> None:
    report = residual_network()
    root = parsed(page(replace(report, models=report.models * 2)))
    (table,) = [one for one in root.iter("table") if "overview" in (one.get("class") or "")]
    cells = [cell for cell in table.iter("td") if cell.get("data-label") in ("grid", "open")]
    assert all(float(cell.get("data-value") or "nan") >= 0 for cell in cells)


def test_measurements_have_their_pictures() -> None:
    root = parsed(page(evil_report("net")))
    classes = Counter(one.get("class") for one in root.iter())
    assert classes["chart"] == classes["map"] == 1
    assert "consistency by shift distance; higher is better" in texts(root, "figcaption")
    assert "93.1 %" in texts(root, "td")
    assert any("→" in text for text in texts(root, "dd"))


def test_maps_are_darker_where_more_is_lost_on_one_scale_that_ends_at_a_round_number() -> None:
    shades = [shade(value / 100, 0.5) for value in range(60)]
    assert shades == sorted(shades)
    assert (shades[0], shades[1], shades[50], shades[-1]) == (0, 1, SHADES - 1, SHADES - 1)
    assert [round_above(value) for value in (0.49, 0.5, 0.51, 0.0, 3.0, 17.0)] == [0.5, 0.5, 1.0, 1.0, 5.0, 20.0]


def test_every_verdict_and_shade_has_a_colour_in_both_schemes() -> None:
    (style,) = texts(parsed(page(clean_network())), "style")
    for verdict in SiteVerdict:
        assert f".v-{verdict.value.replace(' ', '-')} " in style
    for number in range(SHADES):
        assert style.count(f"--q{number}:") == 2
    light, dark = style.split("prefers-color-scheme: dark", 1)
    named = set(re.findall(r"var\((--\w+)\)", style)) - {"--v"}
    assert named <= set(re.findall(r"(--\w+):", light))
    assert named <= set(re.findall(r"(--\w+):", dark.split("}\n}", 1)[0]))


def test_text_is_escaped_wherever_it_stands_in_a_tree() -> None:
    tree = element("p", "##", ModelText("[x]<b>"), element("b", "&"), title=ModelText('"\n'), hidden=True, lang=None)
    assert serialised(tree) == '\n<p title="&quot;\\x0a" hidden="">##\\x5bx]&lt;b&gt;<b>&amp;</b></p>'


def test_only_words_between_backticks_become_code() -> None:
    assert serialised(element("b", prose("use `aa_layer` at 5 %"))) == "<b>use <code>aa_layer</code> at 5\u00a0%</b>"
    assert serialised(element("b", prose("one ` only"))) == "<b>one ` only</b>"


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


def document_after_scripts(path: Path, folder: Path) -> tuple[str, str]:
    """What the browser has made of a page, and what it wrote to its console."""
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--enable-logging=stderr",
    ]
    done = subprocess.run(
        [browser(), *flags, f"--user-data-dir={folder}", "--virtual-time-budget=3000", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, "\n".join(console)


@pytest.mark.slow
def test_a_browser_runs_our_script_and_none_that_a_name_brings(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    control = tmp_path / "control.html"
    control.write_text(f"<!DOCTYPE html><p>{PAYLOADS[0]}", encoding="utf-8")
    assert "data-pwned" in document_after_scripts(control, profile)[0].split("<body", 1)[0]
    for number, name in enumerate((*PAYLOADS, "".join(PAYLOADS), WORST)):
        path = tmp_path / f"{number}.html"
        path.write_text(page(evil_report(name)), encoding="utf-8")
        document, console = document_after_scripts(path, profile)
        assert "data-pwned" not in document.split("<head", 1)[0]
        assert '<button type="button" title="Sort by this column">' in document
        assert console == ""  # no error, and nothing of ours refused by our own policy


@pytest.mark.slow
@pytest.mark.parametrize(("clicks", "order"), [(0, "12345"), (1, "41235"), (2, "23145")])
def test_a_click_on_a_heading_sorts_with_unknown_values_last(tmp_path: Path, clicks: int, order: str) -> None:
    text = page(residual_network()).replace('http-equiv="Content-Security-Policy"', 'name="policy"')
    click = "document.querySelectorAll('table.sites th button')[6].click();" * clicks
    path = tmp_path / "page.html"
    path.write_text(text.replace("</body>", f"<script>{click}</script></body>"), encoding="utf-8")
    document, _ = document_after_scripts(path, tmp_path / "profile")
    assert "".join(re.findall(r'<tr id="m1-site-(\d)"', document)) == order
    wanted = {0: None, 1: "ascending", 2: "descending"}[clicks]
    assert re.findall(r'<th[^>]*aria-sort="(\w+)"', document) == ([] if wanted is None else [wanted])


def test_a_page_of_very_many_findings_takes_time_in_proportion() -> None:
    report = residual_network()
    model = report.models[0]
    stem, pool = model.analysis.sites[0], model.findings[0]

    def of(count: int) -> Report:
        nodes = [replace(stem.node, output=ModelText(f"t{number}"), order=number) for number in range(count)]
        sites = tuple(replace(stem, node=node, output=node.output) for node in nodes)
        findings = tuple(replace(pool, node=node) for node in nodes)
        return replace(
            report, models=(replace(model, findings=findings, analysis=replace(model.analysis, sites=sites)),)
        )

    def steps_of(count: int) -> int:
        counted = 0

        def count_call(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count_call)
        try:
            page(of(count))
        finally:
            sys.setprofile(None)
        return counted

    small, large = steps_of(50), steps_of(400)
    assert large < 10 * small
