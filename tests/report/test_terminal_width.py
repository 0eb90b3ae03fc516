"""What a narrow terminal shows of a measurement and of a comparison: words are wrapped, and nothing said is cut out."""

from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path

from msgspec.structs import replace

from auditor.facts.formats import Format
from auditor.report import RenderOptions, render
from auditor.verify.images.preprocess import preset as preset_of
from tests.report.evil import evil_report

PREPARED = "BGR, fit letterbox, cv2-linear, scale 1, mean 104 117 123, std 1, NCHW, float32 (--preset own)"


def shown(width: int, prepared: str = PREPARED) -> list[str]:
    report = evil_report("net")
    measured = report.models[0].verification
    assert measured is not None
    found = replace(measured, preprocessing=prepared)
    model = replace(report.models[0], verification=found, comparison=None)
    options = RenderOptions(width=width, terminal=True, unicode=True)
    return render(replace(report, models=(model,), problems=()), Format.TEXT, options).splitlines()


def test_how_pictures_were_prepared_is_whole_at_eighty_columns() -> None:
    lines = shown(80)
    assert max(map(len, lines)) <= 80
    assert PREPARED in " ".join(" ".join(lines).split())


def test_rows_of_a_table_keep_their_numbers_and_lose_the_end_of_their_meaning() -> None:
    narrow, wide = shown(70), shown(300)
    whole = next(line for line in wide if line.startswith("    consistency"))
    (cut,) = (line for line in narrow if line.startswith("    consistency"))
    assert cut.endswith("…")
    assert whole.startswith(cut[:-1])


def test_a_measurement_ends_with_the_repair_that_is_measured_in_the_same_way() -> None:
    for width in (80, 300):
        end = shown(width)
        end = end[end.index("next: repair without retraining, then compare on the same pictures:") :]
        assert max(map(len, end)) <= width
        repair, comparison = "\n".join(end).replace(" \\\n", " ").splitlines()[1:]
        assert "fix --strategy auto --images DIR --preset own " in repair
        assert "compare --verify --images DIR --preset own " in comparison


# That each command takes is held by the tests of its help.
OPTIONS = set((Path(__file__).parents[1] / "data" / "option_names.txt").read_text(encoding="utf-8").split())


def test_the_command_has_the_options_that_changed_the_preset() -> None:
    for name, options in ((" --preset raw", ("mean", "std")), ("", ("scale",))):
        prepared = changed(preset_of("raw"), name=name.removeprefix(" --preset "), changed=options)
        lines = shown(300, prepared.describe())
        asked = "".join(f" --{option} {option.upper()}" for option in options)
        assert any(f"fix --strategy auto --images DIR{name}{asked} net " in line for line in lines)
        assert any(f"compare --verify --images DIR{name}{asked} net " in line for line in lines)
        assert {f"{command}:--{option}" for command in ("fix", "compare") for option in options} <= OPTIONS
