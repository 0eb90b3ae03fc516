from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.audit import packs
from auditor.facts.rule import Rule
from tests.cli.conftest import HOSTILE_NAME, write_network
from tests.runner_commands import commands, control_bytes

Run = Callable[..., tuple[int, str, str]]


def report(out: str) -> Any:
    return json.loads(out)


def test_a_strided_max_pool_is_found_and_fails_the_gate_when_asked(run: Run) -> None:
    write_network(Path("net.onnx"))
    code, out, err = run("check", "net.onnx", "--fail-on", "warning")
    assert code == 1
    assert "AA101 strided-max-pool at pool (MaxPool)" in out
    assert err == ""


def test_a_network_without_strides_is_clean(run: Run) -> None:
    write_network(Path("net.onnx"), stride=1)
    code, out, _ = run("check", "net.onnx", "--fail-on", "note")
    assert code == 0
    assert "1 model audited; no findings" in out


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--fail-on", "warning"], 1),
        (["--fail-on", "warning", "--exit-zero"], 0),
        (["--fail-on", "never"], 0),
        (["--fail-on", "note", "--select", "AA2"], 0),
        (["--fail-on", "note", "--ignore", "AA"], 0),
        (["--fail-on", "note", "--min-severity", "error"], 0),
        (["--fail-on", "sometimes"], 2),
        (["--color", "sometimes"], 2),
        (["--select", "AA999"], 2),
        (["--output-format", "xml"], 2),
        (["--input-shape", "1x3x32x32"], 2),
        (["--input-shape", "image=big"], 2),
        (["--config", "missing.toml"], 2),
        (["--isolated", "--config", "missing.toml"], 2),
        (["--rules", "missing"], 2),
        (["--output", "missing/report.json"], 2),
        (["--no-such-flag"], 2),
        (["missing.onnx"], 3),
        (["missing.onnx", "--exit-zero"], 3),
        (["empty-folder"], 3),
        (["broken.onnx"], 3),
    ],
)
def test_exit_codes_tell_findings_mistakes_and_missing_audits_apart(run: Run, flags: list[str], code: int) -> None:
    write_network(Path("net.onnx"))
    Path("broken.onnx").write_bytes(b"")
    Path("empty-folder").mkdir()
    got, _, err = run("check", "net.onnx", *flags)
    assert got == code
    assert "Traceback" not in err


def test_a_mistake_is_one_line_on_stderr_and_nothing_on_stdout(run: Run) -> None:
    write_network(Path("net.onnx"))
    _, out, err = run("check", "net.onnx", "--fail-on", "eror")
    assert out == ""
    assert err == (
        'aliasaudit: error: command line: fail-on must be one of error, warning, note, never (did you mean "error"?)\n'
    )


def test_one_broken_model_does_not_end_the_audit_of_the_others(run: Run) -> None:
    Path("a.onnx").write_bytes(b"")
    write_network(Path("b.onnx"))
    code, out, err = run("check", "a.onnx", "b.onnx", "nowhere.onnx", "--output-format", "json")
    assert code == 3
    found = report(out)
    assert [model["path"] for model in found["models"]] == ["b.onnx"]
    assert [(problem["path"], problem["code"]) for problem in found["problems"]] == [
        ("a.onnx", "empty"),
        ("nowhere.onnx", "missing"),
    ]
    assert "a.onnx: is empty" in err


def test_folders_are_walked_in_order_without_hidden_places_and_each_model_once(run: Run) -> None:
    for name in ("zoo/b.onnx", "zoo/a.onnx", "zoo/deep/c.onnx", "zoo/.git/d.onnx", "zoo/.e.onnx"):
        write_network(Path(name))
    Path("zoo/readme.txt").write_text("no model")
    code, out, _ = run("check", "zoo/deep/c.onnx", "zoo", "zoo/a.onnx", "--output-format", "json")
    assert code == 0
    assert [model["path"] for model in report(out)["models"]] == ["zoo/deep/c.onnx", "zoo/a.onnx", "zoo/b.onnx"]


