"""``aliasaudit check --fix``: audit, rewrite, measure, and one report of before and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from auditor.report.json.schema import report_schema
from tests.cli.conftest import HOSTILE_NAME, write_network
from tests.runner_commands import commands
from tests.verify.models import classifier, saved

Run = Callable[..., tuple[int, str, str]]
FIX = ("--fix", "--fix-output", "fixed.onnx")


@pytest.fixture
def network(workplace: Path) -> Path:
    write_network(workplace / "net.onnx")
    return Path("net.onnx")


def test_one_report_says_what_was_found_before_and_what_is_left(run: Run, network: Path) -> None:
    code, out, err = run("check", network, *FIX, "--strategy", "blur")
    assert code == 0
    assert "model fixed.onnx" in out
    assert "BETTER, compared with net.onnx: 1 finding fixed" in out
    assert "fixed: warning AA101 strided-max-pool at pool (MaxPool)" in out
    assert "note: rewritten with blur at 1 site" in out
    assert "21 and 43 points" in out
    assert "wrote fixed.onnx" in err
    assert run("compare", network, "fixed.onnx")[0] == 0


def test_what_the_rewrite_left_in_the_model_counts_as_in_any_audit(run: Run, digits: Path) -> None:
    code, out, _ = run("check", digits, *FIX, "--strategy", "phase-average", "--fail-on", "warning")
    assert code == 1
    assert "AA101 strided-max-pool at /maxpool/MaxPool (" in out
    assert "AA102 strided-conv at /layer2/conv1/Conv (" not in out.replace("fixed: warning AA102 strided-conv at", "")


@pytest.mark.parametrize("phases", ["diagonal", "all"])
def test_a_site_whose_phases_are_averaged_passes_and_its_copies_are_no_new_sites(
    run: Run, network: Path, phases: str
) -> None:
    how = ("--strategy", "phase-average", "--phases", phases)
    assert run("fix", network, "-o", "fixed.onnx", *how)[0] == 0
    code, out, _ = run("compare", network, "fixed.onnx")
    assert code == 0
    assert "fixed: warning AA101 strided-max-pool at pool (MaxPool)" in out
    assert "AA502" not in out
    (site,) = json.loads(run("check", "fixed.onnx", "--output-format", "json")[1])["models"][0]["analysis"]["sites"]
    assert site["antialiased"]
    kept = 4 if phases == "all" else 2
    assert site["reason"].startswith(f"{kept} of 4 phases are kept on the batch axis (phase averaging): ")
    assert len(site["members"]) == kept - 1


def test_the_json_report_holds_its_schema_and_renders_again(run: Run, network: Path) -> None:
    out = run("check", network, *FIX, "--strategy", "blur", "--output-format", "json")[1]
    document = json.loads(out)
    jsonschema.validate(document, report_schema())
    found = document["models"][0]["comparison"]
    assert (document["models"][0]["path"], found["base"]) == ("fixed.onnx", "net.onnx")
    assert found["remarks"][0].startswith("rewritten with blur at 1 site")
    Path("saved.json").write_text(out)
    assert "rewritten with blur at 1 site" in run("report", "saved.json")[1]


@pytest.mark.parametrize("output_format", ["html", "markdown"])
def test_the_page_and_the_comment_hold_before_and_after(run: Run, network: Path, output_format: str) -> None:
    out = run("check", network, *FIX, "--strategy", "blur", "--output-format", output_format)[1]
    assert "rewritten with blur at 1 site" in out
    assert "net.onnx" in out


def test_both_models_are_measured_on_the_same_images_and_shifts(run: Run, workplace: Path) -> None:
    saved(workplace / "net.onnx", classifier())
    arguments = ("check", "net.onnx", *FIX, "--unsafe-fixes", "--verify", "--images-limit", "3", "--exit-zero")
    code, out, _ = run(*arguments, "--output-format", "json")
    assert code == 0
    (model,) = json.loads(out)["models"]
    assert {one["measure"] for one in model["comparison"]["measured"]} >= {"consistency", "mac"}
    assert model["verification"] is not None
    assert model["comparison"]["base_verification"] is not None


def test_nothing_that_changes_the_function_is_done_without_being_asked_for(run: Run, network: Path) -> None:
    code, _, err = run("check", network, *FIX)
    assert code == 2
    assert "every rewrite changes what the network computes" in err
    assert not Path("fixed.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fix", "--strategy", "blur"], "name it with --fix-output"),
        (["--strategy", "blur"], "give --fix with them"),
        ([*FIX, "--strategy", "magic"], "--strategy must be one of blur, "),
        (["--fix", "--fix-output", "net.onnx", "--strategy", "blur"], "is one of the models"),
        ([*FIX, "--strategy", "blur", "-o", "fixed.onnx"], "the rewritten model goes there"),
        ([*FIX, "--strategy", "blur", "--report", "json=fixed.onnx"], "the rewritten model goes there"),
        (["missing.onnx", *FIX, "--strategy", "blur"], "exactly one model"),
        ([*FIX, "--fix-output", "no/where.onnx", "--strategy", "blur"], "cannot be written"),
    ],
)
def test_wrong_use_is_one_clear_error_and_writes_nothing(
    run: Run, network: Path, arguments: list[str], message: str
) -> None:
    before = network.read_bytes()
    code, out, err = run("check", network, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert network.read_bytes() == before
    assert [path.name for path in Path.cwd().glob("*.onnx")] == ["net.onnx"]


def test_where_nothing_can_be_rewritten_the_audit_is_that_of_the_model(run: Run, network: Path) -> None:
    run("check", network, *FIX, "--strategy", "blur")
    code, out, err = run("check", "fixed.onnx", "--fix", "--fix-output", "again.onnx", "--strategy", "blur")
    assert code == 0
    assert "model fixed.onnx" in out
    assert "nothing was written, no site could be rewritten: " in err
    assert not Path("again.onnx").exists()


def test_a_file_that_is_no_model_is_reported_as_by_check(run: Run, workplace: Path) -> None:
    (workplace / "bad.onnx").write_bytes(b"")
    code, _, err = run("check", "bad.onnx", *FIX, "--strategy", "blur")
    assert code == 3
    assert "bad.onnx" in err + run("check", "bad.onnx")[1]
    assert not Path("fixed.onnx").exists()


def test_a_hostile_model_gives_no_command_to_the_log(run: Run, workplace: Path) -> None:
    write_network(workplace / "evil.onnx", name=HOSTILE_NAME)
    _, out, err = run("check", "evil.onnx", *FIX, "--strategy", "blur")
    assert not commands(out + err)
