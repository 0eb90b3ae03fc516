"""Several processes measure what one does, also where one of them is killed or an image ends the run."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auditor.cli import main
from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.verify import processes
from auditor.verify.errors import DataError, ModelRejectedError, WorkerCrashedError
from auditor.verify.images.preprocess import preset
from auditor.verify.images.source import ImageSource, open_images
from auditor.verify.processes import Spares
from auditor.verify.result import Task
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from tests.verify.models import brightest_box, classifier, model, saved
from tests.verify.test_reference import dense
from tests.verify.test_runner import SETTINGS

MODELS = {
    "classification": (classifier, SETTINGS),
    "detection": (brightest_box, replace(SETTINGS, task=Task.DETECTION)),
    "dense": (lambda: dense(5), replace(SETTINGS, task=Task.DENSE)),
}


def images(folder: Path, count: int = 14) -> ImageSource:
    """Noise, one of which is not finite."""
    noise = np.random.default_rng(0).integers(0, 256, (count, 24, 24, 3)).astype(np.float32)
    noise[5, 0, 0, 0] = np.nan
    np.save(folder / "noise.npy", noise)
    again = partial(open_images, str(folder / "noise.npy"))
    return replace(again(), again=again)


def measured(path: Path, source: ImageSource, settings: VerifySettings) -> str:
    read = read_model(path)
    return verify(read, source, settings, analyse(read)).to_json()


@pytest.mark.parametrize("name", MODELS)
def test_two_processes_write_the_bytes_of_one(tmp_path: Path, name: str) -> None:
    make, settings = MODELS[name]
    path, source = saved(tmp_path / "m.onnx", make()), images(tmp_path)
    settings = replace(settings, layer_images=2)
    alone = measured(path, source, settings)
    assert '"rejected": []' not in alone
    assert measured(path, source, replace(settings, jobs=2)) == alone


def test_a_process_that_is_killed_is_replaced_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, source = saved(tmp_path / "m.onnx", classifier()), images(tmp_path)
    alone = measured(path, source, SETTINGS)
    killed: list[int] = []
    asked = processes._Slot._asked

    def killing(self: processes._Slot, block: list[int]) -> object:
        if 8 in block and not killed:
            killed.append((self._process or self._started()).pid)
            os.kill(killed[0], getattr(signal, "SIGKILL", signal.SIGTERM))
        return asked(self, block)

    monkeypatch.setattr(processes._Slot, "_asked", killing)
    assert measured(path, source, replace(SETTINGS, jobs=2)) == alone
    assert killed


def test_a_process_that_is_killed_again_and_again_ends_the_run_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, source = saved(tmp_path / "m.onnx", classifier()), images(tmp_path, 6)

    def killed(self: processes._Slot, block: list[int]) -> object:
        raise EOFError

    monkeypatch.setattr(processes._Slot, "_asked", killed)
    with pytest.raises(WorkerCrashedError, match="killed 3 times in a row: use fewer --jobs"):
        measured(path, source, replace(SETTINGS, jobs=2))


def refusing() -> onnx.ModelProto:
    """Looks its answer up by the largest value of the picture, in a table that ends at 250."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["largest"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Cast", ["largest"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "row"], ["y"], axis=0),
    ]
    table = np.random.default_rng(0).normal(size=(250, 6)).astype(np.float32)
    return model(nodes, {"x": [1, 3, 16, 16]}, {"y": [1, 6]}, {"table": table})


def test_the_failure_is_that_of_the_first_image_whichever_process_was_first(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", refusing())
    pictures = np.zeros((24, 24, 24, 3), np.uint8) + np.arange(24, dtype=np.uint8)[:, None, None, None]
    pictures[9], pictures[15], pictures[23] = 251, 253, 255
    np.save(tmp_path / "flat.npy", pictures)
    again = partial(open_images, str(tmp_path / "flat.npy"))
    source = replace(again(), again=again)
    said = []
    for jobs in (1, 2):
        with pytest.raises(ModelRejectedError) as caught:
            measured(path, source, replace(SETTINGS, jobs=jobs, task=Task.CLASSIFICATION, preprocessing=preset("raw")))
        said.append((str(caught.value), caught.value.detail.raw))
    assert said[0] == said[1]
    assert "251" in said[0][1]


def test_images_that_come_one_after_the_other_are_not_shared(tmp_path: Path) -> None:
    path, source = saved(tmp_path / "m.onnx", classifier()), replace(images(tmp_path), at=None)
    with pytest.raises(DataError, match="come one after the other, so processes cannot share them"):
        measured(path, source, replace(SETTINGS, jobs=2))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The further processes that are started."""
    made: list[subprocess.Popen[bytes]] = []
    start = processes._started

    def starting() -> subprocess.Popen[bytes]:
        made.append(start())
        return made[-1]

    monkeypatch.setattr(processes, "_started", starting)
    return made


def test_processes_are_kept_for_further_models_and_end_with_the_context(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    source, settings = images(tmp_path), replace(SETTINGS, jobs=2)
    paths = [saved(tmp_path / "a.onnx", classifier()), saved(tmp_path / "b.onnx", classifier(stride=4))]
    alone = [measured(path, source, SETTINGS) for path in paths]
    with suppress(RuntimeError), Spares() as spares:
        for path, expected in zip(paths, alone, strict=True):
            read = read_model(path)
            assert verify(read, source, settings, analyse(read), spares=spares).to_json() == expected
        assert len(started) == 2
        assert [process.poll() for process in started] == [None, None]
        raise RuntimeError
    assert None not in [process.poll() for process in started]


def test_a_kept_process_that_was_killed_meanwhile_is_replaced(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    source, settings = images(tmp_path), replace(SETTINGS, jobs=2)
    read = read_model(saved(tmp_path / "a.onnx", classifier()))
    with Spares() as spares:
        first = verify(read, source, settings, analyse(read), spares=spares)
        os.kill(started[0].pid, signal.SIGKILL)
        assert verify(read, source, settings, analyse(read), spares=spares).to_json() == first.to_json()
        assert len(started) == 3


def test_without_spares_processes_end_with_their_run(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    path, source = saved(tmp_path / "m.onnx", classifier()), images(tmp_path)
    measured(path, source, replace(SETTINGS, jobs=2))
    assert None not in [process.poll() for process in started]


def test_a_search_starts_its_processes_once(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    path = saved(tmp_path / "m.onnx", classifier(stride=16))
    images(tmp_path)
    options = ["--images", str(tmp_path / "noise.npy"), "--preset", "unit", "--device", "cpu", "--isolated"]
    command = ["fix", str(path), "-o", str(tmp_path / "fixed.onnx"), "--strategy", "auto", "--jobs", "2"]
    assert main([*command, *options]) in (0, 1)
    assert len(started) == 2
    assert None not in [process.poll() for process in started]
