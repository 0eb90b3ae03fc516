"""The merge gate as a user meets it: files, git revisions, thresholds, exit codes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import onnx
import onnx.helper
import pytest
from msgspec import structs

import auditor
from auditor.audit.run import Examined
from auditor.comparison.looks import MeasuredPair
from auditor.comparison.revision import Revision
from auditor.repair import paired
from auditor.report.json.schema import report_schema
from tests.cli.conftest import HOSTILE_NAME, write_network
from tests.cli.test_policy import two_pools
from tests.runner_commands import commands
from tests.verify.models import classifier, model, saved
from tests.verify.other_runtimes import fake_litert, tflite_file
from tests.verify.pairs import exported, toy

Run = Callable[..., tuple[int, str, str]]


def git(*arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def pair(workplace: Path) -> tuple[Path, Path]:
    write_network(workplace / "base.onnx")
    two_pools(workplace / "new.onnx")
    return Path("base.onnx"), Path("new.onnx")


def test_a_model_that_samples_more_fails_and_says_why_in_the_first_lines(run: Run, pair: tuple[Path, Path]) -> None:
    code, out, _ = run("compare", *pair)
    assert code == 1
    lines = out.splitlines()
    assert lines[1].startswith("  WORSE, compared with base.onnx: 1 finding added, 1 sampling site new, cumulative")
    assert any(re.fullmatch(r"  new +second +- +MaxPool 3x3/2, total 4: \S+ % weak filter", line) for line in lines[:9])
    assert "  grid 2 px in the base, 4 px here; by the graphs alone, --verify runs both models" in lines
    assert "error AA502 new-sampling-site at second (MaxPool)" in out
    assert "AA101 strided-max-pool at pool" not in out  # the base has it too
    assert "in the base too: warning AA101 strided-max-pool at pool" in run("compare", *pair, "--show-waived")[1]


def test_a_model_that_samples_less_passes_and_says_what_it_fixed(run: Run, pair: tuple[Path, Path]) -> None:
    code, out, _ = run("compare", pair[1], pair[0])
    assert code == 0
    assert "WORSE" not in out
    assert "regression" not in out
    assert "  fixed: warning AA101 strided-max-pool at second (MaxPool)" in out


def test_the_json_report_of_a_comparison_holds_its_schema_and_compares_equal(run: Run, pair: tuple[Path, Path]) -> None:
    arguments = ["compare", *pair, "--output-format", "json"]
    out = run(*arguments)[1]
    document = json.loads(out)
    jsonschema.validate(document, report_schema())
    found = document["models"][0]["comparison"]
    assert (found["base"], len(found["added"]), found["before"], found["after"]) == ("base.onnx", 1, 2, 4)
    assert {one["by"] for one in document["models"][0]["accepted"]} == {"base"}
    assert run(*arguments)[1] == out


@pytest.mark.parametrize("output_format", ["sarif", "github", "markdown", "junit", "gitlab", "html"])
def test_every_format_shows_only_what_got_worse(run: Run, pair: tuple[Path, Path], output_format: str) -> None:
    code, out, _ = run("compare", *pair, "--output-format", output_format)
    assert code == 1
    assert "AA502" in out


def test_hostile_names_stay_inert_in_a_comparison(run: Run, workplace: Path) -> None:
    write_network(workplace / "base.onnx", name=HOSTILE_NAME)
    two_pools(workplace / "new.onnx", HOSTILE_NAME + "2")
    for arguments in (["base.onnx", "new.onnx"], ["new.onnx", "base.onnx"]):
        code, out, err = run("compare", *arguments, "--show-waived", "--verbose")
        assert code in (0, 1)
        assert not commands(out + err)


def test_the_base_may_be_the_file_at_a_git_revision(run: Run, workplace: Path) -> None:
    (workplace / ".git").rmdir()
    git("init", "-q", "-b", "main")
    write_network(workplace / "models" / "net.onnx")
    git("add", ".")
    git("commit", "-q", "-m", "base")
    two_pools(workplace / "models" / "net.onnx")
    code, out, _ = run("compare", "--base-ref", "main", "--model", "models/net.onnx")
    assert code == 1
    assert "WORSE, compared with main:models/net.onnx: 1 finding added" in out
    assert run("compare", "--base-ref", "nowhere", "--model", "models/net.onnx")[0] == 3


@pytest.fixture
def project(workplace: Path) -> Path:
    """A repository with three models on main."""
    shutil.rmtree(workplace / ".git")
    git("init", "-q", "-b", "main")
    for number, name in enumerate(("a", "b", "c"), 2):
        write_network(workplace / "models" / f"{name}.onnx", stride=number)
    git("add", ".")
    git("commit", "-q", "-m", "base")
    return workplace / "models"


def against_main(run: Run, *arguments: str) -> tuple[int, dict[str, Any], str]:
    code, out, err = run("compare", "--base-ref", "main", "-o", "out.json", "--output-format", "json", *arguments)
    assert out == "", err
    document = json.loads(Path("out.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, report_schema())
    return code, document, err


@pytest.mark.parametrize("arguments", [["models"], ["--model", "models"], ["models/a.onnx", "models/new.onnx"]])
def test_a_model_that_a_change_adds_is_audited_and_its_findings_decide(
    run: Run, project: Path, arguments: list[str]
) -> None:
    write_network(project / "new.onnx", stride=1)
    assert against_main(run, "--fail-on", "note", *arguments)[0] == 0
    two_pools(project / "new.onnx")
    code, document, _ = against_main(run, "--fail-on", "warning", *arguments)
    assert code == 1
    (new,) = [model for model in document["models"] if model["path"] == "models/new.onnx"]
    assert new["comparison"] is None
    assert {finding["rule"] for finding in new["findings"]} >= {"AA101"}
    assert document["remarks"] == ["models/new.onnx: new since main, so all of its findings count"]
    assert document["problems"] == []
    text = run("compare", "--base-ref", "main", *arguments)[1]
    assert "note: models/new.onnx: new since main" in text
    markdown = run("compare", "--base-ref", "main", "--output-format", "markdown", *arguments)[1]
    assert "new since main" in markdown


def test_a_renamed_model_is_compared_with_what_it_was(run: Run, project: Path) -> None:
    (project / "sub").mkdir()
    (project / "a.onnx").rename(project / "sub" / "z.onnx")
    for arguments in (["models"], ["models/sub/z.onnx"]):
        code, document, _ = against_main(run, "--fail-on", "note", *arguments)
        assert code == 0
        (moved,) = [model for model in document["models"] if model["path"] == "models/sub/z.onnx"]
        assert moved["comparison"]["base"] == "main:models/a.onnx"
        assert document["remarks"] == ["models/sub/z.onnx: renamed since main from models/a.onnx"]


def weighted(path: Path, stride: int, seeds: tuple[int, int], producer: str = "") -> None:
    """Two convolutions with weights of these draws, behind a pool."""
    weights = {
        f"w{place}": np.random.default_rng(seed).standard_normal((3, 3, 3, 3)).astype(np.float32)
        for place, seed in enumerate(seeds)
    }
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w0"], ["a"], name=f"{producer}first", pads=[1, 1, 1, 1]),
        onnx.helper.make_node(
            "MaxPool", ["a"], ["b"], name=f"{producer}pool", kernel_shape=[2, 2], strides=[stride] * 2
        ),
        onnx.helper.make_node("Conv", ["b", "w1"], ["y"], name=f"{producer}last", pads=[1, 1, 1, 1]),
    ]
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 3, "H", "W"]}, weights)
    made.producer_name = producer
    path.parent.mkdir(exist_ok=True)
    saved(path, made)


def test_a_renamed_model_that_was_exported_anew_is_known_by_its_weights(run: Run, project: Path) -> None:
    weighted(project / "v1.onnx", 1, (1, 2))
    git("add", ".")
    git("commit", "-q", "-m", "weights")
    (project / "v1.onnx").unlink()
    weighted(project / "v2.onnx", 2, (1, 2), "another-exporter")
    _, document, _ = against_main(run, "models/v2.onnx")
    (moved,) = document["models"]
    assert moved["comparison"]["base"] == "main:models/v1.onnx"
    assert moved["comparison"]["headline"] == "worse"
    assert document["remarks"] == ["models/v2.onnx: renamed since main from models/v1.onnx"]
    weighted(project / "v2.onnx", 2, (3, 4))  # trained anew: nothing says that it is the same model
    assert against_main(run, "models/v2.onnx")[1]["models"][0]["comparison"] is None
    (project / "a.onnx").unlink()  # of several that are gone, the one with the weights counts
    weighted(project / "v2.onnx", 2, (1, 4))
    assert against_main(run, "models/v2.onnx")[1]["models"][0]["comparison"]["base"] == "main:models/v1.onnx"


def test_of_several_new_models_that_resemble_one_that_is_gone_one_was_renamed(run: Run, project: Path) -> None:
    weighted(project / "v1.onnx", 1, (1, 2))
    git("add", ".")
    git("commit", "-q", "-m", "weights")
    (project / "v1.onnx").unlink()
    weighted(project / "head.onnx", 1, (1, 4))  # half of the weights
    weighted(project / "v2.onnx", 2, (1, 2))  # all of them
    for arguments in (["models"], ["models/head.onnx", "models/v2.onnx"]):
        _, document, _ = against_main(run, *arguments)
        assert document["remarks"] == [
            "models/head.onnx: new since main, so all of its findings count",
            "models/v2.onnx: renamed since main from models/v1.onnx",
        ]
    weighted(project / "zz.onnx", 1, (1, 2))  # the very content
    _, document, _ = against_main(run, "models")
    remarks = [line for line in document["remarks"] if "renamed" in line]
    assert remarks == ["models/zz.onnx: renamed since main from models/v1.onnx"]


def test_a_model_that_was_renamed_and_copied_was_renamed_once(run: Run, project: Path) -> None:
    shutil.copy(project / "a.onnx", project / "copy.onnx")
    (project / "a.onnx").rename(project / "moved.onnx")
    _, document, _ = against_main(run, "models")
    assert document["remarks"] == [
        "models/copy.onnx: renamed since main from models/a.onnx",
        "models/moved.onnx: new since main, so all of its findings count",
    ]


def test_a_copy_of_a_model_that_is_still_there_is_new(run: Run, project: Path) -> None:
    shutil.copy(project / "a.onnx", project / "copy.onnx")
    code, document, _ = against_main(run, "--fail-on", "warning", "models")
    assert code == 1
    assert document["remarks"] == ["models/copy.onnx: new since main, so all of its findings count"]


def test_a_pointer_that_git_lfs_replaced_by_its_file_is_known_by_its_hash_when_it_is_renamed(
    run: Run, project: Path
) -> None:
    model = (project / "a.onnx").read_bytes()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(model).hexdigest()}\nsize 1\n"
    (project / "a.onnx").write_text(pointer, encoding="utf-8")
    git("commit", "-q", "-a", "-m", "pointer")
    (project / "a.onnx").unlink()
    (project / "z.onnx").write_bytes(model)
    revision = Revision("main", project)
    assert revision.renamed_from(project / "z.onnx") == project / "a.onnx"
    (project / "z.onnx").write_bytes(model + b"\0")
    assert revision.renamed_from(project / "z.onnx") is None


def test_deleted_models_are_mentioned_and_are_no_obstacle(run: Run, project: Path) -> None:
    (project / "a.onnx").unlink()
    code, document, _ = against_main(run, "models")
    assert (code, len(document["models"])) == (0, 2)
    assert document["remarks"] == ["models/a.onnx: deleted since main, nothing to audit"]
    assert against_main(run, "models/a.onnx", "models/b.onnx")[1]["remarks"] == document["remarks"]
    shutil.rmtree(project)
    for arguments in (["models"], ["models/a.onnx", "models/b.onnx", "models/c.onnx"]):
        code, document, _ = against_main(run, *arguments)
        assert (code, document["models"], document["problems"], len(document["remarks"])) == (0, [], [], 3)
        for form in ("text", "markdown", "html"):
            out = run("compare", "--base-ref", "main", "--output-format", form, *arguments)[1]
            assert "no findings" not in out
            assert "deleted since main" in out


def test_what_is_neither_here_nor_in_the_base_is_an_incomplete_comparison(run: Run, project: Path) -> None:
    (Path("empty")).mkdir()
    for name, words in (
        ("models/typo.onnx", "did not exist at main"),
        ("empty", "holds no .onnx file, and held none at main"),
    ):
        code, document, err = against_main(run, "models/a.onnx", name)
        assert code == 3
        assert [problem["path"] for problem in document["problems"]] == [name]
        assert words in err
    markdown = run("compare", "--base-ref", "main", "--output-format", "markdown", "models/typo.onnx")[1]
    assert "no findings" not in markdown
    assert "no model was audited; the audit is incomplete" in markdown
    markdown = run("compare", "--base-ref", "main", "--output-format", "markdown", "models/a.onnx", "typo.onnx")[1]
    assert "❌ aliasaudit: `models/a.onnx`: the same model; the comparison is incomplete" in markdown


def test_a_new_model_that_cannot_be_read_does_not_end_the_comparison_of_the_others(run: Run, project: Path) -> None:
    (project / "new.onnx").write_text("nothing of the kind")
    code, document, _ = against_main(run, "models")
    assert (code, len(document["models"])) == (3, 3)
    assert [problem["path"] for problem in document["problems"]] == ["models/new.onnx"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["base.onnx"],
        ["base.onnx", "new.onnx", "more.onnx"],
        ["base.onnx", "new.onnx", "--model", "x.onnx"],
        ["--base-ref", "main"],
        ["base.onnx", "new.onnx", "--max-absolute-drop", "much"],
        ["base.onnx", "new.onnx", "--inconclusive", "maybe"],
        ["base.onnx", "new.onnx", "-o", "base.onnx"],
    ],
)
def test_wrong_use_exits_with_2_in_one_line(run: Run, pair: tuple[Path, Path], arguments: list[str]) -> None:
    code, out, err = run("compare", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_a_missing_model_is_an_incomplete_comparison(run: Run, pair: tuple[Path, Path]) -> None:
    for arguments in (["none.onnx", "new.onnx"], ["base.onnx", "none.onnx"]):
        assert run("compare", *arguments)[0] == 3


def test_a_required_measurement_that_was_not_asked_for_is_an_incomplete_comparison(
    run: Run, pair: tuple[Path, Path]
) -> None:
    Path("aliasaudit.toml").write_text("[compare]\nrequire-verify = true\n", encoding="utf-8")
    code, out, _ = run("compare", pair[0], pair[0])
    assert code == 3
    assert "the settings require a measurement (require-verify): give --verify" in out


@pytest.mark.parametrize("command", ["compare", "fix"])
def test_a_detector_without_a_box_is_incomplete_with_its_reason(run: Run, workplace: Path, command: str) -> None:
    boxes = np.tile(np.array([4, 4, 9, 9, 0.25, 1], np.float32), (1, 5, 1))
    nodes = [
        onnx.helper.make_node("MaxPool", ["x"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        onnx.helper.make_node("ReduceMin", ["pooled"], ["least"], axes=[1, 2, 3], keepdims=1),
        onnx.helper.make_node("Mul", ["least", "zero"], ["none_"]),
        onnx.helper.make_node("Squeeze", ["none_", "axis"], ["none"]),
        onnx.helper.make_node("Add", ["none", "boxes"], ["y"]),
    ]
    weights = {"zero": np.zeros(1, np.float32), "axis": np.array([3]), "boxes": boxes}
    saved(workplace / "detector.onnx", model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 5, 6]}, weights))
    np.save("noise.npy", np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3), np.uint8))
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 1\n", encoding="utf-8")
    options = ["--images", "noise.npy", "--task", "detection", "--device", "cpu"]
    if command == "compare":
        arguments = ["compare", "detector.onnx", "detector.onnx", "--verify", "--require-verify", "-q"]
    else:
        arguments = ["fix", "detector.onnx", "-o", "fixed.onnx", "--strategy", "auto"]
    code, out, err = run(*arguments, *options)
    assert code == 3, (out, err)
    assert "no image has a box of score 0.5 or more" in out + err
    assert "highest score seen is 0.25" in out + err
    assert not Path("fixed.onnx").exists()


def test_budgets_and_waivers_hold_in_a_comparison_too(run: Run, pair: tuple[Path, Path]) -> None:
    waiver = '[[waiver]]\nrule = "ALL"\nnode = "second"\nreason = "a larger camera"\n'
    Path("aliasaudit.toml").write_text(waiver, encoding="utf-8")
    assert run("compare", *pair)[0] == 0
    Path("aliasaudit.toml").write_text(waiver + "[budget]\nmax-subsampling = 2\n", encoding="utf-8")
    code, out, _ = run("compare", *pair)
    assert code == 1
    assert "AA503 over-budget: max-subsampling is 4 here, and the budget is 2." in out


@pytest.fixture
def measured(workplace: Path) -> tuple[Path, Path]:
    """Two classifiers whose answers depend on position by a little and by much, and pictures of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 24, 24, 3), dtype=np.uint8)
    np.save(workplace / "noise.npy", noise)
    return saved(workplace / "fine.onnx", classifier(stride=1)), saved(workplace / "coarse.onnx", classifier(stride=16))


