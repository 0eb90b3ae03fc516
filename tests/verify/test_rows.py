"""What is measured on one image does not depend on the others, on their order, or on who runs which of them."""

from __future__ import annotations

import multiprocessing
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.measures.target import Clues
from auditor.verify.measures.task import Row
from auditor.verify.merge import MeasuredLayers, RowTable, merge
from auditor.verify.perturbation import Perturbation, PerturbationKind
from auditor.verify.pilot import RunPlan, pilot
from auditor.verify.result import DataKind, ProtocolKind, Rejected, Task
from auditor.verify.rows import measured_rows, rows
from auditor.verify.runner import verify
from auditor.verify.settings import ReferenceReading, VerifySettings
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import SessionSpec
from tests.verify.models import brightest_box, classifier, saved
from tests.verify.test_reference import dense, embedding
from tests.verify.test_runner import SETTINGS, pictures, run

BAD = "cannot be decoded (OSError)"


def read() -> list[Picture | Rejected]:
    """Nine usable pictures with labels, one with a label that no model has, and unusable ones at both ends."""
    items = pictures(10, label=1)
    items[4] = Picture(items[4].name, items[4].pixels, 99) if isinstance(items[4], Picture) else items[4]
    return [
        Rejected(ModelText("first"), BAD),
        *items[:5],
        Rejected(ModelText("inner"), BAD),
        *items[5:],
        Rejected(ModelText("last"), BAD),
    ]


SOURCE = ImageSource(DataKind.ARRAYS, 13, (), lambda: iter(read()))


PERTURBED = tuple(
    Perturbation(kind, 1.0) for kind in PerturbationKind if kind not in (PerturbationKind.ROTATE, PerturbationKind.JPEG)
)


@dataclass(frozen=True)
class Case:
    """A model of every task, and how it is measured."""

    make: Callable[[], ModelProto]
    settings: VerifySettings
    other: Callable[[], ModelProto] | None = None


CASES = {
    "classification": Case(classifier, SETTINGS),
    "classification-reference": Case(classifier, SETTINGS, classifier),
    "dense": Case(lambda: dense(5), replace(SETTINGS, task=Task.DENSE)),
    "dense-reference": Case(lambda: dense(5), replace(SETTINGS, task=Task.DENSE), lambda: dense(5, 2)),
    "embedding-reference": Case(embedding, SETTINGS, lambda: embedding(2)),
    "detection": Case(brightest_box, replace(SETTINGS, task=Task.DETECTION)),
    "detection-reference": Case(brightest_box, replace(SETTINGS, task=Task.DETECTION), brightest_box),
    "regression-reference": Case(classifier, replace(SETTINGS, task=Task.REGRESSION), classifier),
    "frames": Case(classifier, replace(SETTINGS, protocol=ProtocolKind.FRAMES)),
    "perturbed-reference": Case(
        classifier,
        replace(SETTINGS, perturbations=PERTURBED, reference_reading=ReferenceReading(measured=True)),
        classifier,
    ),
    "perturbed-detection": Case(brightest_box, replace(SETTINGS, task=Task.DETECTION, perturbations=PERTURBED)),
    "roll": Case(classifier, replace(SETTINGS, protocol=ProtocolKind.ROLL)),
}


def planned(folder: Path, case: Case) -> tuple[Path, VerifySettings]:
    settings = case.settings
    if case.other is not None:
        settings = replace(settings, reference=saved(folder / "other.onnx", case.other()))
    return saved(folder / "m.onnx", case.make()), settings


def plan_of(path: Path, settings: VerifySettings, worker: Worker) -> RunPlan:
    model = read_model(path)
    analysis = analyse(model)
    plan, _ = pilot(worker, SessionSpec(path), SOURCE, settings, Clues.of(model, analysis), analysis)
    return plan


def pieces(count: int, seed: int = 0) -> list[list[int]]:
    """All places, shuffled, in so many pieces."""
    places = list(range(len(read())))
    random.Random(seed).shuffle(places)
    return [places[start::count] for start in range(count)]


