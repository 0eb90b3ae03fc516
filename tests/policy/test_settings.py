from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from auditor.facts.finding import Severity
from auditor.facts.rule import Rule
from auditor.policy.errors import SettingsError
from auditor.policy.keys import KEYS, settings_schema
from auditor.policy.settings import FailOn, Settings, SettingsLayer, Source, ValueOrigin, resolve
from auditor.policy.validate import check_values, rule_options

FILE = ValueOrigin(Source.FILE, "pyproject.toml")
TYPED = ValueOrigin(Source.COMMAND_LINE, "command line")

EXAMPLE: dict[str, Any] = {
    "select": ["AA1", "AA201"],
    "extend-select": ["AA202"],
    "ignore": ["strided-conv"],
    "per-model-ignore": {"models/seg*.onnx": ["AA101"]},
    "fail-on": "warning",
    "min-severity": "warning",
    "output-format": "json",
    "rule-dirs": ["ci/rules"],
    "input-shapes": {"image": "1x3x224x224", "mask": [1, 1, 8, 8]},
    "limits": {"max-nodes": 10},
    "rule": {"AA201": {"threshold": 8}},
    "waiver": [{"rule": "AA101", "reason": "the camera does not move", "expires": "2027-01-31"}],
    "baseline": "aliasaudit-baseline.json",
    "budget": {"AA101": 2, "max-subsampling": 32, "ratchet": True, "seg*.onnx": {"AA101": 5}},
    "compare": {"max-absolute-drop": 0.01, "inconclusive": "fail", "min-images": 64, "require-verify": True},
    "strict": True,
}

RULES = (
    Rule("AA201", "cumulative-subsampling", "", (Severity.WARNING,), lambda _: (), {"threshold": 16, "share": 0.5}),
    Rule("AA101", "strided-max-pool", "", (Severity.ERROR,), lambda _: ()),
)


def layer(values: dict[str, Any], origin: ValueOrigin = FILE) -> SettingsLayer:
    return SettingsLayer(origin, check_values(values, origin))


def test_every_key_is_read_and_knows_where_it_came_from() -> None:
    settings = resolve([layer(EXAMPLE)])
    assert set(EXAMPLE) <= set(KEYS)
    assert settings.select is not None
    assert [word.text for word in settings.select] == ["AA1", "AA201"]
    assert settings.fail_on is FailOn.WARNING
    assert settings.input_shapes == {"image": (1, 3, 224, 224), "mask": (1, 1, 8, 8)}
    assert settings.limits.max_nodes == 10
    assert settings.limits.max_depth == Settings().limits.max_depth
    assert all(settings.origin(key) == FILE for key in EXAMPLE)
    assert settings.origin("limits.max-nodes") == FILE
    assert str(settings.origin("limits.max-depth")) == "default"


def test_a_later_place_replaces_values_and_single_entries_of_tables() -> None:
    typed = layer({"fail-on": "note", "input-shapes": {"mask": "2x2"}, "rule": {"AA201": {"share": 1}}}, TYPED)
    settings = resolve([layer(EXAMPLE), typed])
    assert settings.fail_on is FailOn.NOTE
    assert settings.input_shapes == {"image": (1, 3, 224, 224), "mask": (2, 2)}
    assert settings.rules == {"AA201": {"threshold": 8, "share": 1}}
    assert settings.origin("input-shapes.mask") == TYPED
    assert settings.origin("input-shapes.image") == FILE
    assert settings.origin("rule.AA201.threshold") == FILE


def test_the_published_schema_accepts_what_the_program_accepts() -> None:
    jsonschema.Draft202012Validator.check_schema(settings_schema())
    jsonschema.validate(EXAMPLE, settings_schema())


@pytest.mark.parametrize(
    "values",
    [
        {"unknown": 1},
        {"fail-on": "eror"},
        {"select": "AA1"},
        {"limits": {"max-node": 1}},
        {"limits": {"max-nodes": 0}},
        {"input-shapes": {"x": "axb"}},
        {"input-shapes": {"x": []}},
        {"rule": {"AA201": {"threshold": [1]}}},
    ],
)
def test_the_published_schema_and_the_program_refuse_the_same(values: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, settings_schema())
    with pytest.raises(SettingsError):
        check_values(values, FILE)


def test_rule_options_are_the_defaults_overlaid_with_the_settings() -> None:
    settings = resolve([layer({"rule": {"cumulative-subsampling": {"threshold": 8, "share": 1}}})])
    options = rule_options(settings, RULES)
    assert options == {"AA201": {"threshold": 8, "share": 1.0}, "AA101": {}}
    assert isinstance(options["AA201"]["share"], float)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("AA20", {"threshold": 8}, 'pyproject.toml: rule.AA20: there is no such rule (did you mean "AA201"?)'),
        ("AA201", {"treshold": 8}, "pyproject.toml: rule.AA201.treshold is no option of this rule; its options are"),
        ("AA101", {"threshold": 8}, "pyproject.toml: rule.AA101.threshold is no option of this rule; it has none"),
        ("AA201", {"threshold": 8.5}, "pyproject.toml: rule.AA201.threshold must be an integer"),
        ("AA201", {"threshold": True}, "pyproject.toml: rule.AA201.threshold must be an integer"),
        ("AA201", {"share": "much"}, "pyproject.toml: rule.AA201.share must be a number"),
    ],
)
def test_a_mistaken_rule_option_is_one_line(rule: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        rule_options(resolve([layer({"rule": {rule: options}})]), RULES)
    assert str(error.value).startswith(message)
