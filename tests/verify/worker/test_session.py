"""The device path with the CPU's memory in place of a GPU's: the same bindings, graphs and reductions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auditor.verify.worker.device import parse_device
from auditor.verify.worker.engines.onnxruntime import OrtEngine, OrtSession
from auditor.verify.worker.job import SessionSpec, Windows
from tests.verify.models import classifier, saved


@pytest.mark.parametrize("argmax", [{}, {"y": 1}])
def test_windows_cut_and_reduced_on_the_device_give_what_the_host_gives(tmp_path: Path, argmax: dict[str, int]) -> None:
    path = saved(tmp_path / "m.onnx", classifier())
    session = OrtSession(OrtEngine(parse_device("cpu"), 1, None, str), SessionSpec(path, ("pool",)), 0)
    canvases = np.random.default_rng(0).normal(size=(2, 3, 20, 22)).astype(np.float32)
    places = np.array([(i % 2, i % 5, i % 7) for i in range(7)], np.int64)
    windows = Windows("x", canvases, places, (16, 16), False)

    def run() -> list[dict[str, np.ndarray]]:
        steps = session.run(windows, {}, ("y", "pool"), 3, True, argmax, lambda: None)
        return [{name: np.array(value) for name, value in step.outputs.items()} for step in steps]

    host = run()
    session._on_device, session._memory = True, "cpu"
    device = run()
    assert len(host) == len(device) == 3
    for one, other in zip(host, device, strict=True):
        for name in ("y", "pool"):
            np.testing.assert_allclose(other[name], one[name], rtol=1e-5, atol=1e-6)
