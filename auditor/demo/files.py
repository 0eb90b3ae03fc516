"""The built-in example as files of a project: the model, its pictures with labels, settings and a workflow."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auditor.demo import demo_images, demo_model, demo_workflow, more_demo_images
from auditor.demo.digits import DIGIT, draw

MODEL, FIXED, PICTURES, LABELS = "model.onnx", "fixed.onnx", "pictures", "labels.csv"
SETTINGS, WORKFLOW, REPORT = "aliasaudit.toml", ".github/workflows/aliasaudit.yml", "report.html"
VERIFY = {"preset": "unit", "protocol": "embed-black", "radius": 8, "layers": 0}
"""How the network is measured: its digits fill half of the picture, so they can move on the black around them."""

_HEAD = """\
# How these two models are measured: the options of `aliasaudit verify`. Others, such as your own, have none from here.
"""
_TABLE = f"""
[verify."{{model}}"]
images = "{PICTURES}"
labels = "{LABELS}"
preset = "{{preset}}"  # pixels from 0 to 1
protocol = "{{protocol}}"  # the digit moves on a black canvas of twice its size
radius = {{radius}}  # pixels
layers = {{layers}}  # images to measure every layer on
"""


def write_example(folder: Path) -> None:
    """Write the example into an empty folder, which is made where it is missing.

    Raises:
        OSError: A file cannot be written.
    """
    for name in (PICTURES, str(Path(WORKFLOW).parent)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(demo_model().read_bytes())
    (folder / WORKFLOW).write_bytes(demo_workflow().read_bytes())
    (folder / SETTINGS).write_text(_settings(), encoding="utf-8", newline="\n")
    digits, labels = _held_out()
    corner = np.zeros(len(digits), np.int64)
    pictures = np.round(255 * draw(digits, corner, corner)[:, 0, :DIGIT, :DIGIT]).astype(np.uint8)
    rows = ["file,label"]
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        (folder / PICTURES / f"{index:03}.png").write_bytes(png(picture))
        rows.append(f"{index:03}.png,{label}")
    (folder / LABELS).write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")


def _settings() -> str:
    """A table for each model: by general options, a model of the user would be measured as the digits are."""
    return _HEAD + "".join(_TABLE.format(model=model, **VERIFY) for model in (MODEL, FIXED))


def png(picture: NDArray[np.uint8]) -> bytes:
    """A grey picture, uint8 (H, W), as a PNG file; so the example can be written where Pillow is not installed."""
    height, width = picture.shape
    lines = np.pad(picture, ((0, 0), (1, 0)))  # filter type 0 in front of each line
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _held_out() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All digits that the network was not trained on, uint8 [360, 8, 8], and what they are."""
    images, labels = [], []
    for path in (demo_images(), more_demo_images()):
        with np.load(path) as data:
            images.append(data["images"])
            labels.append(data["labels"])
    return np.concatenate(images), np.concatenate(labels)
