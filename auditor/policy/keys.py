"""The keys of a settings file: how each is read and what it means. The checks and the JSON Schema come from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from auditor.choices import suggestion
from auditor.onnxfile.limits import Limits
from auditor.options.general import InputShapes, Output, Policy, Selection
from auditor.options.measuring import Measuring
from auditor.options.option import Group
from auditor.options.thresholds import Thresholds
from auditor.policy.budgets import budgets_schema, read_budgets
from auditor.policy.waivers import read_waivers, waivers_schema

Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``read`` turns a plain TOML value into the checked one, or raises ValueError with what it must be."""

    meaning: str
    read: Callable[[object], Any]
    schema: Schema


def _word_table(value: object) -> dict[str, tuple[str, ...]]:
    read = Selection.options["ignore"].kind.read
    return {pattern: _within(pattern, read, words) for pattern, words in _table(value).items()}


def _limits(value: object) -> dict[str, int]:
    limits = _table(value)
    for name, limit in limits.items():
        if name not in LIMIT_NAMES:
            raise ValueError(f'has no limit "{name}"{suggestion(name, LIMIT_NAMES)}')
        if not isinstance(limit, int) or isinstance(limit, bool) or limit <= 0:
            raise ValueError(f'needs a positive integer for "{name}"')
    return limits


def _rules(value: object) -> dict[str, dict[str, Any]]:
    rules = {rule: _within(rule, _table, options) for rule, options in _table(value).items()}
    for rule, options in rules.items():
        for option, setting in options.items():
            if not isinstance(setting, int | float | str | bool):
                raise ValueError(f'needs a number, a word, or true or false for "{rule}.{option}"')
    return rules


def _verify(value: object) -> dict[str, Any]:
    """Options by name, and tables of options by the pattern of the models that they are for."""
    known = Measuring.by_key()
    options = _table(value)
    for name, option in options.items():
        if isinstance(option, dict):
            if any(isinstance(inner, dict) for inner in option.values()):
                raise ValueError(f'entry "{name}" must hold options only')
            _within(name, _verify, option)
        elif name not in known:
            raise ValueError(f'has no option "{name}"{suggestion(name, known)}')
        elif isinstance(option, bool) or not isinstance(option, int | float | str | list):
            raise ValueError(f'needs a number or text for "{name}"')
    return options


def _compare(value: object) -> dict[str, Any]:
    known = Thresholds.by_key()
    options = _table(value)
    for name in options:
        if name not in known:
            raise ValueError(f'has no key "{name}"{suggestion(name, known)}')
    return {name: _within(name, known[name].kind.read, option) for name, option in options.items()}


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return value


def _within(name: str, read: Callable[[object], Any], value: object) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f'entry "{name}" {error}') from None


def _schema(group: type[Group]) -> dict[str, Schema]:
    """The options of a group that a settings file may hold."""
    return {
        key: {"description": declared.help, **declared.kind.schema}
        for key, declared in group.by_key().items()
        if not declared.trusted
    }


LIMIT_NAMES = tuple(field.name.replace("_", "-") for field in fields(Limits))

_WORD_LIST = Selection.options["ignore"].kind.schema
_MEASURING = _schema(Measuring)

OPTION_KEYS: Mapping[str, Key] = {
    declared.key: Key(declared.help, declared.kind.read, declared.kind.schema)
    for group in (Selection, Policy, Output, InputShapes)
    for declared in group.options.values()
    if declared.table == "" and declared.stands_for is None
}
"""The keys that are options of commands too; each is a field of :class:`~auditor.policy.settings.Settings`."""

KEYS: Mapping[str, Key] = {
    **OPTION_KEYS,
    "per-model-ignore": Key(
        "Rules not to run on the models whose path matches a pattern, relative to this file.",
        _word_table,
        {"type": "object", "additionalProperties": _WORD_LIST},
    ),
    "limits": Key(
        "Bounds on one model file.",
        _limits,
        {
            "type": "object",
            "properties": {name: {"type": "integer", "minimum": 1} for name in LIMIT_NAMES},
            "additionalProperties": False,
        },
    ),
    "rule": Key(
        "Options of single rules, by code or name.",
        _rules,
        {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": {"type": ["number", "string", "boolean"]},
            },
        },
    ),
    "waiver": Key("Findings that are accepted, each with a reason.", read_waivers, waivers_schema()),
    "budget": Key(
        "How many findings of a rule, subsampling and alias energy one model may have; and tables by path pattern.",
        read_budgets,
        budgets_schema(),
    ),
    "compare": Key(
        "What a model that replaces another must hold.",
        _compare,
        {"type": "object", "properties": _schema(Thresholds), "additionalProperties": False},
    ),
    "verify": Key(
        "How models are measured: options of the command verify, and tables of them by path pattern.",
        _verify,
        {
            "type": "object",
            "properties": _MEASURING,
            "additionalProperties": {"type": "object", "properties": _MEASURING, "additionalProperties": False},
        },
    ),
}


def settings_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``aliasaudit.toml`` and of ``[tool.aliasaudit]`` in pyproject.toml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aliasaudit settings",
        "type": "object",
        "properties": {name: {"description": key.meaning, **key.schema} for name, key in KEYS.items()},
        "additionalProperties": False,
    }
