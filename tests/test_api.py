from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

import auditor
from auditor.demo import demo_model
from auditor.verify.errors import VerifyError
from tests.rules.builder import build
from tests.verify.models import classifier, saved
from tests.verify.pairs import exported, toy


def test_check_gives_typed_findings_and_exact_factors() -> None:
    report = auditor.check(demo_model())
    assert report.analysis.subsampling == Fraction(8)
    assert {finding.rule for finding in report.findings} >= {"AA101", "AA102"}
    assert all(isinstance(finding, auditor.Finding) for finding in report.findings)
    assert report.findings[0].severity is auditor.Severity.ERROR
    assert auditor.plain(report.analysis.sites[0].node.name) == "/maxpool/MaxPool"


def test_settings_choose_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aliasaudit.toml").write_text('select = ["AA102"]')  # the library reads no settings file
    monkeypatch.chdir(tmp_path)
    settings = auditor.Settings(min_severity=auditor.Severity.ERROR)
    report = auditor.check(str(demo_model()), settings=settings)
    assert {finding.severity for finding in report.findings} == {auditor.Severity.ERROR}
    assert {finding.rule for finding in auditor.check(demo_model()).findings} > {"AA102"}


def test_a_file_that_is_no_model_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(auditor.ModelFileError, match="is empty"):
        auditor.check(tmp_path / "empty.onnx")


def test_every_exported_name_exists() -> None:
    assert all(getattr(auditor, name) is not None for name in auditor.__all__)
    assert dir(auditor) == sorted(auditor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'cheque'"):
        _ = auditor.cheque


def test_importing_the_library_imports_none_of_its_rooms() -> None:
    code = "import auditor, sys; print([m for m in sys.modules if m.startswith(('auditor.', 'numpy', 'onnx'))])"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    assert done.stdout.strip() == b"['auditor._version']"


def test_compare_reports_what_got_worse_and_what_the_base_has_too(tmp_path: Path) -> None:
    pools = "input 1x4x32x32\na = MaxPool k2 s2\nRelu\n"
    (tmp_path / "base.onnx").write_bytes(build(pools + "GlobalAveragePool").SerializeToString())
    (tmp_path / "new.onnx").write_bytes(build(pools + "b = MaxPool k3 s2\nGlobalAveragePool").SerializeToString())
    report = auditor.compare(tmp_path / "base.onnx", tmp_path / "new.onnx")
    assert report.comparison is not None
    assert {finding.rule for finding in report.findings} == {"AA101", "AA502"}
    assert [one.finding.rule for one in report.accepted] == ["AA101"]
    assert auditor.compare(tmp_path / "new.onnx", tmp_path / "base.onnx").findings == ()


def test_compare_runs_both_models_on_request_and_raises_where_that_is_not_possible(tmp_path: Path) -> None:
    model = saved(tmp_path / "m.onnx", classifier())
    options = {"images_limit": 8, "layers": 0, "shifts": 2, "device": "cpu"}
    report = auditor.compare(model, model, verify=options)
    assert report.comparison is not None
    assert {change.difference for change in report.comparison.measured} == {0}
    with pytest.raises(ValueError, match="device must be"):
        auditor.compare(model, model, verify={"device": "abacus"})
    with pytest.raises(VerifyError):
        auditor.compare(model, model, verify={"images": str(tmp_path / "none")})


def test_compare_holds_a_pair_of_models_that_are_not_alike_against_each_other(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8))
    toy(tmp_path / "float.onnx")
    saved(tmp_path / "bytes.onnx", exported(classifier(batch=1), TensorProto.UINT8, True, 255))
    how = {"images": str(tmp_path / "images.npy"), "device": "cpu", "task": "classification", "preset": "raw"}
    report = auditor.compare(
        tmp_path / "float.onnx", tmp_path / "bytes.onnx", verify={**how, "reference_preset": "unit"}, pair=True
    )
    assert report.verification is not None
    fidelity = report.verification.measure("fidelity")
    assert fidelity is not None
    assert fidelity.value == 1
    assert report.comparison is not None
    assert report.comparison.base_verification is not None
    assert any(change.measure == "consistency" for change in report.comparison.measured)
    with pytest.raises(VerifyError, match="--reference-preset"):
        auditor.compare(tmp_path / "bytes.onnx", tmp_path / "float.onnx", verify={**how, "preset": "unit"}, pair=True)


