"""The pytest plugin: a project holds its exported model to a limit, in its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from auditor.demo import demo_model
from tests.plugins.arguments import plugin_arguments

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ["-p", "no:cacheprovider", "-W", "default", *plugin_arguments()]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return pytester


def outcome(run: pytest.Pytester, code: str) -> pytest.RunResult:
    run.makepyfile(f"MODEL = {str(demo_model())!r}\n{code}")
    return run.runpytest_inprocess(*ARGUMENTS)


def test_a_model_that_holds_its_limit_passes_and_the_numbers_come_back(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test(assert_shift_consistent):
    found = assert_shift_consistent(MODEL, limit=0.01, images_limit=8, device="cpu", radius=2, shifts=1)
    assert 0 <= found.outputs[0].measure("consistency").value <= 1
    assert len(found.data.used) == 8
    assert found.shifts.radius == 2
    assert not found.layers
""",
    )
    result.assert_outcomes(passed=1)


def test_a_model_that_misses_its_limit_fails_with_one_line_that_says_by_how_much(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test(assert_shift_consistent):
    assert_shift_consistent(MODEL, measure="mac", limit=0, images_limit=16, device="cpu", shifts=2)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*AssertionError: *digits.onnx: mac is 0.* (0.* to 0.*, 16 images), above the limit 0"]
    )
    assert "pytest_plugin.py" not in result.stdout.str()


@pytest.mark.parametrize(
    ("choice", "outcomes"), [("warn", {"passed": 1, "warnings": 1}), ("pass", {"passed": 1}), ("fail", {"failed": 1})]
)
def test_too_few_images_for_a_verdict_warn_pass_or_fail_as_the_project_says(
    run: pytest.Pytester, choice: str, outcomes: dict[str, int]
) -> None:
    result = outcome(
        run,
        f"""
def test(assert_shift_consistent):
    assert_shift_consistent(
        MODEL, inconclusive={choice!r}, images_limit=4, device="cpu", radius=2, shifts=1
    )
""",
    )
    result.assert_outcomes(**outcomes)
    if choice != "pass":
        result.stdout.fnmatch_lines(["*consistency is * (no interval, 4 images): undecided*"])


def test_an_option_that_does_not_exist_is_named(run: pytest.Pytester) -> None:
    result = outcome(run, "def test(assert_shift_consistent):\n    assert_shift_consistent(MODEL, imges='photos')\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*ValueError: there is no option 'imges' (did you mean *images*); there is images, *"]
    )


def test_a_measure_that_was_not_made_is_an_error_not_a_pass(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test(assert_shift_consistent):
    assert_shift_consistent(MODEL, measure="massc", images_limit=2, device="cpu", radius=2, shifts=1)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*ValueError: *no output has the measure massc; there is *consistency*"])


def test_findings_of_the_audit_fail_with_their_places(run: pytest.Pytester) -> None:
    result = outcome(run, "def test(assert_no_new_aliasing):\n    assert_no_new_aliasing(MODEL)\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*digits.onnx: 2 findings", "E*error AA102 strided-conv at /layer1/downsample/Conv: *"]
    )


