"""Real and structural models: every strategy writes a valid model with the same interface, or names its refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from auditor.onnxfile import ModelFileError, read_model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Kernel, Lowering, Options, Phases, Step, Strategy, Where
from auditor.sampling import Analysis, analyse

MODELS = Path(__file__).parents[2].parent / "shared" / "models"
FILES = sorted(MODELS.glob("*/*.onnx")) + sorted(MODELS.glob("external_data/*/*.onnx"))
CASES = [
    (Strategy.BLUR, Options()),
    (Strategy.BLUR, Options(where=Where.PRE)),
    (Strategy.BLUR, Options(kernel=Kernel.IDENTITY)),
    (Strategy.PHASE_AVERAGE, Options()),
    (Strategy.PHASE_AVERAGE, Options(phases=Phases.ALL, lowering=Lowering.DILATION)),
    (Strategy.INPUT_AVERAGE, Options()),
    (Strategy.PHASE_SELECT, Options()),
    (Strategy.CROP_SELECT, Options()),
]
TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def opened(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds(session: ort.InferenceSession, analysis: Analysis) -> dict[str, Any]:
    sizes = {(source.input.raw, source.axis): source.size for source in analysis.sources}
    random = np.random.default_rng(0)
    return {
        port.name: random.standard_normal(
            [
                dim if isinstance(dim, int) and dim > 0 else sizes.get((port.name, axis), 1)
                for axis, dim in enumerate(port.shape)
            ]
        ).astype(TYPES[port.type])
        for port in session.get_inputs()
    }


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason="the models folder beside the checkout is absent")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
def test_every_strategy_gives_a_running_model_or_a_reason(path: Path, tmp_path: Path) -> None:
    try:
        model = read_model(path)
        analysis = analyse(model)
        source = opened(path)
        pictures = feeds(source, analysis)
        before = source.run(None, pictures)
    except (ModelFileError, Exception) as error:  # noqa: BLE001 - onnxruntime raises all kinds
        pytest.skip(f"does not run: {type(error).__name__}")
    for place, (strategy, options) in enumerate(CASES):
        folder = tmp_path / str(place)
        folder.mkdir()
        done = rewrite(model, analysis, Step(strategy, options), folder / "fixed.onnx")
        if done.path is None:
            assert done.skipped or not analysis.sites
            continue
        session = opened(done.path)
        for old, new in ((source.get_inputs(), session.get_inputs()), (source.get_outputs(), session.get_outputs())):
            assert [(p.name, p.type, p.shape) for p in old] == [(p.name, p.type, p.shape) for p in new]
        written = read_model(done.path)
        assert (written.opsets, written.ir_version) == (model.opsets, model.ir_version)
        after = session.run(None, pictures)
        _same_kinds(before, after)
        grids = analyse(written).tensors
        for name in analysis.tensors.keys() & grids.keys():
            assert [_grid(a) for a in analysis.tensors[name]] == [_grid(a) for a in grids[name]]
        if options.kernel is Kernel.IDENTITY:
            half = any(port.type == "tensor(float16)" for port in source.get_inputs())
            for one, other in zip(before, after, strict=True):
                if isinstance(one, np.ndarray) and one.dtype.kind == "f":
                    scale = float(np.abs(one).max()) if one.size else 0.0
                    assert np.allclose(one, other, atol=(1e-2 if half else 1e-4) * max(scale, 1e-6), equal_nan=True)


def _grid(lattice: Any) -> tuple[Any, ...] | None:
    return None if lattice is None else (lattice.stride, lattice.offset, lattice.size)


def _same_kinds(before: list[Any], after: list[Any]) -> None:
    for one, other in zip(before, after, strict=True):
        if isinstance(one, np.ndarray):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
