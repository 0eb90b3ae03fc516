"""A model that was finished in a hidden folder gets its name whole, with its external data, or not at all."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from auditor.demo import demo_model
from auditor.onnxfile import read_model
from auditor.onnxfile.graph import Model
from auditor.repair.staging import staged, staging
from auditor.rewrite.graph.save import publish
from auditor.rewrite.result import RewriteError, Step, Strategy
from auditor.sampling import analyse
from auditor.sampling.result import Analysis

AVERAGE = Step(Strategy.PHASE_AVERAGE)


def read(path: Path) -> tuple[Model, Analysis]:
    model = read_model(path)
    return model, analyse(model)


def with_external_data(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save(onnx.load(demo_model()), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def fix(source: Path, target: Path, *steps: Step) -> None:
    original = read(source)
    with staging(target) as folder:
        path, _ = staged(original, steps, folder, read, None)
        assert not target.exists()
        publish(read_model(path), target, original[0])


@pytest.mark.parametrize("place", ["same", "other"])
def test_external_data_lies_beside_the_result_and_nothing_else_is_left(place: str, tmp_path: Path) -> None:
    source = with_external_data(tmp_path / "same")
    target = tmp_path / place / "fixed.onnx"
    target.parent.mkdir(exist_ok=True)
    fix(source, target, AVERAGE)
    onnx.checker.check_model(target, full_check=True)
    expected = {"fixed.onnx", "weights.bin"} | ({"model.onnx"} if place == "same" else set())
    assert {path.name for path in target.parent.iterdir()} == expected


def test_two_rewrites_follow_each_other_and_each_leaves_its_provenance(tmp_path: Path) -> None:
    target = tmp_path / "fixed.onnx"
    fix(demo_model(), target, AVERAGE, Step(Strategy.INPUT_AVERAGE))
    written = onnx.load(target)
    onnx.checker.check_model(written, full_check=True)
    made = [
        entry for entry in written.metadata_props if "phase-average" in entry.value or "input-average" in entry.value
    ]
    assert len(made) == 2


def test_a_rewrite_that_does_not_apply_a_second_time_names_its_reason_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RewriteError, match="phase-average does not apply"):
        fix(demo_model(), tmp_path / "fixed.onnx", AVERAGE, AVERAGE)
    assert not list(tmp_path.iterdir())


def test_data_of_the_same_name_beside_the_output_is_never_overwritten(tmp_path: Path) -> None:
    source = with_external_data(tmp_path / "same")
    (tmp_path / "weights.bin").write_bytes(b"of another model")
    with pytest.raises(RewriteError, match="external data"):
        fix(source, tmp_path / "fixed.onnx", AVERAGE)
    assert (tmp_path / "weights.bin").read_bytes() == b"of another model"
    assert not (tmp_path / "fixed.onnx").exists()