def test_the_report_goes_to_a_file_whole_and_stdout_stays_empty(run: Run) -> None:
    write_network(Path("net.onnx"))
    Path("report.json").write_text("old")
    _, out, err = run("check", "net.onnx", "--output-format", "json", "-o", "report.json")
    assert out == ""
    assert err == "aliasaudit: wrote report.json\n"
    assert report(Path("report.json").read_text())["summary"]["models"] == 1
    assert sorted(path.name for path in Path().iterdir()) == [".git", "net.onnx", "report.json"]


def test_a_report_never_replaces_a_model(run: Run) -> None:
    before = write_network(Path("net.onnx")).read_bytes()
    code, _, err = run("check", "net.onnx", "-o", "./net.onnx")
    assert code == 2
    assert "is one of the models" in err
    assert Path("net.onnx").read_bytes() == before


def test_settings_come_from_the_file_then_the_environment_then_the_command_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_network(Path("net.onnx"))
    Path("aliasaudit.toml").write_text('fail-on = "warning"\noutput-format = "text"\n')
    assert run("check", "net.onnx")[0] == 1
    assert run("check", "net.onnx", "--isolated")[0] == 0
    assert run("check", "net.onnx", "--fail-on", "never")[0] == 0
    monkeypatch.setenv("ALIASAUDIT_OUTPUT_FORMAT", "json")
    assert report(run("check", "net.onnx")[1])["summary"]["models"] == 1
    assert run("check", "net.onnx", "--output-format", "text")[1].startswith("model net.onnx")


def test_an_assumed_input_size_is_said_and_can_be_given(run: Run) -> None:
    write_network(Path("net.onnx"), size="side")
    assert "assumed, see --input-shape" in run("check", "net.onnx")[1]
    given = report(run("check", "net.onnx", "--input-shape", "image=1x3x64x48", "--output-format", "json")[1])
    assert given["models"][0]["inputs"][0]["sizes"] == [1, 3, 64, 48]
    assert given["models"][0]["inputs"][0]["assumed"] == []
    assert given["settings"]["input-shapes"] == {"image": [1, 3, 64, 48]}


def test_rules_can_be_left_out_for_some_models(run: Run) -> None:
    write_network(Path("models/seg.onnx"))
    write_network(Path("models/cls.onnx"))
    Path("aliasaudit.toml").write_text('[per-model-ignore]\n"models/seg*" = ["AA101"]\n')
    models = report(run("check", "models", "--output-format", "json")[1])["models"]
    fired = {model["path"]: [finding["rule"] for finding in model["findings"]] for model in models}
    assert fired == {"models/cls.onnx": ["AA101"], "models/seg.onnx": []}


def test_names_in_a_model_can_command_neither_the_terminal_nor_the_ci_runner(run: Run) -> None:
    write_network(Path("net.onnx"), name=HOSTILE_NAME)
    for flags in ([], ["-v"], ["--color", "always"], ["--output-format", "json"]):
        code, out, err = run("check", "net.onnx", *flags)
        assert code == 0
        assert not commands(out + err)
        assert "always" in flags or not control_bytes(out + err)
    assert report(out)["models"][0]["analysis"]["sites"][0]["node"]["name"] == HOSTILE_NAME


def test_two_runs_give_the_same_bytes(run: Run) -> None:
    write_network(Path("net.onnx"))
    assert run("check", "net.onnx", "--output-format", "json") == run("check", "net.onnx", "--output-format", "json")


def test_statistics_count_the_findings_of_each_rule(run: Run) -> None:
    write_network(Path("net.onnx"))
    assert "1      AA101  strided-max-pool" in run("check", "net.onnx", "--statistics")[1]


HOUSE_RULE = """
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Rule

def check(context):
    yield Finding("XY101", "house-rule", Severity.ERROR, f"{len(context.analysis.sites)} sites.")

RULE = Rule("XY101", "house-rule", "Counts sites.", (Severity.ERROR,), check)
"""


def write_pack(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "pack.toml").write_text('name = "house"\nprefix = "XY"\napi = 1\n')
    (folder / "xy101_house_rule.py").write_text(HOUSE_RULE)
    (folder / "xy101_house_rule.md").write_text("\n".join(f"## {heading}\n" for heading in packs.HEADINGS))


def test_a_folder_of_rules_named_on_the_command_line_runs(run: Run) -> None:
    write_network(Path("net.onnx"))
    write_pack(Path("house"))
    code, out, _ = run("check", "net.onnx", "--rules", "house")
    assert code == 1
    assert "error XY101 house-rule: 1 sites." in out


