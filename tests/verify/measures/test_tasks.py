from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.sampling.result import HeadKind
from auditor.verify.errors import VerifyError
from auditor.verify.images.synthetic import builtin_images
from auditor.verify.measures.target import Clues, Target, find_target
from auditor.verify.options import read_request
from auditor.verify.result import Task
from auditor.verify.setup import prepare
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import SessionSpec

RNG = np.random.default_rng(0)
WINDOW = (224, 224)
SHARED = Path(__file__).parents[4] / "shared" / "models"


def noise(*shape: int, scale: float = 4.0) -> Array:
    return (RNG.normal(size=shape) * scale).astype(np.float32)


def shares(*shape: int) -> Array:
    return RNG.random(shape).astype(np.float32)


def softmax(values: Array, axis: int = -1) -> Array:
    raised = np.exp(values - values.max(axis=axis, keepdims=True))
    probabilities: Array = raised / raised.sum(axis=axis, keepdims=True)
    return probabilities


def told(*outputs: dict[str, Array], window: tuple[int, int] = WINDOW, clues: Clues | None = None) -> Target:
    return find_target(outputs, None, None, window, clues)


def yolo(rows: int, classes: int, objectness: bool, side: float = 224) -> Array:
    """Rows of centre, size and scores, as YOLOv8 (without objectness) and YOLOv5 decode them."""
    scores = shares(rows, classes + objectness)
    return np.concatenate([shares(rows, 2) * side, shares(rows, 2) * 60, scores], axis=1).astype(np.float32)


def ended(rows: int, width: int) -> Array:
    corner, size = shares(rows, 2) * 100, shares(rows, 2) * 60
    label = RNG.integers(0, 80, (rows, 1))
    columns = [corner, corner + size, shares(rows, 1), label] if width == 6 else []
    if width == 7:
        columns = [np.zeros((rows, 1)), corner, corner + size, label, shares(rows, 1)]
    return np.concatenate(columns, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("row", "task"),
    [
        (noise(1000), Task.CLASSIFICATION),
        (noise(1000, scale=0.05), Task.CLASSIFICATION),  # weights that were never trained
        (noise(1000, 1, 1), Task.CLASSIFICATION),
        (noise(1001), Task.CLASSIFICATION),
        (noise(10), Task.CLASSIFICATION),
        (noise(37, scale=0.1), Task.CLASSIFICATION),
        (softmax(noise(2)), Task.CLASSIFICATION),
        (softmax(noise(196)), Task.CLASSIFICATION),
        (np.log(softmax(noise(10))), Task.CLASSIFICATION),
        (np.full(256, 1 / 256, np.float32), Task.CLASSIFICATION),
        (noise(512), Task.EMBEDDING),
        (noise(100) / np.linalg.norm(noise(100)) * 0 + 0.1, Task.EMBEDDING),  # of length one
        (noise(21, 56, 56), Task.DENSE),
        (noise(56, 56, 21), Task.DENSE),
        (softmax(noise(21, 56, 56), 0), Task.DENSE),
        (noise(56, 56), Task.DENSE),
        (shares(1, 224, 224), Task.DENSE),
        (noise(3, 672, 672), Task.DENSE),
    ],
)
def test_what_fits_one_reading_is_taken_and_said_to_be_a_guess(row: Array, task: Task) -> None:
    found = told({"y": row})
    assert found.task is task
    assert found.guessed


@pytest.mark.parametrize(
    ("outputs", "considered"),
    [
        ({"y": shares(196)}, "landmarks"),  # PFLD: shares of the picture
        ({"y": shares(136) * 112}, "landmarks"),  # in pixels
        ({"y": noise(10, scale=0.4)}, "landmarks"),  # five points about a centre
        ({"y": noise(62)}, "landmarks"),  # parameters of a face model
        ({"landmarks": noise(200)}, "landmarks"),
        ({"y": noise(1)}, "regression"),  # an age
        ({"y": shares(1)}, "regression"),
        ({"y": noise(3, scale=30)}, "regression"),  # yaw, pitch and roll
        ({"a": noise(1), "b": noise(1)}, "regression"),
        ({"y": softmax(noise(40, 6625))}, "text"),  # PP-OCR
        ({"y": noise(197, 768)}, "sequence"),
        ({"y": noise(896, 18), "z": noise(896, 1)}, "boxes"),  # BlazePalm of another input
        ({"y": noise(2944, 18)}, "boxes"),
        ({"y": noise(1029, 85)}, "boxes"),  # numbers that no family of one row a cell has
        ({"y": noise(84, 1029)}, "boxes"),  # scores beyond 0..1: masks, key points or angles
        ({"scores": softmax(noise(4420, 2)), "boxes": shares(4420, 4)}, "boxes"),
        ({"y": noise(300, 6)}, "boxes"),  # columns that are neither scores nor classes
        ({"y": noise(425, 7, 7)}, "raw detection head"),
        ({"y": noise(85, 14, 14)}, "raw detection head"),  # FastestDet
        ({"y": shares(17, 56, 56)}, "heat maps"),
        ({"y": noise(3, 3)}, "sequence"),  # a rotation matrix
        ({"y": noise(32, 16, 16, 16)}, "nothing that is known"),
    ],
)
def test_where_two_readings_fit_the_user_is_asked_and_told_what_was_considered(
    outputs: dict[str, Array], considered: str
) -> None:
    with pytest.raises(VerifyError, match="give --task") as error:
        told(outputs)
    for name, row in outputs.items():
        assert f"{name} {list(row.shape)}" in error.value.detail.raw
    assert considered in error.value.detail.raw


