"""The script for Polygraphy: what it tells about a model is what ``verify`` tells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auditor.demo import demo_model
from auditor.onnxfile import read_model
from auditor.verify.errors import DataError
from auditor.verify.options import read_keywords
from auditor.verify.runner import verify
from auditor.verify.worker.arena import Array
from tests.docs.pages import guide

if TYPE_CHECKING:
    from auditor.plugins.polygraphy import ShiftConsistency, ShiftLimits, ShiftPairs, ShiftResult
else:
    pytest.importorskip("polygraphy", reason="polygraphy is not installed: it comes with the extra `dev`")
    from auditor.plugins.polygraphy import ShiftConsistency, ShiftLimits, ShiftPairs, ShiftResult

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 3


def measured(**options: object) -> dict[str, float]:
    request = read_keywords({"images_limit": IMAGES, "layers": 0, "device": "cpu", **options})
    found = verify(read_model(demo_model()), request.source(), request.settings)
    return {one.name: one.value for one in found.outputs[0].measures}


def answered(feeds: Mapping[str, Array]) -> dict[str, Array]:
    import onnxruntime as ort

    session = ort.InferenceSession(demo_model(), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def scores(*rows: list[float]) -> dict[str, Array]:
    return {"scores": np.array(rows, np.float32)}


def fixed_batch(path: Path, batch: int) -> Path:
    model = onnx.load(demo_model())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("protocol", "batch"), [("crop", 1), ("roll", 2), ("subpixel", 4)])
def test_the_mean_over_all_iterations_is_what_verify_measures(protocol: str, batch: int) -> None:
    pairs = ShiftPairs(demo_model(), batch=batch, images_limit=IMAGES, shifts=4, protocol=protocol)
    compare = ShiftConsistency()
    results = [
        result
        for reference, moved in zip(pairs.reference(), pairs.moved(), strict=True)
        for result in compare(answered(reference), answered(moved)).values()
    ]
    expected = measured(shifts=4, protocol=protocol)
    assert len(results) == IMAGES * 4 // batch
    assert np.mean([result.consistency for result in results]) == pytest.approx(expected["consistency"], abs=1e-9)
    assert np.mean([result.mac for result in results]) == pytest.approx(expected["mac"], abs=1e-5)


def test_a_model_with_a_fixed_batch_gets_that_batch(tmp_path: Path) -> None:
    pairs = ShiftPairs(fixed_batch(tmp_path / "net.onnx", 2), images_limit=1, shifts=4)
    assert [feeds["image"].shape for feeds in pairs.moved()] == [(2, 1, 48, 48)] * 2


def test_pairs_that_do_not_fill_the_batch_are_refused_with_the_number_that_does(tmp_path: Path) -> None:
    pairs = ShiftPairs(fixed_batch(tmp_path / "net.onnx", 3), images_limit=1)
    with pytest.raises(DataError, match="8 pairs per image do not fill batches of 3: give shifts=3"):
        next(pairs.reference())


def test_an_option_that_does_not_exist_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match='did you mean "images_limit"'):
        ShiftPairs("net.onnx", image_limit=3)


def test_pictures_that_cannot_be_read_are_left_out_of_both_sides_with_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image").new("L", (64, 64)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    pairs = ShiftPairs(demo_model(), images=str(tmp_path), shifts=2)
    for side in (pairs.reference, pairs.moved):
        with pytest.warns(UserWarning, match=r"bad\.png is left out"):
            assert len(list(side())) == 2


def test_a_change_of_class_is_held_to_the_limit_and_a_change_of_probability_if_asked() -> None:
    same, other = [4.0, 1.0], [1.0, 4.0]
    first, second = scores(same, same, same, same), scores(same, same, same, other)
    assert ShiftConsistency(0.75)(first, second)["scores"]
    assert not ShiftConsistency(0.76)(first, second)["scores"]
    assert not ShiftConsistency(0.75, mac_at_most=0.1)(first, second)["scores"]
    assert ShiftConsistency(0.75, mac_at_most=0.3)(first, second)["scores"]


def test_a_measure_that_is_not_a_number_never_passes() -> None:
    assert not ShiftLimits(0.0).passed({"consistency": float("nan"), "mac": 0.0})
    assert not ShiftLimits(0.0, 1.0).passed({"consistency": 1.0, "mac": float("nan")})


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"a": np.zeros((1, 3)), "b": np.zeros((1, 3))}, "one of 'a', 'b'"),
        ({"map": np.zeros((1, 3, 4, 4))}, "is not class scores"),
        ({"flat": np.zeros(3)}, "is not class scores"),
        (scores([float("nan"), 1.0]), "not finite"),
    ],
)
def test_outputs_that_cannot_be_compared_are_refused_in_one_line(outputs: dict[str, Array], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ShiftConsistency()(outputs, outputs)


def test_the_class_scores_can_be_named() -> None:
    outputs = {"a": np.zeros((1, 3)), **scores([1.0, 2.0])}
    assert list(ShiftConsistency(output="scores")(outputs, outputs)) == ["scores"]


def test_saved_results_are_read_back_as_they_were() -> None:
    from polygraphy.json import from_json, to_json

    result = ShiftResult(0.5, 0.25, ShiftLimits(0.75))
    assert from_json(to_json(result)) == result


def polygraphy(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = command.split()
    assert program == "polygraphy"
    return subprocess.run(
        [sys.executable, "-c", "from polygraphy.tools import main; raise SystemExit(main())", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_commands_of_the_documentation_run_and_the_last_line_tells_what_verify_measures(tmp_path: Path) -> None:
    (script,) = guide("polygraphy", "python")
    few = script.text.replace("images_limit=16", f"images_limit={IMAGES}")
    (tmp_path / "shifts.py").write_text(few, encoding="utf-8")
    (tmp_path / "models").mkdir()
    for name in ("net.onnx", "net.int8.onnx"):
        (tmp_path / "models" / name).write_bytes(demo_model().read_bytes())
    for block in guide("polygraphy", "bash"):
        for command in block.text.replace("\\\n", " ").splitlines():
            done = polygraphy(tmp_path, command)
            assert done.returncode == 0, done.stdout
            if "shifts.py:reference" in command:
                found = re.search(r"consistency: (\S+) \(at least 0\.8\), mac: (\S+)", done.stdout)
                assert found, done.stdout
                expected = measured()
                assert float(found[1]) == pytest.approx(expected["consistency"], abs=1e-3)
                assert float(found[2]) == pytest.approx(expected["mac"], abs=1e-3)
    strict = few.replace("at_least=0.8", "at_least=1.01")
    (tmp_path / "shifts.py").write_text(strict, encoding="utf-8")
    again = "polygraphy run --load-outputs reference moved --compare-func-script shifts.py:consistency --check-average"
    assert polygraphy(tmp_path, again).returncode == 1


def test_a_segmentation_is_refused_by_polygraphy_in_one_line_without_a_traceback(tmp_path: Path) -> None:
    (script,) = guide("polygraphy", "python")
    (tmp_path / "shifts.py").write_text(script.text, encoding="utf-8")
    node = helper.make_node("Identity", ["image"], ["map"])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])
    dense = helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 3, 32, 32])
    graph = helper.make_graph([node], "dense", [image], [dense])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "models").mkdir()
    onnx.save(model, tmp_path / "models" / "net.onnx")
    run = "polygraphy run models/net.onnx --onnxrt --data-loader-script shifts.py:"
    assert polygraphy(tmp_path, f"{run}moved --save-outputs moved").returncode == 0
    compare = "reference --load-outputs moved --compare-func-script shifts.py:consistency"
    done = polygraphy(tmp_path, f"{run}{compare}")
    assert done.returncode == 1
    assert "of shape (1, 3, 32, 32) is not class scores (N, C): use aliasaudit verify" in done.stdout
    assert "Traceback" not in done.stdout
