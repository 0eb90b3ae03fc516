"""Models of other people, in a folder beside the checkout."""

from __future__ import annotations

from typing import Any

import pytest

from tests.onnxfile.build import SHARED

QUICK_BYTES = 6_000_000


def quick_models() -> list[Any]:
    """One parameter for each model that is read in a moment, or one that says why there is none."""
    files = sorted(SHARED.rglob("*.onnx"))
    if not files:
        return [pytest.param(None, marks=pytest.mark.skip(reason="needs the folder shared/models beside the checkout"))]
    return [
        pytest.param(path, id=path.relative_to(SHARED).as_posix())
        for path in files
        if path.stat().st_size <= QUICK_BYTES
    ]
