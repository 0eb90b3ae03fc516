"""The raw outputs of other people's layouts beside the checkout, and what their own libraries read in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

PINNED = Path(__file__).resolve().parents[4] / "shared" / "cases" / "decode"


def load(name: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any], dict[str, str]]:
    """Outputs by name, the description, and the metadata of the file."""
    description = json.loads((PINNED / f"{name}.json").read_text(encoding="utf-8"))
    stored = np.load(PINNED / f"{name}.npz")
    outputs = {key: stored[key.replace("/", "|")] for key in description["outputs"]}
    metadata = {entry.key: entry.value for entry in onnx.load(PINNED / f"{name}.onnx").metadata_props}
    return outputs, description, metadata


def input_size(shape: list[int]) -> tuple[int, int]:
    """Height and width of an input with its channels first or last."""
    channels_first = shape[-1] > 4
    return (shape[-2], shape[-1]) if channels_first else (shape[-3], shape[-2])
