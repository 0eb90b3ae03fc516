"""The ablation measures what its rows say, keeps what it measured, and prints what a reader of the docs needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from auditor.cli import main as program
from auditor.demo import demo_images, demo_model
from auditor.demo.digits import LAST_POSITION, draw
from benchmarks import ablation
from benchmarks.ablation import Data, measure
from benchmarks.ablation_subjects import CHORDS, PAGES, STRATEGIES, SUBJECTS, WORDS, Strategy, Subject, pictures
from benchmarks.ablation_table import BEGIN, END, Row, placed, table
from benchmarks.ablation_yolox import cells as yolox_cells
from benchmarks.ablation_yolox import decoded

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ablation.md"
MODELS = ROOT.parent / "shared" / "models"


def change(original: float, difference: float, interval: Sequence[float] | None = None) -> dict[str, object]:
    return {"original": original, "difference": difference, "interval": interval, "images": 60}


def gain(**changes: dict[str, object]) -> dict[str, object]:
    return {
        "changes": {name.replace("_", "-"): value for name, value in changes.items()},
        "agreement": {"by": "agreement", "value": 0.964},
        "time_ratio": {"value": 1.318},
    }


def cells(text: str, rewrite: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {rewrite} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


ROW = Row(
    "classifiers",
    "Net",
    "phase average",
    100,
    gain(consistency=change(0.8, 0.031, (0.012, 0.05)), mac=change(0.1, -0.015, (-0.02, -0.01))),
    multiply_adds=1.3,
    size=1.001,
)


def test_shares_change_in_points_and_other_measures_in_per_cent_of_the_original() -> None:
    found = cells(table([ROW]), "phase average")
    assert found[1] == "**+3.1** [+1.2 to +5.0]"
    assert found[2] == "**-15.0 %** [-20.0 to -10.0]"


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        ((0.012, 0.05), "**+3.1** [+1.2 to +5.0]"),
        ((-0.012, 0.05), "+3.1 [-1.2 to +5.0]"),
        ((0.0004, 0.05), "+3.1 [+0.0 to +5.0]"),  # what is printed as nothing is read as nothing
        (None, "+3.1"),
    ],
)
def test_only_a_difference_whose_interval_does_not_hold_nothing_is_strong(
    interval: tuple[float, float] | None, told: str
) -> None:
    row = Row("classifiers", "Net", "blur", 100, gain(consistency=change(0.8, 0.031, interval)))
    assert cells(table([row]), "blur")[1] == told


def test_a_change_of_another_value_than_the_first_row_says_of_which() -> None:
    rows = [
        Row("detectors", "Net", name, 100, {**gain(flicker=change(value, 0.02)), "time_ratio": {"value": cost}})
        for name, value, cost in (("cheap", 0.3, 1.1), ("same", 0.3, 1.2), ("other", 0.4, 1.3))
    ]
    text = table(rows)
    assert cells(text, "original")[1] == "30.0 %"
    assert [cells(text, name)[1] for name in ("cheap", "same", "other")] == ["+2.0", "+2.0", "+2.0 (original 40.0 %)"]


def test_costs_are_ratios_and_the_original_stands_first_with_its_own_values() -> None:
    text = table([ROW])
    assert cells(text, "phase average")[4:] == ["x1.30", "x1.32", "x1.00"]
    assert cells(text, "original") == ["original", "80.0 %", "0.1", "–", "1", "1", "1"]  # noqa: RUF001
    assert text.index("| original |") < text.index("| phase average |")


def test_labels_tell_accuracy_and_without_them_the_share_of_equal_answers_is_told() -> None:
    assert cells(table([ROW]), "phase average")[3] == "96.4 % of classes"
    known = gain(consistency=change(0.8, 0.0), accuracy=change(0.6, -0.005, (-0.02, 0.01)))
    text = table([Row("classifiers", "Net", "phase average", 100, known)])
    assert cells(text, "phase average")[2] == "-0.5 [-2.0 to +1.0]"
    assert cells(text, "original")[2] == "60.0 %"
    known["changes"] = {**dict(known["changes"]), "shifted-accuracy": change(0.6, 0.01)}  # type: ignore[call-overload]
    assert cells(table([Row("classifiers", "Net", "phase average", 100, known)]), "phase average")[2] == "+1.0"


def test_rewrites_that_do_not_apply_stand_below_with_their_reasons_without_the_advice() -> None:
    refused = Row("classifiers", "Net", "phase select", 100, reason="the borders are zero: use blur; or nothing")
    lines = table([ROW, refused]).splitlines()
    assert lines[-1] == "Without numbers: phase select (the borders are zero)."
    assert not any(line.startswith("| phase select") for line in lines)


def test_variants_of_a_rewrite_are_one_where_all_share_their_reason_and_so_are_rewrites() -> None:
    def refused(*rows: tuple[str, str]) -> str:
        found = [Row("classifiers", "Net", name, 100, reason=reason) for name, reason in rows]
        return table([ROW, *found]).splitlines()[-1]

    shared = refused(("blur", "the batch"), ("select, 2", "the batch"), ("select, 4", "the batch; as dilation: size"))
    assert shared == "Without numbers: blur and select (the batch)."
    assert refused(("select, 2", "one"), ("select, 4", "two")) == "Without numbers: select, 2 (one); select, 4 (two)."
    assert refused(("phase average, all", "no")) == "Without numbers: phase average, all (no)."  # another one applies


def test_what_every_model_refuses_for_one_reason_is_said_once_ahead_of_all_tables() -> None:
    rows = [
        row
        for model in ("Net", "Map")
        for row in (
            Row("classifiers", model, "blur", 100, ROW.gain),
            Row("classifiers", model, "select", 100, reason="zeros"),
            Row("classifiers", model, "average", 100, reason=model),
        )
    ]
    text = table(rows)
    assert text.startswith("No model of these can have select (zeros).\n\n## Classifiers")
    assert text.count("select") == 1
    assert text.count("Without numbers: average") == 2
    assert "No model" not in table(rows[:3])


def test_a_model_without_any_numbers_has_no_table() -> None:
    text = table([ROW, Row("audio", "Sound", "blur", 100, reason="no grid")]).split("## Audio")[1]
    assert text.split("\n") == ["", "", "### Sound", "", "Without numbers: blur (no grid).", ""]


def test_rewrites_stand_in_the_order_of_their_measured_cost() -> None:
    cheap = Row(
        "classifiers", "Net", "cheap", 100, {**gain(consistency=change(0.8, 0.0)), "time_ratio": {"value": 1.1}}
    )
    lines = [line for line in table([ROW, cheap]).splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[-3:]] == ["| original", "| cheap", "| phase average"]


def test_the_tables_replace_what_stands_between_the_marks_of_a_page() -> None:
    page = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nAfterwards.\n"
    first = placed(page, "new\n")
    assert first == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nAfterwards.\n"
    assert placed(first, "new\n") == first
    with pytest.raises(ValueError, match="the page has no lines"):
        placed("# Title\n", "new")


def test_the_page_of_the_documentation_has_the_marks() -> None:
    assert "new" in placed(PAGE.read_text(encoding="utf-8"), "new")


def test_every_task_has_its_own_measures_and_every_line_as_many_cells_as_its_header() -> None:
    dense = Row("segmentation", "Map", "blur", 30, gain(massc=change(0.9, 0.01), equivariance_error=change(0.2, -0.1)))
    text = table([ROW, dense])
    classifiers, segmentation = text.split("## Segmentation")
    assert "consistency | MAC" in classifiers
    assert "same class (mASSC) | equivariance error" in segmentation
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {8}


def test_the_images_that_counted_are_stated() -> None:
    assert "### Net (60 images)" in table([ROW])
    fewer = Row("classifiers", "Net", "blur", 100, gain(consistency={**change(0.8, 0.0), "images": 42}))
    assert "### Net (42 to 60 images)" in table([ROW, fewer])


def test_rows_are_kept_in_the_file_and_measured_again_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = iter(["first", "second"])

    def measured(subject: Subject, strategies: Sequence[Strategy], data: Data) -> Iterator[Row]:
        assert data.limit == 60
        reason = next(reasons)
        yield from (Row(subject.task, subject.name, one.name, 60, reason=reason) for one in strategies)

    monkeypatch.setattr(ablation, "measure", measured)
    told = ["--models", str(tmp_path), "--images", str(tmp_path), "--json", str(tmp_path / "rows.json")]
    ablation.main([*told, "--only", "squeezenet"])
    ablation.main([*told, "--only", "squeezenet", "--strategy", "phase select"])
    below = capsys.readouterr().out.splitlines()[-1]
    assert "phase select (second)" in below
    assert " and blur Tri-3 and " in below
    assert below.count("(first)") == 1


def test_models_stand_in_the_order_of_their_list_and_a_named_one_that_was_added_stands_behind_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(subject: Subject, strategies: Sequence[Strategy], data: Data) -> Iterator[Row]:
        yield Row(subject.task, subject.name, strategies[0].name, 60, reason=subject.file)

    monkeypatch.setattr(ablation, "measure", measured)
    settings = tmp_path / "net.toml"
    settings.write_text('[verify]\npreset = "raw"\n')
    told = ["--models", str(tmp_path), "--images", str(tmp_path), "--json", str(tmp_path / "rows.json")]
    ablation.main([*told, "--only", "YOLOX"])
    ablation.main([*told, "--also", f"My net={tmp_path / 'file.onnx'}={settings}", "--only", "My net"])
    ablation.main([*told, "--also", f"{tmp_path / 'file.onnx'}={settings}", "--only", "file"])
    ablation.main([*told, "--only", "SqueezeNet 1.0"])
    text = capsys.readouterr().out.rpartition("## Classifiers")[2]
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["### SqueezeNet 1.0", "### My net", "### file", "## Detectors", "### YOLOX nano 416"]


def test_a_row_is_what_fix_measured_on_both_models(tmp_path: Path) -> None:
    held_out = np.load(demo_images())
    middle = np.full(8, LAST_POSITION // 2)
    drawn = np.pad(draw(held_out["images"][:8], middle, middle)[:, 0], ((0, 0), (8, 8), (8, 8)))
    np.savez(
        tmp_path / "digits.npz", images=np.round(255 * drawn).astype(np.uint8)[..., None], labels=held_out["labels"][:8]
    )
    subject = Subject("digits", "classifiers", str(demo_model()), {"preset": "unit"}, labelled=True)
    strategies = (Strategy("average", ("--strategy", "phase-average")), Strategy("other", ("--strategy", "no")))
    fitted = Strategy("fitted", ("--strategy", "blur"), calibrated=True)
    data = Data(tmp_path, tmp_path / "digits.npz", None, None, 8)
    average, other = measure(subject, (*strategies, fitted), data)  # nothing to calibrate on: no row
    assert average.gain is not None
    assert {"consistency", "mac", "accuracy"} <= average.gain["changes"].keys()
    assert average.gain["changes"]["consistency"]["images"] == 8
    assert average.size is not None
    assert 1 <= average.size < 1.5
    assert average.multiply_adds is not None
    assert average.multiply_adds > 1
    assert other.gain is None
    assert other.reason.startswith("--strategy must be one of")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=[one.name for one in STRATEGIES])
def test_every_row_is_an_option_that_fix_knows(
    strategy: Strategy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = ["--calibrate", "synthetic"] if strategy.calibrated else []
    code = program(["fix", str(demo_model()), *strategy.arguments, *fitted, "--plan", "--isolated"])
    shown = capsys.readouterr()
    assert (code, shown.err) == (0, ""), tmp_path


@pytest.mark.parametrize("kind", [PAGES, WORDS])
def test_drawn_text_is_dark_on_white_and_the_same_whatever_the_count(kind: str) -> None:
    few, many = list(pictures(kind, 2)), list(pictures(kind, 3))
    assert all(np.array_equal(one, other) for one, other in zip(few, many, strict=False))
    assert not np.array_equal(many[0], many[1])
    assert 0.02 < np.mean(many[2] < 128) < 0.5


def test_sound_moves_along_one_axis_only_and_is_as_loud_as_a_recording() -> None:
    (sound,) = pictures(CHORDS, 1)
    assert np.ptp(sound, axis=1).max() == 0
    assert np.abs(sound).max() == pytest.approx(1)


def test_the_cells_of_yolox_are_counted_row_by_row_from_the_finest_grid_on() -> None:
    corners, strides = yolox_cells(64)
    assert corners.shape == (1, 64 + 16 + 4, 2)
    assert (corners[0, 9] == (1, 1)).all()  # x before y
    assert (corners[0, 1] == (1, 0)).all()
    assert [*np.unique(strides[0, :, 0], return_counts=True)[1]] == [64, 16, 4]


@pytest.mark.skipif(not MODELS.is_dir(), reason="there is no folder of models beside the checkout")
def test_a_decoded_detector_finds_the_person_of_a_photograph_where_she_is(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    image = pytest.importorskip("PIL.Image").open(MODELS.parent / "images" / "astronaut.png").resize((416, 416))
    pixels = np.asarray(image, np.float32)[..., :3][..., ::-1].transpose(2, 0, 1)[None]
    path = decoded(MODELS / "detector" / "yolox_nano_416.onnx", tmp_path / "decoded.onnx")
    (rows,) = runtime.InferenceSession(str(path)).run(None, {"images": np.ascontiguousarray(pixels)})
    best = rows[0][np.argmax(rows[0, :, 4] * rows[0, :, 5])]
    x, y, width, height = best[:4]
    assert best[5] > 0.8
    face = 0.35 * 416, 0.12 * 416, 0.52 * 416, 0.34 * 416
    assert x - width / 2 < face[0]
    assert y - height / 2 < face[1]
    assert x + width / 2 > face[2]
    assert y + height / 2 > face[3]


@pytest.mark.skipif(not MODELS.is_dir(), reason="there is no folder of models beside the checkout")
def test_every_model_of_the_table_is_in_the_folder_of_models() -> None:
    assert [one.file for one in SUBJECTS if not (MODELS / one.file).is_file()] == []
