"""The page of a repair that searched: every candidate has a row, those that were measured a point, and a name."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from auditor.facts.comparison import Comparison
from auditor.facts.formats import Format
from auditor.facts.search import SearchFacts
from auditor.report import RenderOptions, render
from auditor.report.formats.html.searched import searched
from auditor.report.formats.html.tree import element, serialised
from auditor.report.json.document import read_report
from auditor.report.repair.search import search_remarks
from auditor.report.repair.tried import search_facts
from tests.repair.search.test_frontier import TRUTHS, result
from tests.repair.search.test_search import Truth
from tests.report.samples import residual_network


@pytest.fixture
def facts() -> SearchFacts:
    return search_facts(result())


def tree(facts: SearchFacts) -> ET.Element:
    return ET.fromstring(serialised(element("div", searched(facts))).replace("\u00a0", " "))


def rows(facts: SearchFacts) -> dict[str, str]:
    cells = {row.findtext("th", ""): " ".join(" ".join(row.itertext()).split()) for row in tree(facts).iter("tr")}
    return {name: words for name, words in cells.items() if name in TRUTHS}


def test_every_candidate_has_a_row_with_what_stood_against_it(facts: SearchFacts) -> None:
    found = rows(facts)
    assert found.keys() == TRUTHS.keys()
    assert "best" in found["chosen"]
    assert "time x2.60, at most x2 is allowed" in found["slow"]
    assert "no such thing" in found["failed"]
    assert "not measured" in found["failed"]


def test_the_wide_plot_names_its_points_and_the_narrow_one_numbers_them_as_the_table_does(facts: SearchFacts) -> None:
    wide, narrow = tree(facts).iter("svg")
    names = [text.text for text in wide.iter("text") if "name" in (text.get("class") or "")]
    assert "chosen" in names
    numbers = {str(number): name for number, name in enumerate(TRUTHS, 1)}
    for plot in (wide, narrow):
        places = {}
        for group in plot.iter("g"):
            if (group.get("class") or "").startswith("tried"):
                circle, number = group.find("circle"), group.findtext("text", "")
                assert circle is not None
                places[numbers[number]] = (float(circle.get("cx", "nan")), float(circle.get("cy", "nan")))
        assert places.keys() == TRUTHS.keys() - {"failed"}
        assert places["cheap"][0] < places["dominated"][0] < places["chosen"][0] < places["slow"][0]
        assert places["slow"][1] < places["chosen"][1] < places["cheap"][1] < places["dominated"][1]


def test_where_nothing_was_measured_there_is_no_plot() -> None:
    assert not list(tree(search_facts(result({"failed": Truth(0, fault="no such thing")}))).iter("svg"))


def test_the_page_has_it_once_and_a_saved_report_keeps_it(facts: SearchFacts) -> None:
    report = residual_network()
    compared = Comparison("old.onnx", remarks=tuple(search_remarks(result())))
    report = replace(report, models=(replace(report.models[0], comparison=compared, search=facts),))
    page = render(report, Format.HTML, RenderOptions())
    assert len(re.findall("Rewrites that were tried", page)) == 1
    assert "searched 5 candidates" in page
    assert f"<li>{facts.tried[0].words}" not in page
    saved = render(report, Format.JSON)
    assert render(read_report(saved), Format.JSON) == saved
    assert "Rewrites that were tried" in render(read_report(saved), Format.HTML)
