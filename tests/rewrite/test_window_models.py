"""Windows of averaging on models from elsewhere: how many take one, and that both lowerings compute the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from auditor.onnxfile import read_model
from auditor.onnxfile.errors import ModelFileError
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.planning import rewrite, windows
from auditor.rewrite.result import Lowering, Options, RewriteError, Step, Strategy
from auditor.rewrite.strategy import AtSites
from auditor.rewrite.table import declared
from auditor.sampling import analyse
from tests.rewrite.networks import session

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"

pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="the shared models are not here")


def refused() -> Iterator[Path]:
    """The models with sampling sites, none of which phase averaging takes."""
    averaging = declared(Strategy.PHASE_AVERAGE)
    assert isinstance(averaging, AtSites)
    for path in sorted(MODELS.rglob("*.onnx")):
        if "hostile" in path.parts:
            continue
        try:
            model = read_model(path)
            analysis = analyse(model)
            editor = GraphEditor(model, analysis)
        except (ModelFileError, RewriteError):
            continue
        reasons = [averaging.applied.refusal(editor, site, Options()) for site in analysis.sites]
        if reasons and None not in reasons:
            yield path


def step_of(names: tuple[str, ...], merge: str, lowering: Lowering) -> Step:
    return Step(Strategy.WINDOW_AVERAGE, Options(lowering=lowering, merges=(merge,)), names)


def test_at_least_half_of_the_models_that_phase_averaging_refuses_take_a_window() -> None:
    paths = list(refused())
    taken = []
    for path in paths:
        model = read_model(path)
        if any(start.merges for start in windows(model, analyse(model))):
            taken.append(path.name)
    assert len(paths) > 20
    assert len(taken) >= len(paths) / 2, sorted({path.name for path in paths} - set(taken))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("detector/blazeface_front128_nhwc.onnx", (1, 128, 128, 3)),
        ("detector/ultraface_slim320_simpl.onnx", (1, 3, 240, 320)),
        ("detector/yunet_n_320.onnx", (1, 3, 320, 320)),
        ("keypoints/face_landmark_192.onnx", (1, 3, 192, 192)),
        ("ocr/ppocr_en_number_rec.onnx", (1, 3, 32, 320)),
    ],
)
def test_two_branches_compute_what_the_batch_axis_computes(name: str, size: tuple[int, ...], tmp_path: Path) -> None:
    """Detectors of several scales, key points, and a text recogniser, none of whose outputs are touched."""
    path = MODELS / name
    if not path.exists():
        pytest.skip("this model is not here")
    model = read_model(path)
    analysis = analyse(model, {value.name: size for value in model.graph.inputs[:1]})
    places = [
        ((start.site.node.name.raw,), merge.node.raw)
        for start in windows(model, analysis)
        if start.site is not None
        for merge in start.merges
    ]
    free = [place for place in places if rewrite(model, analysis, step_of(*place, Lowering.BATCH)).changes]
    assert free
    picture = np.random.default_rng(0).random(size, np.float32)
    original = session(path)
    feed = {original.get_inputs()[0].name: picture}
    base = original.run(None, feed)
    for names, merge in (free[0], free[-1]):
        answers = []
        for lowering in (Lowering.BATCH, Lowering.BRANCH):
            target = tmp_path / f"{lowering.value}.onnx"
            assert rewrite(model, analysis, step_of(names, merge, lowering), target).path is not None
            onnx.checker.check_model(str(target))
            answers.append(session(target).run(None, feed))
            assert len(analyse(read_model(target), {model.graph.inputs[0].name: size}).sites) == len(analysis.sites)
        for batch, branch, unchanged in zip(*answers, base, strict=True):
            assert batch.shape == branch.shape == unchanged.shape
            assert np.allclose(batch, branch, rtol=1e-4, atol=1e-4 * np.abs(batch).max())
        assert any(not np.allclose(one, two) for one, two in zip(answers[0], base, strict=True))
