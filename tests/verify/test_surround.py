"""A model that reads more of a picture than another: both see the same pixels, so differences are those of the models.

The witness is a network with a crop in front: it answers bit by bit what the network alone answers to the middle.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper, load, numpy_helper

from auditor.comparison.measured import compare_measured
from auditor.onnxfile import read_model
from auditor.options.thresholds import Thresholds
from auditor.verify.result import ProtocolKind, Verification
from auditor.verify.runner import verify, verify_pair
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.shifts.protocols import Protocol, cut
from auditor.verify.surround import beside, larger_by
from tests.verify.models import classifier, saved
from tests.verify.test_runner import SETTINGS, pictures, source

SIZE, ROOM = 16, 6
SHIFTED = replace(SETTINGS, radius=3)


def cropping(base: ModelProto, entry: object) -> ModelProto:
    """The network on the middle of a larger picture, with an entry in its metadata."""
    made = ModelProto()
    made.CopyFrom(base)
    for node in made.graph.node:
        node.input[:] = ["middle" if name == "x" else name for name in node.input]
    front = helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["middle"])
    edge = ROOM // 2
    for name, values in (("starts", [edge, edge]), ("ends", [-edge, -edge]), ("axes", [2, 3])):
        made.graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    nodes = [front, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    for axis in (2, 3):
        made.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = SIZE + ROOM
    helper.set_model_props(made, {"aliasaudit.fix": json.dumps(entry)})
    return made


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    base = saved(tmp_path / "base.onnx", classifier(size=SIZE))
    fed = {"fed": [SIZE + ROOM] * 2, "window": [SIZE] * 2}
    return base, saved(tmp_path / "new.onnx", cropping(load(base), fed))


def measured(path: Path, other: Path | None, settings: VerifySettings = SHIFTED) -> Verification:
    model = read_model(path)
    return verify(model, source(pictures(6)), beside(settings, model, other))


def numbers(found: Verification) -> dict[str, float]:
    return {measure.name: measure.value for output in found.outputs for measure in output.measures}


def near(expected: dict[str, float]) -> Any:
    return pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("protocol", [ProtocolKind.CROP, ProtocolKind.ZOOM, ProtocolKind.ROLL, ProtocolKind.SUBPIXEL])
def test_both_models_of_a_comparison_see_the_same_pixels(pair: tuple[Path, Path], protocol: ProtocolKind) -> None:
    base, new = pair
    settings = replace(SHIFTED, protocol=protocol)
    before, after = measured(base, new, settings), measured(new, base, settings)
    assert numbers(before) == near(numbers(after))
    changes = compare_measured(before, after, Thresholds()).changes
    assert all(change.difference == pytest.approx(0, abs=1e-6) for change in changes)


def test_without_the_other_model_the_pictures_differ_and_so_do_the_answers(pair: tuple[Path, Path]) -> None:
    base, new = pair
    before, after = measured(base, None), measured(new, None)
    assert numbers(before) != near(numbers(after))


def test_windows_at_the_resolution_of_the_picture_show_the_same_parts(pair: tuple[Path, Path]) -> None:
    base, new = pair
    settings = replace(SHIFTED, native=True)
    before, after = measured(base, new, settings), measured(new, base, settings)
    assert numbers(before) == near(numbers(after))


@pytest.mark.parametrize("turned", [False, True])
def test_a_reference_of_another_size_agrees_wholly_where_it_is_the_same_network(
    pair: tuple[Path, Path], turned: bool
) -> None:
    model, reference = pair[::-1] if turned else pair
    settings = replace(SHIFTED, reference=reference)
    found = verify(read_model(model), source(pictures(6)), settings)
    fidelity = found.measure("fidelity")
    assert fidelity is not None
    assert fidelity.value == 1
    before, after = verify_pair(read_model(model), source(pictures(6)), settings)
    shared = numbers(before).keys() & numbers(after).keys()
    assert len(shared) > 4
    assert {name: numbers(before)[name] for name in shared} == near({name: numbers(after)[name] for name in shared})


@pytest.mark.parametrize("kind", ProtocolKind)
def test_every_window_is_the_middle_of_the_larger_one(kind: ProtocolKind) -> None:
    larger, smaller = Protocol(kind, (22, 26), 4), Protocol(kind, (16, 20), 4, surround=3)
    assert larger.picture == smaller.picture
    assert larger.positions == smaller.positions
    settings = ShiftSettings(radius=4, distances=(1, 3), pairs=6)
    plan = larger.plan(1, settings)
    assert smaller.plan(1, settings).windows == plan.windows
    picture = np.random.default_rng(0).uniform(1, 255, (*larger.picture, 3))
    for window in plan.windows:
        whole = cut(larger.canvas(picture, window.variant), window, larger.window)
        middle = cut(smaller.canvas(picture, window.variant), window, smaller.window)
        np.testing.assert_array_equal(middle, whole[3:-3, 3:-3])


def test_the_room_is_read_from_what_rewrites_recorded() -> None:
    entry = json.dumps({"fed": [256, 256], "window": [224, 224]})
    assert larger_by({"aliasaudit.fix": entry}) == 16
    assert larger_by({"aliasaudit.fix": "{}", "aliasaudit.fix.2": entry}) == 16
    assert larger_by({"somebody.else": entry}) == 0


@pytest.mark.parametrize(
    "entry",
    ["", "[]", "7", '{"fed": 7, "window": [1]}', '{"fed": ["a"], "window": [1]}', '{"fed": [1e9], "window": [1]}',
     '{"fed": [1000000], "window": [1]}', '{"fed": [1], "window": [9]}', '{"fed": [], "window": []}', "[" * 9000],
)  # fmt: skip
def test_a_model_that_says_nonsense_of_itself_is_taken_as_it_is(entry: str) -> None:
    assert larger_by({"aliasaudit.fix": entry}) == 0
