"""How a plan of tiles is shown: the same numbers in every format, and nothing that a name could start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

import auditor
from auditor.facts.formats import Format
from auditor.facts.tiling import TilesReport
from auditor.report import RenderOptions
from auditor.report.tiles import render_tiles
from auditor.report.words.tiling import difference_text, size_text
from auditor.text import ModelText
from auditor.tiling.result import SeamRow, Seams, TileObstacle, TilePlan
from tests.tiling.networks import CHANNELS, Builder, measured_example

HOSTILE = "\x1b[31m::error::<script>|`"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TilePlan:
    monkeypatch.chdir(tmp_path)
    return auditor.tiles(measured_example(Path("net.onnx")), tile=96)


def shown(plan: TilePlan, output_format: Format = Format.TEXT, **options: object) -> str:
    return render_tiles(TilesReport("1.0", "m.onnx", plan), output_format, RenderOptions(**options))  # type: ignore[arg-type]


def test_the_terminal_says_grid_halo_sizes_and_what_to_write(plan: TilePlan) -> None:
    text = shown(plan, unicode=True)
    assert "grid 8 px, receptive field 31 px, halo 16 px left and top, 8 px right and bottom, overlap 24 px" in text
    assert "Exact: tiles on the grid, without their halo at cuts, give what the whole picture gives." in text
    assert "  96    72    1.78 x" in text
    assert "Cut every 72 px; of each tile keep what stands for its px 16 to 88" in text
    assert "MONAI: sliding_window_inference(image, roi_size=(96, 96)" in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_but_code_is_wider_than_the_terminal(plan: TilePlan, width: int) -> None:
    lines = shown(plan, width=width, unicode=True, terminal=True).split("\n")
    code = ("MONAI:", "SAHI:", "bioimage.io:")
    assert max(len(line) for line in lines if not line.strip().startswith(code)) <= width


def test_quiet_leaves_the_numbers_and_the_verdict(plan: TilePlan) -> None:
    text = shown(plan, quiet=True)
    assert "Exact:" in text
    assert "grid 8 px" in text
    assert "MONAI" not in text
    assert "next:" not in text


def test_obstacles_of_one_kind_are_one_line(tmp_path: Path) -> None:
    build = Builder(channels=CHANNELS)
    x = "x"
    for _ in range(3):
        x = build.conv(x, 3)
        x = build.add("Mul", [x, build.add("GlobalAveragePool", [x])])
    text = shown(auditor.tiles(build.save(tmp_path / "net.onnx", x)))
    assert "and 2 more nodes: reduces the whole picture to one number per channel" in text
    assert "local receptive field 7 px" in text


def test_what_was_measured_stands_in_every_format(plan: TilePlan) -> None:
    rows = (
        SeamRow((24, 24), 0.0, 0.0, ModelText("a.png")),
        SeamRow((16, 16), 0.0123, 0.4, ModelText("b.png")),
        SeamRow((0, 0), None, None, None),
    )
    seams = Seams(rows, (24, 24), 0.001, 2, (168, 168), (96, 96), 1, 1000, "CPUExecutionProvider", ("a note",))
    measured = replace(plan, seams=seams)
    for output_format in (Format.TEXT, Format.MARKDOWN):
        text = shown(measured, output_format).replace("\\", "")
        assert "overlap 24 px: 0" in text
        assert "overlap 16 px: 0.012 (b.png)" in text
        assert "overlap 0 px: nothing left to compare" in text
        assert "An overlap of 24 px keeps the difference below 0.001 of the output's range." in text
        assert "a note" in text
    document = json.loads(shown(measured, Format.JSON))
    assert document["plan"]["seams"]["rows"][1]["difference"] == 0.0123
    undecided = shown(replace(plan, seams=replace(seams, sufficient=None)))
    assert "No overlap that was tried keeps the difference below 0.001" in undecided


def test_names_of_a_model_and_of_files_start_nothing(plan: TilePlan) -> None:
    obstacle = TileObstacle(
        auditor.NodeRef(ModelText(HOSTILE), ModelText("Op"), ModelText(""), ModelText("y"), 1), "a reason"
    )
    (target,) = plan.maps
    evil = replace(plan, obstacles=(obstacle,), maps=(target, replace(target, tensor=ModelText(HOSTILE))))
    seams = Seams((SeamRow((0, 0), 1.0, 1.0, ModelText(HOSTILE)),), None, 0.1, 1, (8, 8), (8, 8), 0, 1, "CPU")
    for output_format in (Format.TEXT, Format.MARKDOWN):
        text = shown(replace(evil, seams=seams), output_format)
        assert "\x1b[31m" not in text
        assert not any(line.startswith("::") for line in text.split("\n"))


def test_a_format_that_there_is_not_is_refused(plan: TilePlan) -> None:
    with pytest.raises(ValueError, match="written as text, json, markdown, not as sarif"):
        shown(plan, Format.SARIF)


@pytest.mark.parametrize(("count", "text"), [(999, "999 B"), (3_100_000_000, "3.1 GB"), (52_800_000, "52.8 MB")])
def test_bytes_have_a_unit(count: int, text: str) -> None:
    assert size_text(count) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (3.2e-7, "3e-07"), (0.0123, "0.012"), (1.0, "1")])
def test_differences_have_as_many_digits_as_they_mean(value: float, text: str) -> None:
    assert difference_text(value) == text
