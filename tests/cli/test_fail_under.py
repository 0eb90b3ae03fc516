"""``aliasaudit verify --fail-under``: the run ends once it is certain whether the model holds the value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.verify.models import classifier, saved

Run = Callable[..., tuple[int, str, str]]
QUICK = ["--images", "noise.npy", "--device", "cpu", "--threads", "1", "--layers", "0", "--shifts", "2"]


@pytest.fixture
def coarse(workplace: Path) -> Path:
    """A classifier whose answers depend on position by much, and pictures of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (128, 24, 24, 3), dtype=np.uint8)
    np.save(workplace / "noise.npy", noise)
    return saved(workplace / "coarse.onnx", classifier(stride=16))


def asked_of(document: str) -> dict[str, Any]:
    verification = json.loads(document)["models"][0]["verification"]
    required: dict[str, Any] = verification["required"]
    return required | {"intervals": verification["outputs"][0]["measures"][0]["interval"]}


def test_a_model_that_surely_fails_ends_the_run_early_with_exit_1_and_every_report_says_when(
    run: Run, coarse: Path
) -> None:
    code, out, _ = run("verify", coarse, *QUICK, "--fail-under", "0.99")
    assert code == 1
    found = re.search(
        r"FAILS: consistency .*, surely less than the 99.0 % asked; after (\d+) of at most 128 images", out
    )
    assert found is not None
    assert int(found[1]) < 128
    assert "error AA411 minimum-not-held" in out
    assert re.search(r"ended at look \d of 4, after \d+ of at most 128 images, since the verdict was certain", out)
    for shown in ("markdown", "html", "junit"):
        page = run("verify", coarse, *QUICK, "--fail-under", "0.99", "--output-format", shown)[1]
        assert f"after {found[1]} of at most 128 images" in page
    document = run("verify", coarse, *QUICK, "--fail-under", "0.99", "--output-format", "json")[1]
    asked = asked_of(document)
    looks = asked["looks"]
    assert looks["planned"] == [16, 32, 64, 128]
    assert looks["early"]
    # No interval of the report ignores the looks.
    assert asked["intervals"]["confidence"] == pytest.approx(1 - looks["level"], abs=1e-5)
    assert len(json.loads(document)["models"][0]["verification"]["data"]["used"]) == int(found[1])


def test_a_model_that_surely_holds_is_clean_and_says_so(run: Run, coarse: Path) -> None:
    code, out, _ = run("verify", coarse, *QUICK, "--fail-under", "0.05")
    assert code == 0
    assert re.search(r"HOLDS: consistency .*, surely at least the 5.0 % asked; after \d+ of at most 128", out)
    assert "AA411" not in out


def test_an_open_verdict_is_no_pass_and_fails_where_one_is_required(run: Run, coarse: Path) -> None:
    document = run("verify", coarse, *QUICK, "--output-format", "json")[1]
    value = json.loads(document)["models"][0]["verification"]["outputs"][0]["measures"][0]["value"]
    near = str(round(value, 3))
    code, out, _ = run("verify", coarse, *QUICK, "--fail-under", near, "--select", "AA411")
    assert code == 0
    assert "UNDECIDED: consistency" in out
    assert "note AA411" in out
    code, out, _ = run("verify", coarse, *QUICK, "--fail-under", near, "--select", "AA411", "--inconclusive", "fail")
    assert (code, "error AA411" in out) == (1, True)


def test_all_images_are_measured_where_that_is_asked_for_and_the_verdict_is_one_look(run: Run, coarse: Path) -> None:
    options = ["--fail-under", "0.99", "--all-images", "--output-format", "json"]
    code, document, _ = run("verify", coarse, *QUICK, *options)
    asked = asked_of(document)
    assert (code, asked["looks"], asked["images"]) == (1, None, 128)
    assert asked["intervals"]["confidence"] == 0.95


def test_the_settings_hold_the_value_for_verify_and_for_compare_alike(run: Run, coarse: Path) -> None:
    Path("aliasaudit.toml").write_text(
        '[compare]\nmin = 0.99\n[verify]\nimages = "noise.npy"\nlayers = 0\nshifts = 2\n', encoding="utf-8"
    )
    assert "AA411" in run("verify", coarse, "--device", "cpu", "-q")[1]
    code, out, _ = run("compare", coarse, coarse, "--verify", "--device", "cpu", "-q")
    assert code == 1
    assert "MINIMUM NOT HELD" in out


def test_processes_end_early_with_the_bytes_of_one_process(run: Run, coarse: Path) -> None:
    options = [*QUICK, "--fail-under", "0.99", "--output-format", "json"]
    alone = run("verify", coarse, *options)
    assert run("verify", coarse, *options, "--jobs", "2") == alone


def test_the_value_is_held_when_shards_are_merged(run: Run, coarse: Path) -> None:
    for number in (1, 2):
        assert run("verify", coarse, *QUICK, "--shard", f"{number}/2", "-o", f"{number}.json")[0] == 0
    code, out, _ = run("merge", "1.json", "2.json", "--fail-under", "0.99")
    assert code == 1
    assert re.search(r"FAILS: consistency .*; 128 images", out)


def test_a_value_that_is_no_number_is_refused(run: Run, coarse: Path) -> None:
    code, _, err = run("verify", coarse, "--fail-under", "most")
    assert code == 2
    assert "must be a number" in err


def test_a_comparison_ends_early_in_processes_with_the_bytes_of_one(run: Run, coarse: Path, workplace: Path) -> None:
    fine = saved(workplace / "fine.onnx", classifier(stride=1))
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 1\nthreads = 1\n", encoding="utf-8")
    options = ["--verify", "--images", "noise.npy", "--device", "cpu", "--max-absolute-drop", "0.2"]
    alone = run("compare", fine, coarse, *options, "--output-format", "json")
    assert json.loads(alone[1])["models"][0]["comparison"]["looks"]["early"]
    assert run("compare", fine, coarse, *options, "--output-format", "json", "--jobs", "2") == alone


def test_quiet_shows_findings_what_was_asked_and_the_summary_only(run: Run, coarse: Path) -> None:
    code, out, _ = run("verify", coarse, *QUICK, "--images-limit", "16", "--fail-under", "0.99", "-q")
    assert code == 1
    lines = [line for line in out.splitlines() if line]
    assert lines[0].startswith("model ")
    assert any("FAILS: consistency" in line for line in lines)
    assert not any(word in out for word in ("protocol", "self-test", "by shift distance"))
    _, out, _ = run("verify", coarse, *QUICK, "--images-limit", "16", "-q")
    assert "consistency" in out
    assert "protocol" not in out


def test_a_comparison_that_could_not_be_measured_does_not_name_verify_again(run: Run, coarse: Path) -> None:
    options = ["--verify", "--images", "absent", "--device", "cpu"]
    code, out, _ = run("compare", coarse, coarse, *options)
    assert code == 3
    fine = saved(Path("fine.onnx"), classifier(stride=1))
    code, out, _ = run("compare", fine, coarse, *options)
    assert code == 3
    assert "by the graphs alone: the measurement that was asked for could not be made" in out
    assert "--verify" not in out
