"""Models that are drawn at random to measure targets with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from scripts.target_variants import FAMILIES, draw_models
from scripts.targets import picture_for, reference_for

COUNT = 40


def test_a_seed_draws_the_same_models_again_and_another_one_others(tmp_path: Path) -> None:
    first, again, other = (draw_models(tmp_path / name, seed, COUNT) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert not {path.read_bytes() for path in first} & {path.read_bytes() for path in other}


def test_every_model_is_valid_and_runs_in_onnxruntime(tmp_path: Path) -> None:
    paths = draw_models(tmp_path, 3, COUNT)
    assert len({path.stem.split("-")[0] for path in paths}) > len(FAMILIES) / 2
    for path in paths:
        onnx.checker.check_model(str(path), full_check=True)
        result = reference_for(path, picture_for(path))
        assert result is not None
        assert np.isfinite(result).all()
