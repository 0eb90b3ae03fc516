from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor import __version__
from auditor.audit.packs import load_builtin
from tests.runner_commands import commands

Run = Callable[..., tuple[int, str, str]]


def test_the_version_is_one_line(run: Run) -> None:
    assert run("--version") == (0, f"aliasaudit {__version__}\n", "")


@pytest.mark.parametrize("word", ["AA101", "aa101", "strided-max-pool"])
def test_a_rule_is_explained_by_code_or_name(run: Run, word: str) -> None:
    code, out, _ = run("rule", word)
    assert code == 0
    assert out == load_builtin().page("AA101")


def test_all_rules_are_listed_a_line_each(run: Run) -> None:
    code, out, _ = run("rule", "--all")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [rule.code for rule in load_builtin().rules]


def test_rules_are_described_for_programs(run: Run) -> None:
    described = json.loads(run("rule", "AA201", "--output-format", "json")[1])
    assert [(rule["code"], rule["options"]) for rule in described] == [("AA201", {"threshold": 16})]
    everything = run("rule", "--all", "--output-format", "markdown")[1]
    assert all(load_builtin().page(rule.code) in everything for rule in load_builtin().rules)


@pytest.mark.parametrize("arguments", [["AA999"], [], ["AA101", "--all"], ["--all", "--output-format", "pdf"]])
def test_a_rule_that_does_not_exist_or_is_not_named_is_a_mistake(run: Run, arguments: list[str]) -> None:
    code, out, err = run("rule", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("aliasaudit: error: ")


def test_config_shows_every_setting_with_its_origin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("pyproject.toml").write_text(
        '[tool.aliasaudit]\nfail-on = "note"\n[tool.aliasaudit.rule.AA201]\nthreshold = 8\n'
    )
    monkeypatch.setenv("ALIASAUDIT_OUTPUT_FORMAT", "json")
    _, out, _ = run("config", "--output-format", "json")
    shown = json.loads(out)
    assert shown["fail-on"] == {"value": "note", "origin": "pyproject.toml"}
    assert shown["output-format"] == {"value": "json", "origin": "environment variable ALIASAUDIT_OUTPUT_FORMAT"}
    assert shown["min-severity"] == {"value": "note", "origin": "default"}
    assert shown["rule.AA201.threshold"] == {"value": 8, "origin": "pyproject.toml"}
    text = run("config")[1]
    assert len(text.splitlines()) == len(shown)
    assert run("config", "limits.max-nodes")[1].startswith("limits.max-nodes = ")
    code, _, err = run("config", "fail_on")
    assert code == 2
    assert 'did you mean "fail-on"' in err


def test_config_shows_names_of_a_hostile_settings_file_inert(run: Run) -> None:
    Path("aliasaudit.toml").write_text('[input-shapes]\n"::error::##[group]" = "1x2"\n')
    for output_format in ("text", "json"):
        code, out, _ = run("config", "--output-format", output_format)
        assert code == 0
        assert not commands(out)


@pytest.mark.parametrize("name", ["report", "resize", "settings"])
def test_schemas_are_printed_as_json(run: Run, name: str) -> None:
    code, out, _ = run("schema", name)
    assert code == 0
    assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert run("schema", "model")[0] == 2


def test_a_crash_exits_with_2_in_one_line_and_with_a_traceback_only_on_request(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(folder: Path) -> None:
        raise ZeroDivisionError("once\nmore")

    monkeypatch.setattr("auditor.demo.files.write_example", crash)
    code, out, err = run("demo")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(
        "aliasaudit: internal error: ZeroDivisionError: once\\x0amore; please report"
    )
    assert "Traceback" not in err
    code, _, err = run("--debug", "demo")
    assert code == 2
    assert "Traceback" in err


def test_an_interrupt_exits_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.demo.files.write_example", interrupt)
    code, _, err = run("demo")
    assert code == 130
    assert "Traceback" not in err