@pytest.mark.parametrize(
    ("outputs", "layout", "task"),
    [
        ({"a": noise(1404, 1, 1) + 90, "b": noise(1, 1, 1)}, "face-mesh", Task.KEYPOINTS),
        ({"y": noise(26, 95)}, "end-sign", Task.TEXT),
        ({"dets": shares(100, 5), "labels": np.zeros(100, np.int64)}, "mmdeploy", Task.DETECTION),
        ({"hm": noise(80, 56, 56), "wh": noise(2, 56, 56), "reg": noise(2, 56, 56)}, "centernet", Task.DETECTION),
        ({"yaw": noise(66), "pitch": noise(66), "roll": noise(66)}, "head-pose-bins", Task.REGRESSION),
        ({"y": yolo(1029, 80, False).T}, "yolov8", Task.DETECTION),
        ({"y": yolo(1029, 1, False, 1.0).T}, "yolov8", Task.DETECTION),
        ({"y": yolo(3087, 80, True)}, "yolov5", Task.DETECTION),
        ({"y": ended(300, 6)}, "end-to-end", Task.DETECTION),
        ({"y": ended(40, 7)}, "yolov7-end2end", Task.DETECTION),
    ],
)
def test_outputs_that_have_one_layout_are_decoded_and_the_report_names_it(
    outputs: dict[str, Array], layout: str, task: Task
) -> None:
    found = told(outputs)
    assert found.decoder is not None
    assert (found.decoder.layout, found.task, found.outputs) == (layout, task, tuple(outputs))
    assert found.guessed
    assert found.remarks[0].startswith(f"layout {layout} (")


def test_one_image_like_a_softmax_does_not_decide() -> None:
    first = np.array([0.4, 0.6], np.float32)
    assert told({"y": first}).task is Task.CLASSIFICATION
    with pytest.raises(VerifyError, match="give --task"):
        told({"y": first}, {"y": np.array([0.1, 0.3], np.float32)})


@pytest.mark.parametrize("name", ["logits", "class_scores", "output_probability", "softmax_1"])
def test_names_tell_scores_from_coordinates(name: str) -> None:
    assert told({name: shares(4)}).task is Task.CLASSIFICATION
    assert told({"boxes_class": shares(7), "y": shares(7)}).task is Task.CLASSIFICATION


def test_labels_tell_scores_from_coordinates() -> None:
    assert told({"y": shares(4)}, clues=Clues(labelled=True)).task is Task.CLASSIFICATION


def test_a_class_number_beside_the_scores_is_not_measured() -> None:
    found = told({"label": np.array([3]), "probabilities": softmax(noise(3))})
    assert (found.outputs, found.task) == (("probabilities",), Task.CLASSIFICATION)


def test_which_of_several_outputs_is_measured_is_said() -> None:
    heads = {"first": noise(67), "second": noise(67), "third": noise(67)}
    target = told(heads)
    assert target.outputs == ("first",)
    assert any("of 3 outputs only first is measured" in remark for remark in target.remarks)
    assert told({"first": noise(67)}).remarks == ()
    assert find_target([heads], Task.CLASSIFICATION, "third", WINDOW).remarks == ()


def test_an_output_beside_others_that_are_called_angles_is_not_taken_for_classes() -> None:
    with pytest.raises(VerifyError, match="cannot be told"):
        told({"yaw": noise(67), "pitch": noise(67), "roll": noise(67)})


def test_lists_of_boxes_are_boxes_once_each_has_one_score() -> None:
    box = ended(20, 6)
    lists = {"boxes": box[:, :4], "scores": box[:, 4], "labels": box[:, 5].astype(np.int64)}
    assert told(lists).task is Task.DETECTION
    assert told(lists).outputs == ("boxes", "scores", "labels")


def test_rows_without_a_box_tell_no_layout_and_are_read_by_the_one_that_the_user_names() -> None:
    empty = {"y": np.zeros((0, 6), np.float32)}
    with pytest.raises(VerifyError, match="give --task"):
        told(empty)
    with pytest.raises(VerifyError, match=r"nothing in them.*--layout"):
        find_target([empty], Task.DETECTION, None, WINDOW)
    assert find_target([empty], None, None, WINDOW, layout="end-to-end").task is Task.DETECTION


