"""What a measurement on a GPU has to hold; skipped where there is none. ``benchmarks/gpu.py`` measures the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from auditor.verify.errors import DeviceUnavailableError
from auditor.verify.worker.device import parse_device
from auditor.verify.worker.engines.onnxruntime import OrtEngine
from auditor.verify.worker.providers import CUDA
from benchmarks.gpu import TOLERANCE, answers, card, halved, measured, table
from benchmarks.verify import network

ROOT = Path(__file__).parents[2]


def has_cuda() -> bool:
    """Whether this onnxruntime has CUDA and the system has a card."""
    try:
        OrtEngine(parse_device("cuda"), 1, None, str)
    except DeviceUnavailableError:
        return False
    return bool(card())


needs_cuda = pytest.mark.skipif(not has_cuda(), reason="needs onnxruntime-gpu and an NVIDIA card")


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("half", [False, True])
def test_a_gpu_answers_as_the_cpu_does_and_every_compute_node_is_there(tmp_path: Path, half: bool) -> None:
    path = network(tmp_path / "network.onnx")
    path, kind = (halved(path), np.float16) if half else (path, np.float32)
    found = measured(path, parse_device("cuda"), kind, 2, 0.1)
    assert found["provider"] == CUDA
    assert set(found["placement"]) == {CUDA}
    assert found["difference"] <= TOLERANCE[np.dtype(kind).name]


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_on_a_cpu_and_writes_what_its_table_says(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    command = [sys.executable, "benchmarks/gpu.py", "--quick", "--device", "cpu", "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text(encoding="utf-8"))["results"]
    assert [one["precision"] for one in results] == ["float32", "float16"]
    assert all(one["equal"] and one["provider"] == "CPUExecutionProvider" for one in results)
    assert done.stdout.count("CPUExecutionProvider") == 2


def test_half_precision_is_that_of_weights_input_and_output(tmp_path: Path) -> None:
    single = network(tmp_path / "network.onnx")
    images = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    cpu = parse_device("cpu")
    first, second = answers(single, cpu, images), answers(halved(single), cpu, images)
    assert 0 < np.abs(first - second).max() / np.abs(first).max() <= TOLERANCE["float16"]


def test_a_device_that_is_not_there_has_its_reason_in_the_table() -> None:
    rows = table([("cuda", "float32", {"reason": "no card"})]).splitlines()
    assert rows[-1].startswith("| cuda | float32 | no card |")
    assert len({row.count("|") for row in rows}) == 1
