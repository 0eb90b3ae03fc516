"""``aliasaudit fix`` as its users see it: what it writes, what it holds back, and how honestly it says so."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnx
import pytest

from auditor.cli import measuring
from auditor.demo import demo_model
from tests.cli.conftest import HOSTILE_NAME, write_network
from tests.runner_commands import commands, control_bytes

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def network() -> Path:
    return write_network(Path("net.onnx"))


def test_without_a_strategy_nothing_is_written_and_the_report_says_what_was_held_back(run: Run, network: Path) -> None:
    code, out, _ = run("fix", network, "-o", "fixed.onnx")
    assert code == 1
    assert "blur: x" in out
    assert "nothing was written: every rewrite changes what the network computes" in out
    assert not Path("fixed.onnx").exists()


def test_a_strategy_writes_the_model_and_says_what_that_does_to_a_trained_network(run: Run, network: Path) -> None:
    code, out, err = run("fix", network, "-o", "fixed.onnx", "--strategy", "blur")
    assert (code, err) == (0, "")
    assert "rewrote pool (MaxPool, factor 2, total 2)" in out
    assert "aliased sites: 1 before, 0 after" in out
    assert "21 and 43 points" in out
    onnx.checker.check_model(onnx.load("fixed.onnx"), full_check=True)
    assert run("check", "fixed.onnx", "--select", "AA101")[0] == 0


def test_unsafe_fixes_take_the_rewrite_that_harms_least(run: Run, network: Path) -> None:
    code, out, _ = run("fix", network, "-o", "fixed.onnx", "--unsafe-fixes")
    assert code == 0
    assert "strategy phase-average, phases diagonal" in out
    assert "changes the function" in out


def test_a_plan_and_a_dry_run_write_nothing(run: Run, network: Path) -> None:
    assert run("fix", network, "--plan")[0] == 0
    code, out, _ = run("fix", network, "--strategy", "blur", "--dry-run", "--diff")
    assert code == 0
    assert "~ pool (MaxPool): strides = 1x1" in out
    assert "+ aliasaudit/pool/blur (Conv): blur tri3" in out
    assert "nothing was written: this was a dry run" in out
    assert [path.name for path in Path.cwd().glob("*.onnx")] == ["net.onnx"]


def test_fixing_the_result_again_changes_nothing(run: Run, network: Path) -> None:
    run("fix", network, "-o", "fixed.onnx", "--strategy", "blur")
    code, out, _ = run("fix", "fixed.onnx", "-o", "again.onnx", "--strategy", "blur")
    assert code == 1
    assert "nothing was written: no site could be rewritten" in out
    assert not Path("again.onnx").exists()


def test_in_place_keeps_the_old_model_beside_the_new_one(run: Run, network: Path) -> None:
    before = network.read_bytes()
    code, out, _ = run("fix", network, "--strategy", "blur", "--in-place")
    assert code == 0
    assert "backup: " in out
    assert Path("net.onnx.bak").read_bytes() == before
    assert network.read_bytes() != before


def test_the_json_report_holds_every_change(run: Run, network: Path) -> None:
    code, out, _ = run("fix", network, "-o", "fixed.onnx", "--strategy", "blur", "--output-format", "json")
    assert code == 0
    report = json.loads(out)
    assert report["schema"] == "aliasaudit-fix/1"
    assert report["written"] == "fixed.onnx"
    assert report["aliased_sites"] == {"before": 1, "after": 0}
    assert {change["kind"] for change in report["changes"]} == {"added", "edited"}
    plan = json.loads(run("fix", network, "--plan", "--output-format", "json")[1])
    assert {offer["strategy"] for offer in plan["plan"]["sites"][0]["offers"]} == {"blur", "phase-average"}


def test_the_plan_names_the_nodes_where_a_window_may_end_and_fix_takes_them(run: Run) -> None:
    shutil.copy(demo_model(), "demo.onnx")
    assert "window-average: --merge at /layer1/conv1/Conv x" in run("fix", "demo.onnx", "--plan")[1]
    plan = json.loads(run("fix", "demo.onnx", "--plan", "--output-format", "json")[1])["plan"]
    assert plan["input"]["merges"][0]["node"] == "/conv1/Conv"
    for number, site in enumerate(plan["sites"]):
        for merge in site["merges"][:: max(len(site["merges"]) - 1, 1)]:
            names = ("--site", site["node"], "--merge", merge["node"])
            way = ("fix", "demo.onnx", "-o", f"{number}.onnx", "--strategy", "window-average", *names)
            code, out, _ = run(*way, "--output-format", "json")
            done = json.loads(out)
            assert code == 0
            assert done["multiply_adds_ratio"] == merge["multiply_adds_ratio"]
            assert done["options"]["merges"] == [merge["node"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--strategy", "blur", "-o", "x.onnx", "--merge", "pool"), "blur averages nothing up to a node"),
        (("--strategy", "phase-average", "-o", "x.onnx", "--merge", "auto"), "with the strategy window-average"),
        (
            ("--strategy", "window-average", "-o", "x.onnx", "--merge", "auto", "--phases", "all"),
            "--merge auto chooses",
        ),
        (("--strategy", "window-average", "-o", "x.onnx", "--merge", "nowhere"), "no node of the main graph is called"),
        (("--strategy", "blurr", "-o", "x.onnx"), "--strategy must be one of"),
        (("--strategy", "blur"), "say where to write"),
        (("--plan", "--output-format", "sarif"), "--output-format must be one of text, json"),
        (("--strategy", "blur", "-o", "net.onnx"), "--in-place"),
        (("--strategy", "blur", "-o", "x.onnx", "--in-place"), "--in-place"),
        (("--strategy", "blur", "-o", "x.onnx", "--lambda", "2"), "--lambda must be"),
        (("--strategy", "blur", "-o", "x.onnx", "--site", "nowhere"), "no sampling site is called"),
        (("--strategy", "blur", "-o", "absent/x.onnx"), "cannot be written"),
        (("--strategy", "input-average", "-o", "x.onnx", "--site", "pool"), "whole model"),
        (("--strategy", "crop-select", "-o", "x.onnx", "--site", "pool"), "whole model"),
        (("--strategy", "crop-select", "-o", "x.onnx", "--margin", "0"), "whole number of pixels above 0"),
        (("--strategy", "grid-lock", "-o", "x.onnx", "--period", "1"), "whole number of pixels above 1"),
        (
            ("--strategy", "grid-lock", "-o", "x.onnx", "--lowering", "branch"),
            "grid-lock does not use --lowering",
        ),
        (("--strategy", "input-average", "-o", "x.onnx", "--lock", "sub-pixel"), "input-average does not use --lock"),
        (("--strategy", "window-average", "-o", "x.onnx", "--camera", "fixed"), "does not use --camera: leave it out"),
    ],
)
def test_what_cannot_be_done_ends_with_one_line_and_no_file(
    run: Run, network: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = network.read_bytes()
    code, out, err = run("fix", network, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert network.read_bytes() == before
    assert [path.name for path in Path.cwd().glob("*.onnx")] == ["net.onnx"]


def test_calibration_runs_the_model_and_reports_what_it_gave_back(run: Run, network: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 40, 40, 3), dtype=np.uint8)
    np.savez("pictures.npz", images=pixels)
    flags = ("--strategy", "blur", "--calibrate", "pictures.npz", "--preset", "unit", "--device", "cpu")
    code, out, err = run("fix", network, "-o", "fixed.onnx", *flags)
    assert (code, err) == (0, "")
    assert re.search(r"calibrated pool: \d+ % of the original's variance missed before, \d+ % after \(16 pictures", out)
    assert "calibration gives back only a part" in out
    report = json.loads(run("fix", network, "-o", "again.onnx", *flags, "--output-format", "json")[1])
    (fitted,) = report["calibrated"]
    assert fitted["error_after"] < fitted["error_before"]
    assert Path("again.onnx").read_bytes() == Path("fixed.onnx").read_bytes()


def test_a_terminal_shows_the_passes_over_the_pictures(
    run: Run, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, int | None]] = []
    advanced: list[None] = []

    class Watcher:
        def begin(self, what: str, total: int | None) -> None:
            begun.append((what, total))

        def advance(self) -> None:
            advanced.append(None)

    monkeypatch.setattr(measuring, "watched", lambda show: nullcontext(Watcher() if not show.no_progress else None))
    np.savez("pictures.npz", images=np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3), dtype=np.uint8))
    flags = ("--strategy", "blur", "--calibrate", "pictures.npz", "--preset", "unit", "--device", "cpu")
    assert run("fix", network, "-o", "fixed.onnx", *flags)[0] == 0
    assert begun == [("calibration, site 1 of 1", 12)]
    assert len(advanced) == 12


@pytest.mark.parametrize("where", ["absent", "empty"])
def test_calibration_without_pictures_ends_with_one_line_and_no_file(run: Run, network: Path, where: str) -> None:
    Path("empty").mkdir()
    code, out, err = run("fix", network, "-o", "fixed.onnx", "--strategy", "blur", "--calibrate", where)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert not Path("fixed.onnx").exists()


def test_a_file_that_is_no_model_is_an_incomplete_run(run: Run) -> None:
    Path("empty.onnx").touch()
    code, out, err = run("fix", "empty.onnx", "--plan")
    assert (code, out) == (3, "")
    assert "is empty" in err


@pytest.mark.parametrize("output_format", ["text", "json"])
def test_names_of_a_hostile_model_stay_inert(run: Run, output_format: str) -> None:
    write_network(Path("net.onnx"), name=HOSTILE_NAME)
    for arguments in (("--plan",), ("--strategy", "blur", "-o", "fixed.onnx", "--diff")):
        _, out, err = run("fix", "net.onnx", "--output-format", output_format, *arguments)
        assert not commands(out + err)
        assert not control_bytes(out + err)


def test_a_recipe_prints_the_edits_of_the_training_code_and_writes_no_model(run: Run, network: Path) -> None:
    code, out, err = run("fix", network, "--recipe", "--kernel", "bin5")
    assert (code, err) == (0, "")
    assert "class BlurPool(nn.Module):" in out
    assert "blur = kornia.filters.BlurPool2D(5, stride=2)" in out
    assert [path.name for path in Path.cwd().glob("*.onnx")] == ["net.onnx"]
    document = json.loads(run("fix", network, "--recipe", "--output-format", "json")[1])
    assert document["recipe"]["sites"][0]["edit"]["forward"] == "x = blur(operator(x))"


def test_phases_are_averaged_by_dilation_where_that_is_asked_for(run: Run, network: Path) -> None:
    ways = ("--strategy", "phase-average", "--lowering", "dilation")
    code, out, _ = run("fix", network, "-o", "fixed.onnx", *ways)
    assert code == 1
    assert "dilation averages all phases: give --phases all as well" in out
    code, out, _ = run("fix", network, "-o", "fixed.onnx", *ways, "--phases", "all", "--diff")
    assert code == 0
    assert "by dilation, averaged where the map is pooled" in out
    assert "~ pool (MaxPool): " in out
    assert "strides = 1x1" in out
    plan = json.loads(run("fix", network, "--plan", "--output-format", "json", *ways, "--phases", "all")[1])
    (offer,) = [one for one in plan["plan"]["sites"][0]["offers"] if one["strategy"] == "phase-average"]
    assert offer["note"] == "by dilation, averaged where the map is pooled"
    code, _, err = run("fix", network, "--plan", "--lowering", "rows")
    assert code == 2
    assert "--lowering must be one of auto, batch, branch, dilation" in err


def test_what_a_library_prints_is_not_mixed_into_json(run: Run, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx_graphsurgeon

    export = onnx_graphsurgeon.export_onnx

    def talking(graph: object) -> object:
        print("[W] a warning of a library")  # noqa: T201 - it does
        return export(graph)

    monkeypatch.setattr(onnx_graphsurgeon, "export_onnx", talking)
    _, out, _ = run("fix", network, "-o", "fixed.onnx", "--strategy", "blur", "--output-format", "json")
    assert json.loads(out)["written"] == "fixed.onnx"