def test_both_models_are_run_on_the_same_images_and_a_regression_fails(run: Run, measured: tuple[Path, Path]) -> None:
    fine, coarse = measured
    options = ["--verify", "--images", "noise.npy", "--device", "cpu", "-q", "--select", "AA501"]
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 8\n", encoding="utf-8")
    code, out, _ = run("compare", fine, fine, *options)
    assert code == 0
    assert "SAME MODEL, compared with fine.onnx: equal graph and weights" in out
    assert "consistency: pass (max-absolute-drop 0.02)" in out
    code, out, _ = run("compare", fine, coarse, *options, "--max-absolute-drop", "0.001")
    assert code == 1
    assert re.search(r"WORSE, compared with fine.onnx: consistency fell by \S+ points \(0.1 points allowed\)", out)
    assert "error AA501 consistency-regression" in out


def test_an_undecided_comparison_says_so_in_the_first_line_and_fails_only_where_a_verdict_is_required(
    run: Run, measured: tuple[Path, Path]
) -> None:
    fine = measured[0]
    again = onnx.load(fine)
    again.graph.node.append(onnx.helper.make_node("Identity", ["x"], ["unused"]))  # another graph, the same answers
    onnx.save(again, "again.onnx")
    options = [
        "--verify",
        "--images",
        "noise.npy",
        "--images-limit",
        "40",
        "--device",
        "cpu",
        "-q",
        "--select",
        "AA501,AA506",
    ]
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 2\n", encoding="utf-8")
    code, out, _ = run("compare", fine, "again.onnx", *options)
    assert code == 0
    assert (
        "UNDECIDED, compared with fine.onnx: consistency looks the same and may be 8.0 points worse (2 points allowed);"
        " 166 images would decide it if the values stay as they are; after 40 of at most 40 images"
    ) in out
    assert "note AA506 undecided-comparison" in out
    assert "regression" not in out
    assert "no image changed; up to 8.0 % of all images could and would not show in 40" in out
    assert "1 comparison undecided" in out.splitlines()[-1]
    code, out, _ = run("compare", fine, "again.onnx", *options, "--output-format", "markdown")
    assert out.splitlines()[1] == "### ⚠️ aliasaudit: `again.onnx`: undecided"
    code, out, _ = run("compare", fine, "again.onnx", *options, "--output-format", "json")
    compared = json.loads(out)["models"][0]["comparison"]
    assert compared["verdict"] == "undecided"
    (condition,) = compared["measured"][0]["conditions"]
    assert (condition["verdict"], condition["images_needed"], condition["images_enough"]) == ("inconclusive", 166, 166)
    assert run("compare", fine, "again.onnx", *options, "--fail-on", "warning")[0] == 0
    assert run("compare", fine, "again.onnx", *options, "--inconclusive", "fail")[0] == 1
    assert run("compare", fine, "again.onnx", *options, "--max-absolute-drop", "0.08")[0] == 0


