from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from auditor._version import REPOSITORY
from auditor.facts.formats import Format
from auditor.facts.report import Accepted, AcceptedBy, Report
from auditor.report import RenderOptions, render
from auditor.report.formats.markdown import MARKER
from auditor.text import ModelText, markdown_code, plain
from tests.report.evil import LONG, NAMES, PIECES, WORST, evil_report
from tests.report.samples import clean_network, residual_network
from tests.runner_commands import commands, control_bytes

Golden = Callable[[str, str], None]

# As GitHub reads it: tables, strike-through, raw HTML.
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shown(report: Report, max_bytes: int = 1_000_000) -> str:
    return render(report, Format.MARKDOWN, RenderOptions(max_bytes=max_bytes))


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


def structure(report: Report) -> list[tuple[str, str]]:
    """The kinds of the blocks and of what is in their lines, texts left out."""
    tokens = PARSER.parse(shown(report))
    return [(token.type, token.tag) for token in [*tokens, *inline(tokens)]]


def test_the_summary_of_a_residual_network_is_as_agreed(golden: Golden) -> None:
    golden("residual.md", shown(residual_network()))


def test_the_headline_stands_first_and_a_later_run_can_find_the_comment() -> None:
    marker, headline, *_ = shown(residual_network()).splitlines()
    assert marker == MARKER
    assert headline == "### ❌ aliasaudit: 1 error, 2 warnings, 1 note in 1 model; the audit is incomplete"
    assert shown(clean_network()).splitlines()[1] == "### ✅ aliasaudit: no findings in 1 model"


def test_findings_and_sites_are_folded() -> None:
    text = shown(residual_network())
    assert text.index("| model |") < text.index("<details>") < text.index("strided-max-pool") < text.index("</details>")
    assert text.count("<details>") == text.count("</details>") == 1


@pytest.mark.parametrize("piece", [*PIECES, WORST])
def test_a_name_stays_one_code_span_in_one_cell(piece: str) -> None:
    name = f"a{piece}b"
    table = f"| x | y |\n| :-- | :-- |\n| {markdown_code(ModelText(name), None)} | end |\n"
    (*_, first, last) = (token for token in PARSER.parse(table) if token.type == "inline")
    assert [(child.type, child.content) for child in first.children or ()] == [
        ("code_inline", plain(ModelText(name), None).replace("|", "\\x7c"))
    ]
    assert last.content == "end"


@settings(max_examples=60, deadline=None)
@given(NAMES)
@example(WORST)
@example(LONG)
def test_names_cannot_change_the_shape_of_the_page(name: str) -> None:
    assert structure(evil_report(f"a{name}")) == structure(evil_report("harmless"))


@settings(max_examples=60, deadline=None)
@given(NAMES)
@example(WORST)
def test_names_cannot_bring_html_links_images_or_commands(name: str) -> None:
    text = shown(evil_report(name))
    tokens = PARSER.parse(text)
    html = [token.content for token in [*tokens, *inline(tokens)] if token.type in ("html_block", "html_inline")]
    tags = {tag for content in html for tag in re.findall(r"</?[a-z!][^ >]*", content)}
    assert tags <= {"<details", "<summary", "</summary", "<code", "</code", "</details", "<!--", "<sub", "</sub"}
    links = {str(token.attrs["href"]) for token in inline(tokens) if token.type == "link_open"}
    assert links == {f"{REPOSITORY}/blob/main/rules/aa101_strided_max_pool.md"}
    assert not any(token.type == "image" for token in inline(tokens))
    assert not commands(text)
    assert not control_bytes(text)


@pytest.mark.parametrize("max_bytes", [65_536, 4096, 2000, 1200, 700])
def test_a_report_over_the_limit_ends_on_a_whole_line_says_so_and_closes_what_it_opened(max_bytes: int) -> None:
    report = residual_network()
    many = replace(report, models=(replace(report.models[0], findings=report.models[0].findings * 400),) * 3)
    text = shown(many, max_bytes)
    assert len(text.encode()) <= max_bytes
    assert f"The report was cut here, at {max_bytes} bytes" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.startswith(MARKER)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(row.endswith(" |") for row in rows)


def test_a_report_that_fits_exactly_is_not_cut() -> None:
    whole = shown(residual_network())
    assert "was cut here" not in shown(residual_network(), len(whole.encode()) + 200)
    assert "was cut here" in shown(residual_network(), len(whole.encode()) - 1)


def test_measurements_stand_with_their_interval() -> None:
    assert "| `net` | consistency | 93.1 % | 90.0 % to 96.0 % |" in shown(evil_report("net"))


def test_what_changed_stands_in_front_of_what_is_folded() -> None:
    text = shown(evil_report("net"))
    assert text.splitlines()[1] == "### ❌ aliasaudit: `net` got worse; the comparison is incomplete"
    for words in (
        "Consistency fell by 3.0 points (1 point allowed).",
        "| ❌ consistency | 93.0 % | **90.0 %** | -3.0 points | -5.0 to -1.0 |",
        "| ❌ new | `net` | - | **net 3x3/2, total 2: 75 % flat aliased** |",
        "Compared with `net`: 3 sites unchanged · grid 1 px in the base, 2 px here",
        "| `net` | - | 4/3 |",
    ):
        assert text.index(words) < text.index("<details")
    assert text.count("<details") == text.count("</details>")
    folded = text[text.index("How it was measured") :]
    assert "about 400 to 800 images would decide it if the difference stays as it is" in folded
    assert "no image changed; up to 12.5 % of all images could and would not show in 3" in folded
    assert "pass if no image changes by more than 0.04 (twice the largest change seen)" in folded


def test_findings_that_do_not_count_are_counted_apart_from_new_ones() -> None:
    report = residual_network()
    first, second, *others = report.models[0].findings
    accepted = (Accepted(first, AcceptedBy.WAIVER), Accepted(second, AcceptedBy.BASELINE))
    model = replace(report.models[0], findings=tuple(others), accepted=accepted, baselined=True)
    headline = shown(replace(report, models=(model,), problems=())).splitlines()[1]
    assert headline == "### ⚠️ aliasaudit: new: 1 warning, 1 note in 1 model (1 waived, 1 known)"
