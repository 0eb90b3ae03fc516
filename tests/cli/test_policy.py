"""Waivers, baseline and budgets as a user meets them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.cli.conftest import HOSTILE_NAME, write_network
from tests.runner_commands import commands

Run = Callable[..., tuple[int, str, str]]

SETTINGS = """
select = ["AA101", "AA5", "AA9"]
"""
WAIVER = """
[[waiver]]
rule = "AA101"
model = "models/*.onnx"
node = "pool"
reason = "the camera does not move"
owner = "vision team"
expires = 2027-01-31
"""


@pytest.fixture
def model(workplace: Path) -> Path:
    Path("aliasaudit.toml").write_text(SETTINGS, encoding="utf-8")
    write_network(workplace / "models" / "net.onnx")
    return Path("models/net.onnx")


def waive(text: str = WAIVER) -> None:
    Path("aliasaudit.toml").write_text(SETTINGS + text, encoding="utf-8")


def two_pools(path: Path, name: str = "second") -> Path:
    pools = [
        helper.make_node("MaxPool", ["x"], ["a"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("MaxPool", ["b"], ["c"], name, kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c"], ["y"], "head"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        pools, "g", [value("x", TensorProto.FLOAT, [1, 3, 32, 32])], [value("y", TensorProto.FLOAT, None)]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_waived_finding_passes_and_is_listed_with_its_reason_on_request(run: Run, model: Path) -> None:
    assert run("check", "--fail-on", "warning", model)[0] == 1
    waive()
    code, out, _ = run("check", "--fail-on", "warning", model, "--today", "2027-01-31")
    assert code == 0
    assert "1 waived" in out
    assert "the camera does not move" not in out
    shown = run("check", model, "--show-waived", "--today", "2027-01-31")[1]
    assert re.search(
        r"^  waived: warning AA101 strided-max-pool at pool \(MaxPool\): the camera does not move, "
        r"owner vision team, until 2027-01-31$",
        shown,
        re.MULTILINE,
    )


def test_past_its_day_a_waiver_fails_the_run(run: Run, model: Path) -> None:
    waive()
    code, out, _ = run("check", model, "--today", "2027-02-01")
    assert code == 1
    assert "AA901 expired-waiver: Waiver number 1 (AA101), owned by vision team, expired after 2027-01-31" in out
    assert "AA101" in out
    assert run("check", model, "--today", "yesterday")[0] == 2


def test_the_bare_truth_is_one_flag_away(run: Run, model: Path) -> None:
    waive()
    code, out, _ = run("check", "--no-waivers", "--fail-on", "warning", model, "--today", "2027-01-01")
    assert code == 1
    assert "waived" not in out


def test_an_unused_waiver_warns_and_fails_a_strict_run(run: Run, model: Path) -> None:
    waive(WAIVER.replace('"pool"', '"gone"'))
    arguments = ["check", model, "--today", "2027-01-01"]
    code, out, _ = run(*arguments)
    assert (code, "warning AA902 unused-waiver" in out) == (0, True)
    assert run(*arguments, "--strict")[0] == 1


def test_accepted_findings_stand_in_the_json_report_whatever_is_asked(run: Run, model: Path) -> None:
    waive()
    document = json.loads(run("check", model, "--output-format", "json", "--today", "2027-01-01")[1])
    (one,) = document["models"][0]["accepted"]
    assert (one["finding"]["rule"], one["by"], one["reason"]) == ("AA101", "waiver", "the camera does not move")
    assert document["settings"]["today"] == "2027-01-01"
    assert document["models"][0]["findings"] == []


def test_only_new_findings_fail_once_a_baseline_is_written(run: Run, model: Path) -> None:
    code, out, _ = run("baseline", "write", model)
    assert (code, out) == (0, "aliasaudit-baseline.json: 1 known finding in 1 model, 0 before\n")
    check = ["check", "--fail-on", "warning", model, "--baseline", "aliasaudit-baseline.json"]
    code, out, _ = run(*check, "--show-waived")
    assert code == 0
    assert "known: warning AA101 strided-max-pool at pool (MaxPool)" in out
    two_pools(model)
    code, out, _ = run(*check)
    assert code == 1
    assert "AA101 strided-max-pool (new) at second (MaxPool)" in out
    assert "1 known" in out


def test_a_baseline_is_named_by_the_settings_relative_to_their_file(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waive('baseline = "ci/known.json"\n')
    Path("ci").mkdir()
    code, out, err = run("baseline", "write", model)
    assert (code, err) == (0, "")
    assert out.startswith("ci/known.json: ")
    monkeypatch.chdir("models")
    assert run("check", "--fail-on", "note", "net.onnx")[0] == 0


def test_a_repaired_finding_leaves_the_baseline_by_prune_and_new_ones_do_not_enter(run: Run, model: Path) -> None:
    two_pools(model)
    run("baseline", "write", model)
    write_network(model)
    check = ["check", model, "--baseline", "aliasaudit-baseline.json"]
    code, out, _ = run(*check)
    assert (code, "note AA903 stale-baseline" in out) == (0, True)
    assert run(*check, "--strict")[0] == 1
    code, out, _ = run("baseline", "prune", model)
    assert (code, out) == (0, "aliasaudit-baseline.json: 1 known finding in 1 model, 2 before\n")
    assert run(*check, "--strict")[0] == 0
    two_pools(model, "third")
    run("baseline", "prune", model)
    assert "third" not in Path("aliasaudit-baseline.json").read_text(encoding="utf-8")


def test_a_baseline_of_half_the_models_is_not_written(run: Run, model: Path) -> None:
    Path("models/bad.onnx").write_bytes(b"")
    code, out, err = run("baseline", "write", "models")
    assert (code, out) == (3, "")
    assert "was not written" in err
    assert not Path("aliasaudit-baseline.json").exists()


def test_a_missing_baseline_or_a_damaged_one_is_a_mistake_not_a_clean_run(run: Run, model: Path) -> None:
    assert run("check", model, "--baseline", "none.json")[0] == 2
    Path("b.json").write_text("{}", encoding="utf-8")
    code, _, err = run("check", model, "--baseline", "b.json")
    assert code == 2
    assert "baseline b.json: is no baseline" in err
    assert run("baseline", "prune", model)[0] == 2


def test_a_hostile_name_stays_inert_in_the_baseline_and_when_it_is_listed(run: Run, model: Path) -> None:
    write_network(model, name=HOSTILE_NAME)
    run("baseline", "write", model)
    assert not commands(Path("aliasaudit-baseline.json").read_text(encoding="utf-8"))
    code, out, err = run("check", model, "--fail-on", "note", "--baseline", "aliasaudit-baseline.json", "--show-waived")
    assert code == 0
    assert not commands(out + err)


def test_a_budget_that_is_exceeded_fails_and_says_both_numbers(run: Run, model: Path) -> None:
    waive("[budget]\nAA101 = 1\nmax-subsampling = 2\n")
    assert run("check", model)[0] == 0
    two_pools(model)
    code, out, _ = run("check", model)
    assert code == 1
    assert "AA503 over-budget: AA101 is 2 here, and the budget is 1." in out
    assert "AA503 over-budget: max-subsampling is 4 here, and the budget is 2." in out


def test_two_runs_on_the_same_day_write_the_same_bytes(run: Run, model: Path) -> None:
    waive()
    arguments = ["check", model, "--output-format", "json", "--today", "2027-02-01"]
    assert run(*arguments)[1] == run(*arguments)[1]


def test_policy_settings_are_shown_with_their_origin(run: Run, model: Path) -> None:
    waive("[budget]\nAA101 = 1\n[compare]\nmin = 0.9\n" + WAIVER)
    shown = json.loads(run("config", "--output-format", "json")[1])
    assert shown["waiver.1"]["value"]["expires"] == "2027-01-31"
    assert shown["budget.AA101"] == {"value": 1.0, "origin": "aliasaudit.toml"}
    assert shown["compare.min"]["value"] == 0.9
    assert shown["strict"] == {"value": False, "origin": "default"}


def test_config_shows_how_models_are_measured_and_where_that_comes_from(run: Run, workplace: Path) -> None:
    Path("aliasaudit.toml").write_text('[verify]\npreset = "unit"\n\n[verify."small*.onnx"]\nradius = 4\n')
    code, out, err = run("config")
    assert (code, err) == (0, "")
    rows = dict(line.split(" = ", 1) for line in out.splitlines() if line.startswith("verify."))
    assert rows.keys() == {"verify.preset", "verify.small*.onnx.radius"}
    assert rows["verify.preset"].split("#")[0].strip() == '"unit"'
    assert all("aliasaudit.toml" in row for row in rows.values())