@pytest.mark.parametrize("case", CASES)
def test_pieces_in_any_order_give_the_bytes_of_one_run(tmp_path: Path, case: str) -> None:
    path, settings = planned(tmp_path, CASES[case])
    model = read_model(path)
    whole = verify(model, SOURCE, settings, analyse(model))
    assert whole.data.used
    assert whole.data.rejected
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan = plan_of(path, settings, worker)
    for count in (1, 3, 7):
        done: list[Row[Any]] = []
        with Worker(settings.device, settings.limits, settings.threads) as worker:
            for piece in pieces(count):
                there = pickle.loads(pickle.dumps(plan)).reopened(worker)
                units = there.units(SOURCE, frozenset(piece))
                done += pickle.loads(pickle.dumps(list(measured_rows(worker, there, units))))
        random.Random(count).shuffle(done)
        merged = merge(plan, SOURCE, RowTable.of(done), MeasuredLayers(), seconds=whole.seconds)
        assert merged.to_json() == whole.to_json()


def test_an_interrupted_run_is_what_the_same_images_give_in_pieces(tmp_path: Path) -> None:
    class Impatient:
        done = 0

        def begin(self, what: str, total: int | None) -> None:
            """Nothing to show."""

        def advance(self) -> None:
            self.done += 1
            if self.done == 8:
                raise KeyboardInterrupt

    path, settings = planned(tmp_path, CASES["classification"])
    model = read_model(path)
    whole = verify(model, SOURCE, settings, analyse(model), Impatient())
    assert whole.incomplete == "interrupted after 8 of 13 images"
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan = plan_of(path, settings, worker)
        measured = {name.raw for name in (*whole.data.used, *(one.name for one in whole.data.rejected))}
        here = [index for index, item in enumerate(read()) if item.name.raw in measured]
        done = list(measured_rows(worker, plan, plan.units(SOURCE, frozenset(here))))
    table = RowTable.of(reversed(done))
    merged = merge(plan, SOURCE, table, MeasuredLayers(), interrupted=True, seconds=whole.seconds)
    assert merged.to_json() == whole.to_json()


def elsewhere(plan: bytes, piece: list[int]) -> bytes:
    """Rows as another process makes them, from bytes to bytes."""
    return pickle.dumps(rows(pickle.loads(plan), SOURCE, piece))


def test_another_process_makes_the_rows_from_the_plan_alone(tmp_path: Path) -> None:
    path, settings = planned(tmp_path, CASES["detection"])
    model = read_model(path)
    whole = verify(model, SOURCE, settings, analyse(model))
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan = plan_of(path, settings, worker)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        parts = pool.starmap(elsewhere, [(pickle.dumps(plan), piece) for piece in pieces(2)])
    table = RowTable.of(row for part in parts for row in pickle.loads(part))
    assert merge(plan, SOURCE, table, MeasuredLayers(), seconds=whole.seconds).to_json() == whole.to_json()


@pytest.mark.parametrize("channels", [4, 256])
def test_a_row_stays_small_whatever_the_size_of_the_output(tmp_path: Path, channels: int) -> None:
    path = saved(tmp_path / "m.onnx", dense(channels))
    settings = replace(SETTINGS, task=Task.DENSE)
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan = plan_of(path, settings, worker)
        made = list(measured_rows(worker, plan, plan.units(SOURCE)))
    assert len(pickle.dumps(made)) / len(made) < 400


def test_the_first_image_decides_nothing_for_the_next(tmp_path: Path) -> None:
    """A first picture whose scores happen to lie in 0..1 does not make probabilities of all later ones."""
    dark: list[Picture | Rejected] = [Picture(ModelText("dark"), np.zeros((24, 24, 3), np.uint8))]
    behind = run(tmp_path, classifier(), [*pictures(4), *dark])
    ahead = run(tmp_path, classifier(), [*dark, *pictures(4)])
    by_name = [{image.name.raw: image.score for image in one.outputs[0].images} for one in (behind, ahead)]
    assert by_name[0]["dark"] == by_name[1]["dark"]
