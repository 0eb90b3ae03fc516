"""A mistake is answered in one line: what is wrong, what was probably meant, and before any report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import write_network
from tests.options.test_declared_once import ALL
from tests.options.test_declared_once import options as declared_by
from tests.verify.models import classifier, saved

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["verify", "--preset", "imagnet"], "imagenet"),
        (["verify", "--device", "cdua"], "cuda"),
        (["verify", "--protocol", "cop"], "crop"),
        (["verify", "--task", "clasification"], "classification"),
        (["verify", "--channels", "rgbb"], "rgb"),
        (["verify", "--fit", "leterbox"], "letterbox"),
        (["verify", "--resize", "cv2-lin"], "cv2-linear"),
        (["verify", "--layout", "yolo5"], "yolov5"),
        (["verify", "--runtime", "openvin"], "openvino"),
        (["fix", "-o", "new.onnx", "--strategy", "blurr"], "blur"),
        (["fix", "-o", "new.onnx", "--strategy", "blur", "--kernel", "tri4"], "tri3"),
        (["fix", "-o", "new.onnx", "--strategy", "blur", "--site", "pol"], "pool"),
        (["resize", "--images", ".", "--kernels", "cv2-lin"], "cv2-linear"),
        (["check", "--output-format", "htm"], "html"),
        (["check", "--fail-on", "eror"], "error"),
        (["check", "--select", "strided-maxpool"], "strided-max-pool"),
        (["check", "--target", "openvin"], "openvino"),
        (["rule", "strided-max-pol"], "strided-max-pool"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_word_that_is_nearly_right_is_answered_with_the_right_one(
    run: Run, workplace: Path, arguments: list[str], meant: str
) -> None:
    write_network(workplace / "net.onnx")
    command, *options = arguments
    model = [] if command == "rule" else ["net.onnx"]
    code, out, err = run(command, *model, *options)
    assert (code, out) == (2, "")
    assert f'(did you mean "{meant}"?)' in err
    assert len(err.splitlines()) == 1
    assert not Path("new.onnx").exists()


def misspelt(word: str) -> str:
    """The word with a letter too few, or one too many where it is short."""
    return word[:2] + word[3:] if len(word) > 4 else word + word[-1]


ANY_FOLDER_TOO = ("--calibrate",)
ENUMERATED = {
    (declared.flag, misspelt(max(declared.kind.words, key=len))): command
    for command in reversed(ALL)
    for declared in declared_by(command).values()
    if declared.kind.words and declared.flag not in ANY_FOLDER_TOO
}
FURTHER = {"compare": ["net.onnx"], "merge": [], "demo": [], "config": []}


@pytest.mark.parametrize(("flag", "typed"), ENUMERATED, ids=str)
def test_every_option_with_a_list_of_words_says_which_one_was_probably_meant(
    run: Run, workplace: Path, flag: str, typed: str
) -> None:
    command = ENUMERATED[flag, typed]
    write_network(workplace / "net.onnx")
    (workplace / "saved.json").write_text("{}")
    models = {"report": ["saved.json"], "merge": ["saved.json"], "demo": [], "config": [], "rule": ["AA101"]}
    value = f"{typed}=report.x" if flag == "--report" else typed
    code, out, err = run(*command.split(), *models.get(command, ["net.onnx"]), *FURTHER.get(command, []), flag, value)
    assert (code, out) == (2, "")
    assert "did you mean" in err.lower()


@pytest.mark.parametrize(("typed", "meant"), [("AA1O1", "AA101"), ("aa1O2", "AA102"), ("AA4O2", "AA402")])
def test_a_letter_in_the_place_of_a_digit_leads_to_the_code_that_was_meant(run: Run, typed: str, meant: str) -> None:
    code, _, err = run("rule", typed)
    assert code == 2
    assert f'(did you mean "{meant}"?)' in err


@pytest.mark.parametrize(
    ("option", "path", "why"),
    [
        ("--output", "absent/report.txt", "cannot be written: No such file or directory"),
        ("--output", "folder", "cannot be written: Is a directory"),
        ("--report", "json=folder", "is a folder; write a file name behind it"),
        ("--report", "json=net.onnx/report.json", "net.onnx is not a folder"),
    ],
)
@pytest.mark.parametrize("command", ["check", "verify", "compare", "tiles", "resize"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    run: Run, workplace: Path, monkeypatch: pytest.MonkeyPatch, command: str, option: str, path: str, why: str
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a model was read")

    monkeypatch.setattr("auditor.audit.run.read_model", never)
    write_network(workplace / "net.onnx")
    (workplace / "folder").mkdir()
    models = ["net.onnx", "net.onnx"] if command == "compare" else ["net.onnx"]
    code, out, err = run(command, *models, option, path)
    assert (code, out) == (2, "")
    assert why in err
    assert len(err.splitlines()) == 1


def test_folders_of_a_report_are_made_and_a_device_can_be_written_to(run: Run, workplace: Path) -> None:
    write_network(workplace / "net.onnx")
    assert run("check", "net.onnx", "--exit-zero", "--report", "json=new/deep/report.json", "-o", "/dev/null")[0] == 0
    assert Path("new/deep/report.json").is_file()


def test_a_word_that_is_like_no_other_gets_no_guess(run: Run, workplace: Path) -> None:
    write_network(workplace / "net.onnx")
    _, _, err = run("verify", "net.onnx", "--device", "qqqq")
    assert "must be one of auto, cpu" in err
    assert "did you mean" not in err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--images", "nowhere"], "there is no such folder (nowhere)"),
        (["--images", "photos", "--labels", "none.csv"], "the CSV of labels does not exist; check the path (none.csv)"),
        (["--images", "noise.npy", "--image-input", "xx"], '(did you mean "x"?)'),
        (["--images", "noise.npy", "--measured-output", "yy"], '(did you mean "y"?)'),
    ],
)
def test_why_nothing_was_measured_stands_in_front_of_the_report(
    run: Run, workplace: Path, options: list[str], reason: str
) -> None:
    saved(workplace / "net.onnx", classifier())
    np.save("noise.npy", np.zeros((2, 24, 24, 3), np.uint8))
    Path("photos").mkdir()
    Path("photos", "a.png").write_bytes(b"")
    code, out, _ = run("verify", "net.onnx", "--device", "cpu", *options)
    assert code == 3
    first = out.splitlines()[0]
    assert first.startswith("problem not-measured: net.onnx: ")
    assert reason in first
    assert out.count("problem not-measured") == 1


def test_help_of_resize_names_the_formats_that_it_writes_and_no_other(run: Run, workplace: Path) -> None:
    assert "  FORMAT  text, json, markdown, html\n" in run("resize", "--help")[1]
    assert "sarif, github" in run("check", "--help")[1]
    write_network(workplace / "net.onnx")
    for options in (["--output-format", "sarif"], ["--report", "sarif=x.sarif"]):
        code, _, err = run("resize", "net.onnx", "--images", ".", *options)
        assert code == 2
        assert "text, json, markdown, html" in err
        assert "sarif, " not in err
