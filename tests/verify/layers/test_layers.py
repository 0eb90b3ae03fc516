from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.verify.layers.choose import choose_layers, layers_before
from auditor.verify.layers.result import LayerResult
from auditor.verify.result import ProtocolKind, Task, Verification
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from tests.verify.models import classifier, model, saved
from tests.verify.test_runner import SETTINGS, pictures, source

LAYERED = replace(SETTINGS, layer_images=2)


def run(folder: Path, made: ModelProto, settings: VerifySettings = LAYERED) -> Verification:
    read = read_model(saved(folder / "m.onnx", made))
    return verify(read, source(pictures(3)), settings, analyse(read))


def subsampled(steps: int) -> ModelProto:
    """A 1x1 convolution, then every ``steps``-th pixel of both axes, then a global average."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["mixed"], kernel_shape=[1, 1]),
        helper.make_node("Slice", ["mixed", "zero", "end", "axes", "step"], ["kept"]),
        helper.make_node("GlobalAveragePool", ["kept"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    weights = {
        "w": rng.normal(size=(6, 3, 1, 1)).astype(np.float32),
        "zero": np.array([0, 0]),
        "end": np.array([16, 16]),
        "axes": np.array([2, 3]),
        "step": np.array([steps, steps]),
    }
    return model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 6]}, weights)


def only(found: Verification) -> LayerResult:
    (layer,) = found.layers
    return layer


def test_a_stride_two_slice_is_exact_without_a_shift_and_loses_at_every_odd_one(tmp_path: Path) -> None:
    layer = only(run(tmp_path, subsampled(2)))
    assert layer.cumulative == (2.0, 2.0)
    assert layer.map.dy == layer.map.dx == (0, 1)
    error = np.array(layer.map.error)
    assert error[0, 0] == 0
    assert (error.ravel()[1:] > 0.1).all()
    assert layer.added == layer.error == pytest.approx(error.ravel()[1:].mean())


def test_the_map_of_a_larger_factor_shows_its_period(tmp_path: Path) -> None:
    made = subsampled(2)
    made.graph.node[2].input[0] = "again"
    second = helper.make_node("Slice", ["kept", "zero", "end", "axes", "step"], ["again"])
    made.graph.node.insert(2, second)
    first, last = run(tmp_path, made).layers
    error = np.array(last.map.error)
    assert error.shape == (4, 4)
    assert first.cumulative == (2.0, 2.0)
    assert last.cumulative == (4.0, 4.0)
    assert error[0, 0] == 0
    assert (error.ravel()[1:] > 0.1).all()
    assert last.added == pytest.approx(last.error - first.error)


def test_maps_that_stand_on_the_batch_axis_are_left_out_not_mistaken_for_images(tmp_path: Path) -> None:
    made = subsampled(2)
    made.graph.node[0].input[0] = "both"
    made.graph.node.insert(0, helper.make_node("Concat", ["x", "x"], ["both"], axis=0))
    made.graph.node.pop()
    made.graph.node.append(helper.make_node("Split", ["mean"], ["first", "second"], axis=0))
    made.graph.node.append(helper.make_node("Add", ["first", "second"], ["sum"]))
    made.graph.node.append(helper.make_node("Flatten", ["sum"], ["y"]))
    assert run(tmp_path, made).layers == ()


def test_a_pixelwise_dense_network_loses_nothing(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])]
    weights = {"w": np.random.default_rng(0).normal(size=(5, 3, 1, 1)).astype(np.float32)}
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 5, 16, 16]}, weights)
    layer = only(run(tmp_path, made, replace(LAYERED, task=Task.DENSE)))
    assert layer.site is None
    assert layer.error == pytest.approx(0, abs=1e-6)


def test_measured_alias_energy_stands_beside_the_prediction(tmp_path: Path) -> None:
    layer = only(run(tmp_path, classifier()))
    assert layer.alias_predicted is not None
    assert layer.alias_measured is not None
    assert 0 < layer.alias_measured < 1
    assert layer.before is not None
    assert len(layer.before.frequencies) == len(layer.before.power)


def test_white_noise_folds_what_the_flat_prediction_says(tmp_path: Path) -> None:
    # Three quarters of a white spectrum lie outside the new Nyquist box of a plain decimation by two; its mean folds
    # nothing, so the share of the varying power is compared through pictures of zero mean.
    nodes = [
        helper.make_node("Sub", ["x", "half"], ["zero_mean"]),
        helper.make_node("Slice", ["zero_mean", "zero", "end", "axes", "step"], ["kept"]),
        helper.make_node("GlobalAveragePool", ["kept"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    weights = {
        "half": np.array([0.5], np.float32),
        "zero": np.array([0, 0]),
        "end": np.array([16, 16]),
        "axes": np.array([2, 3]),
        "step": np.array([2, 2]),
    }
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"logits": ["N", 3]}, weights)
    read = read_model(saved(tmp_path / "m.onnx", made))
    noise = pictures(3, size=20)  # the size of the canvas: no resizing colours the noise
    found = analyse(read)
    layer = only(verify(read, source(noise), LAYERED, found))
    (energy,) = [site.alias for site in found.sites if site.alias is not None]
    assert energy.flat == pytest.approx(0.75, abs=0.01)
    # A photograph of this size would fold less.
    assert layer.alias_predicted == energy.expected == pytest.approx(0.17, abs=0.01)
    assert layer.alias_measured == pytest.approx(0.75, abs=0.05)


def test_every_shift_runs_once_for_all_layers_and_the_saving_is_counted(tmp_path: Path) -> None:
    plain = run(tmp_path, classifier(), replace(LAYERED, layer_images=0))
    layered = run(tmp_path, classifier())
    assert layered.runs - plain.runs == 2 * (1 + 4)
    assert layered.naive_runs - plain.naive_runs == 2 * 2 * 4
    assert layered.outputs == plain.outputs
    assert layered.shifts == plain.shifts


def test_layers_know_what_they_read(tmp_path: Path) -> None:
    pool: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], **pool),
        helper.make_node("MaxPool", ["a"], ["left"], **pool),
        helper.make_node("AveragePool", ["a"], ["right"], **pool),
        helper.make_node("Add", ["left", "right"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["y"], **pool),
    ]
    read = read_model(saved(tmp_path / "m.onnx", model(nodes, {"x": [1, 3, 32, 32]}, {"y": None})))
    layers = choose_layers(read, analyse(read))
    assert [layer.tensor for layer in layers] == ["a", "left", "right", "y"]
    assert layers_before(read, layers) == ((), (0,), (0,), (1, 2))


def test_protocols_without_whole_pixel_windows_say_that_layers_were_not_measured(tmp_path: Path) -> None:
    found = run(tmp_path, classifier(), replace(LAYERED, protocol=ProtocolKind.ZOOM))
    assert found.layers == ()
    assert any("layers are not measured with the protocol zoom" in note for note in found.notes)


def test_an_nhwc_network_is_compared_on_the_right_axes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Slice", ["x", "zero", "end", "axes", "step"], ["kept"]),
        helper.make_node("ReduceMean", ["kept"], ["logits"], axes=[1, 2], keepdims=0),
    ]
    weights = {
        "zero": np.array([0, 0]),
        "end": np.array([16, 16]),
        "axes": np.array([1, 2]),
        "step": np.array([2, 2]),
    }
    made = model(nodes, {"x": ["N", 16, 16, 3]}, {"logits": ["N", 3]}, weights)
    layer = only(run(tmp_path, made))
    error = np.array(layer.map.error)
    assert error[0, 0] == 0
    assert (error.ravel()[1:] > 0.1).all()
