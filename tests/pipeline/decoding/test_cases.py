"""Raw outputs of other people's layouts are read as their own libraries read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auditor.pipeline.decoding import Detections, LayoutError, decode
from auditor.pipeline.decoding.boxes import from_centre
from tests.pipeline.decoding.cases import PINNED, input_size, load

# The layout of each case, and what a user has to tell because no file does.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "automl_efficientdet": ("automl-efficientdet", {}),
    "blazeface": ("blazeface", {}),
    "centernet": ("centernet", {}),
    "damoyolo": ("damoyolo", {}),
    "detr_softmax": ("detr", {}),
    "efficientdet_raw": ("efficientdet", {}),
    "fastestdet": ("fastestdet", {}),
    "mmdeploy_dets_labels": ("mmdeploy", {}),
    "nanodet_plus": ("nanodet", {}),
    "paddle_nms_rows": ("paddle-rows", {}),
    "picodet_raw": ("picodet", {}),
    "ppyoloe_concat_rows": ("ppyoloe-rows", {}),
    "ppyoloe_no_nms": ("ppyoloe", {}),
    "retinaface": ("retinaface", {}),
    "rfdetr": ("rfdetr", {}),
    "rtdetr_hf_sigmoid": ("detr-sigmoid", {}),
    "rtdetr_with_sizes": ("rtdetr", {}),
    "rtmdet_raw": ("rtmdet", {}),
    "rtmo": ("rtmo", {}),
    "scrfd": ("scrfd", {}),
    "ssd300_raw": ("ssd300", {}),
    "tf_ssd": ("tf-detection", {}),
    "tiny_yolov3_zoo": ("yolov3-zoo", {}),
    "torchvision_detection": ("torchvision", {}),
    "torchvision_rank3": ("torchvision", {}),
    "ultraface_like": ("ultraface", {}),
    "ultralytics_rtdetr_rows": ("rtdetr-rows", {}),
    "ultralytics_rtdetr_scores": ("rtdetr-scores", {}),
    "yolo26_obb_e2e": ("end-to-end-obb", {}),
    "yolo26_pose_e2e": ("end-to-end-pose", {}),
    "yolo_e2e_300x6": ("end-to-end", {}),
    "yolonas_boxes_scores": ("yolonas", {}),
    "yolonas_rows7": ("yolonas-rows", {}),
    "yolov3_raw_heads": ("darknet", {"anchors": True, "strides": True, "scale_x_y": True}),
    "yolov4_boxes_confs": ("yolov4", {}),
    "yolov5_face": ("yolov5-face", {}),
    "yolov5_raw_heads": ("yolov5-heads", {"anchors": True, "strides": True}),
    "yolov5_rows": ("yolov5", {}),
    "yolov6_rows": ("yolov6", {}),
    "yolov7_end2end": ("yolov7-end2end", {}),
    "yolov7_trt_end2end": ("efficient-nms", {}),
    "yolov8_detect": ("yolov8", {}),
    "yolov8_nms_inside": ("end-to-end", {}),
    "yolov8_no_metadata": ("yolov8", {}),
    "yolov8_obb": ("yolov8-obb", {}),
    "yolov8_pose": ("yolov8-pose", {}),
    "yolov8_seg": ("yolov8-seg", {}),
    "yolox_raw_grid": ("yolox", {}),
    "yunet": ("yunet", {}),
}


# The file does not say which of two formulas its raw heads want.
ASKED = {"yolov3_raw_heads", "yolov5_raw_heads"}


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("told", [True, False], ids=["named", "auto"])
@pytest.mark.parametrize("score", [0.25, 0.5])
def test_a_layout_is_read_as_its_own_library_reads_it(name: str, told: bool, score: float) -> None:
    if not PINNED.is_dir():
        pytest.skip("the outputs of the libraries are not beside the checkout")
    outputs, description, metadata = load(name)
    layout, told_only = CASES[name]
    given = {key: description["given"][key] for key in told_only}
    if name in ASKED and not told:
        with pytest.raises(LayoutError, match=r"darknet .* or yolov5-heads .*say which"):
            decode(outputs, input_size=input_size(description["input"]["shape"]), metadata=metadata)
        return
    answer = decode(
        outputs,
        layout if told else "auto",
        input_size=input_size(description["input"]["shape"]),
        metadata=metadata,
        score=score,
        **given,
    )
    expected = description["expected"]
    assert isinstance(answer, Detections)
    if "boxes_cxcywh" in expected:
        expected = {**expected, "boxes": from_centre(np.array(expected["boxes_cxcywh"])).tolist()}
        assert answer.angles is not None
        assert np.allclose(answer.angles, expected["angles"], atol=0.005)
    assert answer.labels.tolist() == expected.get("labels", [0] * len(expected["boxes"]))
    assert np.allclose(answer.boxes, expected["boxes"], atol=0.05)
    assert np.allclose(answer.scores, expected["scores"], atol=0.005)
    if "keypoints" in expected:
        assert answer.keypoints is not None
        assert np.allclose(answer.keypoints, np.array(expected["keypoints"])[..., :2], atol=0.05)
    if "mask_pixels" in expected:
        assert answer.masks is not None
        assert np.allclose(answer.masks.sum(axis=(1, 2)), expected["mask_pixels"], rtol=0.02)
