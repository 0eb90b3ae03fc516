from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from auditor.report.json.schema import report_schema
from tests.verify.models import classifier, saved
from tests.verify.other_runtimes import fake_litert, fake_openvino, tflite_file, without
from tests.verify.stand_in import dies_with, stand_in

Run = Callable[..., tuple[int, str, str]]
FAST = ("--radius", "4", "--shifts", "2", "--layers", "1", "--device", "cpu", "--isolated", "--preset", "unit")


@pytest.fixture
def images() -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 24, 24, 3), dtype=np.uint8)
    np.savez("images.npz", images=pixels, labels=np.arange(10) % 6)
    return "images.npz"


def verify(run: Run, *arguments: str) -> tuple[int, str, str]:
    saved(Path("net.onnx"), classifier())
    return run("verify", "net.onnx", *FAST, *arguments)


def measured(out: str) -> Any:
    return json.loads(out)["models"][0]["verification"]


def test_the_report_says_what_was_measured_with_what(run: Run, images: str) -> None:
    code, out, err = verify(run, "--images", images, "--fail-on", "never")
    assert code == 0
    assert err == ""
    for words in (
        "measured on 10 images (from an array file)",
        "protocol crop, windows of 16x16 px, shifts to 4 px of the model",
        "ran on CPUExecutionProvider",
        "self-test passed",
        "consistency by shift distance",
        "mac by shift distance",
        "accuracy",
        "layers, largest added error first",
    ):
        assert words in out


def test_only_what_was_measured_is_judged_unless_other_rules_are_asked_for(run: Run, images: str) -> None:
    def rules(*arguments: str) -> set[str]:
        _, out, _ = verify(run, "--images", images, "--output-format", "json", *arguments)
        return {finding["rule"] for finding in json.loads(out)["models"][0]["findings"]}

    assert all(rule.startswith(("AA4", "AA9")) for rule in rules())
    assert rules("--select", "AA1") == {"AA101"}


def test_the_json_report_follows_its_schema_and_two_runs_are_the_same_bytes(run: Run, images: str) -> None:
    arguments = ("--images", images, "--output-format", "json", "--fail-on", "never")
    code, out, _ = verify(run, *arguments)
    assert code == 0
    jsonschema.validate(json.loads(out), report_schema())
    assert measured(out)["complete"]
    assert len(measured(out)["data"]["used"]) == 10
    assert verify(run, *arguments)[1] == out


