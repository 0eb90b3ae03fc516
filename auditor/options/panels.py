"""The panels of ``--help``, and the words that a metavar of an enumeration stands for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Panel(str, Enum):
    """The panels of ``--help``, in their order."""

    INPUT = "Input"
    REWRITE = "Rewrite"
    SEARCH = "Search (--strategy auto)"
    TRAINING = "Training"
    RULES = "Rules"
    VERDICT = "Verdict"
    REPORT = "Report"
    MEASURING = "Measurement"
    IMAGES = "Images and preprocessing"
    SHIFTS = "Shifts"
    THRESHOLDS = "Thresholds of a measured difference"
    RARE = "Rarely needed"


VALUES: Mapping[str, tuple[str, ...]] = {
    "FORMAT": (
        *("text", "json", "sarif", "github", "markdown", "junit", "gitlab", "html", "netron", "explorer"),
        "model-card",
    ),
    "LEVEL": ("error", "warning", "note"),
    "WHEN": ("auto", "always", "never"),
    "KERNEL": ("rect2", "tri3", "bin4", "bin5", "bin6", "bin7", "identity"),
    "BORDER": ("auto", "reflect", "edge", "zero"),
    "PHASES": ("diagonal", "halves", "all"),
    "LOWERING": ("auto", "batch", "branch", "dilation"),
    "LOCK": ("sub-pixel", "whole-pixel"),
    "ROOM": ("auto", "larger", "pad"),
    "LAYOUT": (
        *("auto", "none", "blazeface", "end-to-end", "ultraface", "ultraface-raw"),
        *("yolov5", "yolov8", "yolox", "yolox-decoded", "yunet"),
    ),
    "CAMERA": ("unknown", "moving", "fixed"),
    "REFIT": ("none", "last", "all"),
    "PRESET": (
        *("imagenet", "caffe-bgr", "unit", "signed", "raw"),
        *("ultralytics", "yolox", "rtmdet", "nanodet", "picodet", "ppyoloe", "ppyoloe-plus", "rtdetr", "rf-detr"),
        *("detr", "efficientdet", "torchvision", "timm", "clip", "transformers-clip", "transformers-vit", "keras"),
        *("keras-caffe", "keras-torch", "keras-efficientnet", "insightface", "arcface", "yunet", "ultraface"),
        *("mediapipe", "mediapipe-signed", "ppocr", "ppocr-rec"),
    ),
    "FIT": ("stretch", "letterbox", "letterbox-top-left", "shortest-edge", "crop", "cover"),
    "PROTOCOL": (
        *("crop", "roll", "embed-black", "embed-inpaint", "subpixel", "zoom", "frames"),
        *("noise", "jpeg", "light", "rotate", "half-pixel", "half-pixel-resized", "object"),
    ),
    "TASK": ("classification", "dense", "embedding", "detection", "keypoints", "text", "regression"),
    "DEVICE": ("auto", "cpu", "cuda", "cuda:N", "tensorrt", "openvino", "coreml", "directml", "gpu", "npu"),
    "RUNTIME": ("onnxruntime", "openvino", "tflite", "web"),
    "RESULT": ("fail", "warn", "pass"),
}
"""What a metavar of an enumeration stands for. Help lists it behind the options, a shell completes it."""


def values(metavar: str) -> tuple[str, ...]:
    """The words that a metavar stands for: those of enumerations, or its own where it lists them."""
    words = [word for part in metavar.split("|") for word in VALUES.get(part, (part,))]
    return tuple(words) if len(words) > 1 else ()
