"""J: what shifts change, as a share of what tells images apart."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from auditor.text import ModelText
from auditor.verify.images.preprocess import preset, to_picture, to_tensor
from auditor.verify.images.source import Picture
from auditor.verify.measures.classification import Classification, OutputScale, log_scores
from auditor.verify.measures.facts import MeasureFacts
from auditor.verify.measures.target import Target
from auditor.verify.measures.task import Subject
from auditor.verify.measures.variance import J, Spread, Spreads, spread_from, spread_of_several, variance_ratio
from auditor.verify.result import Measure, ProtocolKind, Task, Verification
from auditor.verify.shifts.alignment import Grid
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.shifts.protocols import Protocol
from tests.verify.models import brightest_box, classifier
from tests.verify.test_reference import embedding
from tests.verify.test_runner import CIRCULAR, SETTINGS, network, pictures, run


def measure(found: Verification, name: str) -> Measure:
    taken = found.measure(name)
    assert taken is not None
    return taken


def with_tail(made: ModelProto, *nodes: tuple[str, dict[str, Any]], factor: float = 1.0) -> ModelProto:
    """The network with its scores multiplied, then changed by further nodes."""
    changed = ModelProto()
    changed.CopyFrom(made)
    changed.graph.node[-1].output[0] = "scores"
    changed.graph.initializer.append(numpy_helper.from_array(np.float32(factor), "factor"))
    names = ["scaled", *(f"tail{i}" for i in range(len(nodes)))]
    names[-1] = "y"
    changed.graph.node.append(helper.make_node("Mul", ["scores", "factor"], [names[0]]))
    for (op, attributes), before, after in zip(nodes, names, names[1:], strict=False):
        changed.graph.node.append(helper.make_node(op, [before], [after], **attributes))
    return changed


def test_timid_scores_lower_mac_and_leave_j_as_it_is(tmp_path: Path) -> None:
    settings = replace(SETTINGS, task=Task.CLASSIFICATION)
    bold, timid = (run(tmp_path, with_tail(classifier(), factor=by), pictures(12), settings) for by in (0.2, 0.1))
    assert measure(timid, "consistency").value == measure(bold, "consistency").value
    assert measure(timid, "mac").value < 0.7 * measure(bold, "mac").value
    for name in ("j", "j-1px"):
        one, other = measure(bold, name), measure(timid, name)
        assert other.value == pytest.approx(one.value, rel=1e-4)
        assert other.per_image == pytest.approx(one.per_image, rel=1e-3)
        assert one.interval is not None
        assert one.interval.low < one.value < one.interval.high


def test_a_softmax_and_a_constant_on_all_logits_change_nothing(tmp_path: Path) -> None:
    logits = measure(run(tmp_path, classifier(), pictures(12)), "j").value
    shares = run(tmp_path, with_tail(classifier(), ("Softmax", {"axis": 1})), pictures(12))
    assert measure(shares, "j").value == pytest.approx(logits, rel=1e-3)


def test_j_is_the_ratio_of_the_variances_of_the_logits(tmp_path: Path) -> None:
    """From the network's own logits on windows that are cut here, without any code of the measurement."""
    import onnxruntime

    count = 12
    found = run(tmp_path, classifier(), pictures(count))
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    protocol = Protocol(ProtocolKind.CROP, (16, 16), 4)
    settings = ShiftSettings(4, pairs=4, neighbours=2, distances=(1, 2), path=2)
    within, means = [], []
    for index, picture in enumerate(pictures(count)):
        assert isinstance(picture, Picture)
        plan = protocol.plan(index, settings)
        canvas = to_tensor(to_picture(picture.pixels, (16, 16), preset("unit"), 4)[0], preset("unit"))
        windows = [canvas[:, window.y : window.y + 16, window.x : window.x + 16] for window in plan.windows]
        logits = session.run(None, {"x": np.stack(windows)})[0].astype(np.float64)
        logits -= logits.mean(axis=1, keepdims=True)
        pairs = plan.pairs
        change = logits[pairs.reference] - logits[pairs.moved]
        within.append(np.mean([float(row @ row) / 2 for row in change]))
        means.append(logits[sorted({*pairs.reference.tolist(), *pairs.moved.tolist()})].mean(axis=0))
    between = np.var(np.array(means), axis=0, ddof=1).sum()
    assert measure(found, "j").value == pytest.approx(np.mean(within) / between, rel=1e-4)


