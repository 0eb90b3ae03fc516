from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the pictures are drawn with matplotlib")

from scripts.theory_pictures import (
    DEPTH,
    FIGURES,
    LEFT,
    LENGTH,
    PICTURES,
    ROW,
    aliased_share,
    blurred_pool,
    by_shift,
    drawn,
    lost,
    max_pool,
    photograph,
    stacked,
)

PAGE = Path(__file__).parents[2] / "docs" / "theory.md"


def test_zhangs_example_comes_out_of_the_pool() -> None:
    signal = np.tile([0.0, 0, 1, 1], 4)
    assert max_pool(signal)[:4].tolist() == [0, 1, 0, 1]
    assert max_pool(signal[1:])[:4].tolist() == [1, 1, 1, 1]


def test_subsampling_follows_whole_periods_exactly_and_nothing_between() -> None:
    period = 2**DEPTH
    for pool in (max_pool, blurred_pool):
        change = by_shift(stacked(pool), 2 * period)
        exact = np.arange(2 * period + 1) % period == 0
        assert change[exact].max() < 1e-12
        assert change[~exact].min() > 0.1


def test_a_blur_makes_every_other_shift_steadier() -> None:
    period = 2**DEPTH
    pools, blurs = (by_shift(stacked(pool), period - 1)[1:] for pool in (max_pool, blurred_pool))
    assert (blurs < pools).all()
    row = photograph()[ROW, LEFT : LEFT + LENGTH]
    assert lost(row, blurred_pool) < lost(row, max_pool)


def test_a_share_that_folds_is_that_of_a_sine_above_the_new_limit() -> None:
    places = np.arange(512)
    low, high = np.sin(2 * np.pi * places / 16), np.sin(2 * np.pi * places * 3 / 8)
    assert aliased_share(low[None]) < 1e-4
    assert aliased_share(high[None]) > 1 - 1e-4
    assert aliased_share((3 * low + high)[None]) == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_is_drawn_and_on_the_page(name: str) -> None:
    def words(svg: str) -> list[str]:
        return re.findall(r">([^<>\n]+)</text>", svg)

    assert f"(pictures/{name})" in PAGE.read_text(encoding="utf-8")
    assert words((PICTURES / name).read_text(encoding="utf-8")) == words(drawn(name))