def test_fix_writes_another_model_and_says_what_was_done(tmp_path: Path) -> None:
    before = demo_model().read_bytes()
    done = auditor.fix(demo_model(), tmp_path / "fixed.onnx", strategy="blur", kernel="bin5")
    assert isinstance(done, auditor.Repaired)
    assert [one.strategy for one in done.rewrites] == [auditor.Strategy.BLUR]
    assert (done.path, len(done.sites), done.skipped) == (tmp_path / "fixed.onnx", 5, ())
    assert not {finding.rule for finding in auditor.check(tmp_path / "fixed.onnx").findings} & {"AA101", "AA102"}
    assert demo_model().read_bytes() == before
    report = auditor.compare(demo_model(), tmp_path / "fixed.onnx")
    assert report.comparison is not None
    assert len(report.comparison.fixed) == 7


def test_fix_without_an_output_writes_nothing_and_names_of_one_site_hold(tmp_path: Path) -> None:
    done = auditor.fix(demo_model(), None, strategy=auditor.Strategy.BLUR, sites=["/maxpool/MaxPool"])
    assert (done.path, len(done.sites)) == (None, 1)
    assert done.rewrites[0].changes
    assert list(tmp_path.iterdir()) == []


def test_measure_runs_a_model_with_the_options_of_verify(tmp_path: Path) -> None:
    found = auditor.measure(saved(tmp_path / "m.onnx", classifier()), images_limit=8, layers=0, shifts=2, device="cpu")
    assert isinstance(found, auditor.Verification)
    assert {measure.name for measure in found.outputs[0].measures} >= {"consistency", "mac"}
    assert found.self_test is not None
    assert found.self_test.passed
    with pytest.raises(ValueError, match="device must be"):
        auditor.measure(tmp_path / "m.onnx", device="abacus")
    with pytest.raises(ValueError, match="path must be a whole number"):
        auditor.measure(tmp_path / "m.onnx", path="long")
    with pytest.raises(auditor.ModelFileError):
        auditor.measure(tmp_path / "absent.onnx")


@pytest.fixture
def unmoved(tmp_path: Path) -> dict[str, object]:
    """A classifier, and how to measure it on pictures of noise, on which no rewrite surely gains."""
    saved(tmp_path / "net.onnx", classifier())
    return {"images_limit": 8, "layers": 0, "shifts": 2, "device": "cpu"}


def test_fix_measures_before_it_keeps_a_file_and_keeps_none_without_the_gain_that_is_required(
    tmp_path: Path, unmoved: dict[str, object]
) -> None:
    source, target = tmp_path / "net.onnx", tmp_path / "fixed.onnx"
    done = auditor.fix(source, target, strategy="blur", kernel="identity", verify=unmoved, require_gain=True)
    assert done.gain is not None
    assert (done.kept_back, done.path, target.exists()) == (True, None, False)
    assert [change.difference for change in done.gain.changes if change.measure == "consistency"] == [0]
    done = auditor.fix(source, target, strategy="blur", kernel="identity", verify=unmoved)
    assert (done.kept_back, done.path, target.exists()) == (False, target, True)
    assert done.gain is not None


