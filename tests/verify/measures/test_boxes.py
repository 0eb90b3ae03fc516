from __future__ import annotations

import numpy as np
import pytest

from auditor.verify.measures.boxes import Boxes, BoxFormat, Coordinates, Kind, find_format, read_boxes, suppress

WINDOW = (200, 400)
CORNERS = np.array([[40.0, 20.0, 120.0, 80.0], [200.0, 100.0, 260.0, 180.0], [10.0, 10.0, 60.0, 40.0]])
SCORES = np.array([0.9, 0.7, 0.2])
LABELS = np.array([3, 1, 2])


def centre(corners: np.ndarray) -> np.ndarray:
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)


def shares(values: np.ndarray) -> np.ndarray:
    return values / [400, 200, 400, 200]


def one_hot(count: int) -> np.ndarray:
    scores = np.zeros((3, count))
    scores[np.arange(3), LABELS] = SCORES
    return scores


def many(rows: np.ndarray) -> np.ndarray:
    """With anchors of no score, as raw heads have."""
    return np.concatenate([rows, np.tile([30.0, 30, 9, 9] + [0.0] * (rows.shape[1] - 4), (400, 1))])


def detr() -> dict[str, np.ndarray]:
    logits = np.full((3, 6), -20.0)
    logits[np.arange(3), LABELS] = np.log(SCORES)
    logits[:, -1] = np.log(1 - SCORES)
    return {"logits": logits, "pred_boxes": shares(centre(CORNERS))}


CASES: dict[str, dict[str, np.ndarray]] = {
    "torchvision": {"boxes": CORNERS.astype(np.float32), "labels": LABELS, "scores": SCORES},
    "ssd": {"bboxes": shares(CORNERS), "labels": LABELS, "scores": SCORES},
    "class-scores": {"boxes": shares(CORNERS), "scores": one_hot(5)},
    "tensorflow": {
        "detection_boxes": shares(CORNERS)[:, [1, 0, 3, 2]],
        "detection_classes": LABELS.astype(float),
        "detection_scores": SCORES,
        "num_detections": np.array([3.0]),
    },
    "detr": detr(),
    "end-to-end": {"output0": np.concatenate([CORNERS, SCORES[:, None], LABELS[:, None]], axis=1)},
    "yolov7": {"output": np.concatenate([np.zeros((3, 1)), CORNERS, LABELS[:, None], SCORES[:, None]], axis=1)},
    "yolov8": {"output0": many(np.concatenate([centre(CORNERS), one_hot(5)], axis=1)).T},
    "yolov5": {"output0": many(np.concatenate([centre(CORNERS), np.ones((3, 1)), one_hot(5)], axis=1))},
    "batch-axis": {"boxes": CORNERS[None], "labels": LABELS[None], "scores": SCORES[None]},
}


@pytest.mark.parametrize("case", CASES)
def test_the_usual_exports_give_the_same_boxes(case: str) -> None:
    rows = CASES[case]
    form = find_format(rows)
    assert form is not None
    found = read_boxes(rows, form, WINDOW, least=0.5)
    order = np.argsort(-found.scores)
    np.testing.assert_allclose(found.corners[order], CORNERS[:2], atol=1e-4)
    np.testing.assert_allclose(found.scores[order], SCORES[:2], atol=1e-3)
    np.testing.assert_array_equal(found.labels[order], LABELS[:2])


def test_outputs_that_are_no_boxes_have_no_format() -> None:
    assert find_format({"scores": np.zeros(1000)}) is None
    assert find_format({"mask": np.zeros((21, 64, 64))}) is None
    assert find_format({"boxes": CORNERS}) is None, "boxes without a score"
    assert find_format({"output0": np.zeros((300, 6))}) is None, "no box to tell from"


def test_no_detection_at_all_is_an_empty_list() -> None:
    form = find_format(CASES["torchvision"])
    assert form is not None
    empty = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, dtype=int), "scores": np.zeros(0)}
    assert len(read_boxes(empty, form, WINDOW)) == 0


def test_duplicates_of_a_class_are_suppressed_and_others_are_not() -> None:
    corners = np.array([[0.0, 0, 10, 10], [0, 1, 10, 11], [0, 1, 10, 11], [50, 50, 60, 60]])
    kept = suppress(Boxes(corners, np.array([0.8, 0.9, 0.7, 0.6]), np.array([1, 1, 2, 1])))
    assert kept.scores.tolist() == [0.9, 0.7, 0.6]


def test_boxes_that_are_not_finite_are_refused() -> None:
    form = BoxFormat(Kind.LISTS, "boxes", "scores", None, Coordinates.CORNERS, relative=False)
    with pytest.raises(ValueError, match="finite"):
        read_boxes({"boxes": np.full((1, 4), np.nan), "scores": np.ones(1)}, form, WINDOW)
