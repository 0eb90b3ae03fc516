"""Many images: the report has their totals, and a file beside it what was measured on each."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import auditor
from auditor.verify import columns
from tests.verify.models import classifier, saved

Run = Callable[..., tuple[int, str, str]]
OPTIONS = ("--images", "noise.npy", "--preset", "unit", "--device", "cpu", "--threads", "1", "--shifts", "2")
JSON = ("--isolated", "--output-format", "json")


@pytest.fixture
def listed(run: Run, workplace: Path) -> dict[str, Any]:
    """The report that lists all images."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 24, 24, 3)).astype(np.float32)
    noise[4, 0, 0, 0] = np.nan  # an image that cannot be used
    np.save(workplace / "noise.npy", noise)
    saved(workplace / "m.onnx", classifier())
    run("verify", "m.onnx", *OPTIONS, *JSON, "-o", "all.json")
    verification: dict[str, Any] = json.loads((workplace / "all.json").read_text())["models"][0]["verification"]
    assert verification["images_file"] is None
    assert not list(workplace.glob("*.npz"))
    return verification


@pytest.fixture
def many(listed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The same where eleven images are more than a document lists."""
    monkeypatch.setattr(columns, "MOST_LISTED", 10)
    monkeypatch.setattr(columns, "MOST_SHOWN", 3)
    return listed


def number(value: float | None) -> float:
    return math.nan if value is None else value


def test_the_file_has_what_the_report_leaves_out(many: dict[str, Any], run: Run, workplace: Path) -> None:
    code, _, error = run("verify", "m.onnx", *OPTIONS, *JSON, "-o", "few.json")
    assert error.splitlines() == ["aliasaudit: wrote few.images.npz", "aliasaudit: wrote few.json"]
    found = json.loads((workplace / "few.json").read_text())["models"][0]["verification"]
    beside = (workplace / "few.images.npz").read_bytes()
    assert found["images_file"] == {"name": "few.images.npz", "sha256": hashlib.sha256(beside).hexdigest()}
    with np.load(workplace / "few.images.npz", allow_pickle=False) as arrays:
        assert [name.decode() for name in arrays["0.name"]] == many["data"]["used"]
        for measure, whole in zip(found["outputs"][0]["measures"], many["outputs"][0]["measures"], strict=True):
            title = f"{measure['name']}, {measure['protocol']}" if measure["protocol"] else measure["name"]
            values = arrays[f"0.{title}"]
            assert values == pytest.approx([number(value) for value in whole["per_image"]], abs=1e-6, nan_ok=True)
            assert measure["per_image"] == []
            assert measure["unlisted"] == {"known": whole["images"], "images": 11}
            assert (measure["images"], measure["value"]) == (whole["images"], whole["value"])
        flips = [image["flips"] for image in many["outputs"][0]["images"]]
        assert arrays["0.flips"] == pytest.approx(flips, abs=1e-6)
    assert found["data"]["used"] == []
    assert found["data"]["count"] == 11
    assert found["outputs"][0]["listed"]["unsteady"] == sum(one > 0 for one in flips)
    described = {image["name"]: image for image in found["outputs"][0]["images"]}
    assert len(described) == 3
    assert min(image["flips"] for image in described.values()) >= sorted(flips)[-3]
    assert all(image in many["outputs"][0]["images"] for image in described.values())
    assert "of 11 images the 3 that change most are described" in found["notes"]
    assert code == 0


def test_however_it_is_measured_both_files_have_the_same_bytes(many: dict[str, Any], run: Run, workplace: Path) -> None:
    run("verify", "m.onnx", *OPTIONS, *JSON, "-o", "few.json")
    one = [(workplace / name).read_bytes() for name in ("few.json", "few.images.npz")]
    run("verify", "m.onnx", *OPTIONS, *JSON, "-o", "few.json", "--jobs", "2")
    assert [(workplace / name).read_bytes() for name in ("few.json", "few.images.npz")] == one
    for shard in (1, 2):
        run("verify", "m.onnx", *OPTIONS, "--isolated", "--shard", f"{shard}/2", "-o", f"{shard}.json.gz")
    run("merge", "1.json.gz", "2.json.gz", *JSON, "-o", "few.json")
    assert [(workplace / name).read_bytes() for name in ("few.json", "few.images.npz")] == one


def test_a_saved_report_says_the_same_again(many: dict[str, Any], run: Run, workplace: Path) -> None:
    first = run("verify", "m.onnx", *OPTIONS, "--isolated", "--report", "json=few.json")[1]
    (workplace / "few.images.npz").unlink()
    assert run("report", "few.json")[1] == re.sub(r" in \d+ s,", ",", first)
    assert "11 images" in first


def test_without_a_file_it_is_said_that_the_values_are_left_out(many: dict[str, Any], run: Run) -> None:
    _, out, error = run("verify", "m.onnx", *OPTIONS, *JSON)
    assert json.loads(out)["models"][0]["verification"]["images_file"] is None
    assert "the values of each image are left out: name a file with --output" in error


def test_from_python_the_values_are_there(many: dict[str, Any], workplace: Path) -> None:
    found = auditor.measure("m.onnx", images="noise.npy", preset="unit", device="cpu", threads=1, shifts=2)
    consistency = found.measure("consistency")
    assert consistency is not None
    listed = next(one for one in many["outputs"][0]["measures"] if one["name"] == "consistency")
    assert list(consistency.per_image) == pytest.approx(listed["per_image"], abs=1e-6)
    assert [name.raw for name in found.data.used] == many["data"]["used"]