def test_without_images_the_built_in_ones_are_used_and_the_report_says_so(run: Run) -> None:
    code, out, _ = verify(run, "--images-limit", "3", "--fail-on", "never")
    assert code == 0
    assert "built in: they rank models, they are no accuracy on your data" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--preset", "none"), 2, "preset"),
        (("--radius", "0"), 2, "radius must be a whole number of 1 or more"),
        (("--shifts", "many"), 2, "shifts must be a whole number"),
        (("--size", "big"), 2, "size must be a height and a width"),
        (("--device", "tpu"), 2, "device must be one of auto, cpu, cuda, cuda:N, tensorrt"),
        (("--device", "gpu"), 3, "onnxruntime has no --device gpu: give one of auto, cpu, cuda"),
        (("--protocol", "wave"), 2, "protocol must be one of"),
        (("--feed", "x"), 2, "feed must be NAME=NUMBER"),
        (("--feed", "scale=1"), 0, ""),
        (("--scale", "1/0"), 2, "scale must be"),
        (("--mean", "a,b"), 2, "mean"),
        (("--images", "missing"), 3, "there is no such folder (missing)"),
        (("--images", "empty"), 3, "no image files"),
        (("--images", "bad"), 3, "none of the 5 images can be used: is not a picture"),
        (("--radius", "400"), 0, ""),
        (("--image-input", "nothing"), 3, "no input of the name"),
        (("--measured-output", "nothing"), 3, "--measured-output"),
        (("--size", "32x32"), 3, "fixed to 16 px"),
        (("--custom-ops", "missing.so"), 3, "refuses"),
    ],
)
def test_what_goes_wrong_is_one_line_and_the_right_exit_code(
    run: Run, images: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    Path("empty").mkdir()
    Path("bad").mkdir()
    for index in range(5):
        Path("bad", f"{index}.png").write_bytes(b"no picture")
    given = ("--images", images, "--fail-on", "never", *arguments)
    found, out, err = verify(run, *given)
    assert found == code
    assert words in out + err


def test_cuda_that_is_not_there_is_incomplete_and_never_a_silent_fallback(run: Run, images: str) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime was built with CUDA")
    code, out, _ = verify(run, "--images", images, "--device", "cuda")
    assert code == 3
    assert "--device cuda was asked for" in out


def test_a_model_that_kills_onnxruntime_ends_with_three(
    run: Run, images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(stand_in(tmp_path, dies_with("SIGSEGV")))
    code, out, _ = verify(run, "--images", images)
    assert code == 3
    assert "SIGSEGV" in out


def test_options_stand_in_the_settings_file_for_all_models_or_for_some(run: Run, images: str) -> None:
    Path("aliasaudit.toml").write_text(
        '[verify]\npreset = "unit"\nradius = 4\nlayers = 0\nshifts = 2\ndevice = "cpu"\n'
        f'images = "{images}"\n\n[verify."net*.onnx"]\nradius = 3\n'
    )
    saved(Path("net.onnx"), classifier())
    saved(Path("other.onnx"), classifier())
    assert "shifts to 3 px" in run("verify", "net.onnx", "--fail-on", "never")[1]
    assert "shifts to 4 px" in run("verify", "other.onnx", "--fail-on", "never")[1]
    assert "shifts to 2 px" in run("verify", "net.onnx", "--radius", "2", "--fail-on", "never")[1]


@pytest.mark.parametrize("table", ["[verify]", '[verify."*.onnx"]'])
@pytest.mark.parametrize(
    ("key", "value"), [("custom-ops", "evil.so"), ("runtime", "web"), ("reference-runtime", "web")]
)
def test_a_settings_file_cannot_let_foreign_code_run(run: Run, table: str, key: str, value: str) -> None:
    Path("aliasaudit.toml").write_text(f'{table}\n{key} = "{value}"\n')
    saved(Path("net.onnx"), classifier())
    code, _, err = run("verify", "net.onnx")
    assert code == 2
    assert f"--{key} on the command line" in err


def test_a_settings_file_may_name_a_runtime_that_is_installed(run: Run, images: str) -> None:
    Path("aliasaudit.toml").write_text('[verify]\nruntime = "onnxruntime"\nlayers = 0\nshifts = 2\nradius = 3\n')
    saved(Path("net.onnx"), classifier())
    assert run("verify", "net.onnx", "--images", images, "--fail-on", "never")[0] == 0


def test_check_with_verify_is_one_report_with_one_exit_code(run: Run, images: str) -> None:
    Path("aliasaudit.toml").write_text("[verify]\nradius = 4\nlayers = 0\nshifts = 2\n")
    saved(Path("net.onnx"), classifier())
    code, out, _ = run("check", "net.onnx", "--verify", "--images", images, "--preset", "unit", "--fail-on", "never")
    assert code == 0
    assert "AA101 strided-max-pool" in out
    assert "measured on 10 images" in out
    assert "measured on" not in run("check", "net.onnx", "--fail-on", "never")[1]


@pytest.mark.parametrize("image_format", ["png", "svg"])
def test_figures_are_drawn_on_request_and_whole(run: Run, images: str, image_format: str) -> None:
    pytest.importorskip("matplotlib")
    arguments = ("--images", images, "--path", "4", "--plots", "out/figures", "--plots-format", image_format)
    code, _, err = verify(run, *arguments, "--fail-on", "never")
    assert (code, err) == (0, "")
    folder = Path("out/figures/net")
    found = sorted(path.name for path in folder.iterdir())
    assert found == [f"{name}.{image_format}" for name in ("distance", "maps", "paths", "spectra")]
    start = b"\x89PNG" if image_format == "png" else b"<?xml"
    assert all(path.read_bytes().startswith(start) for path in folder.iterdir())


def test_figures_that_cannot_be_written_do_not_cost_the_report(run: Run, images: str) -> None:
    pytest.importorskip("matplotlib")
    Path("out").mkdir()
    Path("out/net").write_text("in the way")
    code, out, err = verify(run, "--images", images, "--plots", "out", "--fail-on", "never")
    assert code == 2
    assert "measured on 10 images" in out
    assert "--plots out: the plots cannot be written" in err


def test_figures_that_cannot_be_written_are_said_before_anything_runs(run: Run, images: str) -> None:
    Path("file").write_text("")
    code, out, err = verify(run, "--images", images, "--plots", "file/figures")
    assert code == 2
    assert out == ""
    assert "--plots file/figures: cannot be made" in err


def test_a_file_without_a_static_audit_is_measured_and_says_so(
    run: Run, images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(fake_litert(tmp_path))
    tflite_file(Path("net.tflite"))
    code, out, err = run(
        "verify", "net.tflite", *FAST, "--images", images, "--task", "classification", "--fail-on", "never"
    )
    assert (code, err) == (0, "")
    for words in (
        "No static audit: TensorFlow Lite files are run, not read.",
        "LiteRT 9.8.7 in float32",
        "note: no layers: TensorFlow Lite files are run, not read",
        "consistency",
    ):
        assert words in out
    code, out, _ = run("check", "net.tflite")
    assert code == 3
    assert "is a TensorFlow Lite model, which has no static audit" in out


def test_another_runtime_is_said_in_every_format(
    run: Run, images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(fake_openvino(tmp_path))
    for output_format in ("text", "markdown", "html", "json"):
        how = ("--runtime", "openvino", "--output-format", output_format, "--fail-on", "never")
        code, out, _ = verify(run, "--images", images, "--images-limit", "4", *how)
        assert code == 0
        assert "2099.1.0" in out
        assert "answers as in onnxruntime on 4 of 4 pictures" in out or output_format == "markdown"
    document = json.loads(out)
    jsonschema.validate(document, report_schema())
    assert measured(out)["provider"]["runtime"] == {"name": "OpenVINO", "version": "2099.1.0", "precision": "f32"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--runtime", "openvino"), 3, "OpenVINO is not installed: pip install 'aliasaudit[openvino]'"),
        (
            ("--runtime", "tflite"),
            3,
            "--runtime tflite does not run ONNX files: give --runtime onnxruntime",
        ),
        (("--runtime", "openvino", "--device", "cuda"), 3, "OpenVINO has no --device cuda: give one of auto, cpu"),
        (("--runtime", "tensorflow"), 2, "runtime"),
    ],
)
def test_a_runtime_that_cannot_be_had_is_one_line(
    run: Run,
    images: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.syspath_prepend(without(tmp_path, "openvino"))
    ended, out, err = verify(run, "--images", images, *arguments)
    assert ended == code
    assert words in out + err


def test_a_page_shows_pictures_unless_they_are_not_wanted(run: Run, images: str) -> None:
    for arguments in ((), ("--no-thumbnails",)):
        verify(run, "--images", images, "--report", "html=page.html", *arguments)
        page = Path("page.html").read_text(encoding="utf-8")
        assert "What people feel" not in page or ("data:image/jpeg" in page) == (not arguments)
        assert ("img-src data:" in page) == ("data:image/jpeg" in page)


def test_pictures_are_in_no_document_that_programs_read(run: Run, images: str) -> None:
    verify(run, "--images", images, "--report", "html=page.html", "--report", "json=report.json")
    assert "shown" not in measured(Path("report.json").read_text(encoding="utf-8"))


def test_an_option_of_the_settings_file_that_cannot_be_read_names_the_file(run: Run, digits: Path) -> None:
    Path("own.toml").write_text("[verify]\nmax-megapixels = nan\n")
    code, _, err = run("verify", digits, "--images", "digits.npz", "--config", "own.toml")
    assert code == 2
    assert err.startswith("aliasaudit: error: own.toml: verify: max-megapixels must be a number")
    _, _, err = run("verify", digits, "--images", "digits.npz", "--isolated", "--max-megapixels", "nan")
    assert err.startswith("aliasaudit: error: verify: max-megapixels must be a number")