def test_a_comparison_takes_256_images_unless_told_otherwise(run: Run, measured: tuple[Path, Path]) -> None:
    Path("aliasaudit.toml").write_text("[verify]\nlayers = 0\nshifts = 1\n", encoding="utf-8")
    options = ["--verify", "--images", "noise.npy", "--device", "cpu", "-q", "--output-format", "json"]
    document = json.loads(run("compare", measured[0], measured[0], *options, "--all-images")[1])
    assert document["models"][0]["comparison"]["measured"][0]["images"] == 256
    assert document["models"][0]["comparison"]["looks"] is None
    settings = auditor.Settings(compare={"all-images": True})
    quick = {"images": "noise.npy", "shifts": 1, "layers": 0, "device": "cpu"}
    found = auditor.compare(*measured, verify=quick, settings=settings)
    assert found.comparison is not None
    assert found.comparison.measured[0].images == 256


def test_a_pair_of_models_that_are_not_alike_is_compared_by_its_answers(run: Run, workplace: Path) -> None:
    np.save(workplace / "images.npy", np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8))
    toy(workplace / "float.onnx")
    saved(workplace / "bytes.onnx", exported(classifier(batch=1), onnx.TensorProto.UINT8, True, 255))
    models = ("float.onnx", "bytes.onnx", "--images", "images.npy", "--device", "cpu", "--task", "classification")
    code, out, _ = run("compare", *models, "--pair", "--preset", "raw", "--reference-preset", "unit")
    assert code == 0
    assert re.search(r"preprocessing .* NHWC, uint8 \(--preset raw\)", out)
    assert re.search(r"note: the reference float.onnx reads 16x16 px, .* float32 \(--reference-preset unit\)", out)
    assert re.search(r"fidelity +100.0 %", out)
    assert re.search(r"consistency +(\S+) % +\1 % +\+0.0 points", out)
    assert re.search(r"the model adds 0 changed answers at 1 px \(of 36; ", out)


