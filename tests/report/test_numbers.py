from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.report.words.numbers import axes_text, factor_text, json_number, json_share, percent_text


@given(st.one_of(st.fractions(), st.floats(), st.integers(), st.none()))
def test_every_number_becomes_valid_json_close_to_its_value(value: Fraction | float | int | None) -> None:
    shown = json.loads(json.dumps(json_number(value), allow_nan=False))
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        assert shown is None
    else:
        assert shown == pytest.approx(float(value), abs=1e-6, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "?"), (Fraction(32), "32"), (Fraction(3, 2), "1.5"), (Fraction(4, 3), "4/3"), (Fraction(-2), "-2")],
)
def test_factors_are_shown_as_people_write_them(value: Fraction | None, shown: str) -> None:
    assert factor_text(value) == shown


def test_axes_that_agree_are_shown_once() -> None:
    assert axes_text([Fraction(2), Fraction(2)]) == "2"
    assert axes_text([Fraction(2), Fraction(1)]) == "2x1"
    assert axes_text([]) == ""


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0 %"), (0.001, "<1 %"), (0.75, "75 %"), (0.999, ">99 %"), (1.0, "100 %"), (None, ""), (math.nan, "")],
)
def test_a_share_is_never_rounded_to_nothing_or_everything(share: float | None, shown: str) -> None:
    assert percent_text(share) == shown


@pytest.mark.parametrize(
    ("share", "written"),
    [(0, 0), (1.0, 1.0), (Fraction(1), 1), (1e-12, 1e-6), (Fraction(10**20 - 1, 10**20), 0.999999), (0.25, 0.25)],
)
def test_a_share_is_written_as_nothing_or_everything_only_where_it_is(share: float | Fraction, written: float) -> None:
    assert json_share(share) == written
