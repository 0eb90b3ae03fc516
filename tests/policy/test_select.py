from __future__ import annotations

import pytest

from auditor.facts.rule import Rule
from auditor.policy.errors import SettingsError
from auditor.policy.select import choose, ignored_for, is_ignored
from auditor.policy.settings import Settings, SettingsLayer, Source, ValueOrigin, resolve
from auditor.policy.validate import check_values
from auditor.policy.words import names


def rule(code: str, name: str, status: str = "stable") -> Rule:
    return Rule(code, name, "", (), lambda _: (), status=status)


RULES = (
    rule("AA101", "strided-max-pool"),
    rule("AA102", "strided-conv"),
    rule("AA201", "cumulative-subsampling"),
    rule("AA299", "on-trial", "preview"),
    rule("XY101", "house-rule"),
)


def settings(file: dict[str, object] | None = None, typed: dict[str, object] | None = None) -> Settings:
    layers = []
    for source, values in ((Source.FILE, file or {}), (Source.COMMAND_LINE, typed or {})):
        origin = ValueOrigin(source, source.name)
        layers.append(SettingsLayer(origin, check_values(values, origin)))
    return resolve(layers)


def codes(file: dict[str, object] | None = None, typed: dict[str, object] | None = None) -> list[str]:
    return [rule.code for rule in choose(RULES, settings(file, typed))]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, ["AA101", "AA102", "AA201", "XY101"]),
        ({"select": ["ALL"]}, ["AA101", "AA102", "AA201", "XY101"]),
        ({"select": ["AA1"]}, ["AA101", "AA102"]),
        ({"select": ["AA"]}, ["AA101", "AA102", "AA201"]),
        ({"select": ["strided-conv"]}, ["AA102"]),
        ({"select": []}, []),
        ({"ignore": ["AA1"]}, ["AA201", "XY101"]),
        ({"ignore": ["ALL"]}, []),
        ({"ignore": ["ALL"], "extend-select": ["AA2"]}, ["AA201"]),
        ({"select": ["AA101"], "ignore": ["AA1"]}, ["AA101"]),
        ({"select": ["AA1"], "ignore": ["AA101"]}, ["AA102"]),
        ({"select": ["AA101"], "ignore": ["AA101"]}, []),
        ({"select": ["AA1"], "extend-select": ["AA201"]}, ["AA101", "AA102", "AA201"]),
        ({"select": ["AA10"], "ignore": ["AA1"]}, ["AA101", "AA102"]),
        ({"select": ["AA1"], "ignore": ["AA10"]}, []),
        ({"select": ["AA"], "ignore": ["ALL"]}, ["AA101", "AA102", "AA201"]),
        ({"select": ["ALL"], "ignore": ["AA"]}, ["XY101"]),
    ],
)
def test_the_more_specific_word_wins(given: dict[str, object], chosen: list[str]) -> None:
    assert codes(given) == chosen
    assert codes(None, given) == chosen


@pytest.mark.parametrize("word", ["A", "aa1", "AA1-", "AA1013", "strided", "1", ""])
def test_a_word_that_is_no_prefix_of_a_code_names_no_rule(word: str) -> None:
    assert not any(names(word, rule) for rule in RULES)


def test_a_select_on_the_command_line_starts_afresh_but_keeps_what_the_file_ignores() -> None:
    file: dict[str, object] = {"select": ["AA2"], "extend-select": ["XY101"], "ignore": ["AA102"]}
    assert codes(file, {"select": ["AA1"]}) == ["AA101"]
    assert codes(file, {"select": ["AA102"]}) == ["AA102"]


def test_extend_select_and_ignore_on_the_command_line_add_to_the_file() -> None:
    file: dict[str, object] = {"select": ["AA1"], "ignore": ["AA102"]}
    assert codes(file, {"extend-select": ["AA102"]}) == ["AA101", "AA102"]
    assert codes(file, {"ignore": ["AA101"]}) == []


def test_a_rule_on_trial_runs_only_where_it_is_named_itself() -> None:
    assert "AA299" not in codes({"select": ["ALL", "AA2"]})
    assert codes({"select": ["AA299"]}) == ["AA299"]
    assert codes({"extend-select": ["on-trial"], "select": ["AA101"]}) == ["AA101", "AA299"]


@pytest.mark.parametrize("word", ["AA999", "ZZ", "strided-maxpool", "aa101", "A", "*"])
@pytest.mark.parametrize("key", ["select", "extend-select", "ignore"])
def test_a_word_that_names_no_rule_is_an_error(key: str, word: str) -> None:
    with pytest.raises(SettingsError, match="FILE: no rule is called"):
        choose(RULES, settings({key: [word]}))


def test_the_error_suggests_a_rule() -> None:
    with pytest.raises(SettingsError, match=r'did you mean "strided-max-pool"'):
        choose(RULES, settings({"select": ["strided-maxpool"]}))


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("models/seg*.onnx", "models/segment.onnx", True),
        ("models/seg*.onnx", "other/models/segment.onnx", False),
        ("seg*.onnx", "models/deep/segment.onnx", True),
        ("models/*", "models/deep/segment.onnx", True),
        ("SEG*.onnx", "segment.onnx", False),
    ],
)
def test_rules_can_be_left_out_for_some_models(pattern: str, path: str, matches: bool) -> None:
    chosen = settings({"per-model-ignore": {pattern: ["AA1"]}})
    ignored = ignored_for(path, chosen)
    assert is_ignored(RULES[0], ignored) is matches
    assert not is_ignored(RULES[2], ignored)
    with pytest.raises(SettingsError):
        choose(RULES, settings({"per-model-ignore": {pattern: ["AA9"]}}))
