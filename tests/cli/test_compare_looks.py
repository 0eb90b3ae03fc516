"""``aliasaudit compare --verify`` ends once its verdict is certain, and says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.verify.models import classifier, saved
from tests.verify.pairs import exported, toy

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def measured(workplace: Path) -> tuple[Path, Path]:
    """Two classifiers whose answers depend on position by a little and by much, and pictures of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 24, 24, 3), dtype=np.uint8)
    np.save(workplace / "noise.npy", noise)
    return saved(workplace / "fine.onnx", classifier(stride=1)), saved(workplace / "coarse.onnx", classifier(stride=16))


def test_a_certain_verdict_ends_the_run_and_the_report_says_when_and_what_that_costs(
    run: Run, measured: tuple[Path, Path]
) -> None:
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 1\n", encoding="utf-8")
    options = ["--verify", "--images", "noise.npy", "--device", "cpu", "-q", "--max-absolute-drop", "0.2"]
    code, out, _ = run("compare", *measured, *options, "--min-images", "64")
    assert code == 0
    early = re.search(r"NO DIFFERENCE FOUND.*; after (\d+) of at most 256 images", out)
    assert early is not None
    assert early[1] in ("64", "128")
    assert re.search(r"note: after \d+ of at most 256 images \(look \d of 3\): the verdict was certain there", out)
    document = json.loads(run("compare", *measured, *options, "--min-images", "64", "--output-format", "json")[1])
    comparison = document["models"][0]["comparison"]
    looks, (change, *_) = comparison["looks"], comparison["measured"]
    assert looks["planned"] == [64, 128, 256]
    assert looks["early"]
    assert change["images"] == looks["planned"][looks["taken"] - 1] == int(early[1])
    assert looks["level"] < looks["error"] == 0.05
    # No interval of the report ignores the looks.
    intervals = [change["interval"], document["models"][0]["verification"]["outputs"][0]["measures"][0]["interval"]]
    levels = [1 - interval["confidence"] for interval in intervals]
    assert levels == pytest.approx([2 * looks["level"], looks["level"]], abs=1e-5)
    for shown in ("markdown", "html"):
        page = run("compare", *measured, *options, "--min-images", "64", "--output-format", shown)[1]
        assert f"after {early[1]} of at most 256 images" in page


def test_the_images_of_an_early_look_are_not_those_in_front_of_the_folder(
    run: Run, measured: tuple[Path, Path]
) -> None:
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 1\n", encoding="utf-8")
    options = ["--verify", "--images", "noise.npy", "--device", "cpu", "-q", "--output-format", "json"]
    first, again = (run("compare", measured[0], measured[0], *options)[1] for _ in range(2))
    assert first == again
    used = json.loads(first)["models"][0]["verification"]["data"]["used"]
    assert len(used) == 16
    assert used != [f"noise.npy[{index}]" for index in range(16)]
    assert max(int(name[10:-1]) for name in used) > 100
    assert json.loads(first)["models"][0]["verification"]["self_test"]["passed"]


def test_images_that_come_one_after_the_other_are_all_measured(
    run: Run, measured: tuple[Path, Path], workplace: Path
) -> None:
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 1\n", encoding="utf-8")
    (workplace / "mine.py").write_text(
        "import numpy as np\n\ndef images():\n    yield from np.load('noise.npy')[:40]\n", encoding="utf-8"
    )
    options = ["--verify", "--images", "mine.py:images", "--device", "cpu", "-q", "--output-format", "json"]
    document = json.loads(run("compare", measured[0], measured[0], *options)[1])
    comparison = document["models"][0]["comparison"]
    assert (comparison["looks"], comparison["measured"][0]["images"]) == (None, 40)


def test_a_pair_that_is_not_alike_is_looked_at_while_it_goes_on_too(run: Run, workplace: Path) -> None:
    np.save(workplace / "images.npy", np.random.default_rng(0).integers(0, 256, (64, 24, 24, 3), dtype=np.uint8))
    toy(workplace / "float.onnx")
    saved(workplace / "bytes.onnx", exported(classifier(batch=1), onnx.TensorProto.UINT8, True, 255))
    models = ("float.onnx", "bytes.onnx", "--images", "images.npy", "--device", "cpu", "--task", "classification")
    words = ("--pair", "--preset", "raw", "--reference-preset", "unit", "--max-absolute-drop", "0.3")
    code, out, _ = run("compare", *models, *words)
    assert code == 0
    assert re.search(r"NO DIFFERENCE FOUND.*; after (16|32) of at most 64 images", out)