def test_fix_searches_and_says_what_it_tried(tmp_path: Path, unmoved: dict[str, object]) -> None:
    done = auditor.fix(tmp_path / "net.onnx", tmp_path / "fixed.onnx", strategy="auto", verify=unmoved, max_cost=1.0)
    assert done.search is not None
    assert done.search.trials
    assert done.search.budget.cost == 1
    assert (done.path is None) is (done.search.best is None) is (not done.rewrites)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "auto"}, "a search and require_gain measure"),
        ({"strategy": "blur", "require_gain": True}, "a search and require_gain measure"),
        ({"strategy": "auto", "verify": {}, "kernel": "bin5"}, "chooses sites and options itself"),
        ({"strategy": "auto", "verify": {}, "sites": ["pool"]}, "chooses sites and options itself"),
    ],
)
def test_fix_refuses_what_does_not_go_together(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        auditor.fix(demo_model(), tmp_path / "fixed.onnx", **options)
    assert list(tmp_path.iterdir()) == []


def test_fix_never_replaces_the_model_and_refuses_words_that_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(demo_model().read_bytes())
    with pytest.raises(auditor.RewriteError, match="the output is the model itself"):
        auditor.fix(path, path, strategy="blur")
    assert path.read_bytes() == demo_model().read_bytes()
    for wrong in ({"strategy": "magic"}, {"strategy": "blur", "kernel": "x"}, {"strategy": "blur", "blend": 0.0}):
        with pytest.raises(ValueError, match=r"magic|x|blend"):
            auditor.fix(path, tmp_path / "fixed.onnx", **wrong)
    with pytest.raises(ValueError, match="calibrate fits blurred maps"):
        auditor.fix(path, None, strategy="phase-average", calibrate={})
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("imags", "there is no option 'imags' (did you mean \"images\"?); there is images, "),
        ("image_limit", '(did you mean "images_limit"?)'),
        ("images-limit", '(did you mean "images_limit"?)'),
        ("shfits", '(did you mean "shifts"?)'),
        ("wholly_unknown_words", "there is no option 'wholly_unknown_words'; there is"),
    ],
)
def test_an_option_that_does_not_exist_is_an_error_wherever_a_measurement_is_asked_for(name: str, words: str) -> None:
    model = demo_model()
    options: dict[str, Any] = {name: 1}
    for call in (
        lambda: auditor.measure(model, **options),
        lambda: auditor.compare(model, model, verify=options),
        lambda: auditor.fix(model, None, strategy="blur", verify=options),
        lambda: auditor.fix(model, None, strategy="blur", calibrate=options),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            call()


def test_the_value_of_an_option_is_blamed_by_the_name_that_python_has_for_it() -> None:
    with pytest.raises(ValueError, match=r"^images_limit must be a whole number"):
        auditor.measure(demo_model(), images_limit=0)
    with pytest.raises(ValueError, match=r"^box_score must be"):
        auditor.measure(demo_model(), box_score=7)


def test_the_length_of_the_path_of_shifts_is_an_option_although_the_model_is_a_path_too() -> None:
    with pytest.raises(ValueError, match="path must be a whole number"):
        auditor.measure(demo_model(), path=-1)


@pytest.mark.parametrize("wrong", [True, "photos", ["images"], 3])
def test_options_that_are_no_mapping_are_told_what_a_mapping_of_them_looks_like(wrong: Any) -> None:
    words = r'verify must be a mapping of options by name such as \{"images"'
    with pytest.raises(TypeError, match=words):
        auditor.compare(demo_model(), demo_model(), verify=wrong)
    with pytest.raises(TypeError, match=words):
        auditor.fix(demo_model(), None, strategy="blur", verify=wrong)
    with pytest.raises(TypeError, match="calibrate must be a mapping"):
        auditor.fix(demo_model(), None, strategy="blur", calibrate=wrong)


def test_settings_of_another_type_are_told_what_they_take(tmp_path: Path) -> None:
    wrong: Any = {"input_shapes": {"image": (1, 1, 48, 48)}}
    for call in (
        lambda: auditor.check(demo_model(), settings=wrong),
        lambda: auditor.measure(demo_model(), settings=wrong),
        lambda: auditor.compare(demo_model(), demo_model(), settings=wrong),
        lambda: auditor.fix(demo_model(), None, strategy="blur", settings=wrong),
    ):
        with pytest.raises(
            TypeError, match=r"settings must be an auditor.Settings, not a dict; it takes select, .*limits"
        ):
            call()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "blurr"}, "strategy must be one of blur, .*, auto \\(did you mean \"blur\"\\?\\); it is 'blurr'"),
        ({"strategy": "blur", "kernel": "tri"}, "kernel must be one of rect2, tri3, .*, identity.*; it is 'tri'"),
        ({"strategy": "blur", "where": "behind"}, "where must be one of post, pre"),
        ({"strategy": "blur", "padding": "reflekt"}, 'padding must be one of .* \\(did you mean "reflect"'),
        ({"strategy": "phase-average", "phases": "every"}, "phases must be one of diagonal, halves, all"),
        ({"strategy": "phase-average", "lowering": "x"}, "lowering must be one of auto, batch, branch, dilation"),
        ({"strategy": "blur", "refit": "x"}, "refit must be one of none, last, all"),
    ],
)
def test_a_word_that_is_no_choice_gets_the_choices(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        auditor.fix(demo_model(), None, **options)


def test_errors_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model\n")
    absent, text = tmp_path / "absent.onnx", tmp_path / "text.onnx"
    for path in (absent, text):
        for call in (
            lambda path=path: auditor.check(path),
            lambda path=path: auditor.measure(path),
            lambda path=path: auditor.compare(demo_model(), path),
            lambda path=path: auditor.compare(path, demo_model()),
            lambda path=path: auditor.fix(path, None, strategy="blur"),
        ):
            with pytest.raises(auditor.ModelFileError, match=f"^{re.escape(path.as_posix())}: ") as caught:
                call()
            assert caught.value.path == path
    (tmp_path / "here").mkdir()
    for images in (tmp_path / "nowhere", tmp_path / "here"):
        with pytest.raises(auditor.VerifyError, match=rf"digits.onnx: .*\({re.escape(str(images))}\)$"):
            auditor.measure(demo_model(), images=images)


def test_a_limit_that_is_passed_during_the_analysis_names_the_file_too() -> None:
    settings = auditor.Settings(limits=auditor.Limits(max_nodes=2))
    with pytest.raises(auditor.ModelFileError, match=r"digits\.onnx: "):
        auditor.check(demo_model(), settings=settings)


def test_input_shapes_that_do_not_fit_the_model_are_an_error() -> None:
    for shapes, words in (
        ({"imge": (1, 1, 48, 48)}, 'no input is called "imge" \\(did you mean "image"\\?\\); there is "image"'),
        ({"image": (1, 3, 224, 224)}, r"image=1x3x224x224 contradicts .*digits.onnx, where this input is .*x1x48x48"),
        ({"image": (1, 48, 48)}, "contradicts"),
    ):
        settings = auditor.Settings(input_shapes=shapes)
        for call in (
            lambda settings=settings: auditor.check(demo_model(), settings=settings),
            lambda settings=settings: auditor.measure(demo_model(), settings=settings),
            lambda settings=settings: auditor.compare(demo_model(), demo_model(), settings=settings),
            lambda settings=settings: auditor.fix(demo_model(), None, strategy="blur", settings=settings),
        ):
            with pytest.raises(auditor.SettingsError, match=words):
                call()
    report = auditor.check(demo_model(), settings=auditor.Settings(input_shapes={"image": (4, 1, 48, 48)}))
    assert report.inputs[0].sizes[2:] == (48, 48)


PUBLIC = Path(__file__).parent / "data" / "public_names.txt"


def test_the_public_names_are_those_on_the_list() -> None:
    """A name that goes is a break for users: take it off the list in the same change that says so to them."""
    assert auditor.__all__ == PUBLIC.read_text(encoding="utf-8").split()
