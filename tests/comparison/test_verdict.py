"""The one verdict of a comparison: better, worse, no difference found, undecided or the same model."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from msgspec.structs import replace

import auditor
from auditor.facts.comparison import Comparison, ComparisonVerdict, MeasuredChange, TypicalRatio
from auditor.report.words.changes import leading_rows
from auditor.report.words.compared_verdict import headline
from auditor.report.words.site_changes import site_changes
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.verdict import Condition, Verdict
from tests.comparison.test_static import BASE, WITH_ANOTHER_POOL, compare, comparison, retrained
from tests.rules.builder import build

SMALL_POOL = BASE.replace("MaxPool k3 s2 p1", "MaxPool k2 s2")
BLURRED = BASE.replace("pool = MaxPool k3 s2 p1", "dense = MaxPool k3 p1\nsoft = Blur k3 s2 p1")


@pytest.mark.parametrize(
    ("gentler", "harsher", "told"),
    [
        (BASE, WITH_ANOTHER_POOL, "cumulative factor 8 to 16"),
        (BASE, SMALL_POOL, "1 sampling site folds more"),
        (BLURRED, BASE, "1 sampling site folds more"),
    ],
)
def test_two_graphs_are_worse_one_way_and_better_the_other(
    gentler: str, harsher: str, told: str, tmp_path: Path
) -> None:
    worse = comparison(compare(tmp_path, gentler, harsher))
    assert worse.headline is ComparisonVerdict.WORSE
    assert told in headline(worse)
    better = comparison(compare(tmp_path, harsher, gentler))
    assert better.headline is ComparisonVerdict.BETTER
    assert headline(better).startswith("BETTER: ")
    assert worse.verdict is better.verdict is None  # nothing was measured


def test_equal_weights_are_the_same_model_whatever_its_names_are_and_others_are_not(tmp_path: Path) -> None:
    renamed = build(BASE)
    for index, node in enumerate(renamed.graph.node):
        node.name = f"other{index}"
    found = comparison(compare(tmp_path, BASE, renamed))
    assert headline(found) == "SAME MODEL: equal graph and weights"
    assert comparison(compare(tmp_path, BASE, retrained(BASE))).headline is not ComparisonVerdict.SAME_MODEL


def test_another_activation_is_no_difference_that_the_graph_shows(tmp_path: Path) -> None:
    found = comparison(compare(tmp_path, BASE, BASE.replace("Relu", "Sigmoid")))
    assert headline(found) == "NO DIFFERENCE FOUND: the graphs have the same sites and findings"


def test_where_one_site_gains_and_another_loses_the_graphs_alone_decide_nothing(tmp_path: Path) -> None:
    block = "Conv k3 p1 c8\nRelu\n"
    two = f"input 1x3x64x64\n{block}first = MaxPool {{}} s2 {{}}\n{block}last = MaxPool {{}} s2 {{}}\nGlobalAveragePool"
    wide, narrow = ("k3", "p1"), ("k2", "")
    base, new = two.format(*wide, *narrow), two.format(*narrow, *wide)
    found = comparison(compare(tmp_path, base, new))
    assert found.headline is ComparisonVerdict.UNDECIDED
    assert "1 sampling site folds more, 1 sampling site folds less; --verify measures" in headline(found)
    assert [change.word for change in site_changes(found)] == ["worse", "better"]


def test_averaged_phases_and_the_blur_at_the_same_pool_are_one_site(tmp_path: Path) -> None:
    onnx.save(build(BASE), tmp_path / "net.onnx")
    for strategy in ("phase-average", "blur"):
        auditor.fix(tmp_path / "net.onnx", tmp_path / f"{strategy}.onnx", strategy=strategy, sites=["pool"])
    for base, new in (("phase-average", "blur"), ("blur", "phase-average")):
        found = auditor.compare(tmp_path / f"{base}.onnx", tmp_path / f"{new}.onnx").comparison
        assert found is not None
        assert (found.new_sites, found.removed_sites) == ((), ())


def test_each_site_that_changed_says_from_what_to_what(tmp_path: Path) -> None:
    (change,) = site_changes(comparison(compare(tmp_path, BASE, SMALL_POOL)))
    assert (change.word, change.better, change.name) == ("worse", False, "pool")
    assert change.base.startswith("MaxPool 3x3/2: ")
    assert change.new.startswith("MaxPool 2x2/2: ")
    (blurred,) = site_changes(comparison(compare(tmp_path, BASE, BLURRED)))
    assert (blurred.better, blurred.name) == (True, "pool, now soft")
    assert blurred.new.endswith(" anti-aliased")
    (new,) = site_changes(comparison(compare(tmp_path, BASE, WITH_ANOTHER_POOL)))
    assert (new.word, new.better, new.name, new.base) == ("new", False, "late", "-")
    (gone,) = site_changes(comparison(compare(tmp_path, WITH_ANOTHER_POOL, BASE)))
    assert (gone.word, gone.better, gone.name, gone.new) == ("gone", True, "late", "-")


def change(
    name: str, base: float, new: float, verdict: Verdict | None, span: tuple[float, float] | None = None
) -> MeasuredChange:
    """The change of a share, two points of which may be lost."""
    conditions = () if verdict is None else (Condition("max-absolute-drop", 0.02, verdict, 55, 110),)
    interval = None if span is None else Interval(*span, 0.9)
    rising = name in ("consistency", "accuracy")
    return MeasuredChange(name, ModelText("y"), "share", rising, base, new, new - base, interval, 64, conditions)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            change("consistency", 0.865, 0.799, Verdict.FAIL, (-0.107, -0.029)),
            "WORSE: consistency fell by 6.6 points (2 points allowed)",
        ),
        (
            change("box-flicker", 0.05, 0.15, Verdict.FAIL, (0.06, 0.14)),
            "WORSE: box-flicker rose by 10.0 points (2 points allowed)",
        ),
        (
            change("consistency", 0.799, 0.865, Verdict.PASS, (0.029, 0.107)),
            "BETTER: consistency rose by 6.6 points (+2.9 to +10.7)",
        ),
        (
            change("box-flicker", 0.15, 0.05, Verdict.PASS, (-0.14, -0.06)),
            "BETTER: box-flicker fell by 10.0 points (-14.0 to -6.0)",
        ),
        (
            change("consistency", 0.80, 0.801, Verdict.PASS, (-0.01, 0.012)),
            "NO DIFFERENCE FOUND: consistency is at most 2 points worse",
        ),
        (
            change("consistency", 0.799, 0.85, Verdict.INCONCLUSIVE, (-0.03, 0.123)),
            "UNDECIDED: consistency looks 5.1 points better and may be 3.0 points worse (2 points allowed); MORE",
        ),
        (
            change("box-flicker", 0.10, 0.11, Verdict.INCONCLUSIVE, (-0.02, 0.04)),
            "UNDECIDED: box-flicker looks 1.0 points worse and may be 4.0 points worse (2 points allowed); MORE",
        ),
    ],
)
def test_a_measured_verdict_says_which_number_moved_by_how_much_and_what_is_allowed(
    found: MeasuredChange, words: str
) -> None:
    more = "about 55 to 110 images would decide it if the difference stays as it is"
    assert headline(Comparison("base.onnx", measured=(found,))) == words.replace("MORE", more)


def test_jitter_is_told_by_the_ratio_of_the_typical_image() -> None:
    ratio = TypicalRatio(1.3, Interval(1.2, 1.4, 0.9), 9.0, 11.0)
    limit = (Condition("max-jitter-rise", 0.1, Verdict.FAIL),)
    found = MeasuredChange("centre-jitter", ModelText("y"), "px", False, 2.0, 2.6, 0.6, None, 64, limit, ratio)
    words = "WORSE: centre-jitter rose by 30 % on the typical image (10 % allowed)"
    assert headline(Comparison("base.onnx", measured=(found,))) == words


def test_a_minimum_that_is_not_held_is_the_headline_whatever_the_base_does() -> None:
    gain = change("consistency", 0.7, 0.8, Verdict.PASS, (0.05, 0.15))
    floor = Condition("min", 0.9, Verdict.FAIL)
    gain = replace(gain, conditions=(*gain.conditions, floor))
    found = Comparison("base.onnx", measured=(gain,))
    assert headline(found) == "MINIMUM NOT HELD: consistency is 80.0 %, and 90 % is the minimum"


def test_a_measured_verdict_leads_and_the_graph_that_got_worse_is_told_behind_it() -> None:
    found = Comparison(
        "base.onnx",
        measured=(change("consistency", 0.8, 0.9, Verdict.PASS, (0.05, 0.15)),),
        before=None,
        graph_verdict=ComparisonVerdict.WORSE,
    )
    assert found.headline is ComparisonVerdict.BETTER
    assert "; but in the graph" in headline(found)


def test_three_numbers_stand_in_front_and_what_is_held_to_a_threshold_is_always_among_them() -> None:
    names = ("mac", "jaggedness", "mac-1px", "accuracy", "top1-change")
    held = change("consistency", 0.8, 0.9, Verdict.PASS, (0.05, 0.15))
    found = Comparison("base.onnx", measured=(held, *(change(name, 0.1, 0.1, None) for name in names)))
    leading, others = leading_rows(found)
    assert [row.measure for row in leading] == ["consistency", "accuracy", "top1-change"]
    assert [row.measure for row in others] == ["mac-1px", "mac", "jaggedness"]
    four = Comparison("base.onnx", measured=tuple(change(f"m{n}", 0.1, 0.1, Verdict.PASS) for n in range(4)))
    assert len(leading_rows(four)[0]) == 4