def test_how_the_base_is_read_is_asked_for_with_a_pair_alone(run: Run, pair: tuple[Path, Path]) -> None:
    code, _, error = run("compare", *pair, "--verify", "--reference-preset", "raw")
    assert code == 2
    assert "--reference-preset says how the base of a pair is read: give --pair, too" in error


def test_a_conversion_is_compared_with_what_it_was_made_from_by_its_answers(
    run: Run, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(fake_litert(workplace))
    np.save(workplace / "images.npy", np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8))
    nodes = [
        onnx.helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        onnx.helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    saved(workplace / "net.onnx", model(nodes, {"x": [1, 3, 16, 16]}, {"y": [1, 3]}))
    tflite_file(workplace / "net.tflite")
    how = ("--pair", "--images", "images.npy", "--device", "cpu", "--task", "classification", "--preset", "unit")
    for models in (("net.onnx", "net.tflite"), ("net.tflite", "net.onnx")):
        code, out, _ = run("compare", *models, *how)
        assert code == 0
        assert "note: the graphs were not compared: TensorFlow Lite files are run, not read" in out
        assert re.search(r"fidelity +100.0 %", out)
        assert re.search(r"consistency +(\S+) % +\1 % +\+0.0 points", out)
        assert "AA1" not in out
    code, out, _ = run("compare", "net.onnx", "net.tflite", "--verify")
    assert code == 3
    assert "give the .onnx file here" in out


def test_an_interrupt_during_a_pair_ends_the_pairs_behind_it(
    run: Run, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(workplace / "images.npy", np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8))
    for name in ("a.onnx", "b.onnx"):
        saved(workplace / name, classifier())
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "base")
    for name in ("a.onnx", "b.onnx"):
        saved(workplace / name, classifier(stride=4))

    def cut_short(side: Any) -> Any:
        return structs.replace(side, incomplete="interrupted after 2 of 9 images")

    begun: list[str] = []
    measured = paired.measure_both

    def interrupted(before: Examined, after: Examined, *arguments: Any) -> MeasuredPair:
        begun.append(after.file.path.name)
        both = measured(before, after, *arguments)
        return replace(both, base=cut_short(both.base), new=cut_short(both.new))

    monkeypatch.setattr(paired, "measure_both", interrupted)
    how = ("--pair", "--images", "images.npy", "--device", "cpu", "--preset", "unit", "--task", "classification")
    code, _, _ = run("compare", "--base-ref", "HEAD", "--model", "a.onnx", "--model", "b.onnx", *how)
    assert code == 130
    assert begun == ["a.onnx"]
