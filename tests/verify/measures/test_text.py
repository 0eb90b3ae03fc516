from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline.decoding import Text
from auditor.verify.measures.text import changed, changed_confidence, changes, edit_distance
from auditor.verify.shifts.plan import Pairs


def line(text: str, *scores: float) -> Text:
    return Text(text, np.array(scores or [0.9] * len(text)))


def one_pair() -> Pairs:
    return Pairs(np.array([0]), np.array([1]), np.zeros((1, 2)))


@cache
def levenshtein(left: str, right: str) -> int:
    """The definition, as an oracle."""
    if not left or not right:
        return len(left) + len(right)
    kept = levenshtein(left[1:], right[1:]) + (left[0] != right[0])
    return min(kept, levenshtein(left[1:], right) + 1, levenshtein(left, right[1:]) + 1)


words = st.text("abO0", max_size=7)


@settings(max_examples=150, deadline=None)
@given(left=words, right=words)
def test_the_edits_are_the_fewest_and_what_is_left_over_is_equal(left: str, right: str) -> None:
    lost, gained, edits = changes(left, right)
    assert edits == levenshtein(left, right)
    kept = "".join(letter for place, letter in enumerate(left) if place not in lost)
    assert kept == "".join(letter for place, letter in enumerate(right) if place not in gained)
    assert max(len(lost), len(gained)) <= edits <= len(lost) + len(gained)


def test_equal_readings_have_no_change_no_distance_and_no_confidence_of_a_change() -> None:
    lines = [line("INVOICE 0815"), line("INVOICE 0815")]
    assert changed(lines, one_pair()).tolist() == [0]
    assert edit_distance(lines, one_pair()).tolist() == [0]
    assert np.isnan(changed_confidence(lines, one_pair()))


def test_one_letter_of_four_that_is_read_otherwise_costs_a_quarter() -> None:
    lines = [line("AB0D", 0.9, 0.9, 0.6, 0.9), line("ABOD", 0.9, 0.9, 0.8, 0.9)]
    assert changed(lines, one_pair()).tolist() == [1]
    assert edit_distance(lines, one_pair()).tolist() == [0.25]
    assert changed_confidence(lines, one_pair()) == pytest.approx(0.7)


def test_the_distance_is_relative_to_the_reference() -> None:
    assert edit_distance([line("ab"), line("abcd")], one_pair()).tolist() == [1.0]
    assert edit_distance([line("abcd"), line("ab")], one_pair()).tolist() == [0.5]


def test_text_out_of_nothing_is_wholly_wrong_and_nothing_twice_is_right() -> None:
    assert edit_distance([line(""), line("abc")], one_pair()).tolist() == [1.0]
    assert edit_distance([line(""), line("")], one_pair()).tolist() == [0.0]
    assert changed_confidence([line(""), line("abc", 0.2, 0.3, 0.4)], one_pair()) == pytest.approx(0.3)
