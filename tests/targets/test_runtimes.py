"""Files that ``fix`` wrote, run in every runtime that is installed here, give onnxruntime's result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.fixed_models import written
from scripts.runtimes import RUNTIMES, onnxruntime, version_of
from scripts.targets import apart, compared, picture_for

# ncnn has no batch axis, and like the converter to TensorFlow Lite chooses no place by data; --portable writes locks
# for them. A model that is locked without it is beyond them.
BEYOND = {
    "ncnn": ("crop-select", "grid-lock", "input-average", "phase-average", "window-average"),
    "tflite": ("crop-select", "grid-lock"),
}


def test_a_difference_is_told_with_its_size_and_another_shape_as_such() -> None:
    ones = np.ones((1, 2), np.float32)
    assert compared(ones, ones + 1e-5) == "same"
    assert compared(ones, ones + 0.5) == "differs: by up to 0.5"
    assert compared(ones, np.ones((1, 3), np.float32)) == "differs: shape (1, 2) for (1, 3)"


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_fix_wrote_is_the_same_in_a_runtime(runtime: str, tmp_path: Path) -> None:
    if version_of(runtime) is None:
        pytest.skip(f"{RUNTIMES[runtime][0]} is not installed")
    for words, path in written(tmp_path):
        if path.stem in ("brought", "chosen") or path.stem.endswith(BEYOND.get(runtime, ())):
            continue  # what a model brings, and what a whole kind of runtime cannot have
        picture = picture_for(path)
        assert apart(runtime, path, picture, onnxruntime(path, picture)) == "same", words