def test_a_settings_file_cannot_run_code_unless_the_command_line_allows_it(run: Run) -> None:
    write_network(Path("net.onnx"))
    Path("aliasaudit.toml").write_text('rule-dirs = ["house"]\n')
    Path("house").mkdir()
    Path("house", "__init__.py").write_text("raise SystemExit('code ran')")
    code, _, err = run("check", "net.onnx")
    assert code == 2
    assert "--allow-rule-dirs" in err


def test_a_rule_that_fails_is_a_fault_of_the_program_and_the_rest_is_reported(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_network(Path("net.onnx"))
    builtin = packs.load_builtin()

    def crash(_: object) -> list[Any]:
        raise KeyError("##[error]")

    broken = Rule("AA199", "crashes", "", (), crash)
    pack = packs.Pack(builtin.name, builtin.prefix, (*builtin.rules, broken), builtin.folder)
    monkeypatch.setattr("auditor.audit.run.load_builtin", lambda: pack)
    code, out, _ = run("check", "net.onnx")
    assert code == 2
    assert "AA101 strided-max-pool at pool" in out
    assert "problem internal-error: net.onnx: rule AA199 failed on this model (KeyError" in out
    assert not commands(out)
    code, _, err = run("--debug", "check", "net.onnx")
    assert code == 2
    assert "Traceback" in err


@pytest.mark.parametrize(
    ("environment", "flags", "coloured"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
    ],
)
def test_colour_is_what_the_user_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], flags: list[str], coloured: bool
) -> None:
    write_network(Path("net.onnx"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in run("check", "net.onnx", *flags)[1]) is coloured


def test_an_input_shape_that_no_model_can_take_is_an_error_that_says_what_there_is(run: Run) -> None:
    write_network(Path("net.onnx"), size="side")
    write_network(Path("fixed.onnx"))
    code, _, err = run("check", "net.onnx", "--input-shape", "imge=1x3x64x64")
    assert code == 2
    assert 'no input is called "imge" (did you mean "image"?); there is "image"' in err
    code, _, err = run("check", "net.onnx", "fixed.onnx", "--input-shape", "image=1x3x64x64")
    assert code == 2
    assert "image=1x3x64x64 contradicts fixed.onnx, where this input is 1x3x32x32" in err
    for shape in ("1x3x64", "1x4x64x64", "2x3x64x64"):
        assert run("check", "net.onnx", "--input-shape", f"image={shape}")[0] == 2
    assert run("check", "net.onnx", "--input-shape", "image=1x3x64x48")[0] == 0
    assert run("check", "fixed.onnx", "--input-shape", "image=1x3x32x32")[0] == 0
    for command in (
        ("compare", "net.onnx", "net.onnx"),
        ("fix", "net.onnx", "--plan"),
        ("baseline", "write", "net.onnx"),
        ("check", "net.onnx", "--fix", "--unsafe-fixes", "--fix-output", "fixed2.onnx"),
    ):
        code, _, err = run(*command, "--input-shape", "imge=1x3x64x64")
        assert (code, "no input is called" in err) == (2, True), command


def test_a_settings_file_may_give_shapes_of_models_that_are_not_audited_now(run: Run) -> None:
    write_network(Path("net.onnx"), size="side")
    Path("aliasaudit.toml").write_text('[input-shapes]\nother = "1x3x64x64"\nimage = "1x3x64x48"\n')
    code, out, err = run("check", "net.onnx")
    assert code == 0
    assert "1x3x64x48" in out.replace(" x ", "x")
    assert err == "aliasaudit: aliasaudit.toml: input-shapes.other is for none of these models\n"
    assert run("check", "-q", "net.onnx")[2] == ""


def test_an_address_keeps_both_slashes_and_a_folder_of_another_tool_says_how_to_convert_it(
    run: Run, workplace: Path
) -> None:
    code, out, _ = run("check", "https://example.com/net.onnx")
    assert code == 3
    assert "https://example.com/net.onnx: is an address; download the file first" in out
    (workplace / "saved").mkdir()
    (workplace / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    code, out, _ = run("check", "saved")
    assert code == 3
    assert "python -m tf2onnx.convert --saved-model DIR --output model.onnx" in out
