from __future__ import annotations

import numpy as np
import pytest

from auditor.verify.errors import DataError
from auditor.verify.result import Task
from auditor.verify.tasks import find_target
from auditor.verify.worker.arena import Array

RNG = np.random.default_rng(0)


def noise(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("row", "task"),
    [
        (noise(1000), Task.CLASSIFICATION),
        (noise(1000, 1, 1), Task.CLASSIFICATION),
        (noise(10), Task.CLASSIFICATION),
        (noise(512), Task.EMBEDDING),
        (noise(100) / np.float32(10), Task.CLASSIFICATION),
        (np.full(256, 1 / 256, np.float32), Task.CLASSIFICATION),  # sums to one
        (noise(21, 56, 56), Task.DENSE),
        (noise(56, 56, 21), Task.DENSE),
        (noise(56, 56), Task.DENSE),
        (noise(84, 8400), Task.DETECTION),
        (noise(300, 6), Task.DETECTION),
        (noise(25200, 85), Task.DETECTION),
    ],
)
def test_the_task_is_told_from_the_output(row: Array, task: Task) -> None:
    found = find_target({"y": row}, None, None, (224, 224))
    assert found.task is task
    assert found.guessed


def test_a_unit_vector_is_an_embedding() -> None:
    vector = noise(100)
    found = find_target({"y": vector / np.linalg.norm(vector)}, None, None, (224, 224))
    assert found.task is Task.EMBEDDING


def test_the_class_axis_of_a_dense_output_is_the_one_unlike_the_input() -> None:
    assert find_target({"y": noise(21, 56, 56)}, None, None, (224, 224)).channel_axis == 0
    assert find_target({"y": noise(56, 56, 21)}, None, None, (224, 224)).channel_axis == 2
    assert find_target({"y": noise(28, 56)}, None, None, (112, 224)).channel_axis is None
    assert find_target({"y": noise(28, 56)}, None, None, (112, 224)).grid == (28, 56)


def test_boxes_and_scores_belong_together() -> None:
    found = find_target({"scores": noise(100, 91), "boxes": noise(100, 4)}, None, None, (320, 320))
    assert found.task is Task.DETECTION
    assert found.outputs == ("scores", "boxes")


def test_what_the_user_says_wins_and_is_no_guess() -> None:
    rows = {"logits": noise(512), "map": noise(21, 56, 56)}
    told = find_target(rows, Task.CLASSIFICATION, None, (224, 224))
    assert (told.outputs, told.task, told.guessed) == (("logits",), Task.CLASSIFICATION, False)
    assert find_target(rows, None, "map", (224, 224)).task is Task.DENSE
    with pytest.raises(DataError, match="--measured-output"):
        find_target(rows, None, "nothing", (224, 224))


def test_tokens_are_neither_boxes_nor_maps() -> None:
    with pytest.raises(DataError, match="--task"):
        find_target({"y": noise(197, 768)}, None, None, (224, 224))
