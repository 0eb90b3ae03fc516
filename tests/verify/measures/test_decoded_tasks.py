"""The tasks of decoded answers: what one image leaves, and what comes of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from auditor.pipeline.decoding import Reading
from auditor.text import ModelText
from auditor.verify.measures.keypoints import Joints, KeypointsImage
from auditor.verify.measures.layouts import Decoder
from auditor.verify.measures.regression import Regression, RegressionImage
from auditor.verify.measures.target import Target
from auditor.verify.measures.task import ImageMeasures, Row, Subject, TaskMeasures, UnusableOutputError
from auditor.verify.measures.text import TextImage, TextLines
from auditor.verify.result import Task
from auditor.verify.shifts.alignment import Grid
from auditor.verify.shifts.plan import Pairs, ShiftPlan, Unit, Window, no_pairs
from auditor.verify.worker.arena import Array

SIZE = (96, 128)


def subject(task: Task, layout: str, outputs: tuple[str, ...], **reading: object) -> Subject:
    decoder = Decoder(layout, SIZE, Reading(**reading))  # type: ignore[arg-type]
    target = Target(outputs, task, decoder=decoder)
    return Subject(target, SIZE, Grid((1, 1), (0, 0), SIZE), 0.5)


def unit(*shifts: tuple[float, float]) -> Unit:
    """The unshifted input against each shifted one."""
    count = len(shifts)
    pairs = Pairs(np.zeros(count, np.int64), np.arange(1, count + 1), np.array(shifts, float).reshape(-1, 2))
    windows = tuple(Window(0, int(dy), int(dx)) for dy, dx in ((0, 0), *shifts))
    plan = ShiftPlan(windows, pairs, no_pairs(), pairs, np.zeros(0, np.int64), no_pairs(), count + 1)
    return Unit(ModelText("picture.png"), None, plan, b"1")


def rows_of(*images: ImageMeasures) -> list[Row]:  # type: ignore[type-arg]
    return [Row(index, ModelText(f"{index}.png"), image, pixels=bytes([index])) for index, image in enumerate(images)]


def maps(points: Array) -> Array:
    """Heat maps (K, 24, 32) with a peak at each point (x, y) in input pixels, four to a cell."""
    y, x = np.mgrid[:24, :32]
    return np.stack([np.exp(-((x - px / 4) ** 2 + (y - py / 4) ** 2) / 4) for px, py in points]).astype(np.float32)


POINTS = np.array([[40.0, 40.0], [60.0, 52.0], [88.0, 32.0]])
SHIFTS = ((0.0, 1.0), (2.0, 3.0), (4.0, 8.0))


def joints(refine: str = "argmax") -> tuple[Joints, KeypointsImage]:
    task = Joints.learn(subject(Task.KEYPOINTS, "heatmap", ("maps",), refine=refine), [])
    windows = [maps(POINTS - [dx, dy]) for dy, dx in ((0.0, 0.0), *SHIFTS)]
    return task, task.row(unit(*SHIFTS), task.read({"maps": windows}), None)


def test_the_jitter_of_an_exact_heat_map_is_quantisation_and_dark_takes_it_away() -> None:
    _, coarse = joints()
    _, fine = joints("dark")
    assert coarse.values["keypoint-jitter"] >= 1
    assert coarse.values["keypoint-quantisation"] > 0.3
    assert fine.values["keypoint-jitter"] < 0.2
    assert "keypoint-quantisation" not in fine.values
    assert coarse.compared == 9
    assert coarse.figures == 1
    assert [point.distance for point in coarse.curves["keypoint-jitter"]] == [1, 3, 8]


def test_the_report_names_the_worst_joint_and_what_the_numbers_rest_on() -> None:
    task, image = joints()
    rows = rows_of(image, image)
    first, worst = task.remarks(rows)
    assert first == "rests on 2 images, 2 figures, 18 compared joints"
    number = int(np.argmax(image.joints))
    assert worst.startswith(f"worst joint: number {number} of 3, mean {max(image.joints):.2f} px")
    measured = task.total(rows, 0.95)
    assert measured.task is Task.KEYPOINTS
    assert measured.measure("keypoint-jitter") is not None
    assert task.nothing(rows) == ""


def test_joints_that_nobody_sees_are_nothing_to_measure_and_the_reason_is_said() -> None:
    task, _ = joints()
    dark = [maps(POINTS) * 0.1] * 4
    image = task.row(unit(*SHIFTS), task.read({"maps": dark}), None)
    assert math.isnan(image.values["keypoint-jitter"])
    assert "no image has a keypoint of score 0.3 or more" in task.nothing(rows_of(image))


def test_a_reference_with_the_same_joints_agrees_and_one_with_others_does_not() -> None:
    task, _ = joints()
    here = task.read({"maps": [maps(POINTS)] * 4})
    away = task.read({"maps": [maps(np.add(POINTS, [20, 0]))] * 4})
    assert task.row(unit(*SHIFTS), here, here).values["fidelity"] == 1
    assert task.row(unit(*SHIFTS), here, away).values["fidelity"] == 0


def line(text: str, steps: int = 20) -> Array:
    """The steps of a reader of the letters a to h; class 0 is the blank."""
    table = np.full((steps, 9), 0.01, np.float32)
    table[:, 0] = 0.92
    for place, letter in enumerate(text):
        table[2 * place + 1] = 0.02
        table[2 * place + 1, 1 + "abcdefgh".index(letter)] = 0.84
    return table


def text() -> TextLines:
    return TextLines.learn(subject(Task.TEXT, "ctc", ("y",), alphabet="abcdefgh"), [])


def read_lines(*lines: str) -> TextImage:
    task = text()
    return task.row(unit(*SHIFTS), task.read({"y": [line(one) for one in lines]}), None)


def test_a_line_that_one_of_three_shifts_changes() -> None:
    image = read_lines("badge", "badge", "bad", "badge")
    assert image.values["text-changes"] == pytest.approx(1 / 3)
    assert image.values["edit-distance"] == pytest.approx(2 / 5 / 3)
    assert image.values["changed-confidence"] == pytest.approx(0.84, abs=0.01)
    assert image.flips == pytest.approx(1 / 3)
    assert text().remarks(rows_of(image)) == ("rests on 1 image with text, 5 characters",)


def test_pictures_without_text_say_nothing_and_if_there_are_no_others_that_is_said() -> None:
    empty, full = read_lines("", "", "", ""), read_lines("a", "a", "a", "a")
    measured = text().total(rows_of(empty, full), 0.95).measure("text-changes")
    assert measured is not None
    assert (measured.value, measured.images) == (0.0, 1)
    assert text().nothing(rows_of(empty)) == "no image has a character in any shifted window"
    assert text().nothing(rows_of(empty, full)) == ""


def regression(layout: str = "head-pose") -> Regression:
    told = subject(Task.REGRESSION, layout, ("angles",))
    return Regression.learn(told, [{"angles": np.array([1.0, 2.0, 3.0], np.float32)}])


def angles(*windows: tuple[float, float, float]) -> RegressionImage:
    task = regression()
    table = [np.array(window, np.float32) for window in windows]
    return task.row(unit(*SHIFTS[: len(windows) - 1]), task.read({"angles": table}), None)


def test_the_change_of_angles_is_in_degrees_and_relative_to_the_spread_between_images() -> None:
    images = [angles((base, 0, 179), (base + 3, 1, -179)) for base in (0.0, 10.0, 20.0)]
    assert images[0].values["value-change"] == pytest.approx((3 + 1 + 2) / 3)
    total = regression().total(rows_of(*images), 0.95)
    relative = total.measure("relative-change")
    assert relative is not None
    assert relative.value == pytest.approx(3 / 10)  # pitch and roll are the same in every image
    steady = regression().total(rows_of(*images), 0.95).measure("value-consistency")
    assert steady is not None
    assert steady.value == 0  # 3 degrees are more than a tenth of 10
    (words,) = regression().remarks(rows_of(*images))
    assert words == "value-change is in degrees: yaw 3, pitch 1, roll 2"


def test_two_images_have_no_spread_and_the_report_says_so() -> None:
    images = [angles((base, 0, 0), (base + 3, 1, 0)) for base in (0.0, 10.0)]
    relative = regression().total(rows_of(*images), 0.95).measure("relative-change")
    assert relative is None or math.isnan(relative.value)
    assert "wants 3" in regression().remarks(rows_of(*images))[-1]


def test_numbers_that_nothing_changes_are_nothing_to_measure() -> None:
    images = [angles((1, 2, 3), (1, 2, 3))] * 2
    assert regression().nothing(rows_of(*images)) == "the numbers are the same for every image and every shift"
    moving = [angles((1, 2, 3), (1, 2, 3)), angles((2, 2, 3), (2, 2, 3))]
    assert regression().nothing(rows_of(*moving)) == ""


@pytest.mark.parametrize("task", [joints()[0], text(), regression()], ids=["keypoints", "text", "regression"])
def test_an_output_that_is_not_finite_is_unusable(task: TaskMeasures) -> None:  # type: ignore[type-arg]
    shapes = {"maps": (3, 24, 32), "y": (20, 9), "angles": (3,)}
    (name,) = task.outputs
    with pytest.raises(UnusableOutputError, match="NaN or infinity"):
        task.read({name: [np.full(shapes[name], np.nan, np.float32)] * 4})
