"""`verify --video` and `--frames`: what a user sees, and one line and exit code 3 for what is no clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from PIL import Image

from auditor.report.json.schema import report_schema
from tests.verify.images.test_clip import encoded
from tests.verify.models import saved
from tests.verify.time.clips import detector, drifting

Run = Callable[..., tuple[int, str, str]]
FAST = ("--radius", "4", "--shifts", "2", "--layers", "0", "--device", "cpu", "--isolated", "--preset", "unit")


@pytest.fixture
def frames() -> str:
    Path("frames").mkdir()
    for index, pixels in enumerate(drifting(40)):
        Image.fromarray(pixels).save(f"frames/{index}.png")
    return "frames"


def verify(run: Run, *arguments: str) -> tuple[int, str, str]:
    saved(Path("net.onnx"), detector())
    return run("verify", "net.onnx", *FAST, "--fail-on", "never", *arguments)


def test_the_report_follows_the_answers_and_says_what_explains_them(run: Run, frames: str) -> None:
    code, out, err = verify(run, "--frames", frames)
    assert (code, err) == (0, "")
    for words in (
        "measured on 16 images (frames of a folder)",
        "40 frames, motion 0.8",
        "per 100 frames",
        "centre-jitter",
        "of the change of scores of all that is followed is explained by the sampling grid of 8 px",
        "`fix` can reach that part",
    ):
        assert words in out


def test_json_markdown_and_html_hold_the_same(run: Run, frames: str) -> None:
    code, out, _ = verify(run, "--frames", frames, "--output-format", "json")
    assert code == 0
    jsonschema.validate(json.loads(out), report_schema())
    time = json.loads(out)["models"][0]["verification"]["time"]
    assert time["frames"] == 40
    assert {one["of"] for one in time["explained"]} == {"score", "position"}
    assert all(one["told"] for one in time["explained"])
    Path("report.json").write_text(out)
    for kind in ("markdown", "html"):
        code, page, _ = run("report", "report.json", "--output-format", kind)
        assert code == 0
        assert "40 frames, motion" in page
        assert "can reach that part" in page


def test_a_video_is_measured_as_its_frames_are(run: Run) -> None:
    pytest.importorskip("av")
    encoded(Path("clip.mp4"), drifting(30))
    code, out, _ = verify(run, "--video", "clip.mp4", "--images-limit", "20")
    assert code == 0
    assert "(frames of a video)" in out
    assert "20 frames, motion" in out


def test_what_is_no_clip_ends_in_one_line_and_exit_code_three(run: Run, frames: str) -> None:
    pytest.importorskip("av")
    Path("broken.mp4").write_bytes(b"no video")
    Path("empty").mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(f"{frames}/39.png")
    for arguments, words in (
        (("--video", "broken.mp4"), "the video cannot be decoded"),
        (("--video", "nothing.mp4"), "there is no such video file"),
        (("--frames", "empty"), "the folder holds 0 picture files"),
        (("--frames", frames), "frame 39 has 9 x 9 pixels and the first one 96 x 96"),
    ):
        code, out, err = verify(run, *arguments, "--output-format", "json", "--output", "report.json")
        assert code == 3
        said = out + err + (Path("report.json").read_text() if Path("report.json").exists() else "")
        assert words in said
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--images", "frames", "--frames", "frames"), "frames is a source of its own: leave images out"),
        (("--frames", "frames", "--protocol", "frames"), "leave it out with frames"),
        (("--frames", "frames", "--labels", "l.csv"), "labels belong to a folder of images"),
        (("--images", "noise.npz", "--labels", "l.csv"), "labels belong to a folder of images, not to an array file"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    run: Run, frames: str, arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = verify(run, *arguments)
    assert code == 2
    assert words in err


def test_the_margin_stands_in_every_report_of_pictures(run: Run, frames: str) -> None:
    code, out, _ = verify(run, "--images", frames, "--images-limit", "9", "--output-format", "json")
    assert code == 0
    report = json.loads(out)
    jsonschema.validate(report, report_schema())
    (output,) = report["models"][0]["verification"]["outputs"]
    assert output["margin"]["of"] == "score"
    assert output["margin"]["answers"] == 9
    Path("report.json").write_text(out)
    for kind in ("text", "markdown", "html"):
        _, page, _ = run("report", "report.json", "--output-format", kind)
        assert "of 9 boxes within their own jitter of the threshold 0.5" in page
