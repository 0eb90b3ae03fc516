"""A probe runs a model on every usable picture once, counts the others, and gives what onnxruntime computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from auditor.onnxfile import read_model
from auditor.text import ModelText
from auditor.verify.admission import admitted
from auditor.verify.errors import ModelRefusedError
from auditor.verify.probe import probe
from auditor.verify.result import Rejected
from tests.verify.models import classifier, model, saved
from tests.verify.test_runner import SETTINGS, pictures, source


class Counting:
    def __init__(self) -> None:
        self.count = 0

    def begin(self, what: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        self.count += 1


def test_pictures_that_cannot_be_used_are_counted_and_the_others_seen(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    first, second = pictures(2)
    items = [first, Rejected(ModelText("broken.png"), "it is cut short"), second]
    observer = Counting()
    with probe(admitted(read_model(path), SETTINGS), source(items), SETTINGS, observer) as run:
        seen = [load.unit.name.raw for load in run.loads()]
    assert seen == ["0.png", "1.png"]
    assert [unit.name.raw for unit in run.rejected] == ["broken.png"]
    assert observer.count == 3


def test_the_tensors_of_a_window_are_those_that_the_model_computes_for_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    session = onnxruntime.InferenceSession(path)
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    with probe(admitted(read_model(path), SETTINGS), source(pictures(2)), SETTINGS) as run:
        for load in run.loads():
            window = run.window(load)
            (row,) = run.tensors(run.setup.opened.key, load, [output.name])[output.name]
            (expected,) = session.run(None, {given.name: window})
            assert np.allclose(row, np.asarray(expected)[0], atol=1e-5)


def test_a_tensor_inside_is_asked_for_once_and_an_output_not_at_all(tmp_path: Path) -> None:
    made = classifier()
    read = read_model(saved(tmp_path / "m.onnx", made))
    inside, output = made.graph.node[0].output[0], made.graph.output[0].name
    assert admitted(read, SETTINGS, [inside, output, inside]).extra_outputs == (inside,)


def test_a_model_of_a_foreign_domain_is_not_run(tmp_path: Path) -> None:
    node = helper.make_node("Mystery", ["x"], ["y"], domain="somebody.else")
    made = model([node], {"x": ["N", 3, 8, 8]}, {"y": ["N", 3]})
    with pytest.raises(ModelRefusedError):
        admitted(read_model(saved(tmp_path / "m.onnx", made)), SETTINGS)
