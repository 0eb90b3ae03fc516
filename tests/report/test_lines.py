"""Texts on a terminal: broken at words, never in a table or in code, and whole elsewhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.audit.packs import load_builtin
from auditor.report.lines import fitted, reflowed

PACK = load_builtin()


def test_a_long_line_goes_on_further_in_and_a_short_one_stays() -> None:
    text = "site a\n    window-average: " + "--merge at b x1.17, " * 6 + "\n"
    first, second, *rest = fitted(text, 60).splitlines()
    assert first == "site a"
    assert second.startswith("    window-average: ")
    assert rest
    assert all(line.startswith(" " * 8) and len(line) <= 60 for line in rest)


def test_files_and_pipes_have_whole_lines() -> None:
    text = "word " * 60 + "\n"
    assert fitted(text, None) == text
    assert reflowed(text, None) == text


@given(st.lists(st.text("ab -", max_size=120), max_size=6), st.integers(40, 130))
def test_no_word_is_lost_or_split(lines: list[str], width: int) -> None:
    text = "".join(f"{line}\n" for line in lines)
    assert fitted(text, width).split() == text.split()


def test_every_rule_page_fits_eighty_columns_but_for_tables_and_code() -> None:
    for rule in PACK.rules:
        page = PACK.page(rule.code)
        shown = reflowed(page, 80)
        assert shown.split() == page.split()
        code = False
        for line in shown.splitlines():
            code ^= line.startswith("```")
            whole = code or line.startswith(("|", "#", "```", "    ")) or " " not in line.strip("-* ")
            assert whole or len(line) <= 80, line


def test_items_tables_headings_and_code_of_a_page_stay_apart() -> None:
    code = "```python\nx = 1\ny = 2\n```\n"
    table = "| a | b |\n| - | - |\n"
    page = f"# Title\n\nOne two\nthree.\n\n* first\n  goes on\n* second\n\n{table}\n{code}"
    assert reflowed(page, 80) == f"# Title\n\nOne two three.\n\n* first goes on\n* second\n\n{table}\n{code}"