def test_several_maps_with_the_same_channels_are_one_output_and_its_helpers() -> None:
    assert told({"out": noise(21, 224, 224), "aux": noise(21, 224, 224)}).outputs == ("out",)


def test_the_class_axis_of_a_dense_output_is_the_one_unlike_the_input() -> None:
    assert told({"y": noise(21, 56, 56)}).channel_axis == 0
    assert told({"y": noise(56, 56, 21)}).channel_axis == 2
    assert told({"y": noise(28, 56)}, window=(112, 224)).channel_axis is None
    assert told({"y": noise(28, 56)}, window=(112, 224)).grid == (28, 56)


def test_what_the_user_says_wins_and_is_no_guess() -> None:
    rows = {"logits": noise(512), "map": noise(21, 56, 56)}
    named = find_target([rows], Task.CLASSIFICATION, None, WINDOW)
    assert (named.outputs, named.task, named.guessed) == (("logits",), Task.CLASSIFICATION, False)
    assert find_target([rows], Task.DENSE, None, WINDOW).outputs == ("map",)
    assert find_target([rows], None, "map", WINDOW).task is Task.DENSE
    with pytest.raises(VerifyError, match="--measured-output"):
        find_target([rows], None, "nothing", WINDOW)


def test_the_analysis_and_the_measurement_do_not_contradict_each_other_in_silence() -> None:
    clues = Clues(heads={"y": HeadKind.POOLED})
    assert any("calls this output pooled" in remark for remark in told({"y": noise(21, 56, 56)}, clues=clues).remarks)
    assert told({"y": noise(1000)}, clues=clues).remarks == ()


# What each shared model is; everything that is not listed must be refused or asked about. MANIFEST.tsv says more.
RIGHT = {
    "imagenet_classifier/squeezenet1.0_fp16.onnx": Task.CLASSIFICATION,
    "small_classifier/mnist_cntk_op8.onnx": Task.CLASSIFICATION,
    "small_classifier/mnist_pytorch_java.onnx": Task.CLASSIFICATION,
    "small_classifier/mnist_tf2onnx_unity.onnx": Task.CLASSIFICATION,
    "small_classifier/mnist_cnn_onnxmlir.onnx": Task.CLASSIFICATION,
    "small_classifier/cifar10_winml_tutorial.onnx": Task.CLASSIFICATION,
    "external_data/digits_dynamo_ext/model.onnx": Task.CLASSIFICATION,
    "segmentation/selfie_landscape_nhwc.onnx": Task.DENSE,
    "segmentation/sinet_portrait_320.onnx": Task.DENSE,
    "segmentation/pan_mbv3s_skin_hair.onnx": Task.DENSE,
    "segmentation/unet_sed_gen_web.onnx": Task.DENSE,
    "sr_style/espcn_x3_ort.onnx": Task.DENSE,
    "sr_style/espcn_bsd300_nnresize_float.onnx": Task.DENSE,
    "sr_style/tbefn_180x320.onnx": Task.DENSE,
    "ocr/ppocr_det_v3_ch.onnx": Task.DETECTION,
    "detector/yolox_nano_416.onnx": Task.DETECTION,
    "detector/ultraface_rfb320.onnx": Task.DETECTION,
    "detector/ultraface_slim320_simpl.onnx": Task.DETECTION,
    "detector/yunet_n_320.onnx": Task.DETECTION,
    "detector/yunet_s_dynamic.onnx": Task.DETECTION,
    "detector/blazeface_front128_nhwc.onnx": Task.DETECTION,
    "keypoints/bodypix_x050_s16.onnx": Task.KEYPOINTS,
    "keypoints/face_landmark_192.onnx": Task.KEYPOINTS,
}
ASKED = (
    "keypoints/fsanet_headpose_1x1.onnx",
    "ocr/ppocr_en_number_rec.onnx",
    "quantised/dronet_nemo_int.onnx",
    "quantised/proxyless_dronet_nemo_int.onnx",
    "quantised/eegnet_nemo_1xW.onnx",
    "audio/silero_vad_16k_op15.onnx",
    "audio/silero_vad_legacy_v4.onnx",
    "audio/gtcrn_stream_simple.onnx",
    "audio/dtln_model_1.onnx",
    "audio/basic_pitch_nmp.onnx",
)


@pytest.mark.slow
@pytest.mark.parametrize("path", [*RIGHT, *ASKED])
def test_real_models_are_read_rightly_or_asked_about_and_never_wrongly(path: str) -> None:
    file = SHARED / path
    if not file.is_file():
        pytest.skip("the shared models are not on this machine")
    model = read_model(file)
    settings = read_request({"preset": "unit", "device": "cpu", "threads": "1"}).settings
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        clues = Clues.of(model, analyse(model))
        if path in RIGHT:
            setup, _ = prepare(worker, SessionSpec(file), builtin_images(4), settings, clues)
            assert setup.target.task is RIGHT[path]
        else:
            with pytest.raises(VerifyError):
                prepare(worker, SessionSpec(file), builtin_images(4), settings, clues)
