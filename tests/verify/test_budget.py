"""How much is measured where nobody says how much: by the size of the model, never by a clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.sampling.work import multiply_adds
from auditor.verify.budget import within_budget
from auditor.verify.minimum import interval_with
from auditor.verify.options import Request, read_request
from auditor.verify.result import Measure
from auditor.verify.statistics import mean_interval


def convolutions(folder: Path, channels: int, size: int, batch: int | str = 1) -> Path:
    """A network of two 3x3 convolutions on a square, whose multiply-adds can be counted by hand."""
    weights = [np.zeros((channels, 3, 3, 3), np.float32), np.zeros((channels, channels, 3, 3), np.float32)]
    nodes = [
        onnx.helper.make_node("Conv", ["x", "first"], ["a"], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Conv", ["a", "second"], ["b"], pads=[1, 1, 1, 1], strides=[2, 2]),
        onnx.helper.make_node("GlobalAveragePool", ["b"], ["y"]),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [value("x", onnx.TensorProto.FLOAT, [batch, 3, size, size])],
        [value("y", onnx.TensorProto.FLOAT, [batch, channels, 1, 1])],
        [onnx.numpy_helper.from_array(one, name) for one, name in zip(weights, ("first", "second"), strict=True)],
    )
    path = folder / f"net-{channels}-{batch}.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), path)
    return path


def sized(path: Path, **options: object) -> Request:
    model = read_model(path)
    return within_budget(read_request(options), model, analyse(model))


def test_multiply_adds_are_those_of_a_count_by_hand(tmp_path: Path) -> None:
    model = read_model(convolutions(tmp_path, 8, 64))
    by_hand = 64 * 64 * 8 * 3 * 9 + 32 * 32 * 8 * 8 * 9
    assert multiply_adds(model.graph, analyse(model).shapes) == by_hand


def test_a_small_model_is_measured_on_all_built_in_pictures_and_a_large_one_on_fewer(tmp_path: Path) -> None:
    small, large = sized(convolutions(tmp_path, 8, 64)), sized(convolutions(tmp_path, 256, 224))
    assert (small.limit, small.settings.layer_images, small.notes) == (None, 4, ())
    assert large.limit == 16
    assert large.settings.layer_images == 1
    (note,) = large.source().notes[-1:]
    assert "a first look on 16 pictures, of which layers on 1" in note
    assert "--images-limit 64 --layers 4 measures more" in note


def test_the_number_is_between_and_the_same_for_any_batch(tmp_path: Path) -> None:
    alone, eight = (sized(convolutions(tmp_path, 64, 224, batch)) for batch in (1, 8))
    assert alone.limit is not None
    assert 16 < alone.limit < 64
    assert (alone.limit, alone.settings.layer_images) == (eight.limit, eight.settings.layer_images)
    assert sized(convolutions(tmp_path, 64, 224), shifts=64).limit == 16


@pytest.mark.parametrize("options", [{"images": "photos"}, {"images-limit": 48}])
def test_what_the_user_chose_is_measured(tmp_path: Path, options: dict[str, object]) -> None:
    request = sized(convolutions(tmp_path, 256, 224), **options)
    assert (request.limit, request.notes) == (options.get("images-limit"), ())
    assert sized(convolutions(tmp_path, 256, 224), layers=3).settings.layer_images == 3


def test_the_interval_with_more_images_is_that_of_a_sample_like_this_one() -> None:
    generator = np.random.default_rng(0)
    values = generator.binomial(8, 0.9, 256) / 8
    few = values[:32]
    shown = Measure("consistency", float(few.mean()), mean_interval(few), "share", True, tuple(few))
    expected, real = interval_with(shown, 256), mean_interval(values)
    assert shown.interval is not None
    assert expected is not None
    assert real is not None
    assert expected.high - expected.low == pytest.approx(real.high - real.low, rel=0.25)
    assert expected.high - expected.low < 0.5 * (shown.interval.high - shown.interval.low)
    many = Measure("consistency", float(values.mean()), real, "share", True, tuple(values))
    assert interval_with(many, 256) is None