def test_ignored_rules_and_lighter_findings_do_not_fail(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
import pytest
def test_by_name(assert_no_new_aliasing):
    assert assert_no_new_aliasing(MODEL, ignore=["strided-conv"]).path == MODEL
def test_lighter(assert_no_new_aliasing):
    with pytest.raises(AssertionError, match="3 findings"):
        assert_no_new_aliasing(MODEL, severity="warning", ignore=["AA102"])
def test_mistyped(assert_no_new_aliasing):
    with pytest.raises(Exception, match="AA999"):
        assert_no_new_aliasing(MODEL, ignore=["AA999"])
""",
    )
    result.assert_outcomes(passed=3)


def test_the_cumulative_factor_is_held_to_its_limit(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test_at_the_limit(assert_no_new_aliasing):
    assert_no_new_aliasing(MODEL, ignore=["ALL"], max_subsampling=8)
def test_over_it(assert_no_new_aliasing):
    assert_no_new_aliasing(MODEL, ignore=["ALL"], max_subsampling=4)
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*digits.onnx: the cumulative subsampling factor is 8, the limit is 4"])
    assert "finding" not in result.stdout.str().partition("AssertionError")[2].partition("\n")[0]


def test_paths_are_those_from_the_rootdir_wherever_pytest_is_started(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.makefile(".toml", pyproject="[tool.pytest.ini_options]\n")
    (run.path / "models").mkdir()
    (run.path / "models" / "net.onnx").write_bytes(demo_model().read_bytes())
    (run.path / "tests").mkdir()
    (run.path / "tests" / "test_it.py").write_text(
        """
def test_static(assert_no_new_aliasing):
    assert_no_new_aliasing("models/net.onnx", base="models/net.onnx", max_subsampling=8)
def test_measured(assert_shift_consistent):
    options = dict(images_limit=2, device="cpu", radius=2, shifts=1, inconclusive="pass")
    found = assert_shift_consistent("models/net.onnx", reference="models/net.onnx", **options)
    assert found.measure("fidelity").value == 1
"""
    )
    monkeypatch.chdir(run.path / "tests")
    run.runpytest_inprocess("--rootdir", str(run.path), *ARGUMENTS).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("assert_shift_consistent(MODEL, limit=95)", "limit must be between 0 and 1 for consistency, not 95; 95 %"),
        ("assert_shift_consistent(MODEL, limit=-0.1)", "limit must be between 0 and 1 for consistency, not -0.1"),
        ("assert_shift_consistent(MODEL, limit=float('nan'))", "between 0 and 1 for consistency, not nan"),
        ("assert_shift_consistent(MODEL, measure='consistancy')", '(did you mean "consistency"?)'),
        ("assert_shift_consistent(MODEL, inconclusive='warm')", "inconclusive must be one of fail, warn, pass"),
        ("assert_no_new_aliasing(MODEL, severity='fatal')", "one of note, warning, error, not 'fatal'"),
        ("assert_no_new_aliasing(MODEL, max_subsampling=0)", "max_subsampling must be 1 or more"),
        ("assert_no_new_aliasing(MODEL, ignore='AA999')", 'no rule is called "AA999"'),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_measured(
    run: pytest.Pytester, call: str, words: str
) -> None:
    result = outcome(
        run,
        f"""
import auditor.verify.runner
def test(assert_shift_consistent, assert_no_new_aliasing, monkeypatch):
    monkeypatch.setattr(auditor.verify.runner, "verify", None)
    {call}
""",
    )
    result.assert_outcomes(failed=1)
    assert words in result.stdout.str()


def test_one_rule_to_ignore_may_be_written_without_a_list(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test_one(assert_no_new_aliasing):
    assert_no_new_aliasing(MODEL, ignore="AA102")
def test_two(assert_no_new_aliasing):
    assert_no_new_aliasing(MODEL, ignore="AA102, strided-max-pool", severity="error")
""",
    )
    result.assert_outcomes(passed=2)


def test_the_warning_stands_at_the_line_of_the_test(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test(assert_shift_consistent):
    assert_shift_consistent(MODEL, images_limit=4, device="cpu", radius=2, shifts=1)
""",
    )
    result.stdout.fnmatch_lines(["*the_line_of_the_test.py:*: InconclusiveWarning: *"])


def test_the_list_of_fixtures_says_how_they_are_called(run: pytest.Pytester) -> None:
    result = run.runpytest_inprocess("--fixtures", *ARGUMENTS)
    for call in ("*assert_no_new_aliasing(*base=*max_subsampling=*", "*assert_shift_consistent(*limit=*"):
        result.stdout.fnmatch_lines([call, "*rootdir*"])


def test_what_the_model_of_before_has_as_heavily_at_the_same_place_is_not_new(run: pytest.Pytester) -> None:
    model = onnx.load(demo_model())
    pools = [node for node in model.graph.node if node.op_type == "MaxPool"]
    strides = [attribute for node in pools for attribute in node.attribute if attribute.name == "strides"]
    strides[0].ints[:] = [3, 3]
    onnx.save(model, run.path / "coarser.onnx")
    strides[0].ints[:] = [2, 2]
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, run.path / "renamed.onnx")
    result = outcome(
        run,
        """
def test_renamed(assert_no_new_aliasing):
    assert_no_new_aliasing("renamed.onnx", base=MODEL, severity="note")
def test_coarser(assert_no_new_aliasing):
    assert_no_new_aliasing("coarser.onnx", base=MODEL, severity="warning")
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*coarser.onnx: 3 findings that *digits.onnx does not have as heavily",
            "E*error AA101 strided-max-pool at /maxpool/MaxPool: *",
            "E*warning AA106 skipped-input at /maxpool/MaxPool: *",
        ]
    )


def test_a_run_of_pytest_that_uses_no_fixture_imports_nothing_of_the_program() -> None:
    code = (
        "import auditor.plugins.pytest, sys; print(sorted(name for name in sys.modules if name.startswith('auditor')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "; assert not {'numpy', 'onnx', 'typer', 'rich'} & set(sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    modules = ["auditor", "auditor._version", "auditor.plugins", "auditor.plugins.pytest"]
    assert done.stdout.strip() == str(modules), done.stderr
