"""Raw outputs of other people's layouts are read as their own libraries read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from auditor.pipeline.decode import Detections, decode

PINNED = Path(__file__).resolve().parents[4] / "shared" / "cases" / "decode"
# The layout of each case, and what a user has to tell because no file does.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "yolov8_detect": ("yolov8", {}),
    "yolov8_pose": ("yolov8-pose", {}),
    "yolov8_seg": ("yolov8-seg", {}),
    "yolov5_rows": ("yolov5", {}),
    "yolo_e2e_300x6": ("end-to-end", {}),
    "yolov8_nms_inside": ("end-to-end", {}),
    "yolox_raw_grid": ("yolox", {}),
}


def load(name: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any], dict[str, str]]:
    """Outputs by name, the description, and the metadata of the file."""
    import onnx

    description = json.loads((PINNED / f"{name}.json").read_text(encoding="utf-8"))
    stored = np.load(PINNED / f"{name}.npz")
    outputs = {key: stored[key.replace("/", "|")] for key in description["outputs"]}
    metadata = {entry.key: entry.value for entry in onnx.load(PINNED / f"{name}.onnx").metadata_props}
    return outputs, description, metadata


def input_size(shape: list[int]) -> tuple[int, int]:
    channels_first = shape[-1] > 4
    return (shape[-2], shape[-1]) if channels_first else (shape[-3], shape[-2])


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("told", [True, False], ids=["named", "auto"])
@pytest.mark.parametrize("score", [0.25, 0.5])
def test_a_layout_is_read_as_its_own_library_reads_it(name: str, told: bool, score: float) -> None:
    if not PINNED.is_dir():
        pytest.skip("the outputs of the libraries are not beside the checkout")
    outputs, description, metadata = load(name)
    layout, given = CASES[name]
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
    assert answer.labels.tolist() == expected.get("labels", [0] * len(expected["boxes"]))
    assert np.allclose(answer.boxes, expected["boxes"], atol=0.05)
    assert np.allclose(answer.scores, expected["scores"], atol=0.005)
    if "keypoints" in expected:
        assert answer.keypoints is not None
        assert np.allclose(answer.keypoints, np.array(expected["keypoints"])[..., :2], atol=0.05)
    if "mask_pixels" in expected:
        assert answer.masks is not None
        assert np.allclose(answer.masks.sum(axis=(1, 2)), expected["mask_pixels"], rtol=0.02)
