"""A search in characters: every candidate has a place and a name, and its verdict has the number that it rests on."""

from __future__ import annotations

from auditor.repair.search.search import Search
from auditor.report.repair.frontier import frontier_lines, why_lines
from tests.repair.search.test_search import Truth, found

TRUTHS = {
    "cheap": Truth(0.01, time=1.1),
    "chosen": Truth(0.05, time=1.8),
    "dominated": Truth(0.005, time=1.4, doubt=0.01),
    "slow": Truth(0.09, time=2.6),
    "failed": Truth(0, fault="no such thing"),
}


def result(truths: dict[str, Truth] = TRUTHS) -> Search:
    return found(truths, images=40)[0]


def test_every_measured_candidate_has_a_letter_in_the_plane_and_a_name_below_it() -> None:
    heading, signs, *lines = frontier_lines(result())
    assert "better is higher" in heading
    assert "the largest cost x2" in signs
    names = [line.split(maxsplit=1) for line in lines if line[:2] == "  " and line[2:3].isalpha() and line[3:5] == "  "]
    assert names == [["a", "cheap"], ["b", "chosen (best)"], ["c", "dominated"], ["d", "slow"]]
    plane = lines[: -len(names) - 1]
    for letter, _ in names:
        assert sum(line.count(letter) for line in plane) == 1
    rows = {letter: next(index for index, line in enumerate(plane) if letter in line[9:]) for letter in "0abcd"}
    assert rows["d"] < rows["b"] < rows["a"] <= rows["0"]
    columns = {letter: plane[row].index(letter, 9) for letter, row in rows.items()}
    assert columns["0"] < columns["a"] < columns["c"] < columns["b"] < columns["d"]
    assert max(map(len, (heading, signs, *lines))) <= 80
    assert all(line.isascii() for line in lines)


def test_less_is_better_where_the_measure_says_so() -> None:
    lines = list(frontier_lines(result({"a little": Truth(0.01), "much": Truth(0.05, time=1.8)})))
    assert next(index for index, line in enumerate(lines) if "b" in line[9:]) < next(
        index for index, line in enumerate(lines) if line[9:].startswith("0")
    )


def test_one_candidate_alone_is_no_picture() -> None:
    assert list(frontier_lines(result({"alone": Truth(0.05)}))) == []
    assert list(frontier_lines(result({"failed": Truth(0, fault="no such thing")}))) == []


def test_the_best_is_told_with_what_it_gains_and_the_others_with_what_stood_against_them() -> None:
    lines = list(why_lines(result()))
    assert lines[0].startswith("why: chosen gains most for its time, ")
    assert "the others within the budget: cheap " in lines[0]
    assert "not slow: time x2.60, at most x2 is allowed" in lines
    assert "not dominated: no measure is surely better" in lines
    assert not any(line.startswith(("not failed", "not cheap")) for line in lines)


def test_a_candidate_that_loses_too_much_is_told_with_the_points() -> None:
    lines = list(why_lines(result({"harms": Truth(0.05, loss=0.031)})))
    assert any(line.startswith("not harms: loses 3.1 points, at most 0.5 are allowed") for line in lines)
