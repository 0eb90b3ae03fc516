"""A measurement as people and programs read it."""

from __future__ import annotations

import jsonschema  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from auditor.codec import builtins, schema
from auditor.onnxfile.noderef import NodeRef
from auditor.report.words.measured import measured_lines
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.layers.maps import EquivarianceMap, Spectrum
from auditor.verify.layers.result import LayerResult
from auditor.verify.result import (
    Curve,
    CurvePoint,
    DataFacts,
    DataKind,
    ImageResult,
    Measure,
    OutputResult,
    ProtocolKind,
    Provider,
    Rejected,
    Shifts,
    Task,
    Track,
    Verification,
)
from auditor.verify.self_test import SelfTest

HOSTILE = ModelText("\x1b[31m::error::x\n##[command]")
NODE = NodeRef(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0)
MAP = EquivarianceMap((0, 1), (0,), ((1.0,), (0.5,)), ((0.0,), (float("nan"),)))
LAYER = LayerResult(
    HOSTILE, NODE, 0, (2.0, None), 0.9, 0.4, 0.3, MAP, 0.02, 0.67, Spectrum((0.1,), (1.0,)), None, (2.0, 2.0)
)
OUTPUT = OutputResult(
    HOSTILE,
    Task.CLASSIFICATION,
    (
        Measure("consistency", 0.773, Interval(0.748, 0.798), "share", True, (1.0, 0.5)),
        Measure("mac", float("nan"), None, "probability", False, (float("nan"), float("nan"))),
    ),
    (Curve("consistency", (CurvePoint(1.0, 0.9, Interval(0.8, 0.95), 10), CurvePoint(31.0, 0.45, None, 10))),),
    (ImageResult(HOSTILE, 3, 4, 0.9, 0.25, (0.9, 0.1), (1.0, -1.0), 0.1),),
    ((4, 2),),
)
FOUND = Verification(
    provider=Provider("auto", "CPUExecutionProvider", (("CPUExecutionProvider", 30),), (), "1.31.1", 2),
    data=DataFacts(DataKind.FOLDER, (HOSTILE, HOSTILE), (Rejected(HOSTILE, "cannot be decoded"),) * 7, 2, "ab"),
    shifts=Shifts(ProtocolKind.CROP, (256, 256), (224, 224), 32, 48, 48, False, 0),
    outputs=(OUTPUT,),
    layers=(LAYER,),
    self_test=SelfTest(True, 1.0, 0.0),
    incomplete="",
    preprocessing="BGR",
    shared_batch=4,
    runs=98,
    naive_runs=100,
    seconds=3.0,
    external=((HOSTILE, "cd"),),
    notes=("guessed",),
)


def test_numbers_stand_with_their_intervals_and_meaning() -> None:
    text = "\n".join(measured_lines(FOUND))
    assert "consistency  77.3 %  [74.8, 79.8]" in text
    assert "random pairs of shifts with the same top-1 class" in text
    assert "mac          -       (no interval)" in text
    assert "few images" in text
    assert "note: guessed" in text


@pytest.mark.parametrize(
    ("compute", "others", "words"),
    [
        ((("CPUExecutionProvider", 30),), (), "30 of 30 compute nodes"),
        ((), (("CPUExecutionProvider", 2),), "no compute nodes"),
        ((), (), "where its nodes ran was not read back"),
    ],
)
def test_the_line_of_the_provider_says_what_is_known_of_its_nodes(
    compute: tuple[tuple[str, int], ...], others: tuple[tuple[str, int], ...], words: str
) -> None:
    provider = replace(FOUND.provider, placement=compute, others=others)
    lines = measured_lines(replace(FOUND, provider=provider))
    assert any(f"ran on CPUExecutionProvider ({words})" in line for line in lines)


