"""Two models that are not alike: other type, layout, size and range of the input, another form of the answer."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx import load as load_model

from auditor.onnxfile import read_model
from auditor.text import ModelText
from auditor.verify.errors import DataError
from auditor.verify.images.preprocess import preset
from auditor.verify.images.source import ImageSource, Picture, open_images
from auditor.verify.measures.target import Clues
from auditor.verify.merge import MeasuredLayers, RowTable, merge
from auditor.verify.options import read_keywords
from auditor.verify.pilot import pilot
from auditor.verify.result import DataKind, Rejected, ShiftAt, Task, Verification
from auditor.verify.rows import measured_rows
from auditor.verify.runner import verify, verify_pair
from auditor.verify.settings import ReferenceReading, VerifySettings
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import SessionSpec
from tests.onnxfile.build import SHARED
from tests.verify.models import classifier, saved
from tests.verify.pairs import (
    classes_behind_a_background,
    exported,
    in_half_precision,
    is_quantised,
    peak_detector,
    quantised,
    toy,
)
from tests.verify.test_runner import SETTINGS, by_chance, pictures, source, value

RAW = ReferenceReading(preset("raw"))


def held(path: Path, reference: Path, settings: VerifySettings, images: ImageSource | None = None) -> Verification:
    """The model at ``path`` held against the reference."""
    return verify(read_model(path), images or source(pictures(10)), replace(settings, reference=reference))


def bright(count: int, size: int = 20) -> ImageSource:
    """Dark pictures with one bright pixel, far from the border."""
    draw = np.random.default_rng(1)
    items: list[Picture | Rejected] = []
    for index in range(count):
        pixels = np.zeros((size, size, 3), np.uint8)
        y, x = draw.integers(8, size - 8, 2)
        pixels[y, x] = 255
        items.append(Picture(ModelText(f"{index}.png"), pixels))
    return ImageSource(DataKind.ARRAYS, count, (), lambda: iter(items))


def notes(found: Verification) -> str:
    return "\n".join(found.notes)


@pytest.mark.parametrize("channels_last", [True, False])
def test_an_export_that_reads_bytes_answers_as_the_float_model(tmp_path: Path, channels_last: bool) -> None:
    model = toy(tmp_path / "float.onnx")
    other = saved(tmp_path / "bytes.onnx", exported(classifier(batch=1), TensorProto.UINT8, channels_last, 255))
    found = held(model, other, replace(SETTINGS, reference_reading=RAW))
    assert value(found, "fidelity") == value(found, "fidelity-unshifted") == 1
    assert value(found, "added-changes") == 0
    layout = "NHWC" if channels_last else "NCHW"
    assert f"RGB 0..255, {layout}, uint8" in notes(found)
    assert "NCHW, float32" in found.preprocessing
    # The other way round the bytes are under test.
    turned = replace(SETTINGS, preprocessing=preset("raw"), reference_reading=ReferenceReading(preset("unit")))
    assert value(held(other, model, turned), "fidelity") == 1


def test_half_precision_agrees_but_for_ties(tmp_path: Path) -> None:
    other = saved(tmp_path / "half.onnx", in_half_precision(classifier(batch=1)))
    found = held(other, toy(tmp_path / "float.onnx"), SETTINGS)
    assert value(found, "fidelity") > 0.95
    assert "float16" in found.preprocessing
    assert "NCHW, float32" in notes(found)


def test_what_int8_adds_at_one_pixel_is_the_difference_of_both_models_alone(tmp_path: Path) -> None:
    model = toy(tmp_path / "float.onnx")
    small = quantised(model, tmp_path / "int8.onnx", 16, 1 / 255)
    assert is_quantised(small)
    found = held(small, model, SETTINGS)
    alone = [verify(read_model(path), source(pictures(10)), SETTINGS).measure("top1-change") for path in (small, model)]
    assert alone[0] is not None
    assert alone[1] is not None
    added = found.measure("added-changes")
    assert added is not None
    assert added.per_image == pytest.approx(np.subtract(alone[0].per_image, alone[1].per_image))
    assert added.interval is not None
    assert added.interval.low < added.value < added.interval.high
    # Two neighbours of each of ten images.
    here, there = (round(20 * measure.value) for measure in alone if measure is not None)
    verb = "adds" if here >= there else "removes"
    answers = "answer" if abs(here - there) == 1 else "answers"
    line = f"the model {verb} {abs(here - there)} changed {answers} at 1 px (of 20; {here} here, {there} with"
    assert line in notes(found)


def test_an_integer_input_behind_a_preset_for_floats_is_refused_on_either_side(tmp_path: Path) -> None:
    model = toy(tmp_path / "float.onnx")
    other = saved(tmp_path / "bytes.onnx", exported(classifier(batch=1), TensorProto.UINT8, True, 255))
    refusal = r"^the reference model: its input is uint8, .* makes only 2 levels of 256: give --reference-preset"
    with pytest.raises(DataError, match=refusal):
        held(model, other, SETTINGS)
    with pytest.raises(DataError, match=r"^its input is uint8, .* give --preset"):
        held(other, model, SETTINGS)


def test_classes_behind_a_background_are_asked_for_and_then_lined_up(tmp_path: Path) -> None:
    model = toy(tmp_path / "six.onnx")
    other = saved(tmp_path / "seven.onnx", classes_behind_a_background(classifier(batch=1)))
    with pytest.raises(DataError, match=r"tells 7 classes and this one 6: give --reference-first-class"):
        held(model, other, SETTINGS)
    settings = replace(SETTINGS, reference_reading=ReferenceReading(first_class=1))
    assert value(held(model, other, settings), "fidelity") == 1


def test_boxes_of_two_layouts_are_compared_after_decoding(tmp_path: Path) -> None:
    lists = saved(tmp_path / "lists.onnx", peak_detector())
    shares = saved(tmp_path / "tf.onnx", peak_detector(form="tf"))
    found = held(lists, shares, SETTINGS, bright(9))
    assert value(found, "fidelity") == 1
    assert value(found, "reference-offset") == pytest.approx(0, abs=1e-5)
    assert value(found, "reference-missed") == value(found, "reference-added") == 0
    assert "unshifted inputs: 9 boxes of both models, 0 of the reference alone, 0 of this one alone" in notes(found)
    assert "systematic" not in notes(found)


def test_a_half_pixel_that_a_conversion_moved_boxes_by_is_measured_and_named(tmp_path: Path) -> None:
    model = saved(tmp_path / "lists.onnx", peak_detector(off=0.5))
    reference = saved(tmp_path / "tf.onnx", peak_detector(form="tf"))
    found = held(model, reference, SETTINGS, bright(9))
    assert value(found, "reference-offset-x") == pytest.approx(0.5, abs=1e-5)
    assert value(found, "reference-offset-y") == pytest.approx(0.5, abs=1e-5)
    assert value(found, "reference-offset") == pytest.approx(np.sqrt(0.5), abs=1e-5)
    assert "0.50 px right of [0.50, 0.50] px and 0.50 px below [0.50, 0.50] px those of the reference" in notes(found)
    assert "half a pixel of the model" in notes(found)
    turned = held(reference, model, SETTINGS, bright(9))
    assert value(turned, "reference-offset-x") == pytest.approx(-0.5, abs=1e-5)
    assert "0.50 px left of" in notes(turned)


def test_inputs_of_two_sizes_see_the_same_parts_of_the_picture_at_its_own_resolution(tmp_path: Path) -> None:
    nearest = replace(preset("unit"), geometry=preset("unit").geometry.with_fit("stretch"))
    nearest = replace(nearest, geometry=replace(nearest.geometry, kernel="cv2-nearest"))
    settings = replace(SETTINGS, preprocessing=nearest, native_if_needed=True)
    small = saved(tmp_path / "small.onnx", peak_detector(16))
    large = saved(tmp_path / "large.onnx", peak_detector(32, form="tf", scale=2))
    for model, reference, size in ((small, large, 32), (large, small, 16)):
        found = held(model, reference, settings, bright(9))
        assert found.shifts.at is ShiftAt.NATIVE
        assert "shifts count pixels of the picture" in notes(found)
        assert f"reads {size}x{size} px" in notes(found)
        assert value(found, "fidelity") == 1
        assert value(found, "reference-offset") == pytest.approx(0, abs=1e-5)
    # A pixel of the large input is half of one of the picture.
    off = saved(tmp_path / "off.onnx", peak_detector(32, form="tf", scale=2, off=0.5))
    assert value(held(off, small, settings, bright(9)), "reference-offset-x") == pytest.approx(0.25, abs=1e-5)
    assert "half a pixel of the model" in notes(held(off, small, settings, bright(9)))


def test_inputs_of_two_sizes_are_refused_where_shifts_were_to_count_pixels_of_the_model(tmp_path: Path) -> None:
    small = saved(tmp_path / "small.onnx", peak_detector(16))
    large = saved(tmp_path / "large.onnx", peak_detector(32, form="tf", scale=2))
    with pytest.raises(DataError, match=r"of another size \(16x16 and 32x32 px\): give --shift-at native"):
        held(small, large, SETTINGS, bright(2))


def test_a_reference_of_open_size_reads_what_the_model_reads(tmp_path: Path) -> None:
    model = toy(tmp_path / "float.onnx")
    free = classifier(batch=1)
    for axis in (2, 3):
        free.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"s{axis}"
    other = saved(tmp_path / "free.onnx", free)
    found = held(model, other, SETTINGS)
    assert value(found, "fidelity") == 1
    assert "reads 16x16 px" in notes(found)
    small = replace(SETTINGS, reference_reading=ReferenceReading(size=(12, 12)), native_if_needed=True)
    assert "reads 12x12 px" in notes(held(model, other, small))


def test_pieces_in_any_order_give_the_bytes_of_one_run_of_a_pair(tmp_path: Path) -> None:
    model = toy(tmp_path / "float.onnx")
    other = saved(tmp_path / "bytes.onnx", exported(classifier(batch=1), TensorProto.UINT8, True, 255))
    settings = replace(SETTINGS, reference=other, reference_reading=RAW)
    images = source(pictures(9))
    whole = verify(read_model(model), images, settings)
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan, _ = pilot(worker, SessionSpec(model), images, settings, Clues.of(read_model(model), None), None)
        places = list(range(9))
        random.Random(3).shuffle(places)
        done = [
            row
            for piece in (places[:4], places[4:])
            for row in measured_rows(worker, plan, plan.units(images, frozenset(piece)))
        ]
    merged = merge(plan, images, RowTable.of(done[::-1]), MeasuredLayers(), seconds=whole.seconds)
    assert merged.to_json() == whole.to_json()


def test_colours_of_the_reference_come_on_the_way_that_the_model_takes() -> None:
    settings = read_keywords({"preset": "ultralytics", "reference_preset": "raw"}).settings
    own = settings.reference_reading.preprocessing
    assert own is not None
    assert own.geometry == settings.preprocessing.geometry
    assert own.scale == 1
    whole = read_keywords({"preset": "unit", "reference_preset": "yolox"}).settings.reference_reading.preprocessing
    assert whole is not None
    assert whole.geometry.fit != settings.preprocessing.geometry.fit
    with pytest.raises(ValueError, match="reference-layout must be auto"):
        read_keywords({"reference_layout": "NCWH"})


def test_a_pair_measured_in_one_run_is_each_model_measured_alone(tmp_path: Path) -> None:
    model = toy(tmp_path / "float.onnx")
    other = saved(tmp_path / "bytes.onnx", exported(classifier(batch=1), TensorProto.UINT8, True, 255))
    settings = replace(SETTINGS, reference=other, reference_reading=RAW)
    base, new = verify_pair(read_model(model), source(pictures(9)), settings)
    alone = verify(read_model(other), source(pictures(9)), replace(SETTINGS, preprocessing=preset("raw")))
    assert base.outputs == alone.outputs
    assert base.preprocessing == alone.preprocessing
    assert base.shifts == alone.shifts
    assert new.outputs == held(model, other, settings, source(pictures(9))).outputs


def test_a_failed_self_test_is_no_interruption_of_the_model_beside_it(tmp_path: Path) -> None:
    model, other = saved(tmp_path / "chance.onnx", by_chance()), saved(tmp_path / "other.onnx", classifier())
    settings = replace(SETTINGS, reference=other, self_test_images=12)
    base, new = verify_pair(read_model(model), source(pictures(12)), settings)
    assert "the measurement is void" in new.incomplete
    assert base.incomplete == "the model beside it failed the self-test of their run"


FACES = SHARED / "detector" / "ultraface_rfb320.onnx"
PHOTOS = SHARED.parent / "images"


@pytest.mark.slow
@pytest.mark.skipif(not FACES.is_file(), reason="needs the folder shared/models beside the checkout")
def test_a_real_detector_of_faces_agrees_with_its_export_that_reads_bytes(tmp_path: Path) -> None:
    original = load_model(FACES)
    original.graph.input[0].name = "x"
    for node in original.graph.node:
        node.input[:] = ["x" if name == "input" else name for name in node.input]
    weights = {one.name for one in original.graph.initializer}
    kept = [port for port in original.graph.input if port.name not in weights]
    del original.graph.input[:]
    original.graph.input.extend(kept)
    # The network reads (x - 127) / 128; the export only scales, so that its pictures are those levels on 127.
    other = saved(tmp_path / "bytes.onnx", exported(original, TensorProto.INT8, True, 128))
    levels = replace(preset("ultraface"), scale=1.0, mean=(127.0,), std=(1.0,))
    settings = replace(SETTINGS, preprocessing=preset("ultraface"), radius=8, task=Task.DETECTION)
    settings = replace(settings, reference_reading=ReferenceReading(levels), native_if_needed=True)
    images = open_images(str(PHOTOS), None, 6, 64.0)
    found = held(FACES, other, settings, images)
    # Only white, 128 above 127, is clipped.
    assert value(found, "fidelity") > 0.9
    assert value(found, "reference-offset") < 0.25
    assert "systematic" not in notes(found)
    assert "NHWC, int8" in notes(found)
