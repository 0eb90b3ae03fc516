"""What the ablation table is made of: the rewrites, the models with their preprocessing, and the made-up pictures.

A new strategy of ``fix`` becomes a row of every model with one line in :data:`STRATEGIES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PAGES, WORDS, CHORDS = "pages", "words", "chords"
"""Pictures that are drawn here because photographs hold nothing that the model was made for."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A row: its name in the table and what ``fix`` is told. ``calibrated`` rows need a folder of other pictures."""

    name: str
    arguments: tuple[str, ...]
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """A model. ``file`` is below the folder of models, ``options`` are those of a ``[verify]`` table.

    ``shape`` is that of the input, NAME=SHAPE, where the file leaves it open. ``decode``: an export of YOLOX, whose
    boxes are decoded first. ``pictures`` is None for the photographs, else one of the kinds drawn here. ``labelled``: a
    classifier of ImageNet, whose answers the labels of the photographs judge. ``share`` of the images are enough for a
    slow model.
    """

    name: str
    task: str
    file: str
    options: Mapping[str, object] = field(default_factory=dict)
    shape: str = ""
    decode: bool = False
    pictures: str | None = None
    labelled: bool = False
    share: float = 1.0


STRATEGIES = (
    Strategy("test-time averaging, 2 shifts", ("--strategy", "input-average")),
    Strategy("test-time averaging, 4 shifts", ("--strategy", "input-average", "--phases", "all")),
    Strategy("phase average, diagonal, last site", ("--strategy", "phase-average")),
    Strategy("phase average, all, last site", ("--strategy", "phase-average", "--phases", "all")),
    Strategy(
        "phase average, all, last site, by dilation",
        ("--strategy", "phase-average", "--phases", "all", "--lowering", "dilation"),
    ),
    Strategy("phase select", ("--strategy", "phase-select")),
    Strategy("grid lock", ("--strategy", "grid-lock")),
    Strategy("grid lock, padded picture", ("--strategy", "grid-lock", "--room", "pad")),
    Strategy("blur Tri-3", ("--strategy", "blur")),
    Strategy("blur Tri-3, calibrated, refit last", ("--strategy", "blur", "--refit", "last"), calibrated=True),
    Strategy("blur Tri-3, calibrated, refit all", ("--strategy", "blur", "--refit", "all"), calibrated=True),
    Strategy(
        "blur Tri-3, lambda 0.5, calibrated, refit last",
        ("--strategy", "blur", "--lambda", "0.5", "--refit", "last"),
        calibrated=True,
    ),
    Strategy("auto, cost at most 2", ("--strategy", "auto", "--max-cost", "2"), calibrated=True),
)

_SOUND_RADIUS = 64  # samples, a quarter of the hop of its frames

# Mean and spread of the original training, on the 0..255 scale.
_SIGNED = {"preset": "raw", "mean": [127.5], "std": [127.5]}
_SINET = {
    "preset": "raw",
    "channels": "bgr",
    "mean": [102.89, 111.25, 126.91],
    "std": [62.93 * 255, 62.82 * 255, 66.36 * 255],
}

SUBJECTS = (
    Subject(
        "SqueezeNet 1.0",
        "classifiers",
        "derived/squeezenet1.0_fp32_from_fp16.onnx",
        {"preset": "caffe-bgr"},
        labelled=True,
    ),
    Subject(
        "YOLOX nano 416",
        "detectors",
        "detector/yolox_nano_416.onnx",
        {"preset": "raw", "channels": "bgr", "box-score": 0.3, "layout": "yolox-decoded"},
        decode=True,
    ),
    Subject("PAN, skin and hair, 512", "segmentation", "segmentation/pan_mbv3s_skin_hair.onnx", share=0.25),
    Subject("SINet, portraits, 320", "segmentation", "segmentation/sinet_portrait_320.onnx", _SINET, share=0.5),
    Subject(
        "Selfie, landscape, 144x256", "segmentation", "segmentation/selfie_landscape_nhwc.onnx", {"preset": "unit"}
    ),
    Subject("U-Net, sketches, 224", "segmentation", "segmentation/unet_sed_gen_web.onnx", {"preset": "unit"}),
    Subject(
        "PP-OCR v3 text detector",
        "OCR",
        "ocr/ppocr_det_v3_ch.onnx",
        {"size": "320x320"},
        "x=1x3x320x320",
        pictures=PAGES,
        share=0.5,
    ),
    Subject(
        "PP-OCR text recogniser",
        "OCR",
        "ocr/ppocr_en_number_rec.onnx",
        {**_SIGNED, "channels": "bgr", "size": "32x320", "task": "embedding", "radius": 4},
        "x=1x3x32x320",
        pictures=WORDS,
    ),
    Subject(
        "Basic Pitch",
        "audio",
        "audio/basic_pitch_nmp.onnx",
        {"preset": "raw", "task": "embedding", "radius": _SOUND_RADIUS},
        pictures=CHORDS,
        share=0.2,
    ),
    Subject("Micro keyword spotter", "audio", "audio/micro_kws_fp32.onnx", {"preset": "raw"}, pictures=CHORDS),
)

_WORDS = ("phase", "shift", "lattice", "sample", "kernel", "stride", "window", "signal", "filter", "alias", "model")


def pictures(kind: str, count: int) -> Iterator[np.ndarray[Any, Any]]:
    """So many pictures of a kind: uint8 (h, w) text in black on white, or float32 sound that does not change along w.

    The n-th picture is the same for every count.
    """
    for number in range(count):
        rng = np.random.default_rng((number, 1))
        if kind == CHORDS:
            yield _chord(rng)
        else:
            yield _text(rng, (400, 400), 12) if kind == PAGES else _text(rng, (36, 324), 1)


def save_pictures(kind: str, count: int, folder: Path) -> Path:
    """Write so many pictures of a kind to one array file, and return its path."""
    path = folder / f"{kind}.npy"
    np.save(path, np.stack(list(pictures(kind, count))))
    return path


def _text(rng: np.random.Generator, size: tuple[int, int], lines: int) -> np.ndarray[Any, Any]:
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("L", (size[1], size[0]), 255)
    draw = ImageDraw.Draw(page)
    pitch = size[0] // lines
    font = ImageFont.load_default(min(22, pitch - 10))
    for line in range(lines):
        words = " ".join(rng.choice(_WORDS, 3))
        place = (8 + int(rng.integers(8)), line * pitch + 5)
        draw.text(place, f"{words} {rng.integers(100)}", int(rng.integers(90)), font)
    return np.asarray(page)


def _chord(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Three notes with four partials each at 22 050 Hz, -1 to 1."""
    samples, rate = 43844 + _SOUND_RADIUS, 22050
    notes = 440 * 2 ** ((rng.choice(np.arange(48, 84), 3, replace=False) - 69) / 12)
    times = np.arange(samples) / rate
    sound = sum(np.sin(2 * np.pi * note * part * times) / part for note in notes for part in range(1, 5))
    loudest = np.float32(np.abs(sound).max())
    return np.repeat(np.asarray(sound, np.float32)[:, None] / loudest, 1 + _SOUND_RADIUS, axis=1)
