"""What a process that puts a run together keeps of each image: its numbers, and not its row."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify import columns, statistics
from auditor.verify.measures.described import DescribedImages
from auditor.verify.measures.target import Clues
from auditor.verify.measures.task import Row
from auditor.verify.merge import MeasuredLayers, RowTable, merge, require_measured
from auditor.verify.pilot import RunPlan, pilot
from auditor.verify.result import ImageResult, Task, Verification
from auditor.verify.row_store import RowStore
from auditor.verify.rows import measured_rows
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import SessionSpec
from tests.verify.models import brightest_box, classifier, saved
from tests.verify.test_runner import SETTINGS, pictures, source
from tests.work import calls

SOURCE = source(pictures(12))
MODELS: dict[str, tuple[Callable[[], Any], Task]] = {
    "classification": (classifier, Task.CLASSIFICATION),
    "detection": (brightest_box, Task.DETECTION),
}
# Numbers and the name of the image. What is described of one has more, and its row some kilobytes.
MOST_BYTES = 300


def measured(folder: Path, name: str) -> tuple[RunPlan, list[Row[Any]]]:
    make, task = MODELS[name]
    path = saved(folder / f"{name}.onnx", make())
    model = read_model(path)
    analysis = analyse(model)
    with Worker(SETTINGS.device, SETTINGS.limits, SETTINGS.threads) as worker:
        clues = Clues.of(model, analysis)
        plan, units = pilot(worker, SessionSpec(path), SOURCE, replace(SETTINGS, task=task), clues, analysis)
        return plan, list(measured_rows(worker, plan, units))


def many(rows: list[Row[Any]], images: int) -> Iterator[Row[Any]]:
    """So many rows with places, names and pixels of their own, as other processes send them."""
    for place in range(images):
        row: Row[Any] = pickle.loads(pickle.dumps(rows[place % len(rows)]))
        yield replace(row, index=place, name=ModelText(f"folder/{place:09}.png"), pixels=place.to_bytes(32, "big"))


def result(plan: RunPlan, store: RowStore) -> Verification:
    table = RowTable.of(store)
    require_measured(plan, table)
    return merge(plan, SOURCE, table, MeasuredLayers())


def grown(plan: RunPlan, rows: list[Row[Any]]) -> float:
    """Bytes of a result for each further image."""
    few, more = (len(pickle.dumps(result(plan, RowStore(many(rows, images), in_memory=8)))) for images in (60, 160))
    return (more - few) / 100


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are not what this is about."""
    monkeypatch.setattr(statistics, "_RESAMPLES", 10)


@pytest.mark.parametrize("name", MODELS)
def test_a_result_grows_by_the_numbers_of_an_image_where_there_are_many(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, rows = measured(tmp_path, name)
    whole = grown(plan, rows)
    monkeypatch.setattr(columns, "MOST_LISTED", 50)
    monkeypatch.setattr(columns, "MOST_SHOWN", 10)
    assert grown(plan, rows) < MOST_BYTES < whole


@pytest.mark.parametrize("name", MODELS)
def test_twice_the_images_are_twice_the_work_of_putting_them_together(tmp_path: Path, name: str) -> None:
    plan, rows = measured(tmp_path, name)
    _, few, more = (calls(partial(result, plan, RowStore(many(rows, images)))) for images in (12, 100, 200))
    assert more < 2.2 * few


@pytest.mark.parametrize("name", MODELS)
def test_few_rows_are_in_memory_at_a_time(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, rows = measured(tmp_path, name)
    alive: list[int] = []
    add, calls = DescribedImages.add, count()

    def counting(self: DescribedImages, image: ImageResult) -> None:
        if next(calls) % 10 == 9:  # to look at every object of a large process takes its time
            alive.append(sum(type(one) is Row for one in gc.get_objects()) - len(rows))
        add(self, image)

    monkeypatch.setattr(DescribedImages, "add", counting)
    store = RowStore(many(rows, 60), in_memory=8)
    found = result(plan, store)
    assert max(alive) < 16
    assert found.to_json() == result(plan, RowStore(many(rows, 60))).to_json(), "wherever rows are, they are the same"
    assert max(alive) > 60, "rows in memory are counted"
