"""The benchmark measures the process it starts, and its models are what their names say."""

from __future__ import annotations

import os
import sys
from math import prod
from pathlib import Path

import onnx
import onnx.checker
import pytest

from benchmarks.measure import measure
from benchmarks.models import Builder, Weights, resnet, save, vgg19

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="the benchmarks need os.wait4, which POSIX has")


def test_memory_that_a_command_touches_is_counted() -> None:
    usage = measure((sys.executable, "-c", "b'x' * 200_000_000"), 60)
    assert usage is not None
    assert usage.rss >= 200


def test_cpu_time_that_a_command_burns_is_counted() -> None:
    usage = measure((sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"), 60)
    assert usage is not None
    assert usage.cpu >= 0.3


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "import time; time.sleep(60)"])
def test_a_command_that_fails_or_hangs_is_not_measured(code: str) -> None:
    assert measure((sys.executable, "-c", code), 0.5) is None


def test_the_light_model_is_valid_and_has_the_parameters_of_resnet50(tmp_path: Path) -> None:
    path = save(resnet(Builder(Weights.OPERATORS), (3, 4, 6, 3), 64, 1000), tmp_path / "light.onnx")
    onnx.checker.check_model(path, full_check=True)
    external = resnet(Builder(Weights.EXTERNAL), (3, 4, 6, 3), 64, 1000)
    # He et al. count 25.6 million with batch normalisation, which is folded here (53 120 scales, and shifts as biases).
    assert sum(prod(tensor.dims) for tensor in external.graph.initializer) == 25_530_472
    assert path.stat().st_size < 100_000


def test_vgg19_has_its_143_667_240_parameters() -> None:
    model = vgg19(Builder(Weights.EXTERNAL))
    assert sum(prod(tensor.dims) for tensor in model.graph.initializer) == 143_667_240
