"""The figure of a search: cost against gain, the frontier, and the chosen one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from auditor.repair.search.plots import search_figure, write_search
from auditor.repair.search.search import Search
from auditor.verify.errors import VerifyError
from tests.repair.search.test_search import Truth, found

pytest.importorskip("matplotlib")

TRUTHS = {
    "cheap": Truth(0.01, time=1.1),
    "chosen": Truth(0.05, time=1.8),
    "dominated": Truth(0.005, time=1.4, doubt=0.01),
    "slow": Truth(0.09, time=2.6),
    "failed": Truth(0, fault="no such thing"),
}


def result() -> Search:
    return found(TRUTHS, images=40)[0]


def test_the_frontier_goes_through_the_original_and_what_gains_more_than_all_that_is_cheaper() -> None:
    axes = search_figure(result()).axes[0]
    lines = [np.asarray(one.get_xydata()) for one in axes.lines]
    np.testing.assert_allclose(max(lines, key=len), [(1.0, 0.0), (1.1, 1.0), (1.8, 5.0), (2.6, 9.0)])
    stars = [points for one, points in zip(axes.lines, lines, strict=True) if one.get_marker() == "*"]
    np.testing.assert_allclose(stars, [[(1.8, 5.0)]])


def test_every_candidate_is_named_with_what_became_of_it() -> None:
    words = [text.get_text() for text in search_figure(result()).axes[1].texts]
    assert [line.split("  ")[1].split(":")[0] for line in words] == list(TRUTHS)
    assert [line.split(": ")[1] for line in words] == [
        "within budget",
        "best",
        "no sure gain",
        "too costly",
        "failed",
    ]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_equal_searches_give_equal_files(tmp_path: Path, kind: str) -> None:
    for name in ("one", "two"):
        write_search(result(), tmp_path / f"{name}.{kind}")
    one, two = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_search_in_which_nothing_was_measured_has_a_figure_too(tmp_path: Path) -> None:
    write_search(found({"dear": Truth(0.1)}, costs={"dear": 9.0})[0], tmp_path / "empty.png")
    write_search(found({})[0], tmp_path / "none.png")
    assert (tmp_path / "empty.png").stat().st_size > 1000


def test_what_cannot_be_drawn_or_written_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="png or svg"):
        write_search(result(), tmp_path / "figure.gif")
    with pytest.raises(VerifyError, match="cannot be written"):
        write_search(result(), tmp_path / "absent" / "figure.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(VerifyError, match=r"aliasaudit\[plots\]"):
        write_search(result(), tmp_path / "figure.png")
