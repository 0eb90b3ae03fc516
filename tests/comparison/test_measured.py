"""The paired difference of two measurements, and what thresholds make of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from auditor.comparison.measured import NotComparableError, compare_measured
from auditor.options.thresholds import Thresholds
from auditor.text import ModelText
from auditor.verify.arrays import FloatArray
from auditor.verify.minimum import two_sided
from auditor.verify.result import (
    DataFacts,
    DataKind,
    Measure,
    OutputResult,
    ProtocolKind,
    Provider,
    Shifts,
    Task,
    Verification,
)
from auditor.verify.self_test import SelfTest
from auditor.verify.statistics import difference_interval
from auditor.verify.verdict import Condition, Verdict, needed_words

IMAGES = 256
Values = Sequence[float] | FloatArray


def verification(
    values: Values, names: Sequence[str] | None = None, task: Task = Task.CLASSIFICATION, output: str = "y"
) -> Verification:
    names = names or [f"{index}.png" for index in range(len(values))]
    measures = [Measure("consistency", float(np.mean(values)), None, "share", True, tuple(values))]
    measures.append(Measure("mac", 0.1, None, "probability", False, (0.1,) * len(values)))
    if task is Task.DETECTION:
        jitter = tuple(4 * (1 - one) for one in values)
        flicker = Measure("flicker", 0.0, None, "share", False, (0.0,) * len(values))
        measures = [flicker, Measure("centre-jitter", float(np.mean(jitter)), None, "px", False, jitter)]
    if task is Task.DENSE:
        errors = tuple(1 - one for one in values)
        measures = [Measure("equivariance-error", float(np.mean(errors)), None, "ratio", False, errors)]
    return Verification(
        provider=Provider("auto", "CPUExecutionProvider", (), (), "1.31", 1),
        data=DataFacts(DataKind.FOLDER, tuple(map(ModelText, names)), (), 0, "ab"),
        shifts=Shifts(ProtocolKind.CROP, (256, 256), (224, 224), 32, 8, 8, False, 0),
        outputs=(OutputResult(ModelText(output), task, tuple(measures), (), (), ()),),
        layers=(),
        self_test=SelfTest(True, 1.0, 0.0),
        incomplete="",
        preprocessing="",
        shared_batch=1,
        runs=1,
        naive_runs=1,
        seconds=1.0,
    )


def spread(mean: float, seed: int = 0, images: int = IMAGES) -> FloatArray:
    draw = np.random.default_rng(seed)
    return np.asarray(np.clip(mean + 0.1 * draw.standard_normal(images), 0, 1), np.float64)


def verdict(base: Values, new: Values, **thresholds: object) -> tuple[Verdict, int | None]:
    condition = judged(base, new, **thresholds)
    return condition.verdict, condition.images_needed


def judged(base: Values, new: Values, **thresholds: object) -> Condition:
    held = Thresholds(**{"max_absolute_drop": 0.02, **thresholds})
    (condition,) = compare_measured(verification(base), verification(new), held).changes[0].conditions
    return condition


def test_the_same_answers_of_two_models_pass_only_with_enough_images() -> None:
    for images, wanted in ((148, Verdict.INCONCLUSIVE), (149, Verdict.PASS)):
        values = spread(0.9, images=images)
        change = compare_measured(verification(values), verification(values), Thresholds()).changes[0]
        assert change.difference == 0
        assert change.conditions[0].verdict is wanted
        assert change.unseen == pytest.approx(1 - 0.05 ** (1 / images))
    assert change.conditions[0].largest_change == 1


def test_one_and_the_same_model_passes_without_statistics_but_must_hold_a_minimum() -> None:
    values = spread(0.9, images=10)
    held = Thresholds(minimum=0.99, min_images=8)
    change = compare_measured(verification(values), verification(values), held, same=True).changes[0]
    assert change.interval is not None
    assert (change.interval.low, change.interval.high) == (0, 0)
    assert change.unseen is None
    verdicts = {one.name: one.verdict for one in change.conditions}
    assert verdicts["max-absolute-drop"] is Verdict.PASS
    assert verdicts["min"] is not Verdict.PASS


def test_a_verdict_that_hangs_on_the_largest_change_says_what_it_would_be_with_twice_the_largest_seen() -> None:
    base = np.full(IMAGES, 0.5)
    new = base + np.tile([-0.05, 0.05], IMAGES // 2)
    condition = judged(base, new, max_absolute_drop=0.01)
    assert (condition.verdict, condition.largest_change) == (Verdict.INCONCLUSIVE, 1)
    assert condition.otherwise is Verdict.PASS
    assert condition.twice_seen == pytest.approx(0.1)
    stated = judged(base, new, max_absolute_drop=0.01, largest_change=0.1)
    assert (stated.verdict, stated.largest_change, stated.otherwise) == (Verdict.PASS, 0.1, None)


def test_a_stated_largest_change_that_the_images_refute_is_said_and_not_used() -> None:
    base = np.full(IMAGES, 0.9)
    new = base.copy()
    new[0] = 0.2
    found = compare_measured(verification(base), verification(new), Thresholds(largest_change=0.5))
    assert found.changes[0].conditions[0].largest_change == 1
    assert found.remarks == (
        "consistency of an image changed by 0.7, more than the stated largest-change of 0.5: judged with 1",
    )


def test_jitter_is_judged_by_the_ratio_of_the_typical_image_beside_the_boxes_that_flicker() -> None:
    base = spread(0.5)
    for factor, wanted in ((1.0, Verdict.PASS), (1.05, Verdict.PASS), (1.3, Verdict.FAIL)):
        pair = verification(base, task=Task.DETECTION), verification(1 - factor * (1 - base), task=Task.DETECTION)
        flicker, jitter = compare_measured(*pair, Thresholds()).changes
        assert [one.name for one in flicker.conditions] == ["max-absolute-drop"]
        (condition,) = jitter.conditions
        assert (condition.name, condition.limit, condition.verdict) == ("max-jitter-rise", 0.1, wanted)
        assert jitter.interval is None
        assert jitter.ratio is not None
        assert jitter.ratio.value == pytest.approx(factor, rel=0.01)
        assert jitter.ratio.new_largest == pytest.approx(factor * jitter.ratio.base_largest)
    assert compare_measured(*pair, Thresholds(max_jitter_rise=None)).changes[1].conditions == ()
    floors = compare_measured(*pair, Thresholds(minimum=0.2)).changes
    assert [[one.name for one in change.conditions] for change in floors] == [
        ["min", "max-absolute-drop"],
        ["max-jitter-rise"],
    ]


def test_a_clear_loss_fails_a_gain_passes_and_what_lies_between_says_how_many_images_it_takes() -> None:
    base = spread(0.8)
    assert verdict(base, base - 0.08) == (Verdict.FAIL, None)
    assert verdict(base, base + 0.05) == (Verdict.PASS, None)
    noise = 0.08 * np.random.default_rng(5).standard_normal(IMAGES)
    between, needed = verdict(base, base - noise + noise.mean() - 0.012)
    assert between is Verdict.INCONCLUSIVE
    assert needed is not None
    assert needed > IMAGES


def test_the_interval_is_the_paired_one_of_the_stated_confidence() -> None:
    base, new = spread(0.9, 1), spread(0.88, 2)
    held = Thresholds(confidence=0.9)
    change = compare_measured(verification(base), verification(new), held).changes[0]
    difference, interval = difference_interval(base, new, two_sided(0.9))
    assert two_sided(0.9) == pytest.approx(0.8)
    assert (change.difference, change.interval) == (difference, interval)


def test_images_are_paired_by_name_and_those_of_one_model_only_are_left_out_and_named() -> None:
    base = verification([0.5, 0.6, 0.7] * 20, [f"{i}" for i in range(60)])
    order = list(range(59, 9, -1))
    new = verification([([0.5, 0.6, 0.7] * 20)[i] for i in order], [f"{i}" for i in order])
    found = compare_measured(base, new, Thresholds())
    assert found.changes[0].images == 50
    assert found.changes[0].difference == 0
    assert found.remarks == ("50 images could be used with both models; the others are left out",)


def test_images_of_one_name_are_told_apart_by_their_order() -> None:
    base = verification([0.1, 0.9] * 20, ["same"] * 40)
    assert compare_measured(base, base, Thresholds()).changes[0].difference == 0


def test_for_a_measure_that_should_be_low_a_rise_is_the_drop() -> None:
    base = spread(0.8)
    held = Thresholds(max_absolute_drop=0.02)
    for new, wanted in ((base - 0.08, Verdict.FAIL), (base + 0.05, Verdict.PASS)):
        pair = (verification(base, task=Task.DENSE), verification(new, task=Task.DENSE))
        assert compare_measured(*pair, held).changes[0].conditions[0].verdict is wanted


def test_a_relative_drop_is_a_share_of_the_base() -> None:
    base = spread(0.8)
    assert verdict(base, 0.99 * base, max_absolute_drop=None, max_relative_drop=0.05)[0] is Verdict.PASS
    assert verdict(base, 0.80 * base, max_absolute_drop=None, max_relative_drop=0.05)[0] is Verdict.FAIL


def test_a_floor_is_held_by_the_new_model_alone() -> None:
    base = spread(0.8)
    assert verdict(base, base, max_absolute_drop=None, minimum=0.7)[0] is Verdict.PASS
    assert verdict(base, base, max_absolute_drop=None, minimum=0.9)[0] is Verdict.FAIL


def test_too_few_images_decide_nothing_whatever_they_say() -> None:
    base = spread(0.8, images=20)
    assert verdict(base, base - 0.3, min_images=32) == (Verdict.INCONCLUSIVE, 32)
    assert verdict(base[:4], base[:4] - 0.3, min_images=1)[0] is Verdict.INCONCLUSIVE


def test_too_few_images_are_not_promised_to_be_enough_where_the_difference_is_unclear() -> None:
    base = spread(0.8, images=20)
    noise = spread(0.0, seed=1, images=20) - spread(0.0, seed=2, images=20)
    unclear = judged(base, base + noise - noise.mean() - 0.02, min_images=32)
    assert (unclear.images_needed, unclear.images_enough) == (32, None)
    assert needed_words(32, None) == "fewer than 32 images decide nothing"
    clear = judged(base, base - 0.8 * base, min_images=32)
    assert (clear.images_needed, clear.images_enough) == (32, 32)


def test_every_common_measure_is_shown_and_only_the_main_one_is_held_to_thresholds() -> None:
    values = spread(0.9)
    changes = compare_measured(verification(values), verification(values), Thresholds()).changes
    assert [(one.measure, bool(one.conditions)) for one in changes] == [("consistency", True), ("mac", False)]


def different(**change: object) -> Verification:
    return replace(verification([0.9] * IMAGES), **change)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (different(self_test=SelfTest(False, 0.9, 1.0)), "two answers to one input"),
        (different(provider=Provider("auto", "CUDAExecutionProvider", (), (), "1", 1)), "choose one with --device"),
        (different(shifts=replace(verification([0.9]).shifts, radius=16)), "radius 32 and 16 px"),
        (different(data=replace(verification([0.9] * IMAGES).data, sha256="cd")), "the images changed"),
        (verification([0.9] * IMAGES, [f"other{i}" for i in range(IMAGES)]), "no image could be used with both"),
        (verification([0.9] * IMAGES, task=Task.DENSE), "classification and the new model as dense"),
        (different(outputs=()), "no measure in common"),
    ],
)
def test_runs_that_are_not_alike_are_not_compared(other: Verification, words: str) -> None:
    with pytest.raises(NotComparableError, match=words):
        compare_measured(verification([0.9] * IMAGES), other, Thresholds())


def test_a_measure_without_an_image_in_common_is_no_verdict_but_said_with_its_reason() -> None:
    half, nothing = np.full(IMAGES // 2, 0.9), np.full(IMAGES // 2, np.nan)
    base, new = verification(np.append(half, nothing)), verification(np.append(nothing, half))
    measured = compare_measured(base, new, Thresholds())
    (reason,) = measured.unjudged
    assert reason.startswith("no image in common gave a value of consistency (128 did with the base, 128 with the new")
    assert not any(change.conditions for change in measured.changes)
    (one,) = [np.append(half[:-1], [0.9, 0.9])]
    common = compare_measured(verification(np.append(one, nothing[1:])), new, Thresholds())
    assert not common.unjudged
    assert common.changes[0].conditions[0].verdict is Verdict.INCONCLUSIVE


def test_jitter_that_no_image_shows_leaves_the_verdict_on_the_boxes_that_flicker() -> None:
    silent = verification(np.full(IMAGES, np.nan), task=Task.DETECTION)
    measured = compare_measured(silent, silent, Thresholds())
    assert {change.measure: len(change.conditions) for change in measured.changes} == {"flicker": 1, "centre-jitter": 0}
    (reason,) = measured.unjudged
    assert "centre-jitter" in reason


def test_inputs_of_another_size_are_compared_and_the_report_says_so() -> None:
    larger = different(shifts=replace(verification([0.9]).shifts, window=(256, 256)))
    assert compare_measured(verification([0.9] * IMAGES), larger, Thresholds()).remarks == (
        "the inputs differ in size (224x224 and 256x256): shifts are the same in pixels",
    )