def test_a_network_that_no_shift_changes_has_none(tmp_path: Path) -> None:
    made = network(*CIRCULAR)
    found = run(tmp_path, made, pictures(9), replace(SETTINGS, protocol=ProtocolKind.ROLL))
    assert measure(found, "j").value < 1e-9
    flat = [Picture(ModelText(f"{i}"), np.full((24, 24, 3), 20 * i, np.uint8)) for i in range(9)]
    assert measure(run(tmp_path, made, [*flat]), "j").value < 1e-9


def test_below_four_images_nothing_is_said(tmp_path: Path) -> None:
    assert run(tmp_path, classifier(), pictures(3)).measure("j") is None
    few = run(tmp_path, classifier(), pictures(5))
    assert measure(few, "j").interval is None


@pytest.mark.parametrize(
    ("make", "task", "names"),
    [
        (embedding, Task.EMBEDDING, ("j",)),
        (classifier, Task.REGRESSION, ("j",)),
    ],
)
def test_every_task_with_one_vector_has_it(tmp_path: Path, make: object, task: Task, names: tuple[str, ...]) -> None:
    assert callable(make)
    found = run(tmp_path, make(), pictures(12), replace(SETTINGS, task=task))
    for name in names:
        assert 0 <= measure(found, name).value < 3


def test_a_box_that_moves_with_its_object_has_none(tmp_path: Path) -> None:
    items = []
    for i in range(9):
        pixels = np.zeros((20, 20, 3), np.uint8)
        pixels[9 + i % 3, 9 + i % 2] = 150 + 10 * i
        items.append(Picture(ModelText(f"{i}"), pixels))
    found = run(tmp_path, brightest_box(), [*items], replace(SETTINGS, task=Task.DETECTION))
    assert measure(found, "score-j").value < 1e-9
    assert measure(found, "centre-j").value < 1e-9


def test_numbers_of_another_unit_count_alike(tmp_path: Path) -> None:
    """A network whose numbers are degrees and metres has the J of one in any other units."""
    made = classifier()
    scaled = ModelProto()
    scaled.CopyFrom(made)
    head = next(weight for weight in scaled.graph.initializer if weight.name == "head")
    values = np.frombuffer(head.raw_data, np.float32).reshape(head.dims) * np.array([1, 10, 0.1, 100, 1, 1], np.float32)
    head.CopyFrom(numpy_helper.from_array(values.astype(np.float32), "head"))
    settings = replace(SETTINGS, task=Task.REGRESSION)
    one, other = (measure(run(tmp_path, model, pictures(12), settings), "j").value for model in (made, scaled))
    assert other == pytest.approx(one, rel=1e-3)


def test_boxes_are_held_against_the_spread_of_boxes() -> None:
    """Two images with two boxes each: the variance of four scores, each image with the same weight."""
    facts = MeasureFacts("score-j", "variance", False, "")
    scores = [np.array([[0.5], [0.9]]), np.array([[0.6], [0.8]]), np.array([[0.7], [0.7]]), np.array([[0.9], [0.5]])]
    spreads: list[Spread | None] = [spread_of_several(0.001, one) for one in scores]
    middle = np.mean(scores)
    between = np.mean([np.square(one - middle).mean() for one in scores]) * 4 / 3
    found = variance_ratio(facts, Spreads.of([*spreads, None, Spread(0.5)]), 0.95)
    assert found.value == pytest.approx(0.001 / between, rel=1e-5)
    assert np.isnan(found.per_image[4:]).all()
    assert found.images == 4


def test_answers_of_another_length_have_no_variance_between_them() -> None:
    spreads = [spread_from(0.1, np.ones((1, width))) for width in (3, 3, 3, 4)]
    assert math.isnan(variance_ratio(J, Spreads.of(spreads), 0.95).value)


def test_probabilities_of_half_precision_end_where_it_tells_them_apart() -> None:
    rows = np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0]])
    for dtype, least in ((np.float16, 4.77e-7), (np.float32, 1.18e-38)):
        subject = Subject(Target(("y",), Task.CLASSIFICATION), (8, 8), Grid((1, 1), (0, 0), (8, 8)), 0.5)
        learnt = Classification.learn(subject, [{"y": row.astype(dtype)} for row in rows])
        assert learnt.scale is OutputScale.PROBABILITIES
        assert learnt.least == pytest.approx(least, rel=0.01)
    assert np.isfinite(log_scores(rows, False, 1e-38)).all()
    odds = log_scores(np.array([[0.5, 0.75, 1.0]]), True, 1e-38)
    assert odds[0, :2] == pytest.approx([0, np.log(3)])
    assert np.isfinite(odds).all()
