"""What is recognised after a model was exported again or changed, measured on networks built and changed in code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.comparison.survival import CHANGES, measure, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fingerprints.md"


@pytest.mark.parametrize("change", CHANGES)
def test_a_comparison_recognises_every_site_and_takes_none_for_another(change: str) -> None:
    found = measure(CHANGES[change])
    assert found.compare == found.sites
    assert found.wrong == 0


def test_a_fingerprint_survives_all_that_is_no_change_next_to_the_place() -> None:
    near = {"an operator put in next to every site", "another activation everywhere"}
    near |= {"two operators put in at the input", "renamed, and another activation everywhere"}
    assert {words for words, change in CHANGES.items() if measure(change).fingerprint < measure(change).sites} == near


def test_the_table_in_the_documentation_is_current() -> None:
    stated = re.search(r"<!-- survival:begin -->\n(.*?)\n<!-- survival:end -->", PAGE.read_text("utf-8"), re.DOTALL)
    assert stated is not None
    assert stated[1] == table(), "run: python -m tests.comparison.survival"
