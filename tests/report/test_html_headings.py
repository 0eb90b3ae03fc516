"""Every heading of a table and every card of the page says what it means: on hover, and in a list that opens."""

from __future__ import annotations

from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from auditor.facts.formats import Format
from auditor.facts.report import Report
from auditor.report import render
from auditor.report.repair.tried import search_facts
from tests.repair.search.test_frontier import result
from tests.report.evil import evil_report
from tests.report.samples import residual_network
from tests.report.test_html_examples import of_class, words


def several() -> Report:
    report = residual_network()
    return replace(report, models=(*report.models, *report.models))


def searched() -> Report:
    report = evil_report("net")
    return replace(report, models=(replace(report.models[0], search=search_facts(result())),))


REPORTS = {"static": residual_network, "several": several, "measured and compared": searched}


@pytest.fixture(params=REPORTS)
def page(request: pytest.FixtureRequest) -> Any:
    text = render(REPORTS[request.param](), Format.HTML)
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def listed(page: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in of_class(page, "meanings"):
        names, texts = ([words(one) for one in part.iter(tag)] for tag in ("dt", "dd"))
        found.update(zip(names, texts, strict=True))
    return found


def test_every_column_has_its_meaning_on_hover_and_in_the_list_below(page: Any) -> None:
    headings = [one for head in page.iter("thead") for one in head.iter("th")]
    assert headings
    for one in headings:
        assert one.get("title"), words(one)
        assert words(one) in listed(page)


def test_every_card_of_a_model_has_its_meaning_on_hover_and_in_the_list_below(page: Any) -> None:
    sections = of_class(page, "model")
    cards = [card for section in sections for card in of_class(section, "tile")]
    assert cards
    for card in cards:
        label = words(card.find("dt"))
        assert card.get("title"), label
        assert label in listed(page)