def test_reuse_of_equal_inputs_is_shown_only_where_it_saved_runs() -> None:
    assert any(
        "98 inputs run in 3 s, 4 at a time; without reuse of equal inputs 100" in line for line in measured_lines(FOUND)
    )
    # Two inputs that the self-test ran again, and none that were equal.
    lines = measured_lines(replace(FOUND, runs=102))
    assert "102 inputs run in 3 s, 4 at a time" in lines


def test_a_time_that_nobody_took_is_not_called_none() -> None:
    lines = measured_lines(replace(FOUND, runs=102, seconds=0.0))
    assert "102 inputs run, 4 at a time" in lines


def test_a_bar_is_as_long_as_its_share() -> None:
    bars = [line for line in measured_lines(FOUND) if " px " in line and "#" in line and "." in line]
    assert [line.count("#") for line in bars] == [27, round(30 * 0.45)]


def test_a_failed_self_test_and_an_incomplete_run_are_said_first() -> None:
    broken = replace(FOUND, self_test=SelfTest(False, 0.5, 1.0), incomplete="interrupted after 2 of 9 images")
    lines = measured_lines(broken)
    assert lines[0] == "incomplete: interrupted after 2 of 9 images"
    assert any("FAILED: the run is void" in line for line in lines)


@pytest.mark.parametrize("unicode", [False, True])
def test_names_cannot_act_on_a_terminal_or_a_runner(unicode: bool) -> None:
    for line in measured_lines(FOUND, unicode):
        assert "\x1b" not in line
        assert "\n" not in line
        assert "##[" not in line
        assert not line.strip().startswith("::")


def test_lines_are_ascii_unless_more_is_allowed() -> None:
    assert all(line.isascii() for line in measured_lines(FOUND))


def test_the_json_follows_its_schema_and_holds_no_nan() -> None:
    value = builtins(FOUND)
    jsonschema.validate(value, schema(Verification))
    assert value["outputs"][0]["measures"][1]["value"] is None
    assert value["layers"][0]["map"]["error"] == [[0.0], [None]]
    assert "seconds" not in value


def test_an_answer_along_a_path_is_drawn_with_the_grid_and_the_strength_of_what_repeats() -> None:
    values = tuple(0.5 + 0.1 * (step % 4) for step in range(9))
    moving = Track("box 1, class 0: score", "probability", values, 4, 0.97)
    image = ImageResult(HOSTILE, None, None, None, 0.0, (), None, None, (moving,))
    still = replace(image, tracks=(Track("box 1, class 0: score", "probability", (0.5,) * 9, None, None),))
    output = replace(OUTPUT, task=Task.DETECTION, images=(still, image), predictions=())
    lines = measured_lines(replace(FOUND, outputs=(output,)), unicode=False)
    start = lines.index("box 1, class 0: score 0.500: 97 % of its variance repeats every 4 px")
    plot = lines[start + 1 : start + 9]
    assert plot[0] == "     0.800 |   *|  *|"
    assert plot[6] == "     0.500 |*   *   *"
    assert all(line[16] in "|*" for line in plot[1:6])  # a period on
    assert plot[7] == "           ---------- 8 px"
    assert "on average 97 % of the variance of 1 track in 2 images repeats with the grid" in lines


def test_a_path_longer_than_a_line_is_drawn_at_every_third_step() -> None:
    track = Track("yaw", "ratio", tuple(float(step) for step in range(200)), 60, 0.5)
    image = ImageResult(HOSTILE, None, None, None, 0.0, (), None, None, (track,))
    output = replace(OUTPUT, task=Task.REGRESSION, images=(image,), predictions=())
    lines = measured_lines(replace(FOUND, outputs=(output,)), unicode=False)
    start = next(index for index, line in enumerate(lines) if line.startswith("yaw 0.000: 50 %"))
    assert max(map(len, lines[start + 1 : start + 9])) <= 100
    assert lines[start + 8].endswith("- 199 px")
    assert [place - 12 for place, cell in enumerate(lines[start + 1]) if cell == "|"] == [-1, 20, 40, 60]
